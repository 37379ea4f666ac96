#!/bin/bash
# Epsilon keeps a norm from dividing by 0. Inside the root of the variance, or added to the root: when does it matter?
. "$(dirname "$0")/lib.sh"
stories

# Before any learning, so that only the norm differs: encoder OUT OPTION...
encoder() {
  learn "$1" --task mlm --train stories.txt --valid stories-valid.txt --next-sentence none --size blackboard --vocab-size 260 --max-length 16 --dropout 0 \
    --max-steps 1 --learning-rate 0 "${@:2}"
}
# Standard deviation of the first token behind the embeddings' norm, and its first three numbers
token() { qkv forward "$1" --ids "10 20 30" --want hidden --layer 0 --quiet | awk 'NR == 1 { for (i = 1; i <= NF; i++) { s += $i; q += $i * $i } m = s / NF; printf "%.4f\t%.4f %.4f %.4f", sqrt(q / NF - m * m), $1, $2, $3 }'; }

title "One token behind the embeddings' norm"
for epsilon in 1e-12 1e-5 1e-3 1e-2; do
  for place in inside outside; do
    encoder epsilon-$place-$epsilon --norm-epsilon $epsilon --norm-epsilon-place $place
    printf '%s\t%s\t%s\n' $epsilon $place "$(token epsilon-$place-$epsilon)"
  done
done | { printf 'epsilon\tplace\tstandard deviation\tfirst numbers\n'; cat; } | table
encoder epsilon-none --norm none
cat << END
Without the norm this token has a standard deviation of $(token epsilon-none | cut -f 1): the variance is its square. Inside the root epsilon is
added to the variance, sqrt(var + e); outside to the standard deviation, sqrt(var) + e. Of a number below 1 the root is larger than the number
itself, so beside embeddings as small as these the same epsilon weighs more inside. For inputs of ordinary size neither matters.
END
