#!/bin/bash
# qkv train --features: an LSTM that tags words over the hidden states of a model that stays as it is, saved, read again, resumed.
. "$(dirname "$0")/case.sh"

score() { awk -v name="$1" -v least="$2" '$1 == name && $2 >= least { found = 1 } END { exit !found }' "$3"; }
tokenizer=$SOURCE/tests/text/golden/bert
# "in" is followed by a place.
awk 'BEGIN { srand(4); split("the of to yes", w); for (i = 0; i < 120; i++) { n = 1 + int(rand() * 4); for (k = 0; k < n; k++) print w[int(rand() * 4) + 1] "\tO"; print "in\tO"; print w[int(rand() * 4) + 1] "\tB-LOC"; print w[int(rand() * 4) + 1] "\tI-LOC"; print "" } }' > tags.conll
run 0 "$QKV" train below --task tag --tokenizer "$tokenizer" --hidden 16 --heads 2 --ffn 32 --layers 4 --train tags.conll --valid tags.conll \
  --max-steps 1 --dtype f32 --quiet

for features in embeddings sum-last-4 concat-last-4 weighted; do
  run 0 "$QKV" train "$features" --task tag --from below --features $features --lstm-layers 1 --lstm-hidden 24 --train tags.conll \
    --valid tags.conll --max-steps 60 --batch-tokens 200 --learning-rate 0.02 --dropout 0 --warmup-steps 3 --dtype f32 --quiet
  run 0 "$QKV" eval "$features" tags.conll --dtype f32
  cp out scores
  check "the tags are learnt from $features" score f1 90 scores
done
run 0 "$QKV" info weighted
out_has "layout               qkv"
out_has "head.features        weighted"
out_has "head.lstm.hidden     24"
run 0 "$QKV" predict weighted --text "the of in yes to"
out_has "yes	B-LOC"
run 0 "$QKV" forward weighted --ids "2 7 9 3" --want logits
for model in below weighted; do "$QKV" forward $model --ids "2 7 9 3" --want hidden > $model.hidden 2> err; done
check "the model below stayed as it was" bash -c 'cmp below.hidden weighted.hidden && [ -s below.hidden ]'
run 0 "$QKV" embed weighted --text "in yes" --pooling mean
cp out tagger.vectors
run 0 "$QKV" embed below --text "in yes" --pooling mean
cp out below.vectors
check "a text's vector is that of the model below" cmp tagger.vectors below.vectors

# A run that goes on gives the bytes of one that was not interrupted; any number of threads.
tune="--task tag --from below --features concat-last-4 --lstm-hidden 12 --train tags.conll --valid tags.conll --schedule constant --warmup-steps 3 --valid-every 5 --metric loss --dropout 0.1 --dtype f32 --quiet"
run 0 "$QKV" train whole $tune --max-steps 10
run 0 "$QKV" train parts $tune --max-steps 5 --threads 1
run 0 "$QKV" train parts --resume --max-steps 10 --quiet
check "resumed, with another number of threads: the same bytes" cmp whole/model.safetensors parts/model.safetensors
check "what is frozen by itself is said" grep -q '"freeze": "all"' whole/training.json

# The model below learns, too, when asked; and a tagger goes on from a tagger.
run 0 "$QKV" train tuned --task tag --from below --features last --lstm-hidden 12 --freeze embeddings --train tags.conll --valid tags.conll --max-steps 2 --dtype f32 --quiet
"$QKV" forward tuned --ids "2 7 9 3" --want hidden > tuned.hidden 2> err
check "it does not stay as it was" bash -c '! cmp -s below.hidden tuned.hidden && [ -s tuned.hidden ]'
run 0 "$QKV" train more --task tag --from weighted --train tags.conll --valid tags.conll --max-steps 1 --dtype f32 --quiet
run 0 "$QKV" info more
out_has "head.features        weighted"

# Without an LSTM the last states are features, too: the model below stays, and only the head learns.
run 0 "$QKV" train bare --task tag --from below --features last --lstm-layers 0 --train tags.conll --valid tags.conll --max-steps 2 --dtype f32
err_has "all below the head stays as it is (--freeze all)"
"$QKV" forward bare --ids "2 7 9 3" --want hidden > bare.hidden 2> err
check "the last states stay" cmp below.hidden bare.hidden
check "the head does not" bash -c '! cmp -s below/model.safetensors bare/model.safetensors'

# The table of the paper, a row for each kind of features and one for fine-tuning.
run 0 env OUT=table QKV="$QKV" LSTM_OPTIONS="--lstm-hidden 8 --lstm-layers 1" "$SOURCE/scripts/feature-table.sh" below tags.conll tags.conll 2 \
  --max-steps 2 --dtype f32
cp out rows
check "a row for each way, of two seeds" awk 'NR > 1 && (NF != 5 || $5 != 2 || $2 < $4 || $3 < 0) { bad = 1 } END { exit bad || NR != 9 }' rows
run 2 "$SOURCE/scripts/feature-table.sh" below

run 2 "$QKV" train x --task tag --tokenizer "$tokenizer" --features last --train tags.conll
err_has "--features are those of a trained model; say of which with --from"
run 2 "$QKV" train x --task tag --from below --lstm-hidden 8 --train tags.conll
err_has "--lstm-hidden is of the LSTM that reads --features, which is missing"
run 2 "$QKV" train x --task mlm --from below --features last --train tags.conll
err_has "--features is not an option of --task mlm"
run 1 "$QKV" train x --task mlm --from weighted --train tags.conll
err_has "not this head; start from the model that the features are of"
run 0 "$QKV" train flat --task tag --tokenizer "$tokenizer" --hidden 16 --heads 2 --ffn 32 --layers 1 --train tags.conll --max-steps 1 --dtype f32 --quiet
run 1 "$QKV" train x --task tag --from flat --features sum-last-4 --train tags.conll
err_has "the features are of the last four layers, but the model has only 1"
finish
