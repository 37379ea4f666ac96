#!/bin/bash
# Which layer knows what? A probe: a simple classifier on the hidden states of one layer, the model left as it is.
. "$(dirname "$0")/lib.sh"
bert

# Sentences with their topics
labelled() { awk -v seed=7 -v documents="$(pick 3000 400)" -v labelled=1 -f "$root/examples/lectures/stories.awk"; }
# Those in which WORD stands once: with WORD
with() { awk -F '\t' -v word=" $1 " -v most="$(pick 400 40)" '{ text = $2; if (gsub(word, word, text) == 1 && n++ < most) print }'; }

# The probe: of the first half of FILE (label, tab, sentence) the mean vector of WORD for each label; the other half gets the label whose
# mean is nearest: probe FILE WORD
probe() {
  cut -f 2 "$1" > probe.txt
  cut -f 1 "$1" > probe.labels
  qkv embed bert probe.txt --word "$2" --format json --quiet |
    awk -v labels=probe.labels '{ getline label < labels; sub(/.*"layers": \[\[/, ""); n = split($0, layer, /\], \[/); class[NR] = label
        for (l = 1; l <= n; l++) { gsub(/[\]}\[]/, "", layer[l]); width = split(layer[l], number, /, */); for (i = 1; i <= width; i++) v[l, NR, i] = number[i] } }
      END { half = int(NR / 2)
        for (r = 1; r <= half; r++) { count[class[r]]++; for (l = 1; l <= n; l++) for (i = 1; i <= width; i++) mean[l, class[r], i] += v[l, r, i] }
        for (l = 1; l <= n; l++) { right = 0
          for (r = half + 1; r <= NR; r++) { least = -1
            for (c in count) { d = 0; for (i = 1; i <= width; i++) d += (v[l, r, i] - mean[l, c, i] / count[c]) ^ 2; if (least < 0 || d < least) { least = d; best = c } }
            right += best == class[r] }
          printf "%s%.1f %%", (l > 1 ? "\t" : ""), 100 * right / (NR - half) }
        print "" }'
}

title "Accuracy of a probe, by the layer on whose vectors it looks"
labelled | with bank > bank.tsv
labelled | with bat > bat.tsv
labelled | awk -F '\t' -v most="$(pick 400 40)" 'NR <= most' > topic.tsv
# "sees" has one subject, "see" many.
labelled | awk -F '\t' -v OFS='\t' -v most="$(pick 400 40)" '{ if ($2 ~ / sees /) $1 = "one"; else if ($2 ~ / see /) $1 = "many"; else next; if (n++ < most) print }' > number.tsv
{ printf 'what is asked\tof the vector of\tembeddings\tlayer 0\tlayer 1\tlayer 2\tlayer 3\n'
  printf 'water or money?\tbank\t%s\n' "$(probe bank.tsv bank)"
  printf 'night or game?\tbat\t%s\n' "$(probe bat.tsv bat)"
  printf 'which of the four topics?\tthe first "the"\t%s\n' "$(probe topic.tsv the)"
  printf 'one subject or many?\tthe first "the"\t%s\n' "$(probe number.tsv the)"
} | table
cat << END
"the" and "bank" are the same word in every sentence, so their embeddings tell little more than how often each answer is right anyway: what
the probe finds higher up was brought there by attention, from other words of the sentence.
END
