#!/bin/bash
# qkv train on a language of its own: the whole way, the same bytes for any threads, after an interruption and from
# training.json; fine-tuning; what is refused and what is counted.
. "$(dirname "$0")/case.sh"

# Pairs of a toy language: words in reversed order, every word translated.
pairs() {  # LINES SALT NAME
  awk -v lines="$1" -v salt="$2" -v name="$3" 'BEGIN {
    split("red green blue big small old new hot cold dry", from); split("rojo verde azul grande chico viejo nuevo caliente frio seco", to)
    for (i = 0; i < lines; i++) {
      n = 1 + (i * 7 + salt) % 5; s = ""; t = ""
      for (w = 0; w < n; w++) { k = 1 + (i * (w + 3) + w * salt + int(i / 7)) % 10; s = s (w ? " " : "") from[k]; t = to[k] (w ? " " : "") t }
      print s > (name ".s"); print t > (name ".t")
    }
  }'
}
pairs 400 1 train
pairs 30 3 valid
small="--hidden 16 --heads 2 --ffn 32 --layers 1 --vocab-size 280 --batch-tokens 120 --max-length 30 --warmup-steps 10 --learning-rate 0.01"
train() { out=$1; shift; "$QKV" train "$out" --task translation --train train.s train.t --valid valid.s valid.t $small "$@"; }

run 0 train one --max-steps 40 --valid-every 10 --average 2 --threads 1
err_has 'validation after update 10: loss '
err_has 'qkv translate one FILE'
out_empty
check "a training directory is a model directory" test -s one/config.json -a -s one/model.safetensors -a -s one/tokenizer.json \
  -a -s one/tokenizer_config.json -a -s one/generation_config.json -a -s one/training.json -a -s one/last/state.safetensors
check "log.jsonl has every update" test "$(grep -c '"learning_rate":[0-9]' one/log.jsonl)" -eq 41
check "log.jsonl has the ledger" grep -q '"event":"ledger","train":{"read":400,"kept":400,' one/log.jsonl
check "curves.svg is drawn" grep -q '</svg>' one/curves.svg
check "nothing unfinished is left" test -z "$(find one -name '*.tmp')"
input=valid.s run 0 "$QKV" translate one --max-length 8
check "every line is translated" test "$(wc -l < out)" -eq 30

run 0 train two --max-steps 40 --valid-every 10 --average 2 --threads 2
check "two threads give the same bytes" cmp one/model.safetensors two/model.safetensors
run 0 "$QKV" train three --config one/training.json --threads 3
check "--config repeats a training to the byte" cmp one/model.safetensors three/model.safetensors
run 0 train other --max-steps 40 --valid-every 10 --average 2 --seed 2
check "another seed gives another model" test "$(cmp -s one/model.safetensors other/model.safetensors; echo $?)" -eq 1
run 0 train accumulated --max-steps 6 --valid-every 3 --accumulate 2 --batch-tokens 60 --metric chrf --schedule cosine --dropout 0.1
run 0 train pre --max-steps 4 --valid-every 4 --family pegasus --metric loss --lowercase
check "--family pegasus is saved as such" grep -q '"model_type": "pegasus"' pre/config.json
run 0 train mixed --max-steps 4 --valid-every 4 --norm rms --norm-place pre --positions learned --kv-heads 1 --metric loss
check "a mix of knobs that transformers lacks is saved as qkv's own" grep -q '"model_type": "qkv"' mixed/config.json
check "and opens again" "$QKV" translate mixed valid.s -o mixed.hyp
# Language models of each family are saved in its layout, and open again.
for i in 1 2 3 4 5 6 7 8 9; do cat train.s; done > stream
lm() {  # OUT FAMILY OPTION...
  run 0 "$QKV" train "$1" --task lm --train stream --tokenizer-type char --size tiny --hidden 16 --heads 4 --ffn 64 --layers 1 --context 16 \
    --batch-tokens 64 --max-steps 3 --valid-every 3 --family "${@:2}"
}
for family in gpt2 openai-gpt llama; do
  lm "lm-$family" $family
  check "--family $family is saved as such" grep -q "\"model_type\": \"$family\"" "lm-$family/config.json"
  check "and opens again" "$QKV" forward "lm-$family" --ids "1 2 3" -o numbers
done
lm lm-dropped llama --dropout 0.1
check "a llama cannot say dropout, so qkv's own layout is taken" grep -q '"model_type": "qkv"' lm-dropped/config.json
lm lm-grouped llama --kv-heads 2
check "grouped heads are no other layout" grep -q '"num_key_value_heads": 2' lm-grouped/config.json
lm lm-rotary gpt2 --positions rotary --gated on --bias off
check "other knobs are" grep -q '"positions": "rotary"' lm-rotary/config.json

# Scores and weights of attention.
for score in "--attention-score dot" "--attention-score cosine --attention-scale 4" "--attention-score general" "--attention-score additive" "--attention-weights off" "--attention-window 2"; do
  rm -rf scored
  run 0 train scored --max-steps 3 --valid-every 3 --metric loss --quiet $score
  check "$score is saved as qkv's own" grep -q '"model_type": "qkv"' scored/config.json
  run 0 "$QKV" info scored
  out_has "attention."
  input=valid.s run 0 "$QKV" translate scored --max-length 6 --beam 3 -o beam.hyp
  input=valid.s run 0 "$QKV" translate scored --max-length 6 --beam 3 --threads 1 -o again.hyp
  check "and the search gives the same for any threads" cmp beam.hyp again.hyp
done
run 1 train x --max-steps 1 --attention-weights off --attention-score additive
err_has "additive scores have weights of their own"
run 1 train x --max-steps 1 --attention-weights off --kv-heads 1
err_has "as many key/value heads as heads"
run 2 train x --max-steps 1 --norm instance
err_has "looks at the tokens that follow"

run 2 train contradicting --family marian --norm-place pre

# Ctrl-C at some moment, and on with another number of threads.
long="--hidden 64 --heads 4 --ffn 128 --layers 2 --batch-tokens 600 --max-steps 80 --valid-every 20 --average 2 --dropout 0.1"
run 0 train whole $long --threads 1
"$QKV" train broken --task translation --train train.s train.t --valid valid.s valid.t $small $long --threads 1 2> broken.err &
process=$!
for ((i = 0; i < 1200; i++)); do
  [ "$(grep -c '"learning_rate":[0-9]' broken/log.jsonl 2>/dev/null)" -ge 25 ] 2>/dev/null && break
  sleep 0.02
done
kill -INT $process
wait $process
interrupted=$?
check "Ctrl-C ends the run" test $interrupted -eq 1
check "Ctrl-C saves the state" grep -q 'the state is saved' broken.err
run 2 "$QKV" train broken --resume --learning-rate 0.02
err_has 'learning_rate was 0.01 and is now 0.02'
cp valid.t kept; echo rojo > valid.t; tail -n +2 kept >> valid.t
run 2 "$QKV" train broken --resume
err_has 'validation_text was'
cp kept valid.t
run 0 "$QKV" train broken --resume --threads 2
err_has 'resuming after update'
check "an interrupted training ends with the same bytes" cmp whole/model.safetensors broken/model.safetensors
updates() { grep '"learning_rate":[0-9]' "$1/log.jsonl" | grep -v event | sed 's/,"seconds.*//'; }
check "and the same log of updates" cmp <(updates whole) <(updates broken)

run 0 train tuned0 --max-steps 2 --valid-every 2 --metric loss
run 0 "$QKV" train tuned --task translation --from one --train train.s train.t --valid valid.s valid.t --max-steps 4 --valid-every 2 --metric loss --keep-every 2
check "--keep-every keeps copies" test -s tuned/steps/2/model.safetensors -a -s tuned/steps/4/tokenizer.json
check "a fine-tuned model keeps its tokenizer" cmp one/tokenizer.json tuned/tokenizer.json
run 2 "$QKV" train x --task translation --from one --hidden 32 --train train.s train.t
err_has '--from and --hidden contradict each other'

run 0 "$QKV" train --show-batch --task translation --train train.s train.t --valid valid.s valid.t $small
out_has 'the first batch: '
out_has '</s>/0'
check "--show-batch makes no directory" test ! -e x

run 2 train one
err_has 'one exists already'
err_has '--resume'
run 2 "$QKV" train x --train train.s train.t
err_has '--task is missing'
run 2 "$QKV" train x --task translation
err_has '--train is missing'
run 2 "$QKV" train x --task translation --train train.s
err_has 'pairs of files'
run 2 "$QKV" train x --resume
err_has 'there is nothing to resume'
run 2 train x --shedule linear
err_has 'did you mean --schedule?'
run 2 train x --max-length 500
err_has 'the longest pair would not fit into a batch'
run 1 "$QKV" train x --task translation --train nowhere train.t
err_has 'nowhere: cannot open'
head -20 train.t > short.t
run 1 "$QKV" train x --task translation --train train.s short.t
err_has 'train.s has 400 lines and short.t has 20'
: > empty
run 1 "$QKV" train x --task translation --train empty empty
err_has 'the file is empty'
check "nothing that was refused left a directory" test ! -e x

# Bad lines are counted and named; the pair that also stands in valid is warned of.
{ head -60 train.s; printf 'red \377 blue\nbig\0small\n\nold\r\n'; head -1 valid.s; yes red | head -200 | tr '\n' ' '; echo; } > bad.s
{ head -60 train.t; printf 'rojo azul\ngrande\nx\n\r\n'; head -1 valid.t; echo rojo; } > bad.t
run 0 "$QKV" train bad --task translation --train bad.s bad.t --valid valid.s valid.t $small --max-steps 2 --valid-every 2 --metric loss
err_has '1 line dropped: the source is empty (bad.s:63)'
err_has '1 line dropped: the target is empty (bad.s:64)'
err_has '1 line dropped: longer than the limit of tokens (bad.s:66)'
err_has '1 line kept with U+FFFD in the place of bytes that are not UTF-8 (bad.s:61)'
err_has '1 line kept although they hold zero bytes (bad.s:62)'
err_has 'pairs of the training text also stand in the validation text'
run 0 "$QKV" info bad
out_has 'train.empty_source   1 dropped: the source is empty (bad.s:63)'
out_has 'train.too_long       1 dropped: longer than the limit of tokens (bad.s:66)'
out_has 'train.read           '
out_has 'valid.kept           30'
run 0 "$QKV" info bad --format json
out_has '"train.empty_target": 1,'
run 0 "$QKV" train cut --task translation --train bad.s bad.t --valid valid.s valid.t $small --max-steps 2 --valid-every 2 --metric loss --on-long cut
err_has '1 line cut to the limit of tokens (bad.s:66)'
seq 1 3000 | sed 's/^/red /' > much.s
seq 1 3000 | sed 's/$/ rojo/' > much.t
run 0 "$QKV" train held --task translation --train much.s much.t $small --max-steps 2 --valid-every 2 --metric loss
err_has 'of the lines were held out for validation'
finish
