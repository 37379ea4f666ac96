#!/bin/bash
# qkv embed and qkv similar with the checkpoint in ../shared, where it is there.
. "$(dirname "$0")/case.sh"

run 2 "$QKV" embed
err_has "MODEL"
run 1 "$QKV" embed nowhere --text a
model=$SOURCE/../shared/models/all-MiniLM-L6-v2
[ -d "$model" ] || { echo "# $model is absent: only bad calls were tested"; finish; }
printf 'A cat sleeps on the mat.\nStocks fell sharply today.\nA kitten naps on a rug.\n' > lines
run 0 "$QKV" embed "$model" lines
cp out all
head -1 out > first
check "a line for each line" test "$(wc -l < all)" = 3
check "384 numbers" test "$(wc -w < first)" = 384
run 0 "$QKV" embed "$model" lines -o vectors.npy
check "NumPy's format" grep -aqF "'shape': (3, 384)" vectors.npy
run 0 "$QKV" embed "$model" --text "A cat sleeps on the mat." --format json
out_has '{"line": 1, "vector": ['
run 0 "$QKV" embed "$model" --text "The bank of the river." --word bank
check "a line for each layer" test "$(cut -f1,2 out | tr '\t\n' ': ')" = "1:0 1:1 1:2 1:3 1:4 1:5 1:6 "
run 3 "$QKV" embed "$model" lines --max-length 4 -o cut.txt
err_has "longer than the model takes, cut: line 1, 2, 3"
run 0 "$QKV" embed "$model" lines --max-length 4 --accept-cuts -o cut.txt
run 2 "$QKV" embed "$model" lines --text a
run 0 "$QKV" similar "$model" "a small cat" lines --top 2
check "the kitten and the cat come first" test "$(cut -f2 out | sort | tr '\n' ' ')" = "1 3 "
printf 'The bank gave me a loan.\nWe sat on the bank of the lake.\n' > banks
run 0 "$QKV" similar "$model" "He swam to the bank of the river." banks --word bank --top 1
out_has "of the lake"
: > empty
run 0 "$QKV" similar "$model" "a small cat" empty
out_empty
err_has "empty: there is no line to compare"
finish
