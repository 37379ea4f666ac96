#!/bin/bash
# What does a translator learn from one pair of sentences, step by step, and why is the loss -ln p?
. "$(dirname "$0")/lib.sh"
translator

title "One pair: at each step the decoder sees the right words so far, whatever it would have said"
sed -n 1p corpus/test.en > source.txt
sed -n 1p corpus/test.es > target.txt
cat source.txt target.txt
show qkv score translator source.txt target.txt --per-token --quiet | readable > tokens
awk -F '\t' 'BEGIN { print "step\tlast word seen\tto be said\tp\t1 - p\tloss -ln p\tsum"; last = "(start)" }
  { printf "%d\t%s\t%s\t%.4f\t%.4f\t%.4f\t%.4f\n", NR, last, $2, exp($3), 1 - exp($3), -$3, -$4; last = $2; n = NR; sum = -$4 }
  END { printf "\tmean\t\t\t\t%.4f\t\n", sum / n }' tokens | table
awk -F '\t' '{ n++; sum = -$4 } END { printf "Sum %.4f; mean over %d tokens %.4f; perplexity exp(mean) = %.3f.\n", sum, n, sum / n, exp(sum / n) }' tokens
echo "All steps are computed in one pass: the right words are known beforehand. That is teacher forcing."

title "Without the teacher it sees its own words"
show qkv translate translator source.txt --beam 1 --scores --quiet

title "A wrong word in the target: the other words are right"
{ sed 's/ \([a-z]*\)\.$/ ayer./' target.txt; } > wrong.txt
cat wrong.txt
qkv score translator source.txt wrong.txt --per-token --quiet | readable > wrong
{ printf 'step\tto be said\tp\t1 - p\t-ln p\n'
  awk -F '\t' '{ printf "%d\t%s\t%.5f\t%.4f\t%.4f\n", NR, $2, exp($3), 1 - exp($3), -$3 }' wrong; } | table
cat << END
For a word that is nearly certain, 1 - p and -ln p are about the same. For one that the model holds for impossible, 1 - p can't say more
than 1; -ln p has no bound, and its slope is 1/p: the less probable the right word, the harder the push. And only sums of -ln p are
the logarithm of something: of the whole sentence's probability.
END
{ printf 'p of the right word\t1 - p\t-ln p\tslope of 1 - p\tslope of -ln p\n'
  for p in 0.99 0.9 0.5 0.1 0.01 0.0001; do awk -v p=$p 'BEGIN { printf "%s\t%.4f\t%.4f\t-1\t%.0f\n", p, 1 - p, -log(p), -1 / p }'; done; } | table

title "Sum and mean over a whole text"
qkv score translator corpus/test.en corpus/test.es --per-token --quiet | awk -F '\t' '{ n++; sum -= $3 } END { printf "%d tokens; sum of -ln p %.2f; mean %.4f\n", n, sum, sum / n }'
show qkv eval translator corpus/test.en corpus/test.es --beam 1 --dtype f32 --quiet | sed -n 1p
echo "The mean does not depend on how much text there is, so that learning rates and texts compare; training steps down the mean."
