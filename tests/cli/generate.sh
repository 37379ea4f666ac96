#!/bin/bash
# qkv generate and qkv fill: prompts in, texts out. What is drawn is tested in tests/generate.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/words.sh"
words_model gpt2-generate model
printf 'w15 w3 w13 <pad>\n\nw40 w32 w39 w40 w42 <pad>\nw9 <pad>\n' > in
draw="--temperature 1.4 --top-k 30 --top-p 0.95 --seed 5 --max-new 20"

run 0 "$QKV" generate model --prompt "w27 w21 w14 w41 w8 <pad>" --dtype f32
out_has "w27 w21 w14 w41 w8 <pad> w"
err_has "ended by an end token"
cp out streamed
run 0 "$QKV" generate model --prompt "w27 w21 w14 w41 w8 <pad>" --dtype f32 --format json
out_has '"ending": "end"'
check "streaming writes the text" test "$(cat streamed)" = "w27 w21 w14 w41 w8 <pad>$(sed 's/.*"text": "\([^"]*\)", "ending.*/\1/' out)"

# shellcheck disable=SC2086
run 0 "$QKV" generate model in $draw
cp out drawn
check "one prompt in, one text out" test "$(wc -l < drawn)" -eq 4
for threads in 1 2 3; do
  # shellcheck disable=SC2086
  run 0 "$QKV" generate model in $draw --threads "$threads"
  cp out "drawn.$threads"
  check "$threads threads give the same" cmp "drawn.$threads" drawn
done
# shellcheck disable=SC2086
(while read -r line; do echo "$line"; sleep 0.02; done < in) | "$QKV" generate model $draw 2> /dev/null > single
check "line by line gives the same" cmp single drawn
# shellcheck disable=SC2086
run 0 "$QKV" generate model in $draw --seed 6
cp out other
check "another seed gives other texts" test "$(cmp -s other drawn; echo $?)" -eq 1
run 0 "$QKV" generate model --prompt "w15 <pad>" --prompt "w9 <pad>" --samples 40 --seed 2 --max-new 5
check "40 samples for each of two prompts" test "$(grep -c '^---$' "$work/out")" -eq 79
run 0 "$QKV" generate model --prompt "w15 w3 <pad>" --beam 4 --samples 3 --format json
check "the best of a beam search" test "$(grep -c '"sample": [0-2]' "$work/out")" -eq 3

run 0 "$QKV" generate model --prompt "w15 w3 <pad>" --steps --temperature 1.5 --seed 1 --max-new 4
cp out steps
check "a line for each step, and why it ended" grep -q '^ended: ' steps
check "steps have number, token, probability and alternatives" grep -qE '^1	"[^"]*"	0\.[0-9]{4}	("[^"]*" [01]\.[0-9]{4}(  )?){5}$' steps

# A text ends before a stop string; one that never comes changes nothing.
run 0 "$QKV" generate model --prompt "w40 w32 w39 w40 w42 <pad>" --dtype f32 --stop "w5" --format json
out_has '"ending": "stop"'
check "the stop string is not in the text" test -z "$(grep -o '"text": "[^"]*w5[^"]*", "ending' "$work/out")"
run 0 "$QKV" generate model --prompt "w40 w32 w39 w40 w42 <pad>" --dtype f32 --stop "w5"
out_is "w40 w32 w39 w40 w42 <pad> w28 w12 w12 "
run 0 "$QKV" generate model --prompt "w40 w32 w39 w40 w42 <pad>" --dtype f32 --stop "never said" --max-new 30
err_has "ended by an end token"

# The model has 64 positions.
long=$(printf 'w%d ' $(seq 2 44) $(seq 2 31))
run 3 "$QKV" generate model --prompt "$long" --max-new 5
err_has "more tokens than the model takes"
run 0 "$QKV" generate model --prompt "$long" --max-new 5 --accept-cuts
run 0 "$QKV" generate model --prompt "$long" --max-new 5 --on-full slide
err_has "its beginning went out of sight"
run 0 "$QKV" generate model --prompt "w15" --max-new 100 --min-new 100
err_has "the model's positions were used up"
err_has "63 tokens"
run 0 "$QKV" generate model --prompt "w15" --max-new 100 --min-new 100 --on-full slide
err_has "100 tokens"

run 0 "$QKV" generate model --prompt "" --max-new 3
sed -i 's/"bos_token_id": 0/"bos_token_id": null/' model/*config.json
run 3 "$QKV" generate model --prompt "" --max-new 3
err_has "had nothing to begin with"
run 2 "$QKV" generate model --prompt w5 --top-p 0
err_has "top_p is 0; wanted a number above 0"
run 2 "$QKV" generate model --prompt w5 --min-new 5 --max-new 2
err_has 'min_new is 5 and max_new 2'
run 2 "$QKV" generate model --prompt w5 --temperature -1
err_has "temperature is -1; wanted 0"
run 2 "$QKV" generate model --prompt w5 --temperature 0 --samples 2
err_has "would all be the same text"
run 2 "$QKV" generate model --prompt w5 --beam 3 --top-k 5
err_has "not both"
run 2 "$QKV" generate model in --prompt w5
err_has "not from several"
run 0 "$QKV" generate model --ids "40 32 39 40 42 46" --dtype f32
out_is "28 12 12 5 1 12 0"
run 0 "$QKV" generate model --ids "40 32 39 40 42 46" --ids "9,46" --dtype f32 --ignore-end --max-new 9
check "nothing ends before the length" test "$(wc -w < "$work/out")" -eq 19
mkdir bare
cp model/*config.json model/model.safetensors bare
run 0 "$QKV" generate bare --ids "40 32 39 40 42 46" --dtype f32 --steps
out_has "ended: end"
run 1 "$QKV" generate bare --prompt w5
err_has "tokenizer"
run 1 "$QKV" generate bare --ids 5 --stop w7
err_has "tokenizer"
run 2 "$QKV" generate model --ids 47
err_has "is 47; the vocabulary has the ids 0 to 46"
run 2 "$QKV" generate model --ids "5 x"
run 2 "$QKV" generate model --prompt w5 --stop ""
err_has "stop string 1 has 0 bytes"
words_model marian-generate translator
run 1 "$QKV" generate translator --prompt w5
err_has "an encoder-decoder (see qkv translate)"
run 1 "$QKV" fill translator --text w5
err_has "an encoder-decoder (see qkv translate)"

run 0 "$QKV" fill model --text "w15 w3 w13 <pad>" --top 7
check "a table of seven" test "$(grep -cE '^[01]\.[0-9]{4}	-?[0-9.]+	"[^"]+"$' "$work/out")" -eq 7
run 0 "$QKV" fill model --text "w15 w3 w13 <pad>" --top 47 --format json --dtype f32
cp out all
token() { sed 's/}, {/\n/g' all | sed -n "s/.*\"text\": \"$1\", \"id\": [0-9]*, \"log_probability\": \([-0-9.]*\).*/\1/p"; }
run 0 "$QKV" fill model --text "w15 w3 w13 <pad>" --candidates "w9,w12 w3,w30" --format json --dtype f32
out_has '"text": "w12 w3", "id": -1'
out_has '"text": "w30", "id": 30'
check "a candidate has the token's log-probability" awk -v a="$(token w30)" \
  -v b="$(sed 's/.*"text": "w30", "id": 30, "log_probability": \([-0-9.]*\).*/\1/' out)" 'BEGIN { exit !(a < 0 && (a - b) ^ 2 < 1e-8) }'
run 2 "$QKV" fill model --text w5 --candidates w3 --top 4
run 2 "$QKV" fill model
err_has "--text is missing"
finish
