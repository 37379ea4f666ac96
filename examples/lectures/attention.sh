#!/bin/bash
# What is attention, before anything is learnt? What do the learnt matrices add, and what several heads?
. "$(dirname "$0")/lib.sh"

title "Words as vectors"
cat << END
Three numbers a word: how much it has to do with water, with money, with sitting. "bank" has a bit of everything.
END
printf 'river\t2\t0\t0\nbank\t1\t1\t1\n' > river.tsv
printf 'money\t0\t2\t0\nbank\t1\t1\t1\n' > money.tsv
printf '1 0 0\n0 1 0\n0 0 1\n' > same.tsv
cat river.tsv money.tsv | sort -u | { printf 'word\twater\tmoney\tsitting\n'; cat; } | table

title "Without weights: queries, keys and values are the vectors themselves (the matrices leave them as they are)"
show qkv attend river.tsv --wq same.tsv --wk same.tsv --wv same.tsv --decimals 3

title "The same \"bank\" in two contexts"
for context in river money; do
  qkv attend $context.tsv --wq same.tsv --wk same.tsv --wv same.tsv --format json | matrix "mixed values" |
    awk -v context=$context '{ line = $0 } END { n = split(line, v, "\t"); printf "%s bank", context; for (i = 1; i <= n; i++) printf "\t%.3f", v[i]; print "" }'
done | { printf 'bank in\twater\tmoney\tsitting\n'; cat; } | table
cat << END
One vector went in, two came out: beside "river" the bank is water, beside "money" it is money. No number was learnt for that;
likeness alone decided who listens to whom.
END

title "With matrices: what a word asks for, what it answers to and what it says may differ"
cat << END
Without weights a word listens most to what is like itself. Here W_Q turns "money" into a question for "sitting", W_K lets words
answer with what they are, W_V says only how much water and money there is. Training finds such matrices by itself.
END
printf '0 0 0\n0 0 2\n0 0 0\n' > wq.tsv
printf '1 0\n0 1\n0 0\n' > wv.tsv
show qkv attend money.tsv --wq wq.tsv --wk same.tsv --wv wv.tsv --decimals 3

title "With one head: a single softmax for two wishes"
cat << END
Three words in one sentence. "bank" asks for water and for money alike; with one head the two wishes share one attention.
END
{ sed -n 1p river.tsv; sed -n 1p money.tsv; sed -n 2p river.tsv; } > three.tsv
printf '0\n0\n4\n' > wq1.tsv
printf '1\n1\n-1\n' > wk1.tsv
show qkv attend three.tsv --wq wq1.tsv --wk wk1.tsv --wv same.tsv --decimals 3 | sed -n '/^weights/,$p'

title "With two heads: a softmax for each"
cat << END
The columns of the matrices are shared out. Head 0 asks for water, head 1 for money, and the results stand side by side: the first
three numbers of a row are what head 0 found, the last three what head 1 found.
END
printf '0 0\n0 0\n4 4\n' > wq2.tsv
printf '1 0\n0 1\n-1 -1\n' > wk2.tsv
printf '1 0 0 1 0 0\n0 1 0 0 1 0\n0 0 1 0 0 1\n' > wv2.tsv
show qkv attend three.tsv --wq wq2.tsv --wk wk2.tsv --wv wv2.tsv --heads 2 --decimals 3 | sed -n '/^weights/,/^$/p; /^mixed/,$p'
cat << END
Look at the last row: one head gave "bank" the mean of river and money; two heads keep them apart.
END

title "Learnt: guessing masked words without attention's weights, with them, and with several heads"
stories
for kind in off/1 on/1 on/4; do
  weights=${kind%/*} heads=${kind#*/}
  out=attention-$weights-$heads
  learn "$out" --task mlm --train stories.txt --valid stories-valid.txt --next-sentence none --size tiny --layers 2 --hidden 32 --heads "$heads" --vocab-size 260 \
    --max-length 16 --batch-tokens 256 --dropout 0 --learning-rate 0.003 --warmup-steps 50 --schedule linear --attention-weights "$weights" \
    --max-steps "$(pick 800 5)" --valid-every "$(pick 800 5)"
  printf '%s\t%s\t%s\t%.2f\t%.1f %%\n' "$weights" "$heads" "$(fact "$out" parameters)" "$(best "$out" perplexity)" \
    "$(awk -v a="$(best "$out" masked_accuracy)" 'BEGIN { print 100 * a }')"
done | { printf 'learnt queries, keys, values\theads\tparameters\tperplexity of masked words\tof them right\n'; cat; } | table
cat << END
Without matrices each token listens to what is like itself, and that can't be changed; with them, what it asks for is learnt. The number of heads
costs no parameters: they share the same matrices.
END
