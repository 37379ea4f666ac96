#!/bin/bash
# Pre-training on masked words and next sentences, from text without a tokenizer to a model that is fine-tuned.
. "$(dirname "$0")/case.sh"

awk 'BEGIN { srand(1); split("cat dog bird fish horse", a); split("sleeps runs eats sings swims", v); split("here there today now often", w)
  for (d = 0; d < 100; d++) { x = a[1 + d % 5]; for (i = 0; i < 20; i++) print "The " x " " v[1 + d % 5] " " w[1 + int(rand() * 5)] "."; print "" } }' > docs.txt
small="--hidden 64 --heads 4 --ffn 128 --layers 2 --dtype f32 --batch-tokens 1000 --vocab-size 120 --max-length 32"
run 0 "$QKV" train bert --task mlm --train docs.txt $small --max-steps 450 --valid-every 50 --learning-rate 0.003 --warmup-steps 50 --dropout 0
err_has "word pieces, learnt"
err_has "of next sentences right"
last() { awk -v key="\"$1\":" 'i = index($0, key) { v = substr($0, i + length(key)) + 0 } END { print v }' bert/log.jsonl; }
check "the words are learnt" awk -v found="$(last masked_accuracy)" 'BEGIN { exit !(found > 0.7) }'
check "the next sentences are learnt" awk -v found="$(last next_accuracy)" 'BEGIN { exit !(found > 0.8) }'
check "it is a BERT for pre-training" grep -q BertForPreTraining bert/config.json
run 0 "$QKV" train --task mlm --train docs.txt $small --show-batch
out_has "next sentence: 1 (B is from elsewhere)"
out_has "[MASK]/0<"
run 0 "$QKV" train --task mlm --train docs.txt $small --show-batch --next-sentence swapped --whole-words --mask-split 100-0-0
out_has "A follows B"
run 0 "$QKV" train plain --task mlm --train docs.txt $small --max-steps 2 --next-sentence none --quiet
check "without next sentences it is a BERT for masked words" grep -q BertForMaskedLM plain/config.json
run 0 "$QKV" train pairs --task mlm --train docs.txt $small --max-steps 1 --dropout 0 --mask-rate 0 --quiet
check "a training's loss is of words and of next sentences, as a validation's" awk 'match($0, /"loss":[0-9.]+/) { v = substr($0, RSTART + 7, RLENGTH - 7); exit !(v > 0.5 && v < 1) }' pairs/log.jsonl
run 2 "$QKV" train x --task mlm --train docs.txt $small --mask-rate 0 --next-sentence none
err_has "--mask-rate 0 with --next-sentence none leaves nothing to learn"
run 2 "$QKV" train x --task mlm --train docs.txt $small --mask-split 80-10
err_has "three percentages that add up to 100"
run 2 "$QKV" train x --task mlm --train docs.txt $small --short-length 40
err_has "is not shorter than --max-length 32"
tr '\n' ' ' < docs.txt | sed 's/  */ /g' > running.txt
run 1 "$QKV" train x --task mlm --train running.txt $small --split-sentences
err_has "the text is one document"
run 0 "$QKV" train split --task mlm --train running.txt $small --split-sentences --next-sentence swapped --max-steps 2
err_has "1800 sentences"

# A run that goes on gives the bytes of one that was not interrupted.
run 0 "$QKV" train whole --task mlm --train docs.txt $small --max-steps 20 --valid-every 10 --short-length 16 --short-epochs 1 --schedule constant --quiet
run 0 "$QKV" train parts --task mlm --train docs.txt $small --max-steps 10 --valid-every 10 --short-length 16 --short-epochs 1 --schedule constant --quiet --threads 1
run 0 "$QKV" train parts --resume --quiet --max-steps 20
check "resumed, with another number of threads: the same bytes" cmp whole/model.safetensors parts/model.safetensors
check "the same curves" cmp whole/curves.svg parts/curves.svg
check "both accuracies are among them" bash -c 'grep -q "masked words right, %" whole/curves.svg && grep -q "next sentences right, %" whole/curves.svg'

# Norms over rows: saved with their statistics, the same bytes for any threads, resumed, or recomputed layer by layer.
for norm in batch instance group; do
  steps="--task mlm --train docs.txt $small --norm $norm --norm-place pre --valid-every 4 --schedule constant --quiet"
  run 0 "$QKV" train $norm-whole $steps --max-steps 8 --threads 2
  run 0 "$QKV" train $norm-parts $steps --max-steps 4 --threads 1
  run 0 "$QKV" train $norm-parts --resume --quiet --max-steps 8 --recompute
  check "$norm norm resumed and recomputed: the same bytes" cmp $norm-whole/model.safetensors $norm-parts/model.safetensors
  run 0 "$QKV" info $norm-whole
  out_has "$norm"
  run 0 "$QKV" train $norm-learnt --task mlm --train docs.txt $small --norm $norm --max-steps 200 --valid-every 100 --learning-rate 0.003 --dropout 0 --quiet
  check "$norm norm learns" awk 'match($0, /"masked_accuracy":[0-9.]+/) { v = substr($0, RSTART + 18, RLENGTH - 18) } END { exit !(v > 0.45) }' $norm-learnt/log.jsonl
done
check "batch norm's three buffers are saved" test "$(strings -n 8 batch-whole/model.safetensors | grep -o 'self.norm.\(running_mean\|running_var\|num_batches_tracked\)' | sort -u | wc -l)" -eq 3
check "group norm chose its groups" grep -q '"norm_groups": 32' group-whole/config.json
run 1 "$QKV" train x --task mlm --train docs.txt $small --attention-window 4
err_has "is for decoders"
run 2 "$QKV" train x --task lm --train docs.txt --norm batch
err_has "looks at the tokens that follow"
run 1 "$QKV" train x --task mlm --train docs.txt $small --norm group --norm-groups 5
err_has "64 columns cannot be 5 norm groups"

run 0 "$QKV" predict bert --text "the cat sleeps here." --pair "the cat sleeps now." --format json
out_has '"next":'
printf 'label\tsentence\n' > labels.tsv
awk 'BEGIN { for (i = 0; i < 60; i++) print (i % 2 ? "swims\tthe horse swims here" : "runs\tthe dog runs there") }' >> labels.tsv
run 0 "$QKV" train fine --task classify --from bert --train labels.tsv --valid labels.tsv --max-steps 3 --quiet
run 0 "$QKV" train pre --task mlm --train docs.txt $small --norm-place pre --max-steps 1 --quiet
run 0 "$QKV" train pre-fine --task classify --from pre --train labels.tsv --valid labels.tsv --max-steps 1 --quiet
check "what the pooler has learnt goes on in any layout" grep -q '"pooler": *true' pre-fine/config.json

# Filling masks, and pseudo-log-likelihoods.
run 0 "$QKV" fill bert --text "The [MASK] sleeps here. The cat [MASK] today." --top 3 --dtype f32
cp out filled
check "the words that fit come first" test "$(cut -f3 filled | tr '\n' ' ')" != "" -a "$(head -1 filled | cut -f3)" = '"cat"' -a "$(sed -n 5p filled | cut -f3)" = '"sleeps"'
run 0 "$QKV" fill bert --text "The [MASK] sleeps here." --candidates cat,dog,fish --format json
out_has '[{"text": "cat"'
run 2 "$QKV" fill bert --text "The cat sleeps here."
err_has 'text 1 has no [MASK], the place to fill'
run 2 "$QKV" fill bert --text "The [MASK] sleeps." --candidates "cat dog"
err_has "a mask stands for one"
run 2 "$QKV" fill bert --text "The [MASK] sleeps." --candidates unfathomable
err_has "is not in the tokenizer's vocabulary"
run 2 "$QKV" fill fine --text "a [MASK]"
err_has "qkv train OUT --task mlm"
printf 'The cat sleeps here.\nThe cat runs here.\n\n' > texts
run 0 "$QKV" score bert texts
cp out scores
check "what fits is more probable" awk 'NR == 1 { a = $1 } NR == 2 { b = $1 } END { exit !(a > b + 5 && NR == 3) }' scores
tac texts > turned
run 0 "$QKV" score bert turned --threads 1
tac out > back
check "order and threads change nothing" cmp scores back
run 2 "$QKV" score bert texts --backward bert

run 1 "$QKV" train x --task mlm --from "$SOURCE/tests/golden/marian" --train docs.txt
finish
