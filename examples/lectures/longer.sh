#!/bin/bash
# What becomes of a text that is longer than all that a model was trained on?
. "$(dirname "$0")/lib.sh"
corpus

# Documents of two sentences to learn from, of twelve to measure with; the model has room for 128 tokens.
pairs() { awk -v each="$2" '{ printf "%s%s", $0, NR % each ? " " : "\n" }' "$1" | awk -v each="$2" 'NF { print; if (each < 12) print "" }'; }
pairs corpus/train.en 2 > short.txt
pairs corpus/valid.en 2 > short-valid.txt
pairs corpus/test.en 12 | awk -v most="$(pick 60 5)" "NR <= most" > long.txt
title "A document to learn from, and one to measure with"
head -1 short.txt
head -1 long.txt

title "Loss by the place of a token, -ln p, trained on documents of two sentences"
for positions in learned sinusoid rotary none; do
  learn far-$positions --task lm --train short.txt --valid short-valid.txt --document-separator blank --size tiny --layers 2 --hidden 64 --context 128 \
    --vocab-size 1000 --batch-tokens 1024 --learning-rate 0.004 --warmup-steps 50 --dropout 0 --positions $positions \
    --max-steps "$(pick 300 10)" --valid-every "$(pick 300 10)"
  qkv score far-$positions long.txt --per-token --accept-cuts --quiet |
    awk -F '\t' -v positions=$positions '{ if ($1 != line) { line = $1; place = 0 } bin = int(place / 16); place += 1; if (bin < 7) { sum[bin] -= $3; n[bin]++ } }
      END { printf "%s", positions; for (b = 0; b < 7; b++) printf "\t%.2f", n[b] ? sum[b] / n[b] : 0; print "" }'
done | { printf 'positions\t0-15\t16-31\t32-47\t48-63\t64-79\t80-95\t96-111\n'; cat; } | table
echo "Trained on: $(qkv tokenize far-learned short.txt --no-special-tokens | awk 'NF { n++; sum += NF; if (NF > most) most = NF } END { printf "documents of %.0f tokens on average, the longest of %d.\n", sum / n, most }')"
cat << END
Up to there all four kinds are near each other, or as good as they are; further right is what training never showed. Learned positions
stand in rows of a table that were never touched; the others are computed and go on.
END
