#!/bin/bash
# Layer, RMS, batch, instance and group norm; before or behind each sublayer: what does each do to a batch, and to learning?
. "$(dirname "$0")/lib.sh"
stories

# An encoder of the masked words of stories: encoder OUT OPTION...
encoder() {
  learn "$1" --task mlm --train stories.txt --valid stories-valid.txt --next-sentence none --size tiny --layers 2 --hidden 32 --heads 2 --vocab-size 260 \
    --max-length 16 --batch-tokens 256 --dropout 0 --learning-rate 0.003 --warmup-steps 50 --schedule linear "${@:2}"
}

title "What each norm makes of the same rows: mean and variance of the embeddings' output, before any learning"
for norm in none layer rms batch instance group; do
  encoder first-$norm --norm $norm --max-steps 1 --learning-rate 0
  qkv forward first-$norm --ids "10 20 30 40 50 60" --want hidden --layer 0 --quiet |
    awk -v norm=$norm '{ s = q = 0; for (i = 1; i <= NF; i++) { s += $i; q += $i * $i; column[i] += $i; square[i] += $i * $i } m = s / NF; rows += m; spread += q / NF - m * m; w = NF }
      END { for (i = 1; i <= w; i++) { m = column[i] / NR; c += square[i] / NR - m * m; a += m < 0 ? -m : m }
        printf "%s\t%.4f\t%.4f\t%.4f\t%.4f\n", norm, rows / NR < 0 ? -rows / NR : rows / NR, spread / NR, a / w, c / w }'
done | { printf 'norm\tmean of a token\tvariance of a token\tmean of a column\tvariance of a column\n'; cat; } | table
cat << END
Layer norm brings each token to mean 0 and variance 1, RMS norm only to the mean square 1, instance norm each column over the tokens of one
sentence. Group norm takes all tokens of a sentence and some columns together. Batch norm in use takes means and variances kept from training;
here they have seen one batch only and are still near 0 and 1, so that little changes. Those that look along the sentence see later tokens: not for a causal model.
END

title "Learning with each, behind every sublayer (post) and before it (pre), $(pick 600 5) updates"
for norm in layer rms batch instance group none; do
  line=$norm
  for place in post pre; do
    encoder $norm-$place --norm $norm --norm-place $place --max-steps "$(pick 600 5)" --valid-every "$(pick 600 5)"
    line="$line	$(awk -v p="$(best $norm-$place perplexity)" 'BEGIN { printf "%.2f", p }')"
  done
  echo "$line"
done | { printf 'norm\tperplexity, post\tperplexity, pre\n'; cat; } | table
echo "Without a norm there is no place to tell apart, and less is learnt in the same time."
