#!/bin/bash
# qkv eval on hypotheses and references: numbers, forms, bad input. The numbers themselves are tested in tests/metrics.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/words.sh"

printf 'the cat sat on the mat\nwe went home late in the evening\n' > ref
printf 'the cat sat on a mat\nwe went home late in the evening\n' > hyp
printf 'only one line\n' > short
printf 'The Cat sat on a mat\nwe went home late in the evening\n' > case

run 0 "$QKV" eval --hypotheses ref ref
out_is 'BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 100.00 100.0/100.0/100.0/100.0 (BP = 1.000 ratio = 1.000 hyp_len = 13 ref_len = 13)
chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0 = 100.00
chrF2++|nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no|version:2.6.0 = 100.00'
run 0 "$QKV" eval --hypotheses hyp ref --metric bleu
out_is 'BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 80.48 92.3/81.8/77.8/71.4 (BP = 1.000 ratio = 1.000 hyp_len = 13 ref_len = 13)'
input=hyp run 0 "$QKV" eval --hypotheses - ref ref --metric bleu --tokenizer none
out_has 'nrefs:2|case:mixed|eff:no|tok:none'
run 0 "$QKV" eval --lowercase --metric=bleu --hypotheses case ref
out_has 'case:lc'
out_has '= 80.48 '
run 0 "$QKV" eval --hypotheses ref ref --format json -o scores.json
out_empty
check "-o writes the file" grep -q '^{"lines": 2, "scores": \[{"name": "BLEU", "score": 100' scores.json
check "and leaves nothing beside it" test ! -e scores.json.tmp

run 2 "$QKV" eval ref
err_has 'SOURCE and a reference are missing'
run 1 "$QKV" eval nowhere ref
err_has 'nowhere'
run 2 "$QKV" eval
err_has 'MODEL is missing'
run 2 "$QKV" eval --hypotheses hyp
err_has 'missing'
run 2 "$QKV" eval --hypotheses hyp ref --beam 3
err_has '--hypotheses and --beam contradict each other'
run 1 "$QKV" eval --hypotheses hyp short
err_has 'hyp has 2 lines and short has 1'
run 1 "$QKV" eval --hypotheses nowhere ref
err_has 'nowhere: '
run 1 "$QKV" eval --hypotheses hyp .
err_has '.: '
: > empty
run 1 "$QKV" eval --hypotheses empty empty
err_has 'empty: it is empty'
run 1 "$QKV" eval --hypotheses hyp ref -o no-folder/file
err_has 'no-folder/file: cannot be written: No such file or directory'
if [ -e /dev/full ]; then
  run 1 "$QKV" eval --hypotheses hyp ref -o /dev/full
  err_has '/dev/full: cannot be written: No space left on device'
fi

# A model's own translations are scored as if they came from a file.
words_model marian-generate model
run 2 "$QKV" eval model ref
err_has "a reference is missing"
printf 'w5 w6 w7\n\nw5 w9 w11 w2\nw4\n' > source
printf 'w6 w26\n\nw6 w26 w28 w42 w25 w7 w7\nw30\n' > target
"$QKV" translate model source --beam 2 > translated
run 0 "$QKV" eval model source target --beam 2
out_has 'over 14 tokens'
tail -n +2 out > own
run 0 "$QKV" eval --hypotheses translated target
cp out filed
check "a model's scores are those of its translations" cmp own filed
input=source run 0 "$QKV" eval model - target target --beam 2 --metric bleu --quiet
out_has 'nrefs:2'
run 1 "$QKV" eval model source short
err_has 'source has 4 lines and short has 1'
run 1 "$QKV" eval nowhere source target
err_has 'nowhere'
run 1 "$QKV" eval model nowhere target
err_has 'nowhere: cannot be read'

# Text that is no valid UTF-8, zero bytes and Windows line ends are scored like any other; a line end is no word.
printf 'a\377b c d e f\n\000 x y z w\n' > bytes
run 0 "$QKV" eval --hypotheses bytes bytes --metric bleu
out_has '= 100.00 '
sed 's/$/\r/' ref > windows
run 0 "$QKV" eval --hypotheses windows ref --metric bleu
out_has '= 100.00 '
finish
