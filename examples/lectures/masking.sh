#!/bin/bash
# Which words does BERT have to guess, and what stands in their place?
. "$(dirname "$0")/lib.sh"
stories

batch() { qkv train none --show-batch --task mlm --train stories.txt --valid stories-valid.txt --max-length 16 --vocab-size 260 "$@" 2> messages; }

title "Some samples of the first batch"
printf '$ qkv train ... --task mlm --show-batch\n'
batch --batch-tokens 64 | sed -n '2,$p'

title "Counted over a large batch, for several splits of what becomes of the chosen words"
# What stands there, before "<", and what stood there, behind it
count() {
  awk -v split_name="$1" 'NR == 1 { all = $7 } NR > 2 { for (i = 1; i <= NF; i++) if ($i ~ /</) { n++; split($i, part, "<"); sub(/\/[01]$/, "", part[1])
      if (part[1] == "[MASK]") mask++; else if (part[1] == part[2]) same++; else other++ } else if ($i ~ /\/[01]$/ && $i !~ /^\[(CLS|SEP)\]/) seen++ }
    END { printf "%s\t%d\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f %%\n", split_name, n, 100 * n / (n + seen), 100 * mask / n, 100 * other / n, 100 * same / n }'
}
for split in 80-10-10 100-0-0 0-100-0 50-25-25; do
  batch --batch-tokens "$(pick 60000 3000)" --mask-split $split | count $split
done | { printf 'split\twords chosen\tof all words\tbecome [MASK]\tbecome any word\tstay\n'; cat; } | table
cat << END
15 % are chosen. With 80-10-10 a word that is no [MASK] may be wrong, too, so that the model has to make up its mind about every word,
also in texts without any [MASK], which is all that it meets after pre-training. "Any word" now and then is the same word by chance.
END
