#!/bin/bash
# How well does a query fit a key? Five answers from the history of attention, in the same model.
. "$(dirname "$0")/lib.sh"
stories

title "Guessing masked words with each score, $(pick 800 5) updates"
for score in scaled dot cosine general additive; do
  learn score-$score --task mlm --train stories.txt --valid stories-valid.txt --next-sentence none --size tiny --layers 2 --hidden 32 --heads 2 --vocab-size 260 \
    --max-length 16 --batch-tokens 256 --dropout 0 --learning-rate 0.003 --warmup-steps 50 --schedule linear --attention-score $score \
    --max-steps "$(pick 800 5)" --valid-every "$(pick 800 5)"
  case $score in
    scaled) formula='q k / sqrt(d)   (Vaswani et al., 2017)' ;;
    dot) formula='q k   (Luong et al., 2015)' ;;
    cosine) formula='q k / (|q| |k|)   (Graves et al., 2014)' ;;
    general) formula='q W k   (Luong et al., 2015)' ;;
    additive) formula='v tanh(q + k)   (Bahdanau et al., 2015)' ;;
  esac
  printf '%s\t%s\t%s\t%.2f\t%.1f %%\n' $score "$formula" "$(fact score-$score parameters)" "$(best score-$score perplexity)" \
    "$(awk -v a="$(best score-$score masked_accuracy)" 'BEGIN { print 100 * a }')"
done | { printf 'score\tformula\tparameters\tperplexity of masked words\tof them right\n'; cat; } | table
echo "All of them end in the same softmax. The products need no weights of their own and are one multiplication of matrices for all pairs of tokens."
