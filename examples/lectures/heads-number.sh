#!/bin/bash
# One head or sixteen: what changes when the model's size stays the same?
. "$(dirname "$0")/lib.sh"
sentences

title "Heads from 1 to 16 in a model of width 64"
for heads in 1 2 4 8 16; do
  learn heads-$heads --task lm --train sentences.txt --valid sentences-valid.txt --document-separator blank --size tiny --layers 2 --hidden 64 \
    --heads $heads --context 32 --vocab-size 1600 --batch-tokens 256 --learning-rate 0.003 --warmup-steps 50 --dropout 0 \
    --max-steps "$(pick 1000 5)" --valid-every "$(pick 1000 5)"
  printf '%s\t%s\t%s\t%.3f\t%.2f\t%.1f %%\n' $heads "$(fact heads-$heads decoder.head_width)" "$(fact heads-$heads parameters)" \
    "$(best heads-$heads valid_loss)" "$(best heads-$heads perplexity)" "$(awk -v a="$(best heads-$heads accuracy)" 'BEGIN { print 100 * a }')"
done | { printf 'heads\twidth of a head\tparameters\tvalidation loss\tperplexity\ttokens right\n'; cat; } | table
cat << END
The heads share the width, so the number of parameters is the same in every row: more heads means narrower ones. One head has a single
attention for all purposes, sixteen have queries of 4 numbers. On sentences as short as
these, where a few words before decide, it makes little difference.
END

title "Where 4 heads look, measured over sentences"
head -"$(pick 200 10)" corpus/valid.en > some.txt
show qkv inspect heads-4 --over some.txt --quiet
