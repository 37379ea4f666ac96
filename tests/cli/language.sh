#!/bin/bash
# qkv score and qkv eval of a language model against the numbers of transformers, from text; both directions; what is refused.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/words.sh"

golden=$SOURCE/tests/golden/gpt2/language.json
words_model gpt2 model
near() {  # FILE FILE: numbers, one a line, as many in both
  awk 'NR == FNR { w[FNR] = $1; n = FNR; next } { d = $1 - w[FNR]; if (d < 0) d = -d; if (d > 2e-4) exit 1 } END { if (FNR != n || !n) exit 1 }' "$1" "$2"
}
numbers() { sed 's/[][,]/ /g' | tr -s ' ' '\n' | grep .; }

grep '"ids"' "$golden" | sed 's/.*"ids": \[\([^]]*\)\].*/\1/; s/\([0-9]\+\),\?/w\1/g' > texts
grep '"ids"' "$golden" | sed 's/.*"sum": \([-0-9.]*\),.*/\1/' > sums
grep '"ids"' "$golden" | sed 's/.*"both": \([-0-9.]*\)}.*/\1/' > both
grep '"ids"' "$golden" | sed 's/.*"log_probs": \[\([^]]*\)\].*/\1/' | numbers > each
run 0 "$QKV" score model texts
cp out scores
err_has '5 lines, 139 tokens'
check "sums are those of transformers" near sums scores
run 0 "$QKV" score model texts --per-token --quiet
cut -f3 out > factors
check "and so is every factor" near each factors
run 0 "$QKV" score model texts --backward model
cp out sum
check "--backward adds the other direction" near both sum
run 0 "$QKV" score model texts --threads 1 --quiet
cp out alone
check "one thread gives the same bits" cmp alone scores
sed -n 4p texts > fourth
run 0 "$QKV" score model fourth
cp out alone
check "a text alone gives the same bits" cmp alone <(sed -n 4p scores)
printf 'w5\n\nw6 \377\n' > odd
run 0 "$QKV" score model odd
err_has 'held bytes that are no UTF-8'
err_has 'odd: 1 line held what the vocabulary lacks; its token was scored instead: line 3'
check "an empty line has the probability 1" test "$(sed -n 2p out)" = 0.000000

evaluations() {  # NAME FILE OPTIONS...
  name=$1 file=$2
  shift 2
  for setting in '32 32' '20 5' '32 1'; do
    set -- "${setting% *}" "${setting#* }" "${@:3}"
    "$QKV" eval model "$file" --format json --dtype f32 --context "$1" --stride "$2" "${@:3}" 2> /dev/null | sed 's/{"loss": \([^,]*\),.*"tokens": \([0-9]*\),.*/\1 \2/'
  done | tr ' ' '\n' > "$name.got"
  sed -n "/\"$name\"/,/\]/s/.*\"loss\": \([^,]*\), \"tokens\": \([0-9]*\)}.*/\1 \2/p" "$golden" | tr ' ' '\n' > "$name.wanted"
  check "$name: losses of windows are those of transformers" near "$name.wanted" "$name.got"
}
awk '{ if (NR > 1) print ""; print }' texts > separated
evaluations eval texts
evaluations separate separated x x --document-separator blank
awk '{ printf "%s%s", (NR > 1 ? "<|endoftext|>" : ""), $0 }' texts > marked
evaluations separate marked
sed 's/.*/{"text": "&"}/' texts > texts.jsonl
evaluations separate texts.jsonl
run 0 "$QKV" eval model texts
out_has 'window 32, stride 32'
out_has 'bits per byte'
run 0 "$QKV" eval model texts texts
out_has 'of 280 tokens right'

printf '{"prompt": "w5 w6", "answer": "w7"}\n{"prompt": "w5 w6", "answer": "w8 w9"}\n' > pairs.jsonl
printf 'answer\tprompt\nw7\tw5 w6\nw8 w9\tw5 w6\n' > pairs.tsv
run 0 "$QKV" eval model pairs.jsonl
cp out of_objects
out_has 'of 5 tokens right'
run 0 "$QKV" eval model pairs.tsv
cp out of_table
check "pairs of a table are those of objects" cmp of_table of_objects
printf 'w5 w6\tw7\nw5 w6\tw8 w9\n' > bare.tsv
run 0 "$QKV" eval model bare.tsv --no-header
cp out of_table
check "a table without a header has the prompt first" cmp of_table of_objects
run 2 "$QKV" eval model pairs.jsonl --stride 2
err_has 'pairs.jsonl holds prompts and answers'
run 2 "$QKV" eval model pairs.jsonl --cross-documents
err_has 'cross-documents and document-separator are for plain text'
run 3 "$QKV" eval model pairs.jsonl --context 3
err_has '1 pairs are longer than the 3 tokens of the window and were cut'
run 0 "$QKV" eval model pairs.jsonl --context 3 --accept-cuts
run 2 "$QKV" eval model texts --no-answer 1
err_has '--no-answer does nothing here: model is a language model'

: > empty
run 1 "$QKV" eval model empty
err_has 'empty: the file is empty'
run 2 "$QKV" eval model texts --context 33
err_has 'context is 33'
run 2 "$QKV" eval model texts --context 8 --stride 9
err_has 'stride is 9'
printf '{"txt": "w5"}\n' > bad.jsonl
run 1 "$QKV" eval model bad.jsonl
err_has 'bad.jsonl line 1: the object has neither "text"'
printf '{"text": "w5"}\n{"prompt": "w5", "answer": "w6"}\n' > mixed.jsonl
run 1 "$QKV" eval model mixed.jsonl
err_has 'mixed.jsonl line 2: text and pairs'
printf 'question\treply\nw5\tw6\n' > bad.tsv
run 1 "$QKV" eval model bad.tsv
err_has 'the header names no columns "prompt" and "answer"'
run 1 "$QKV" score model nowhere
err_has 'nowhere: cannot be read'
finish
