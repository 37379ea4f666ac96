#!/bin/bash
# Deeper, wider, more heads: what lowers the perplexity of masked words?
. "$(dirname "$0")/lib.sh"
stories

# size LAYERS HIDDEN HEADS
size() {
  local out=size-$1-$2-$3
  learn "$out" --task mlm --train stories.txt --valid stories-valid.txt --next-sentence none --size tiny --layers "$1" --hidden "$2" --heads "$3" \
    --vocab-size 260 --max-length 16 --batch-tokens 256 --dropout 0 --learning-rate 0.002 --warmup-steps 50 --schedule linear \
    --max-steps "$(pick 1000 5)" --valid-every "$(pick 1000 5)"
  printf '%s\t%s\t%s\t%s\t%.2f\t%.1f %%\n' "$1" "$2" "$3" "$(fact "$out" parameters)" "$(best "$out" perplexity)" \
    "$(awk -v a="$(best "$out" masked_accuracy)" 'BEGIN { print 100 * a }')"
}

title "Sizes of an encoder after the same $(pick 1000 5) updates"
{ printf 'layers\twidth\theads\tparameters\tperplexity of masked words\tof them right\n'
  size 1 16 1
  size 1 32 2
  size 1 64 4
  size 2 16 1
  size 2 32 2
  size 2 64 4
  size 2 64 1
  size 4 32 2
} | table
cat << END
As in table 6 of the paper on BERT, only smaller: L layers, width H, A heads, and the perplexity of masked words held out. Look at two rows that
differ in one number only.
END
