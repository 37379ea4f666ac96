#!/bin/bash
# A training that is killed again and again, at moments spread over its run, and resumed each time with another number of
# threads, ends with the bytes of the one that was left alone. KILLS sets how often (default 8).
. "$(dirname "$0")/case.sh"

awk 'BEGIN {
  split("red green blue big small old new hot cold dry", from); split("rojo verde azul grande chico viejo nuevo caliente frio seco", to)
  for (i = 0; i < 430; i++) {
    n = 1 + i * 7 % 5; s = ""; t = ""; part = i < 400 ? "train" : "valid"
    for (w = 0; w < n; w++) { k = 1 + (i * (w + 3) + int(i / 7)) % 10; s = s (w ? " " : "") from[k]; t = to[k] (w ? " " : "") t }
    print s > (part ".s"); print t > (part ".t")
  }
}'
options="--hidden 64 --heads 4 --ffn 128 --layers 2 --vocab-size 280 --batch-tokens 400 --max-length 30 --warmup-steps 10
  --learning-rate 0.01 --max-steps 60 --valid-every 6 --average 3 --dropout 0.1 --patience 0"
begin() { "$QKV" train "$1" --task translation --train train.s train.t --valid valid.s valid.t $options --threads 1; }

started=$(date +%s%N)
run 0 begin whole
took=$((($(date +%s%N) - started) / 1000000))

kills=${KILLS:-8} killed=0 missing=0
for ((i = 0; i < kills; i++)); do
  rm -rf broken
  "$QKV" train broken --task translation --train train.s train.t --valid valid.s valid.t $options --threads 1 2> broken.err &
  process=$!
  sleep "$(awk -v took="$took" -v i="$i" -v kills="$kills" 'BEGIN { print took * (i + 0.5) / kills / 1000 }')"
  kill -KILL $process 2> /dev/null && killed=$((killed + 1))
  wait $process 2> /dev/null
  if [ ! -e broken/last/state.safetensors ]; then  # before the first moment that can be resumed
    missing=$((missing + 1))
    continue
  fi
  run 0 "$QKV" train broken --resume --threads $((1 + i % 3))
  check "killed at $i/$kills of the run, the same bytes" cmp whole/model.safetensors broken/model.safetensors
  check "and nothing is left over" test -z "$(find broken -name '*.tmp')"
done
echo "# $killed of $kills were killed while running, $missing before anything could be resumed"
check "some were killed while training" test $((killed - missing)) -gt 0
finish
