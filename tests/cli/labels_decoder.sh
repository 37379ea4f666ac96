#!/bin/bash
# Decoders that label texts: GPT-1's input forms and its loss, what transformers can read of it, resuming, and what is refused.
. "$(dirname "$0")/case.sh"

tune="--dtype f32 --batch-tokens 200 --learning-rate 0.01 --dropout 0 --warmup-steps 5 --quiet"
score() { awk -v name="$1" -v least="$2" '$1 == name && $2 >= least { found = 1 } END { exit !found }' "$3"; }

awk 'BEGIN { srand(1); split("the a of in to", w); print "label\tsentence"
  for (i = 0; i < 200; i++) { good = rand() < 0.5; s = ""; for (k = 0; k < 3; k++) s = s w[int(rand() * 5) + 1] " "
    print (good ? "good" : "bad") "\t" s (good ? "yes" : "no") } }' > train.tsv
head -60 train.tsv > dev.tsv
cut -f2 train.tsv > text.txt
"$QKV" train lm --task lm --train text.txt --size blackboard --hidden 32 --heads 2 --vocab-size 268 --max-steps 3 --dtype f32 --quiet 2> err
"$QKV" train llama --task lm --family llama --train text.txt --size blackboard --hidden 32 --heads 2 --vocab-size 268 --max-steps 3 --dtype f32 --quiet 2> err

# Classification: start TEXT extract.
run 0 "$QKV" train --task classify --from lm --train train.tsv --valid dev.tsv --show-batch --dtype f32
out_has "<|start|>/0"
out_has "<|extract|>/0"
run 0 "$QKV" train classes --task classify --from lm --train train.tsv --valid dev.tsv --max-steps 120 ${tune/--quiet/}
err_has "texts become <|start|> TEXT <|extract|>, pairs <|start|> TEXT <|delimiter|> PAIR <|extract|> (--input-form)"
err_has "the loss is that of the labels + 0.5 x that of the next tokens (--lm-weight)"
err_has "it is saved as model_type qkv, which qkv alone opens"
check "the tokens are special in tokenizer.json" grep -q '<|delimiter|>' classes/tokenizer.json
run 0 "$QKV" eval classes dev.tsv --dtype f32
cp out scores
check "the classes are learnt" score accuracy 95 scores
cut -f2 dev.tsv | tail -n +2 > lines.txt
run 0 "$QKV" predict classes lines.txt --dtype f32
cp out labels
tac lines.txt > backwards.txt
run 0 "$QKV" predict classes backwards.txt --dtype f32 --threads 1
tac out > turned
check "order, neighbours and threads change nothing" cmp labels turned
run 0 "$QKV" predict classes --text "a <|extract|> b"
long=$(yes the | head -60 | tr '\n' ' ')
run 3 "$QKV" predict classes --text "$long"
err_has "1 example longer than the model takes was cut"
run 0 "$QKV" train more --task classify --from classes --train train.tsv --valid dev.tsv --max-steps 2 --dtype f32
err_has "vocabulary $(grep -o '"target_vocab": [0-9]*' classes/config.json | grep -o '[0-9]*')"

# A run that goes on gives the bytes of one that was not interrupted; the head's own dropout is not forgotten.
long="--task classify --from lm --train train.tsv --valid dev.tsv --schedule constant --warmup-steps 3 --valid-every 5 --metric loss --lm-weight 0.3 --dtype f32 --quiet"
run 0 "$QKV" train whole $long --max-steps 10
run 0 "$QKV" train parts $long --max-steps 5 --threads 1
run 0 "$QKV" train parts --resume --max-steps 10 --quiet
check "resumed, with another number of threads: the same bytes" cmp whole/model.safetensors parts/model.safetensors
check "the weight of the language model's loss is kept" grep -q '"lm_weight": 0.3' parts/training.json
plain="${long/--lm-weight 0.3/} --input-form plain --dropout 0.2"
run 0 "$QKV" train plain $plain --max-steps 10
run 0 "$QKV" train plain2 $plain --max-steps 5
run 0 "$QKV" train plain2 --resume --max-steps 10 --quiet
check "resumed in the plain form: the same bytes" cmp plain/model.safetensors plain2/model.safetensors
check "what transformers can say is said in its words" grep -q GPT2ForSequenceClassification plain/config.json
check "the plain form adds no tokens" bash -c '! grep -q "<|start|>" plain/tokenizer.json'

run 0 "$QKV" train first --task classify --from lm --train train.tsv --valid dev.tsv --max-steps 5 --dtype f32 --quiet
run 0 "$QKV" train second --config first/training.json --quiet
check "its training.json gives the same bytes again" cmp first/model.safetensors second/model.safetensors

# Without the language model.
run 0 "$QKV" train alone --task classify --from lm --train train.tsv --valid dev.tsv --max-steps 3 --lm-weight 0 ${tune/--quiet/}
err_has "the labels + 0 x"
check "nothing is said about next tokens then" bash -c '! grep -q "of the next tokens [0-9]" err'

# Similarity: both orders, so that they can't be told apart.
awk 'BEGIN { srand(3); split("the a of in to", w); print "score\tsentence1\tsentence2"
  for (i = 0; i < 200; i++) { a = rand() < 0.5; b = rand() < 0.5; print (a + b) / 2 "\t" w[int(rand() * 5) + 1] (a ? " yes" : " no") "\t" w[int(rand() * 5) + 1] (b ? " yes" : " no") } }' > pairs.tsv
run 0 "$QKV" train similar --task regress --from lm --input-form gpt1-similarity --train pairs.tsv --valid pairs.tsv --max-steps 120 ${tune/--quiet/}
err_has "whose last states are added (--input-form)"
run 0 "$QKV" eval similar pairs.tsv --dtype f32
cp out scores
check "the numbers are learnt" score pearson 0.9 scores
run 0 "$QKV" predict similar --text "the yes" --pair "of no" --dtype f32
cp out one
run 0 "$QKV" predict similar --text "of no" --pair "the yes" --dtype f32
check "a pair and the pair turned round" awk 'NR == FNR { first = $NF; next } { exit !($NF - first < 1e-5 && first - $NF < 1e-5) }' one out
run 0 "$QKV" info similar
out_has "head.both_orders     yes"
out_has "head.language_too    yes"
run 0 "$QKV" inspect classes "the yes" "of it"
out_has "<|delimiter|>"
run 1 "$QKV" predict similar --text "the yes"
err_has "text line 1: there is one text, but the model compares two, in both orders"
run 0 "$QKV" train --task regress --from similar --train pairs.tsv --valid pairs.tsv --show-batch --dtype f32
out_has "<|extract|>/0 <|start|>/0"

# Multiple choice: GPT-2 has a class for it, Llama has not.
awk 'BEGIN { srand(6); split("the of to yes no a", w); for (i = 0; i < 200; i++) { r = int(rand() * 3); q = w[1 + i % 6]; printf "{\"question\": \"%s\", \"choices\": [", q; for (k = 0; k < 3; k++) printf "%s\"%s\"", k ? ", " : "", k == r ? "yes yes" : "no"; printf "], \"label\": %d}\n", r } }' > choices.jsonl
for from in lm llama; do
  run 0 "$QKV" train choices-$from --task choice --from $from --train choices.jsonl --valid choices.jsonl --max-steps 40 ${tune/--quiet/}
  err_has "choices become <|start|> QUESTION <|delimiter|> CHOICE <|extract|> (--input-form)"
  run 0 "$QKV" eval choices-$from choices.jsonl
  cp out scores
  check "the choices are learnt" score accuracy 95 scores
done
check "GPT-2's own class" grep -q GPT2DoubleHeadsModel choices-lm/config.json
check "none of Llama's" grep -q '"model_type": "qkv"' choices-llama/config.json
run 0 "$QKV" predict choices-lm choices.jsonl

# New decoders.
for family in gpt2 openai-gpt llama; do
  run 0 "$QKV" train new-$family --task classify --family $family --tokenizer lm --size blackboard --hidden 16 --train train.tsv --valid dev.tsv --max-steps 2 $tune
  run 0 "$QKV" predict new-$family --text "the"
done

# What can't be.
refuse() { run "$1" "$QKV" train x "${@:3}" --train "${train:-train.tsv}" --valid "${train:-train.tsv}" --max-steps 1; err_has "$2"; }
refuse 2 '--lm-weight is the language model'"'"'s share beside the labels' --task classify --from lm --input-form plain --lm-weight 0.5
refuse 2 '--lm-weight wants a number from 0 to 1000; got "-1"' --task classify --from lm --lm-weight -1
refuse 2 '--input-form wants' --task classify --from lm --input-form gpt3
refuse 2 '--input-form is not an option of --task tag' --task tag --from lm --input-form gpt1
refuse 2 '--input-form gpt1 is for decoders' --task classify --family bert --tokenizer "$SOURCE/tests/text/golden/bert" --input-form gpt1
refuse 2 '--pooling first: a decoder'"'"'s first token sees nothing of the text' --task classify --from lm --pooling first
refuse 2 'which cannot learn the tokens of --input-form gpt1; take --input-form plain' --task classify --from lm --features last --input-form gpt1
train=choices.jsonl
refuse 2 'choices can be told from the features of an encoder' --task choice --from lm --features last
refuse 2 'a question and its choices have one' --task choice --from lm --input-form gpt1-similarity
refuse 2 'a decoder chooses by its double heads' --task choice --from lm --input-form plain
train=train.tsv
refuse 1 'there is one text, but the model compares two' --task classify --from lm --input-form gpt1-similarity
finish
