#!/bin/bash
# BERT as it is, without fine-tuning: which of its layers make the best features for a tagger?
. "$(dirname "$0")/lib.sh"
bert

# A word and its tag a line: what "bank" and "bat" mean, everything else is O. tagged DOCUMENTS SEED
tagged() {
  awk -v seed="$2" -v documents="$1" -v labelled=1 -f "$root/examples/lectures/stories.awk" |
    awk -F '\t' '$2 ~ / (bank|bats?) / { n = split($2, word, " "); for (i = 1; i <= n; i++) print word[i] "\t" (word[i] ~ /^(bank|bats?)$/ ? "B-" $1 : "O"); print "" }'
}
tagged "$(pick 60 15)" 11 > tags.conll
tagged "$(pick 150 20)" 12 > tags-test.conll
title "The task: what do \"bank\" and \"bat\" mean here? $(grep -c '^$' tags.conll) sentences to learn from, $(grep -c '^$' tags-test.conll) to measure with"
sed -n '1,/^$/p' tags.conll

tagger() {
  learn "tagger-$1" --task tag --from bert --train tags.conll --valid tags-test.conll --batch-tokens 128 --learning-rate "$2" --warmup-steps 5 --dropout 0 \
    --max-steps "$(pick 300 5)" --valid-every "$(pick 100 5)" "${@:3}"
  awk -v f="$(best "tagger-$1" f1)" 'BEGIN { printf "%.1f", 100 * f }'
}
title "F1 of a small LSTM tagger on frozen features"
for features in embeddings second-to-last last sum-last-4 concat-last-4 sum-all; do
  printf '%s\t%s\n' $features "$(tagger $features 0.005 --features $features --lstm-layers 1 --lstm-hidden 16)"
done | { printf 'features\tF1\n'; cat; } | table
printf 'Fine-tuned, all weights learning, no LSTM: %s\n' "$(tagger fine-tuned 0.001)"
cat << END
As in table 7 of the paper on BERT, only smaller: this model has 4 layers, so that the last four are all of them. The
embeddings don't say what "bank" means; with them the LSTM has to find that out from the few tagged sentences.
END
