#!/bin/bash
# qkv bench: a rate for everything, and a bound beside it.
. "$(dirname "$0")/case.sh"

for ((i = 0; i < 60; i++)); do echo "red green $((i % 10))"; done > train.s
for ((i = 0; i < 60; i++)); do echo "$((i % 10)) verde rojo"; done > train.t
run 0 "$QKV" train tiny --task translation --train train.s train.t --valid train.s train.t --hidden 32 --heads 2 --ffn 64 --layers 1 \
  --vocab-size 270 --batch-tokens 200 --max-length 30 --max-steps 1 --valid-every 1 --metric loss
run 0 "$QKV" bench tiny --format json
cp out rates
for what in 'memory, read' 'product, 64 x 512 x 512' 'weight gradient' 'training, tokens' 'one pass' 'greedy translation' 'beam 5 translation'; do
  check "the rates have: $what" grep -q "\"what\": \"$what" rates
done
check "every rate is above 0" awk '{ match($0, /"rate": [^,}]*/); if (substr($0, RSTART + 8, RLENGTH - 8) + 0 <= 0) exit 1 }' rates
check "the reference path and one more, or the reference path alone" grep -q '"path": "reference f32"' rates
run 2 "$QKV" bench --dtype f32
err_has 'MODEL, which is missing'
run 1 "$QKV" bench nowhere
finish
