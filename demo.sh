#!/bin/bash
# Builds qkv, trains a model in front of your eyes, and shows what it learnt. The language is synthetic: a program of this project
# makes the sentences from a grammar of its own, so nothing but Debian packages is downloaded.
#   ./demo.sh        a translator from English to Spanish; less than three minutes on two cores
#   ./demo.sh gpt    a language model that writes English sentences; about a minute
#   ./demo.sh bert   a model of masked words, fine-tuned to label sentences; about a minute
# What it makes goes into demo-out/ and build-demo/.
set -eu
cd "$(dirname "$0")"
what=${1:-translator}
case $what in
  translator | gpt | bert) ;;
  *) echo "usage: $0 [gpt|bert]" >&2; exit 2 ;;
esac
build=build-demo folder=demo-out
model=$folder/model
# Both are among the sentences to test with (tests/demo checks it).
sentence="The baker's fat bear looked for the lawyer." right="El oso gordo del panadero buscó al abogado."
question="Does Lucía hug the old lawyer in the morning?"

bold="" plain=""
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
title() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }

scripts/setup.sh
start=$SECONDS

title "Building"
if [ ! -e $build/build.ninja ]; then
  rm -rf $build $build.log
  meson setup $build -Dtests=false -Ddefault_library=static > $build.log 2>&1 || { tail -20 $build.log; exit 1; }
fi
ninja -C $build --quiet cli/qkv examples/demo/qkv-demo-corpus examples/demo/qkv-demo-extremes
qkv=$build/cli/qkv
echo "$($qkv --version), built in $((SECONDS - start)) s"

title "Making sentences"
rm -rf $folder
$build/examples/demo/qkv-demo-corpus $folder

demo_translator() {
  paste -d '|' $folder/train.en $folder/train.es | head -3 | sed 's/|/\n    /; s/^/  /'
  echo "In every sentence to test with, an adjective and a noun, or a subject and a verb, meet that never met in the training."

  title "Learning to translate English to Spanish"
  steps=1000 layers=2
  if ! grep -qw avx512f /proc/cpuinfo; then
    steps=600 layers=1
    echo "This processor has no AVX-512, so the model is smaller: 1 + 1 layers instead of 2 + 2, 600 updates instead of 1000."
  fi
  early=$((steps / 20))
  $qkv train $model --task translation --train $folder/train.en $folder/train.es --valid $folder/valid.en $folder/valid.es \
    --size tiny --layers $layers --vocab-size 2500 --batch-tokens 2048 --dropout 0.05 --learning-rate 0.005 --warmup-steps 200 \
    --schedule linear --max-steps $steps --valid-every $((steps / 2)) --keep-every $early --average 0

  title "One sentence at four moments of the training"
  echo "$sentence"
  echo "$right (what it should become)"
  echo "The pictures show where the model looks in the English sentence while it writes the right Spanish one."
  for step in $early $((2 * early)) $((4 * early)) $steps; do
    printf '\n%safter %s updates:%s ' "$bold" "$step" "$plain"
    echo "$sentence" | $qkv translate "$model/steps/$step" --max-length 16 --quiet || true
    $qkv inspect "$model/steps/$step" "$sentence" "$right" --layer $((layers - 1)) --quiet | sed 1,3d
  done

  title "Translating the $(wc -l < $folder/test.en) sentences with unseen combinations"
  $qkv translate $model $folder/test.en -o $folder/test.hyp
  $qkv eval --hypotheses $folder/test.hyp $folder/test.es
  echo
  $build/examples/demo/qkv-demo-extremes $folder/test.hyp $folder/test.es $folder/test.en

  title "What a question looks at"
  $qkv inspect $model "$question" --layer $((layers - 1)) --quiet

  echo
  echo "All this took $((SECONDS - start)) s."
  if [ -t 0 ] && [ -t 1 ]; then
    title "Type a sentence in English (words as above; an empty line ends it)"
    while IFS= read -r -p "> " line && [ -n "$line" ]; do
      echo "$line" | $qkv translate $model --quiet || true
    done
  fi

  title "Now with your own text"
  cat << END
This little language is synthetic: some 300 words and a grammar, made by examples/demo. Real text needs real text files,
one sentence a line, line i of one file being the translation of line i of the other:

  $qkv train out --task translation --train train.en train.de --valid valid.en valid.de
  $qkv translate out test.en > test.hyp
  $qkv eval --hypotheses test.hyp test.de
END
}

demo_gpt() {
  shuf -n 3 --random-source=<(yes) $folder/train.en | sed 's/^/  /'
  echo "$(wc -l < $folder/train.en) such sentences are the text, one after the other."

  title "Learning which piece of text comes next"
  steps=800
  if ! grep -qw avx512f /proc/cpuinfo; then
    steps=300
    echo "This processor has no AVX-512, so the training is shorter: 300 updates instead of 800."
  fi
  $qkv train $model --task lm --train $folder/train.en --valid $folder/valid.en --size tiny --layers 2 --context 64 --vocab-size 1000 \
    --batch-tokens 1024 --dropout 0 --learning-rate 0.003 --warmup-steps 50 --max-steps $steps --valid-every $((steps / 2)) --keep-every 20

  title "One beginning at four moments of the training"
  for step in 20 60 200 $steps; do
    printf '%safter %4s updates:%s ' "$bold" "$step" "$plain"
    $qkv generate $model/steps/$step --prompt "The old" --temperature 0.8 --seed 3 --stop $'\n' --max-new 20 --quiet
  done

  title "What may follow \"The old nurses do not\""
  $qkv fill $model --text "The old nurses do not" --top 5 --quiet

  title "How probable three sentences are (natural logarithms)"
  printf 'The old nurses like the bridge.\nThe old nurses likes the bridge.\nThe old nurses bridge the like.\n' > $folder/three
  paste <($qkv score $model $folder/three --quiet) $folder/three

  title "200 sentences by the model itself"
  $qkv generate $model --prompt $'\n' --samples 200 --temperature 0.8 --seed 1 --stop $'\n' --max-new 40 --quiet | grep -v '^---$' | grep . > $folder/written
  head -8 $folder/written | sed 's/^/  /'
  echo "$(grep -vxFf $folder/train.en $folder/written | wc -l) of $(wc -l < $folder/written) stand nowhere in the text that it learnt from."

  title "Sentences that it never saw"
  $qkv eval $model $folder/test.en --quiet

  echo
  echo "All this took $((SECONDS - start)) s."
  title "Now with your own text"
  cat << END
  $qkv train out --task lm --train input.txt --valid valid.txt
  $qkv generate out --prompt "Once upon a time"
END
}

demo_bert() {
  title "Making documents"
  # A document holds the sentences that share a rather rare word, so that what follows can be told from what does not.
  awk '{ line[NR] = $0; for (i = 1; i <= NF; i++) { w = tolower($i); gsub(/[^a-z]/, "", w); count[w]++ } }
    END { for (n = 1; n <= NR; n++) { best = ""; m = split(line[n], words, " ")
        for (i = 1; i <= m; i++) { w = tolower(words[i]); gsub(/[^a-z]/, "", w)
          if (length(w) > 2 && count[w] >= 60 && count[w] <= 700 && (best == "" || count[w] < count[best])) best = w }
        if (best == "") continue
        if (!(best in number)) { number[best] = ++documents }
        text[number[best]] = text[number[best]] line[n] "\n" }
      for (d = 1; d <= documents; d++) print text[d] }' $folder/train.en > $folder/documents.txt
  head -4 $folder/documents.txt | sed 's/^/  /'
  echo "  ... $(grep -c '^$' $folder/documents.txt) documents, each about one word"

  title "Learning to guess masked words, and whether one text follows another"
  steps=2000
  if ! grep -qw avx512f /proc/cpuinfo; then
    steps=600
    echo "This processor has no AVX-512, so the training is shorter: 600 updates instead of 2000."
  fi
  $qkv train $model --task mlm --train $folder/documents.txt --size tiny --layers 2 --vocab-size 1300 --max-length 24 --batch-tokens 1024 \
    --learning-rate 0.002 --warmup-steps 100 --schedule linear --max-steps $steps --valid-every $((steps / 4)) --dropout 0

  title "What may stand at the mask"
  for text in "The fat [MASK] looked for the lawyer." "The lawyer [MASK] the bear yesterday."; do
    echo "$text"
    $qkv fill $model --text "$text" --top 5 --quiet | sed 's/^/  /'
  done

  title "How well a sentence fits the language (pseudo-log-likelihood)"
  printf '%s\n' "The lawyer looked for the fat bear." "The for looked bear lawyer fat the." > $folder/sentences.txt
  $qkv score $model $folder/sentences.txt --quiet | paste - $folder/sentences.txt | sed 's/^/  /'

  title "Fine-tuning: is the subject one or many?"
  # The Spanish side knows: el, la or los, las.
  label() { paste "$1.en" "$1.es" | awk -F'\t' 'BEGIN { print "label\ttext" } $2 ~ /^(Los|Las) / { print "many\t" $1 } $2 ~ /^(El|La) / { print "one\t" $1 }'; }
  label $folder/train > $folder/number.tsv
  label $folder/test > $folder/number-test.tsv
  $qkv train $folder/number --task classify --from $model --train $folder/number.tsv --valid $folder/number-test.tsv \
    --learning-rate 0.0005 --batch-tokens 512 --epochs 4 --valid-every 100 --quiet
  $qkv eval $folder/number $folder/number-test.tsv --quiet
  tail -n +2 $folder/number-test.tsv | cut -f2 | head -4 > $folder/some.txt
  $qkv predict $folder/number $folder/some.txt --quiet | paste - $folder/some.txt | sed 's/^/  /'

  echo
  echo "All this took $((SECONDS - start)) s."
  title "Now with your own text"
  cat << END
  $qkv train bert --task mlm --train docs.txt --valid valid.txt      # a sentence a line, a blank line between documents
  $qkv train sst --task classify --from bert --train train.tsv --valid dev.tsv
  $qkv predict sst reviews.txt
END
}

demo_$what
