#!/bin/bash
# Sines and cosines interleaved or in two halves: does it matter? What do they say about distance, and about places never trained on?
. "$(dirname "$0")/lib.sh"
sentences

# Models before the first update, with the same embeddings: what the first hidden states differ by is the positions' table.
for positions in none sinusoid sinusoid-interleaved; do
  learn table-$positions --task lm --train sentences.txt --valid sentences-valid.txt --document-separator blank --size blackboard --vocab-size 600 \
    --positions $positions --max-steps 1 --learning-rate 0 --dropout 0
  qkv forward table-$positions --ids "$(printf '7 %.0s' {1..24})" --want hidden --layer 0 --quiet > embedded-$positions
done
# The table of KIND: embedded tokens less those of the model without positions
positions() { paste -d ' ' embedded-$1 embedded-none | awk '{ n = NF / 2; line = NR - 1; for (i = 1; i <= n; i++) line = line sprintf("\t%.4f", $i - $(i + n)); print line }'; }

for kind in sinusoid-interleaved sinusoid; do
  title "The first six positions of width 8, --positions $kind"
  positions $kind | { printf 'position\t0\t1\t2\t3\t4\t5\t6\t7\n'; sed -n 1,6p; } | table
done
paste <(positions sinusoid-interleaved) <(positions sinusoid) | awk -F '\t' '{ for (i = 0; i < 4; i++) {
    d = $(2 + 2 * i) - $(11 + i); e = $(3 + 2 * i) - $(15 + i); d = d < 0 ? -d : d; e = e < 0 ? -e : e; if (d > most) most = d; if (e > most) most = e } }
  END { printf "Sine i stands in column 2i of the first and in column i of the second, cosine i in 2i + 1 and in 4 + i: they differ by %.4f at most.\n", most }'
echo "The order of columns is a matter of taste: matrices that follow can learn either."

title "Products of two positions: the distance alone counts"
positions sinusoid | cut -f 2- | awk -F '\t' '{ for (i = 1; i <= NF; i++) p[NR - 1, i] = $i; n = NF }
  END { print "distance\tfrom position 0\tfrom position 5\tfrom position 10"
    for (k = 0; k <= 8; k++) { line = k; for (a = 0; a <= 10; a += 5) { s = 0; for (i = 1; i <= n; i++) s += p[a, i] * p[a + k, i]; line = line sprintf("\t%.3f", s) } print line } }' | table

title "Both, trained"
for positions in sinusoid sinusoid-interleaved; do
  learn both-$positions --task lm --train sentences.txt --valid sentences-valid.txt --document-separator blank --size tiny --layers 2 --hidden 64 \
    --context 32 --vocab-size 1000 --batch-tokens 256 --learning-rate 0.003 --warmup-steps 50 --dropout 0 --positions $positions \
    --max-steps "$(pick 1500 5)" --valid-every "$(pick 1500 5)"
  printf '%s\t%.3f\t%.2f\n' $positions "$(best both-$positions valid_loss)" "$(best both-$positions perplexity)"
done | { printf 'positions\tvalidation loss\tperplexity\n'; cat; } | table
