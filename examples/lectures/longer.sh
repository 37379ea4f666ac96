#!/bin/bash
# What becomes of a text that is longer than all that a model was trained on?
. "$(dirname "$0")/lib.sh"
corpus

# Documents of one to four sentences to learn from, of twelve to measure with; the model has room for 128 tokens.
documents() { awk -v sizes="$2" '{ text = text (n ? " " : "") $0; if (++n == substr(sizes, 1 + done % length(sizes), 1)) { print text "\n"; text = ""; n = 0; done++ } }' "$1"; }
documents corpus/train.en 2314 > short.txt
documents corpus/valid.en 2314 > short-valid.txt
awk -v most="$(pick 60 5)" '{ text = text (n ? " " : "") $0; if (++n == 12) { if (done++ < most) print text; text = ""; n = 0 } }' corpus/test.en > long.txt
title "Two documents to learn from, and one to measure with"
sed -n 1,3p short.txt
sed -n 1p long.txt

title "Loss by the place of a token, -ln p, trained on documents of one to four sentences"
for positions in learned sinusoid rotary none; do
  learn far-$positions --task lm --train short.txt --valid short-valid.txt --document-separator blank --size tiny --layers 2 --hidden 64 --context 128 \
    --vocab-size 1000 --batch-tokens 256 --learning-rate 0.003 --warmup-steps 50 --dropout 0 --positions $positions \
    --max-steps "$(pick 1500 10)" --valid-every "$(pick 1500 10)"
  qkv score far-$positions long.txt --per-token --accept-cuts --quiet |
    awk -F '\t' -v positions=$positions '{ if ($1 != line) { line = $1; place = 0 } bin = int(place / 16); place += 1; if (bin < 7) { sum[bin] -= $3; n[bin]++ } }
      END { printf "%s", positions; for (b = 0; b < 7; b++) printf "\t%.2f", n[b] ? sum[b] / n[b] : 0; print "" }'
done | { printf 'positions\t0-15\t16-31\t32-47\t48-63\t64-79\t80-95\t96-111\n'; cat; } | table
echo "Trained on: $(qkv tokenize far-learned short.txt --no-special-tokens | awk 'NF { n++; sum += NF; if (NF > most) most = NF } END { printf "documents of %.0f tokens on average, the longest of %d.\n", sum / n, most }')"
cat << END
So the columns at the right are places that training hardly or never showed. Where the loss climbs there, the model had learnt the places
themselves: rows of a table that were never touched, or values of sines that it never met. Rotary positions turn queries and keys by their
distance, and without positions the causal mask alone tells what came before: those rows stay the most level.
END
