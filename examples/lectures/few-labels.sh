#!/bin/bash
# How many labelled examples does a classifier need, with pre-training and without?
. "$(dirname "$0")/lib.sh"
bert

labelled() {  # DOCUMENTS SEED: of each topic in turn
  awk -v seed="$2" -v documents="$1" -v labelled=1 -f "$root/examples/lectures/stories.awk" |
    awk -F '\t' '{ line[$1, ++have[$1]] = $0 } END { for (i = 1; i <= NR; i++) for (topic in have) if (i <= have[topic]) print line[topic, i] }'
}
most=$(pick 256 16)
{ printf 'label\ttext\n'; labelled 200 5 | awk -v most="$most" 'NR <= most'; } > all.tsv
{ printf 'label\ttext\n'; labelled "$(pick 100 20)" 6; } > test.tsv
title "The task: which of four topics does a sentence belong to?"
sed -n 1,5p all.tsv | table

# Fine-tuned with EXAMPLES: tune NAME EXAMPLES OPTION...
tune() {
  awk -v most="$2" 'NR <= most + 1' all.tsv > "few-$2.tsv"
  learn "$1-$2" --task classify --train "few-$2.tsv" --valid test.tsv --batch-tokens 128 --schedule linear --warmup-steps 5 --dropout 0 \
    --max-steps "$(pick 150 5)" --valid-every "$(pick 50 5)" "${@:3}"
  awk -v a="$(best "$1-$2" accuracy)" 'BEGIN { printf "%.1f %%", 100 * a }'
}
title "Sentences right, of $(($(wc -l < test.tsv) - 1)) never seen"
for ((examples = 4; examples <= most; examples *= 2)); do
  printf '%s\t%s\t%s\n' $examples "$(tune scratch $examples --tokenizer bert --size tiny --layers 4 --hidden 64 --heads 4 --max-length 32 --learning-rate 0.001)" \
    "$(tune tuned $examples --from bert --learning-rate 0.0005)"
done | { printf 'labelled sentences\tfrom scratch\tpre-trained without labels\n'; cat; } | table
cat << END
Each is the best of three validations. Guessing gets a quarter right. Pre-training has put words of a topic near each other without knowing that there are topics, so that
a few labels say the rest; without it, a word that no labelled sentence holds means nothing.
END
