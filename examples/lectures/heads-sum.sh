#!/bin/bash
# Heads are split, concatenated and projected. Why can one also say that they are summed?
. "$(dirname "$0")/lib.sh"

printf 'a\t1\t0\t2\t1\nred\t0\t1\t1\t0\nbike\t2\t1\t0\t1\n' > x.tsv
printf '1 0 0 1\n0 1 1 0\n1 1 0 0\n0 0 1 1\n' > wq.tsv
printf '0 1 1 0\n1 0 0 1\n0 0 1 1\n1 1 0 0\n' > wk.tsv
printf '1 2 0 0\n0 1 0 1\n1 0 3 0\n0 0 1 2\n' > wv.tsv
printf '1 0 1 0\n0 2 0 1\n1 1 0 0\n0 0 1 3\n' > wo.tsv
# The values alone of a matrix of `qkv attend --format json`, with the tokens' names
named() { paste <(cut -f 1 x.tsv) -; }

title "Split, attended, concatenated, projected: two heads at once"
show qkv attend x.tsv --wq wq.tsv --wk wk.tsv --wv wv.tsv --wo wo.tsv --heads 2 --decimals 3 | sed -n '/^queries/,/^$/p; /^weights/,/^$/p; /^mixed/,$p'
echo "Head 0 has columns 0 and 1 of Q, K and V, head 1 has columns 2 and 3. Z holds their results side by side."

title "One head at a time: its columns of W_Q, W_K, W_V, and its rows of W_O"
for head in 0 1; do
  from=$((2 * head + 1)) to=$((2 * head + 2))
  for matrix in wq wk wv; do cut -d ' ' -f $from-$to $matrix.tsv > $matrix.$head; done
  sed -n ${from},${to}p wo.tsv > wo.$head
  show qkv attend x.tsv --wq wq.$head --wk wk.$head --wv wv.$head --wo wo.$head --format json > head.$head
done
qkv attend x.tsv --wq wq.tsv --wk wk.tsv --wv wv.tsv --wo wo.tsv --heads 2 --format json | matrix output > together
for head in 0 1; do matrix output < head.$head > output.$head; done

title "What each head adds to each token, and all of them together"
numbers() { awk -F '\t' '{ line = ""; for (i = 1; i <= NF; i++) line = line sprintf("%s%.3f", i > 1 ? " " : "", $i); print line }' "$1"; }
{ printf 'token\thead 0 alone\thead 1 alone\ttheir sum\tconcatenated and projected\n'
  paste <(numbers output.0) <(numbers output.1) \
    <(paste output.0 output.1 | awk -F '\t' '{ line = ""; for (i = 1; i <= NF / 2; i++) line = line sprintf("%s%.3f", i > 1 ? " " : "", $i + $(i + NF / 2)); print line }') \
    <(numbers together) | named; } | table
paste output.0 output.1 together | awk -F '\t' '{ n = NF / 3; for (i = 1; i <= n; i++) { d = $i + $(i + n) - $(i + 2 * n); if (d < 0) d = -d; if (d > most) most = d } }
  END { printf "Largest difference between the last two columns: %.0e\n", most }'
cat << END
Concatenating and multiplying by W_O is the same as multiplying each head's result by its own rows of W_O and adding up. So every head
writes into the same vector (the residual stream) on its own, and can be switched off on its own: qkv inspect MODEL --over FILE --ablate.
END
