#!/bin/bash
# --profile: tables that add up to the time that passed, and that change nothing else.
. "$(dirname "$0")/case.sh"

for ((i = 0; i < 300; i++)); do echo "red green $((i % 10))"; done > train.s
for ((i = 0; i < 300; i++)); do echo "$((i % 10)) verde rojo"; done > train.t
head -20 train.s > valid.s
head -20 train.t > valid.t
train() {
  "$QKV" train "$1" --task translation --train train.s train.t --valid valid.s valid.t --hidden 32 --heads 2 --ffn 64 --layers 2 \
    --vocab-size 270 --batch-tokens 600 --max-length 30 --max-steps 6 --valid-every 3 --threads 2 "${@:2}"
}
# The shares of every table, and their sum without the last line, which says 100.
adds_up() {
  awk '/^profile/ { seen = 1 }
       seen && match($0, /[0-9.-]+ %/) {
         share = substr($0, RSTART, RLENGTH) + 0
         if (/^all /) { if (sum < 99 || sum > 101) bad = 1; sum = 0; tables++ } else sum += share
       }
       END { exit bad || tables != 2 }' "$1"
}

run 0 train plain
run 0 train measured --profile
err_has 'profile of 6 updates: '
err_has "this machine's bounds, measured: "
err_has 'ms/update'
for word in linear_gradient residual_norm attention_gradient adamw 'encoder.*.self.attention' 'decoder.*.cross.key_value' head optimizer 'the rest'; do err_has "$word"; done
cp err profiled
check "the shares add up" adds_up profiled
check "a measured training gives the same bytes" cmp plain/model.safetensors measured/model.safetensors

input=valid.s run 0 "$QKV" translate plain --max-length 8
cp out translated
input=valid.s run 0 "$QKV" translate plain --max-length 8 --profile
cp out measured.hyp
check "a measured translation is the same" cmp measured.hyp translated
run 0 "$QKV" translate plain valid.s --max-length 8 --profile --threads 2
err_has 'decoder.*.self.output'
cp err profiled
check "the shares of a translation add up" adds_up profiled
run 0 "$QKV" forward plain --ids "5 6 7 0" --decoder-ids "9 4 3" --profile
err_has 'encoder.embedding'
run 2 "$QKV" forward plain --profile
err_has '--ids is missing'
finish
