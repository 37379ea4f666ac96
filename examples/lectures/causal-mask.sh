#!/bin/bash
# Why is the mask minus infinity before the softmax, and not 0 behind it?
. "$(dirname "$0")/lib.sh"

printf 'the\t1\t0\t1\ncat\t0\t2\t0\nsat\t1\t1\t0\n' > x.tsv
printf 'the\t1\t0\t1\ncat\t0\t2\t0\nran\t3\t0\t3\n' > other.tsv
printf '1 0 0\n0 1 0\n0 0 1\n' > same.tsv
attend() { qkv attend "$1" --wq same.tsv --wk same.tsv --wv same.tsv "${@:2}"; }
weights() { attend "$@" --format json | matrix "weights of head 0"; }

title "Before the softmax: what lies ahead gets minus infinity"
show qkv attend x.tsv --wq same.tsv --wk same.tsv --wv same.tsv --causal --decimals 3 | sed -n '/^masked/,/^$/p; /^weights/,/^$/p'
echo "exp(-inf) is 0, so a word's weights are shared among itself and those before it, and every row sums up to 1."

# The upper triangle of what standard input holds becomes 0.
zero_ahead() { awk -F '\t' -v OFS='\t' '{ for (i = NR + 1; i <= NF; i++) $i = 0; print }'; }
# rows FILE: a table of weights with the sum of each row.
rows() {
  { printf 'looks from\tthe\tcat\tlast word\tsum\n'
    awk -F '\t' -v OFS='\t' 'BEGIN { split("the cat last", name, " ") }
      { sum = 0; line = name[NR]; for (i = 1; i <= NF; i++) { sum += $i; line = line sprintf("\t%.3f", $i) } printf "%s\t%.3f\n", line, sum }' "$1"; } | table
}

title "Behind the softmax: the weights of what lies ahead are set to 0"
weights x.tsv > all
zero_ahead < all > after
rows after
echo "The rows no longer sum up to 1: the future took part in the softmax, and its share is lost.
Dividing each row by its sum would give the first table again."

title "The leak: the last word is another one, \"ran\" for \"sat\""
weights other.tsv | zero_ahead > after.other
weights x.tsv --causal > before
weights other.tsv --causal > before.other
{ printf 'weight of "the" upon itself\twith "sat"\twith "ran"\n'
  printf 'minus infinity before the softmax\t%.4f\t%.4f\n' "$(head -1 before | cut -f1)" "$(head -1 before.other | cut -f1)"
  printf '0 behind the softmax\t%.4f\t%.4f\n' "$(head -1 after | cut -f1)" "$(head -1 after.other | cut -f1)"; } | table
cat << END
With 0 behind the softmax the first word's weight depends on a word that it must not see. A model trained that way can learn to read
the future from such sums, and finds nothing there when it writes.
END

title "In a model: the same beginning, two ends"
sentences
learn blackboard-gpt --task lm --train sentences.txt --valid sentences-valid.txt --document-separator blank --size blackboard \
  --vocab-size 1000 --max-steps "$(pick 100 5)"
for ids in "5 6 7 8" "5 6 7 20"; do
  show qkv forward blackboard-gpt --ids "$ids" --want hidden --quiet > "state-${ids##* }"
  cut -d ' ' -f 1-6 "state-${ids##* }"
done
if cmp -s <(head -3 state-8) <(head -3 state-20); then
  echo "Only the last row differs: the first three hidden states are the same to the last digit, whatever follows."
fi
