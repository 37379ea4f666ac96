#!/bin/bash
# Does a word have one vector, or one for each context?
. "$(dirname "$0")/lib.sh"
bert

title "What may stand at the mask"
for text in "the otter swims near the [MASK] ." "the clerk counts the coin near the [MASK] ."; do
  show qkv fill bert --text "$text" --top 5 --quiet
done

title "The same \"bank\" in six sentences: which use it as this one does?"
printf '%s\n' "the fisher rows near the bank ." "the otters swim beside the bank ." "the frog dives behind the bank ." \
  "the banker lends near the bank ." "the clerks borrow beside the bank ." "the lawyer owes behind the bank ." > banks.txt
show qkv similar bert "the clerk counts near the bank ." banks.txt --word bank --quiet | { printf 'cosine\tline\tsentence\n'; cat; } | table

title "Layer by layer: how alike is \"bank\" in two sentences of one sense, and of different senses?"
show qkv embed bert banks.txt --word bank --format json --quiet |
  awk '{ sub(/.*"layers": \[\[/, ""); n = split($0, layer, /\], \[/)
      for (l = 1; l <= n; l++) { gsub(/[\]}\[]/, "", layer[l]); width = split(layer[l], number, /, */); for (i = 1; i <= width; i++) v[l, NR, i] = number[i] } }
    function cosine(l, a, b,   i, ab, aa, bb) { for (i = 1; i <= width; i++) { ab += v[l, a, i] * v[l, b, i]; aa += v[l, a, i] ^ 2; bb += v[l, b, i] ^ 2 } return ab / sqrt(aa * bb) }
    END { print "hidden states\tboth by the water\tboth of money\tone of each"
      for (l = 1; l <= n; l++) { same[1] = same[2] = other = 0
        for (a = 1; a < NR; a++) for (b = a + 1; b <= NR; b++) { c = cosine(l, a, b); if (b <= 3) same[1] += c / 3; else if (a > 3) same[2] += c / 3; else other += c / 9 }
        printf "%s\t%.3f\t%.3f\t%.3f\n", l == 1 ? "embeddings" : "layer " l - 2, same[1], same[2], other } }' | table
cat << END
In the embeddings "bank" is the same vector in all six sentences. Attention mixes its neighbours in, and in the upper layers the two senses move
apart: the last column falls behind the two before it. A table of word vectors can't do that; it has one row for "bank".
END
