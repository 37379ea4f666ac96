#!/bin/bash
# qkv translate: one line in, one line out, whatever comes in. What is found is tested in tests/generate.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/words.sh"
words_model marian-generate model
words_model pegasus-generate other
printf 'w5 w6 w7\n\nw5 w9 w11 w2\n   \nw4\n' > in

run 0 "$QKV" translate model in --max-length 12
err_path
cp out plain
check "one line in, one line out" test "$(wc -l < plain)" -eq 5
check "an empty line gives an empty line" test -z "$(sed -n '2p;4p' plain | tr -d '\n')"
check "the others don't" test "$(grep -c . plain)" -eq 3
input=in run 0 "$QKV" translate model --max-length 12
cp out piped
check "standard input gives the same" cmp piped plain
input=in run 0 "$QKV" translate model - --max-length 12 -o file.txt
check "-o gives the same" cmp file.txt plain
while read -r line; do echo "$line" | "$QKV" translate model --max-length 12; done < in > single
check "line by line gives the same" cmp single plain
for threads in 1 2 3; do
  run 0 "$QKV" translate model in --max-length 12 --threads "$threads" --beam 4 --scores
  cp out "beam.$threads"
done
check "two threads give the bits of one" cmp beam.2 beam.1
check "three threads give the bits of one" cmp beam.3 beam.1
tac in | "$QKV" translate model --max-length 12 --beam 4 --scores | tac > reversed
check "the order of the lines does not matter" cmp reversed beam.1

run 0 "$QKV" translate model in --max-length 12 --dtype f32
err_has "translate: f32 on the "
QKV_CPU=avx2 run 0 "$QKV" translate model in --max-length 12
err_has "translate: f32 on the "
QKV_CPU=avx2 run 1 "$QKV" translate model in --dtype bf16
err_has "qkv: translate: bf16 needs a processor with"
if grep -q avx512_bf16 /proc/cpuinfo && [ -z "${QKV_CPU:-}" ]; then
  run 0 "$QKV" translate model in --max-length 12 --dtype bf16 --ensemble model
  err_has "translate: bf16 on the "
fi

run 0 "$QKV" translate model in --max-length 12 --beam 4 --nbest 3
cp out nbest
check "n-best has its form" test "$(grep -cE '^[0-4] \|\|\| .*\|\|\| -?[0-9]+\.[0-9]{6}$' nbest)" -eq 11
check "its best is the translation" cmp <(grep '^0 |||' nbest | head -1 | sed 's/^0 ||| //') <(head -1 beam.1)
run 0 "$QKV" translate model in --max-length 12 --alignments
check "alignments have their form" test "$(grep -cE '^.*\|\|\| ([0-9]+-[0-9]+( [0-9]+-[0-9]+)*)?$' out)" -eq 5
run 0 "$QKV" translate model in --max-length 12 --prefix "w3 w4"
check "a prefix begins every translation" test "$(grep -c '^w3 w4' out)" -eq 3
# A line of several pieces: what follows the first piece is what it is without a prefix.
for i in $(seq 150); do printf 'w%d ' $((i % 40 + 2)); done > long
"$QKV" translate model long --max-length 6 2> /dev/null > long.free
run 0 "$QKV" translate model long --max-length 6 --prefix "w3 w4"
err_has "translated in pieces"
tail -c 20 long.free > tail.free
cp out long.prefix
tail -c 20 long.prefix > tail.prefix
check "the last piece does not know the prefix" cmp tail.free tail.prefix
check "the line begins with the prefix, once" test "$(grep -c '^w3 w4' long.prefix)$(grep -o 'w3 w4' long.prefix | wc -l)" = 11
run 0 "$QKV" translate model in --max-length 12 --ensemble model
cp out twice
check "a model with itself decides as alone" cmp twice plain

# Lines of all kinds
for i in $(seq 1 300); do printf 'w%d ' $((i % 40 + 2)); done > long
echo >> long
cat in >> long
run 0 "$QKV" translate model long --max-length 12
err_has "long: 1 line had more tokens than the model takes and was translated in pieces"
cp out split
check "a split line is one line" test "$(wc -l < split)" -eq 6
run 0 "$QKV" translate model long --max-length 12 --quiet
err_empty
run 3 "$QKV" translate model long --max-length 12 --on-long cut
err_has "warning: long: 1 line longer than the model takes, cut: line 1"
run 0 "$QKV" translate model long --max-length 12 --on-long cut --accept-cuts
err_has "line 1"
sed 's/$/\r/' in > windows
run 0 "$QKV" translate model windows --max-length 12
cp out fromwindows
check "Windows line ends are no text" cmp fromwindows plain
printf '\357\273\277' | cat - in > mark
run 0 "$QKV" translate model mark --max-length 12
cp out frommark
check "a byte order mark is no text" cmp frommark plain
printf 'w5 \377\376 w6\nw7 w8\n' > bytes
run 0 "$QKV" translate model bytes --max-length 12
err_has 'bytes: 1 line held bytes that are no UTF-8, read as U+FFFD: line 1'
printf 'w5 w6\nw7 \000 w8' > zeros
run 0 "$QKV" translate model zeros --max-length 12
err_has 'zeros: 1 line held zero bytes, read as U+FFFD; the first is line 2'
check "a last line needs no line end" test "$(wc -l < out)" -eq 2
head -c 1000000 /dev/zero | tr '\0' 'a' > million
run 0 "$QKV" translate model million --max-length 12
check "a word of 1 MB is one line" test "$(wc -l < out)" -eq 1
: > empty
run 0 "$QKV" translate model empty
out_empty

# Calls that cannot work
run 2 "$QKV" translate
err_has 'MODEL is missing: qkv translate MODEL [FILE]'
run 1 "$QKV" translate nowhere in
err_has 'nowhere'
run 1 "$QKV" translate model nowhere
err_has 'nowhere: cannot be read: No such file or directory'
run 1 "$QKV" translate model .
err_has '.: cannot be read: Is a directory'
run 2 "$QKV" translate model in --beam 2 --nbest 3
err_has '--nbest 3 wants more hypotheses than --beam 2 keeps'
run 2 "$QKV" translate model in --beam 99
err_has '--beam wants an integer from 1 to 32; got "99"'
run 2 "$QKV" translate model in --length-penalty nan
err_has '--length-penalty wants a number from -10 to 10; got "nan"'
run 1 "$QKV" translate "$SOURCE/tests/golden/marian-generate" in
err_has 'tokenizer'
if [ -e /dev/full ]; then
  run 1 "$QKV" translate model in --max-length 12 -o /dev/full
  err_has '/dev/full: cannot be written'
fi
finish
