#!/bin/bash
# qkv forward: forms of output, and calls that it refuses. The numbers are tested in tests/api.
. "$(dirname "$0")/case.sh"
model=$SOURCE/tests/golden/marian

run 0 "$QKV" forward "$model" --ids "5 6 7 0" --decoder-ids "96 4 3"
err_path
cp out whole
check "logits are a row for each token" test "$(wc -l < whole)" -eq 3
check "and a number for each word" test "$(head -1 whole | wc -w)" -eq 97
run 0 "$QKV" forward "$model" --ids=5,6,7,0 --decoder-ids "96 4 3" --cached --threads 1
cp out steps
check "token by token gives the same" cmp steps whole
run 0 "$QKV" forward "$model" --ids "5 6 7 0" --want hidden --layer 0 --quiet
err_empty
run 0 "$QKV" forward "$model" --ids "5 6 7 0" --decoder-ids "96 4 3" -o logits.npy
out_empty
check "an .npy file has its magic and shape" bash -c "head -c 80 logits.npy | tr -d '\\0' | grep -q \"NUMPY.*'<f4', 'fortran_order': False, 'shape': (3, 97)\""
check "and 4 bytes for each number" test "$(stat -c %s logits.npy)" -eq $((128 + 3 * 97 * 4))
run 0 "$QKV" forward "$model" --ids "5 6 7 0" --want attention --layer 0
check "attention is a matrix for each head" test "$(grep -c '^$' out)" -eq 3
run 0 "$QKV" forward "$model" --ids "5 6 7 0" --want hidden --layer 0
check "without decoder ids the encoder runs" test "$(wc -l < out)" -eq 4

run 0 "$QKV" forward "$model" --ids "5 6 7 0" --decoder-ids "96 4 3" --dtype f32
cp out f32
check "numbers are computed in f32 unless something else is asked for" cmp f32 whole
if grep -q avx512_bf16 /proc/cpuinfo && [ -z "${QKV_CPU:-}" ]; then
  run 0 "$QKV" forward "$model" --ids "5 6 7 0" --decoder-ids "96 4 3" --dtype bf16
  err_has "forward: bf16 on the "
  cp out bf16
  check "bf16 gives other numbers" test "$(cmp -s bf16 whole; echo $?)" -eq 1
fi

mkdir bare
cp "$model/config.json" "$model/model.safetensors" bare
run 0 "$QKV" forward bare --ids "5 6 7 0" --decoder-ids "96 4 3"
cp out alone
check "config.json and model.safetensors are enough" cmp alone whole

# Decoders alone
for kind in openai-gpt gpt2 llama llama-knobs llama-llama3; do
  decoder=$SOURCE/tests/golden/$kind
  run 0 "$QKV" forward "$decoder" --ids "5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"
  cp out whole
  check "$kind has logits for each token" test "$(wc -l < whole)" -eq 16
  run 0 "$QKV" forward "$decoder" --ids "5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20" --cached --threads 1
  cp out steps
  check "$kind gives the same token by token" cmp steps whole
done
run 2 "$QKV" forward "$decoder" --ids "5 6" --decoder-ids 7
err_has 'decoder_ids belong to models with an encoder and a decoder'
run 2 "$QKV" forward "$SOURCE/tests/golden/openai-gpt" --ids "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"
err_has '21 tokens; the model has 20 positions'
dynamic="$SOURCE/tests/golden/llama-dynamic-beyond"
run 0 "$QKV" forward "$dynamic" --ids "$(seq -s' ' 2 51)" --want hidden
run 1 "$QKV" forward "$dynamic" --ids "$(seq -s' ' 2 51)" --cached
err_has '50 tokens; beyond 48 the model'"'"'s "dynamic" rotary positions turn all of a text anew with each token'

# Encoders, each with its head
encoder() { # ROWS COLUMNS CASE OPTIONS...: the result's shape
  local rows=$1 columns=$2 case=$3
  shift 3
  run 0 "$QKV" forward "$SOURCE/tests/golden/$case" "$@"
  check "$case gives $rows x $columns" test "$(wc -l < out) $(head -1 out | wc -w)" = "$rows $columns"
}
text=(--ids "5 6 7 8" --type-ids "0 0 1 1")
encoder 4 37 bert-masked "${text[@]}"
encoder 4 37 bert-pretraining "${text[@]}"
encoder 1 2 bert-pretraining "${text[@]}" --want nsp
encoder 1 16 bert-pretraining "${text[@]}" --want pooled
encoder 1 2 bert-next-sentence "${text[@]}"
encoder 1 3 bert-classify "${text[@]}"
encoder 1 1 bert-regress "${text[@]}"
encoder 4 5 bert-tag "${text[@]}"
encoder 4 2 bert-span "${text[@]}"
encoder 1 3 bert-choice "${text[@]}" --ids "9 10" --type-ids "0 1" --ids 11 --type-ids 0
encoder 2 16 bert-choice "${text[@]}" --ids "9 10" --type-ids "0 1" --want pooled
encoder 4 16 bert --want hidden "${text[@]}"
encoder 1 3 gpt2-classify --ids "5 6 7 8"
run 0 "$QKV" forward "$SOURCE/tests/golden/bert-choice" "${text[@]}"
cp out first
run 0 "$QKV" forward "$SOURCE/tests/golden/bert-choice" "${text[@]}" --ids "9 10" --type-ids "0 1"
check "a choice has the score that it has alone" test "$(cut -d' ' -f1 out)" = "$(cat first)"
run 2 "$QKV" forward "$SOURCE/tests/golden/bert-tag" --ids "5 6" --ids 7
err_has '2 texts; only a model for multiple choice takes several at once'
run 2 "$QKV" forward "$SOURCE/tests/golden/bert-tag" --ids "5 6" --type-ids 0
err_has '--type-ids has 1 numbers and --ids has 2; there must be one for each'
run 2 "$QKV" forward "$SOURCE/tests/golden/bert-tag" --ids "5 6" --type-ids "0 2"
err_has 'type_ids: 2 at place 1; the model has the segments 0 to 1'
run 2 "$QKV" forward "$SOURCE/tests/golden/bert-tag" --ids "5 6" --want nsp
err_has 'has a head for token classification, but a head for pre-training is needed; make one with: qkv train OUT --task mlm --from'
run 2 "$QKV" forward "$SOURCE/tests/golden/distilbert" --ids "5 6"
err_has 'this distilbert model has no head, but a language head is needed'

run 2 "$QKV" forward
err_has 'MODEL is missing: qkv forward MODEL'
run 2 "$QKV" forward "$model"
err_has '--ids is missing'
run 2 "$QKV" forward "$model" --ids "5 x 7"
err_has '--ids wants ids separated by blanks or commas; got "x"'
run 2 "$QKV" forward "$model" --ids "99999999999999999999"
err_has '--ids wants ids'
run 2 "$QKV" forward "$model" --ids " "
err_has '--ids wants at least one id'
run 2 "$QKV" forward "$model" --ids "5 97" --decoder-ids 96
err_has '97 at place 1; the vocabulary has the ids 0 to 96'
run 2 "$QKV" forward "$model" --ids "5 6"
err_has 'logits need decoder_ids'
run 2 "$QKV" forward "$model" --ids "5 6" --attention-mask 1 --decoder-ids 96
err_has '--attention-mask has 1 numbers and --ids has 2'
run 1 "$QKV" forward "$model" --ids "5 6 7" --attention-mask "1 0 1" --decoder-ids 96
err_has 'the attention mask is 0 at place 1'
run 2 "$QKV" forward "$model" --ids "5 6" --decoder-ids 96 --layer 1
err_has '--layer and --stack belong to'
run 2 "$QKV" forward "$model" --ids "5 6" --want hidden --layer 7
err_has 'layer is 7; the encoder has the layers 0 to 2'
run 2 "$QKV" forward "$model" extra --ids "5 6"
err_has 'one argument too many: "extra"'
run 1 "$QKV" forward nowhere --ids 5
err_has 'nowhere'

# Directories that are broken
mkdir broken
cp "$model/config.json" broken
run 1 "$QKV" forward broken --ids 5
err_has 'model.safetensors'
head -c 1000 "$model/model.safetensors" > broken/model.safetensors
run 1 "$QKV" forward broken --ids 5
err_has 'broken/model.safetensors'
: > broken/model.safetensors
run 1 "$QKV" forward broken --ids 5
err_has 'broken/model.safetensors'
cp "$model/model.safetensors" broken
echo '{"model_type": "marian", ' > broken/config.json
run 1 "$QKV" forward broken --ids 5
err_has 'broken/config.json'
sed 's/"d_model": 32/"d_model": 64/' "$model/config.json" > broken/config.json
run 1 "$QKV" forward broken --ids 5
err_has 'config.json'
sed 's/"model_type": "marian"/"model_type": "mammoth"/' "$model/config.json" > broken/config.json
run 1 "$QKV" forward broken --ids 5
err_has 'mammoth'
finish
