#!/bin/bash
# Builds qkv, trains a model in front of your eyes, and shows what it learnt. The language is synthetic: a program of this project
# makes the sentences from a grammar of its own, so nothing but Debian packages is downloaded.
#   ./demo.sh        a translator from English to Spanish; less than three minutes on two cores
#   ./demo.sh gpt    a language model that writes English sentences; about a minute
# What it makes goes into demo-out/ and build-demo/.
set -eu
cd "$(dirname "$0")"
what=${1:-translator}
case $what in
  translator | gpt) ;;
  *) echo "usage: $0 [gpt]" >&2; exit 2 ;;
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
  early=$((steps / 10))
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

demo_$what
