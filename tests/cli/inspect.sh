#!/bin/bash
# qkv inspect: pictures, pages and their numbers, and calls that are wrong. What the page computes is tested in tests/inspect.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/words.sh"
words_model marian-generate model
words_model pegasus-generate other

run 0 "$QKV" inspect model "w5 w6 w7" "w8 w9"
out_has "source: w5 w6 w7"
out_has "cross attention, layer 0, mean of"
run 0 "$QKV" inspect model "w5 w6 w7" --attention decoder --layer 0 --head 1 --shades ascii
out_has "decoder attention, layer 0, head 1"
run 0 "$QKV" inspect model "w5 w6 w7" "w8 w9" --attention encoder -o head.svg
check "a picture is SVG" grep -q '^<svg' head.svg
check "and nothing else" test "$(grep -c 'source:' head.svg)" -eq 0
# PNG and PDF want a build with cairo (QKV_CAIRO is set for one by meson); without it an error says what to do.
for format in png pdf; do
  if [ "$QKV_CAIRO" = yes ]; then
    run 0 "$QKV" inspect model "w5 w6 w7" "w8 w9" --attention encoder --layer 0 --head 1 -o head.$format
    check "a picture is $format" grep -qa "^$([ $format = pdf ] && echo %PDF-1 || printf '\x89PNG')" head.$format
  else
    run 1 "$QKV" inspect model "w5 w6 w7" "w8 w9" -o head.$format
    err_has "built without cairo, which draws PNG and PDF; write the picture as .svg, or install libcairo2-dev"
    check "no $format is left" test ! -e head.$format
  fi
done
run 0 "$QKV" inspect model "w5 w6 w7" "w8 w9" -o page.html
check "a page is HTML" grep -q '^<!doctype html>' page.html
check "a page names no other address" test "$(grep -cE '(src|href)="|https?://[^w]|@import|url\(' page.html)" -eq 0
run 0 "$QKV" inspect model "w5 w6 w7" "w8 w9" -o page.json
check "its numbers are JSON with arrays" grep -q '"arrays":\[{"shape":\[' page.json
run 0 "$QKV" inspect model "</script><!-- w5" "w8" -o hostile.html
check "a text cannot end the page's script" test "$(grep -c '</script><!--' hostile.html)" -eq 0
run 0 "$QKV" inspect model "w5 w6" "w8" --detail 0,1 --lang pt -o detail.html
check "the language is the page's" grep -q '<html lang="pt">' detail.html
mkdir steps
cp -r model steps/200 && cp -r model steps/1000
run 0 "$QKV" inspect model "w5 w6" "w8" --at steps/1000 steps/200 -o moments.json
check "moments are sorted by number" grep -qE '"title":"steps/200".*"title":"steps/1000"' moments.json

# The tree of the search: its way to the result is what `translate` prints, with its score; sums add up along every branch.
for beam in 1 3 4; do
  "$QKV" translate model --beam $beam --dtype f32 --scores <<< "w5 w6 w7" > translated 2> /dev/null
  run 0 "$QKV" inspect model "w5 w6 w7" --tree --beam $beam
  cp out tree
  check "the tree's result is the translation (beam $beam)" test "$(sed -n 's/^result: //p' tree)" = "$(sed 's/ |||.*//' translated)"
  check "and so is its score" awk -v wanted="$(sed 's/.*||| //' translated)" '/^score/ { d = $2 - wanted; exit !(d < 1e-4 && d > -1e-4) }' tree
  check "the stars lead to it" test "$(sed -n 's/^\*.* \(finished\) .*/\1/p' tree | wc -l)" -eq 1
  check "sums add up, at most $beam of a step go on" awk -v beam=$beam '
    /^[* ] +[0-9]/ { sub(/^\*/, ""); before = $3 == "-" ? 0 : sum[$1 - 1, $3]; sum[$1, $2] = $5; d = $5 - before - $4; if (d > 2e-4 || d < -2e-4) wrong = 1
      if ($6 == "kept") kept[$1]++; if (kept[$1] > beam) wrong = 1; rows++ }
    END { exit wrong || rows < 2 }' tree
done
run 0 "$QKV" inspect model "w5 w6 w7" --beam 3 -o tree.json
check "a page's numbers have the tree" grep -q '"search":{"beam":3,"score":-[0-9.]*,"text":"[^"]*","nodes":\[{"parent":-1,"step":1,"rank":0,' tree.json
words_model gpt2 continues
run 0 "$QKV" inspect continues "w5 w6 w7" --tree --beam 2 --max-new 3
"$QKV" generate continues --beam 2 --max-new 3 --dtype f32 --quiet <<< "w5 w6 w7" > generated 2> /dev/null
check "a text that goes on is searched for, too" test "$(sed -n 's/^result: //p' out | tr -d ' ')" = "$(tr -d ' \n' < generated)"
run 2 "$QKV" inspect model "w5 w6" "w8" --tree
err_has "are of a search, and the second text is given"
run 0 "$QKV" inspect model "w5 w6 w7" --tree --beam 3 -o tree.svg
check "the tree is a picture, too" test "$(grep -c '<text' tree.svg)" -eq $((2 * $(grep -o '"parent":' tree.json | wc -l) + 1))
if [ "$QKV_CAIRO" = yes ]; then run 0 "$QKV" inspect model "w5 w6 w7" --tree --beam 3 -o tree.pdf; fi
run 2 "$QKV" inspect model --over sources --tree
err_has "search for what follows a text; give one"

printf 'w5 w6 w7\n\nw8 w9 w8\n' > sources
printf 'w9 w10\nw1\nw11 w4 w5\n' > targets
run 0 "$QKV" inspect model --over sources targets --ablate
out_has "loss without"
out_has "mean loss of a token with all heads: "
err_has "1 of 3 lines were left out"
check "a row for each head of the three attentions" test "$(grep -cE '^(encoder|decoder|cross) ' out)" -ge 6
run 0 "$QKV" inspect model --over sources targets --ablate --sort loss
check "sorted by what the loss loses" bash -c 'grep -oE "[+-][0-9.]+$" out | sort -c -g -r'
run 0 "$QKV" inspect model "w5" "w6" --over sources targets -o heads.html
check "the page has the heads" grep -q '"heads":{"names":\["itself"' heads.html
run 2 "$QKV" inspect model --over sources
err_has "translations are missing"
run 2 "$QKV" inspect model --over sources targets --sort colour
err_has 'there is no column "colour"'
run 2 "$QKV" inspect model --over sources targets --sort loss
err_has "needs --ablate"
run 2 "$QKV" inspect model --over sources targets -o heads.svg
err_has "-o heads.svg: what is measured over a text is a table, not a picture"
run 2 "$QKV" inspect model
err_has "a text, --over FILE or --relations FILE"

# A treebank whose relation always goes one word to the left: the baseline finds all of it.
{
  echo '# text = w5 w6'
  printf '1\tw5\tw5\tNOUN\t_\t_\t0\troot\t_\t_\n2\tw6\tw6\tADJ\t_\t_\t1\tamod:x\t_\t_\n\n'
  printf '1-2\tw7w8\t_\t_\t_\t_\t_\t_\t_\t_\n1\tw7\tw7\tNOUN\t_\t_\t0\troot\t_\t_\n2\tw8\tw8\tADJ\t_\t_\t1\tamod\t_\t_\n3\tw9\tw9\tADV\t_\t_\t2\tadvmod\t_\t_\n'
} > trees
run 0 "$QKV" inspect model --relations trees
out_has "amod               2  dependent at head "
out_has "100.0%        -1"
cp out relations
check "every relation is looked at in both directions" test "$(grep -cE '^(amod|advmod) ' relations)" -eq 4
check "in a sentence of two words the other one is found always" grep -qE '^amod .* (50|100)\.0% ' relations
run 1 "$QKV" inspect model --relations sources
err_has "sources:1: there are fewer columns"
printf '1\tw5\tw5\tNOUN\t_\t_\t7\tamod\t_\t_\n' > trees
run 1 "$QKV" inspect model --relations trees
err_has "depends on itself or on a word that is not there"
run 1 "$QKV" inspect model --relations missing
err_has "missing"

run 2 "$QKV" inspect model ""
err_has "the text is empty"
long=$(printf 'w5 %.0s' $(seq 2000))
run 2 "$QKV" inspect model "$long" -o long.html
err_has "more than the model takes"
run 2 "$QKV" inspect model "w5" "$long" -o long.html
err_has "tokens"
run 2 "$QKV" inspect model "   "
err_has "empty"
run 2 "$QKV" inspect model "w5" "w6" --beam 2
err_has "--beam, --max-new and --tree are of a search, and the second text is given"
run 2 "$QKV" inspect model "w5" "w6" --lang es
err_has "belong to a page"
run 2 "$QKV" inspect model "w5" "w6" --detail 1,x -o page.html
err_has '--detail wants places such as 3,5-8 or tokens=3,layers=0,2,heads=1'
for wrong in "" 5-3 3, tokens layers=x heads=1:2 0-99999 tokenz=3; do
  run 2 "$QKV" inspect model "w5" "w6" --detail "$wrong" -o page.html
  err_has "--detail wants places"
done
run 2 "$QKV" inspect model "w5 w6" "w6" --detail 1,40 -o page.html
err_has "there is no token 40 to show in detail; there are tokens 0 to"
run 2 "$QKV" inspect model "w5" "w6" --detail layers=0,7 -o page.html
err_has "there is no layer 7 to show in detail; there are layers 0 to"
run 2 "$QKV" inspect model "w5" "w6" --detail heads=9 -o page.html
err_has "there is no head 9 to show in detail; there are heads 0 to"
run 2 "$QKV" inspect model "w5" "w6" --layer 7 -o page.html
err_has "there is no layer 7; the decoder has the layers 0 to 0"
run 2 "$QKV" inspect model "w5" "w6" --head 9 -o page.html
err_has "there is no head 9"
run 2 "$QKV" inspect continues "w5" --attention cross -o page.html
err_has "has no cross attention"
run 2 "$QKV" inspect model "w5" "w6" --layer 7
err_has "there is no layer 7; the decoder has the layers 0 to 0"
run 2 "$QKV" inspect model "w5" "w6" --head 9
err_has "there is no head 9"
run 3 "$QKV" inspect model "w5" "w6" --at steps/200 missing -o page.html
err_has "missing: there is no such directory; it is left out"
cp -r model steps/broken && truncate -s 1000 steps/broken/model.safetensors
run 3 "$QKV" inspect model "w5" "w6" --at steps/* -o moments.json
err_has "steps/broken/model.safetensors"
check "the others are shown" test "$(grep -o '"title":"steps/[0-9]*"' moments.json | tr '\n' ' ')" = '"title":"steps/200" "title":"steps/1000" '
run 1 "$QKV" inspect model "w5" "w6" --at missing -o page.html
err_has "missing"
run 2 "$QKV" inspect model "w5" "w6" -o page.gif
err_has "-o page.gif: the ending says what is written"
run 0 "$QKV" inspect model 'w5 "<script>" שלום' "w6" -o quotes.html
check "a script in a text is text" test "$(grep -c '"<script>' quotes.html)" -eq 0
run 1 "$QKV" inspect model "w5" "w6" -o no-folder/page.html
err_has "no-folder/page.html"
finish
