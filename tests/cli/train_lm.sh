#!/bin/bash
# qkv train --task lm on a text of its own: the same bytes for any threads, after accumulation the same loss, after an
# interruption the same end; separators, directions, fine-tuning on text and on answers; what is refused and what is counted.
. "$(dirname "$0")/case.sh"

# Sentences of a small grammar, a paragraph every five.
text() {  # LINES SALT
  awk -v lines="$1" -v salt="$2" 'BEGIN {
    split("the cat,a dog,my bird,the fish", who, ","); split("sees,likes,finds", what, ","); split("a ball,the tree,my hat", whom, ",")
    for (i = 0; i < lines; i++) {
      print who[1 + (i * 7 + salt) % 4] " " what[1 + (i * 5 + int(i / 4)) % 3] " " whom[1 + (i * 11 + int(i / 3) + salt) % 3] "."
      if (i % 5 == 4) print ""
    }
  }'
}
text 400 1 > train.txt
text 60 3 > valid.txt
small="--layers 1 --hidden 16 --heads 2 --context 16 --batch-tokens 128 --warmup-steps 5 --learning-rate 0.01 --dropout 0.1"
train() { out=$1; shift; "$QKV" train "$out" --task lm --train train.txt --valid valid.txt $small "$@"; }

run 0 train one --max-steps 30 --valid-every 10 --tokenizer-type char --threads 1 --document-separator blank
err_has 'a vocabulary of'
err_has '80 documents'
err_has 'validation: a window of 16 tokens that moves on by 16'
err_has 'bits per byte; the best so far, saved'
err_has 'qkv generate one --prompt'
check "it is a GPT-2" grep -q '"model_type": "gpt2"' one/config.json
check "log.jsonl has every score" grep -q '"valid_loss":[^,]*,"perplexity":[^,]*,"accuracy":[^,]*,"bits_per_byte":' one/log.jsonl
run 0 train two --max-steps 30 --valid-every 10 --tokenizer-type char --threads 3 --document-separator blank
check "three threads give the same bytes" cmp one/model.safetensors two/model.safetensors
run 0 "$QKV" train again --config one/training.json --threads 2
check "--config repeats a training to the byte" cmp one/model.safetensors again/model.safetensors
run 0 "$QKV" eval one valid.txt --document-separator blank --context 16 --format json --dtype f32
check "qkv eval finds the loss of the last validation" awk -v got="$(sed 's/{"loss": \([^,]*\),.*/\1/' out)" -v wanted="$(grep valid_loss one/log.jsonl | tail -1 | sed 's/.*"valid_loss":\([^,]*\),.*/\1/')" 'BEGIN { d = got - wanted; exit !(d < 0.02 && d > -0.02) }'

printf 'the cat\t sees.\na dog\t likes.\n' > bare.tsv
run 0 "$QKV" train bare --task lm --from one --train bare.tsv --valid bare.tsv --no-header --max-steps 1
err_has 'training text: 2 pairs'

# A batch of 128 tokens, or four of 32 whose gradients are added.
run 0 train whole --max-steps 1 --valid-every 1 --dropout 0 --tokenizer-type char --dtype f32 --batch-size 8
run 0 train parts --max-steps 1 --valid-every 1 --dropout 0 --tokenizer-type char --dtype f32 --batch-size 8 --stride 8
check "a smaller stride sees more" awk -v a="$(grep -o '"valid_loss":[^,]*' whole/log.jsonl | cut -d: -f2)" -v b="$(grep -o '"valid_loss":[^,]*' parts/log.jsonl | cut -d: -f2)" 'BEGIN { exit a == b }'
run 0 train added --max-steps 3 --valid-every 3 --accumulate 4 --batch-tokens 32 --tokenizer-type char

# A text that any order of updates is the same for: one batch an epoch.
head -3 train.txt > tiny.txt
one_batch="--task lm --train tiny.txt --valid tiny.txt --layers 1 --hidden 16 --heads 2 --context 16 --warmup-steps 1 --learning-rate 0.001 --dropout 0 --tokenizer-type char --dtype f32 --max-steps 1 --valid-every 1"
run 0 "$QKV" train big $one_batch --batch-tokens 4096
run 0 "$QKV" train split $one_batch --batch-tokens 16 --accumulate 100
norm() { grep -o '"norm":[0-9][^,]*' "$1/log.jsonl" | cut -d: -f2; }
check "accumulating gives the gradient of the big batch" awk -v a="$(norm big)" -v b="$(norm split)" 'BEGIN { d = (a - b) / a; exit !(d < 1e-5 && d > -1e-5) }'
run 0 "$QKV" train layers $one_batch --batch-tokens 4096 --layer-gradients
check "without --layer-gradients the log has none" bash -c "! grep -q layer_gradients big/log.jsonl"
check "--layer-gradients changes no byte of the model" cmp big/model.safetensors layers/model.safetensors
check "the squares of the layers' norms sum up to that of all" awk -v all="$(norm layers)" -v layers="$(sed -n 's/.*"layer_gradients":{\([^}]*\)}.*/\1/p' layers/log.jsonl)" '
  BEGIN { n = split(layers, part, ","); for (i = 1; i <= n; i++) { split(part[i], pair, ":"); sum += pair[2] ^ 2 }; d = sum / all ^ 2 - 1; exit !(n >= 4 && d < 1e-9 && d > -1e-9) }'

# Killed at some moment, and on with another number of threads.
long="--max-steps 60 --valid-every 10 --tokenizer-type char"
run 0 train kept $long --threads 1
"$QKV" train broken --task lm --train train.txt --valid valid.txt $small $long --threads 1 2> broken.err &
process=$!
for ((i = 0; i < 1200; i++)); do
  [ "$(grep -c '"learning_rate":[0-9]' broken/log.jsonl 2>/dev/null)" -ge 25 ] 2>/dev/null && break
  sleep 0.02
done
kill -KILL $process 2> /dev/null
wait $process 2> /dev/null
run 0 "$QKV" train broken --resume --threads 2
err_has 'resuming after update'
check "a killed training ends with the same bytes" cmp kept/model.safetensors broken/model.safetensors

# Many files, objects, marks; directions; families.
text 100 5 > more.txt
sed -n '1,20p' train.txt | grep . | sed 's/.*/{"text": "&"}/' > lines.jsonl
echo '{"text": ""}' >> lines.jsonl
printf 'the cat sees my hat.<|endoftext|>a dog likes the tree.\n' > marked.txt
run 0 "$QKV" train many --task lm --train train.txt more.txt lines.jsonl marked.txt $small --max-steps 2 --valid-every 2 --vocab-size 300
err_has 'of each training file is held out for validation'
err_has 'lines.jsonl:18'
check "the ledger says what was empty" grep -q '"empty_text":{"count":1,"lines":\["lines.jsonl:18"\]}' many/log.jsonl
run 0 "$QKV" train --task lm --train marked.txt --valid marked.txt $small --tokenizer-type char --show-batch
out_has '<|endoftext|>/'
out_has 'learnt   t/'
check "a document is a sequence of its own" test "$(grep -c 'positions 0 to' out)" -ge 2
run 0 "$QKV" train --task lm --train marked.txt --valid marked.txt $small --tokenizer-type char --show-batch --direction right-to-left
cp out shown
check "from right to left the end comes first" grep -q 'input.*<|endoftext|>/[0-9]* .n/[0-9]* \./' shown
run 0 "$QKV" train --task lm --train marked.txt --valid marked.txt $small --tokenizer-type char --show-batch --cross-documents on
check "--cross-documents joins what a block holds" test "$(grep -c 'positions 0 to' out)" -lt 5
run 0 train backward --max-steps 30 --valid-every 30 --tokenizer-type char --direction right-to-left
run 0 "$QKV" score kept valid.txt --backward backward
for family in openai-gpt llama; do
  run 0 train $family --max-steps 2 --valid-every 2 --family $family --vocab-size 300 --dropout 0
  check "--family $family is saved as such" grep -q "\"model_type\": \"$family\"" $family/config.json
done

# Fine-tuning: on more text, and on answers alone.
run 0 "$QKV" train tuned --task lm --from one --train more.txt --valid valid.txt --max-steps 2 --valid-every 2 --batch-tokens 128
check "a fine-tuned model keeps its tokenizer" cmp one/tokenizer.json tuned/tokenizer.json
for i in $(seq 1 40); do printf '{"prompt": "the cat ", "answer": "sees a ball."}\n{"prompt": "a dog ", "answer": "likes the tree."}\n'; done > pairs.jsonl
run 0 "$QKV" train --task lm --from one --train pairs.jsonl --valid pairs.jsonl --context 16 --batch-tokens 128 --on-long cut --show-batch
cp out shown
check "nothing of a prompt is learnt" grep -q 'learnt   - - ' shown
run 1 "$QKV" train answers --task lm --from one --train pairs.jsonl --valid pairs.jsonl --context 16 --batch-tokens 128
err_has 'the training text has 0 tokens; 80 documents or pairs were empty or longer than --context 16'
run 0 "$QKV" train fresh --task lm --train pairs.jsonl --valid pairs.jsonl $small --context 32 --tokenizer-type char --max-steps 40 --valid-every 40
err_has '80 pairs'
err_has 'bytes of answers'
awk 'BEGIN { print "answer\tprompt"; for (i = 0; i < 40; i++) print "sees a ball.\tthe cat \nlikes the tree.\ta dog " }' > pairs.tsv
run 0 "$QKV" train table --task lm --train pairs.tsv --valid pairs.tsv $small --context 32 --tokenizer-type char --max-steps 40 --valid-every 40
check "a table gives the model of the objects" cmp fresh/model.safetensors table/model.safetensors

# A schedule over a time: where it ends is estimated, and kept in the state.
timed="--task lm --train train.txt --valid valid.txt --tokenizer-type char --context 16 --size blackboard --learning-rate 0.01 --warmup-steps 5 --valid-every 1000000 --dtype f32 --threads 1"
rates() { grep '"step":' "$1/log.jsonl" | grep -o '"learning_rate":[^,]*'; }
for schedule in linear cosine; do
  run 0 "$QKV" train timed-$schedule $timed --schedule $schedule --min-learning-rate 0 --max-time 1.5s
  err_has "the learning rate falls over the time (--max-time)"
  rates timed-$schedule > falling
  # Loose, for a machine that does other work may change its speed in so short a time.
  check "the rate has fallen at the end ($schedule)" awk -F: '$2 > most { most = $2 } { last = $2 } END { exit !(most > 0.0099 && last < 0.009) }' falling
  check "not much time was spent at the least rate ($schedule)" awk -F: '$2 == 0 { none++ } END { exit !(none <= NR / 4 + 4) }' falling
done
"$QKV" train stopped $timed --schedule cosine --max-time 4s --quiet 2> err &
pid=$!
for _ in $(seq 400); do grep -qF '"step":5,' stopped/log.jsonl 2> /dev/null && break; sleep 0.01; done
kill $pid
wait $pid
cp -r stopped stopped2
lines=$(rates stopped | wc -l)
for out in stopped stopped2; do
  run 0 "$QKV" train $out --resume --quiet
  rates $out | sed -n $((lines + 1))p > rates-$out
done
check "two runs that go on from one state begin with the same rate" bash -c '[ -s rates-stopped2 ] && cmp rates-stopped rates-stopped2'

# What cannot be.
: > empty
run 1 "$QKV" train x --task lm --train empty
err_has 'empty: the file is empty'
printf a > letter
run 1 "$QKV" train x --task lm --train letter --valid valid.txt --tokenizer-type char --context 4
err_has 'the training text has 1 token'
run 1 "$QKV" train x --task lm --train letter --tokenizer-type char --context 4
err_has 'without --valid, a part of the training text is held out'
run 2 "$QKV" train x --task lm --from one --train train.txt --context 17
err_has '--context is 17, but one has only 16 positions'
run 2 "$QKV" train x --task lm --train train.txt --valid valid.txt --context 64 --stride 65 --tokenizer-type char
err_has '--stride 65 is more than --context 64'
run 2 "$QKV" train x --task lm --train train.txt --valid valid.txt --context 64 --batch-tokens 32 --tokenizer-type char
err_has 'a block would not fit into a batch'
run 2 "$QKV" train x --task lm --train train.txt --encoder-layers 2
err_has '--encoder-layers is not an option of --task lm'
run 2 "$QKV" train x --task translation --train train.txt train.txt --context 8
err_has '--context is not an option of --task translation'
run 2 "$QKV" train x --task lm --train train.txt --min-learning-rate 0.1 --learning-rate 0.01
err_has '--min-learning-rate 0.1 is more'
run 2 "$QKV" train x --task lm --train train.txt --family marian
err_has '--family is "marian"; with --task lm wanted one of:'
printf 'the cat sees \xe2\x82\xac.\n' > strange.txt
run 0 "$QKV" train odd --task lm --from one --train strange.txt --valid valid.txt --max-steps 1 --valid-every 1 --batch-tokens 128
err_has 'strange.txt:1'
check "a character outside the vocabulary is counted" grep -q '"unknown":{"count":1,"lines":\["strange.txt:1"\]}' odd/log.jsonl
finish
