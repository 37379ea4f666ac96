#!/bin/bash
# qkv tokenizer train, tokenize and detokenize. The numbers themselves are tested in tests/text.
. "$(dirname "$0")/case.sh"

printf 'the house and the horse\nthe hose, the houses\nöl und größe\n' > text
run 0 "$QKV" tokenizer train vocab text --vocab-size 290
check 'tokenizer.json is there' test -s vocab/tokenizer.json
check 'tokenizer_config.json is there' test -s vocab/tokenizer_config.json
run 0 "$QKV" tokenizer train vocab1 text --vocab-size 290 --threads 1
check 'one thread learns the same' cmp vocab/tokenizer.json vocab1/tokenizer.json

input=text run 0 "$QKV" tokenizer train vocab2 - --vocab-size 290
check 'standard input gives the same' cmp vocab/tokenizer.json vocab2/tokenizer.json
run 2 "$QKV" tokenizer train vocab text
err_has 'is there already'

run 0 "$QKV" tokenize vocab --text 'the ho'
out_is 'the Ġho </s>'
run 0 "$QKV" tokenize vocab --text 'the ho' --no-special-tokens
out_is 'the Ġho'
run 0 "$QKV" tokenize vocab text --ids -o ids
run 0 "$QKV" detokenize vocab ids
cp out again
check 'ids give the text again' cmp again text
run 0 "$QKV" tokenize vocab/tokenizer.json --format json --text 'öl' --pair 'the'
out_has '"offsets": [[0, 1], '
out_has '"type_ids": ['
input=text run 0 "$QKV" tokenize vocab
check 'a line for each line' test "$(wc -l < out)" -eq 3
run 0 "$QKV" detokenize vocab --ids '0' --special-tokens
out_is '</s>'
run 0 "$QKV" detokenize vocab --ids '0'
out_is ''

printf '\n' > empty
run 0 "$QKV" tokenize vocab empty --no-special-tokens
out_is ''
printf 'a\r\nb\r\n' > windows
run 0 "$QKV" tokenize vocab windows --no-special-tokens
printf 'a\nb\n' > wanted
cp out again
check 'Windows line ends are not part of lines' cmp again wanted
printf 'good\nb\xffd\n' > bad
run 3 "$QKV" tokenize vocab bad
err_has 'line 2: 1 bytes are not valid UTF-8'
run 0 "$QKV" tokenize vocab bad --accept-cuts
run 3 "$QKV" detokenize vocab --ids '5 99999'
err_has '1 ids are not in the vocabulary'
printf '1 2\n3 x\n' > badids
run 1 "$QKV" detokenize vocab badids
err_has 'badids: line 2'

for kind in bpe-words bpe-blanks word char; do
  run 0 "$QKV" tokenizer train "$kind" text --type "$kind" --vocab-size 40 --lowercase --normalize nfc --max-length 77
  run 0 "$QKV" tokenize "$kind" --ids --text 'THE house'
  cp out ids
  run 0 "$QKV" detokenize "$kind" ids
  out_is 'the house'
  check "$kind: model_max_length is written" grep -q '"model_max_length": 77' "$kind/tokenizer_config.json"
done

run 0 "$QKV" tokenizer train large text --vocab-size 4000
err_has 'not the 4000 that were asked for'
run 1 "$QKV" tokenizer train none missing
err_has 'missing'
run 2 "$QKV" tokenizer train small text --vocab-size 20
err_has '259'
run 2 "$QKV" tokenizer train vocab
run 2 "$QKV" tokenizer train other text --type bytes
run 1 "$QKV" tokenize missing text
err_has 'missing'
run 1 "$QKV" tokenize vocab missing
mkdir nothing
run 1 "$QKV" tokenize nothing text
err_has 'tokenizer.json'
printf '{"model": {"type": "Unigram"}}' > unigram.json
run 1 "$QKV" tokenize unigram.json text
err_has 'unigram.json: the model has no list "vocab" of pieces and scores'
run 2 "$QKV" tokenize vocab text --text x
run 2 "$QKV" tokenize vocab --text x --pair y --pair z
run 2 "$QKV" tokenize vocab --ids --format json
finish
