#!/bin/bash
# A training that is killed at every single write, sync, rename and the like, and one that finds the disk full at many of them.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/toy.sh"

train() {
  "${@:2}" "$QKV" train "$1" --task translation --train train.s train.t --valid valid.s valid.t --hidden 8 --heads 1 --ffn 8 --layers 1 \
    --vocab-size 262 --batch-tokens 1000 --max-length 30 --max-steps 4 --valid-every 2 --average 2 --threads 1 --metric loss
}
run 0 train whole
train counted "$SABOTEUR" count > calls 2> /dev/null
[ $? -eq 77 ] && skip_all "the kernel does not let a program ask about another's system calls"
calls=$(cat calls)
check "a training changes files often: $calls times" test "$calls" -gt 50
# Saving takes its turn by the clock, so one run may make a few more calls than another.
stride=$([ "${SLOW_START:-}" ] && echo 9 || echo 1)

early=0 unequal="" left="" odd=""
for ((at = 1; at <= calls; at += stride)); do
  rm -rf broken
  train broken "$SABOTEUR" kill $at 2> /dev/null
  status=$?
  [ $status -eq 3 ] && break
  [ $status -eq 137 ] || odd="$odd $at:$status"
  "$QKV" train broken --resume --threads $((1 + at % 2)) 2> resumed.err
  status=$?
  if [ $status -eq 2 ] && [ ! -e broken/training.json ] && grep -q 'there is nothing to resume' resumed.err; then
    early=$((early + 1))
    continue
  fi
  cmp -s whole/model.safetensors broken/model.safetensors || unequal="$unequal $at"
  [ -z "$(find broken -name '*.tmp')" ] || left="$left $at"
done
echo "# $early of $((at - 1)) kills came before OUT was complete"
check "every run was killed where it should be:$odd" test -z "$odd"
check "killed at every change of a file, then resumed: the same bytes, but:$unequal" test -z "$unequal"
check "nothing unfinished is left, but:$left" test -z "$left"
check "most kills came after the beginning" test $early -lt $((at / 2))

# Full disks. While the first files are made, it is an error; later the training waits and goes on.
waited=0 unequal="" said=""
for ((at = 1; at <= calls; at += 13 * stride)); do
  rm -rf full
  train full "$SABOTEUR" full $at 2 2> full.err
  status=$?
  grep -q 'The training waits for room' full.err && waited=$((waited + 1))
  if [ $status -ne 0 ]; then grep -q 'No space left on device' full.err || said="$said $at"
  else cmp -s whole/model.safetensors full/model.safetensors || unequal="$unequal $at"; fi
done
check "a full disk is named, but:$said" test -z "$said"
check "with room again the training ends with the same bytes, but:$unequal" test -z "$unequal"
check "the training waited for room ($waited times)" test $waited -ge $((stride > 1 ? 1 : 3))

# The disk stays full: the state that is there stays good, and whoever stops the training is told how it goes on.
rm -rf full full.err  # or the message of the run before would be found
train full exec "$SABOTEUR" full $((calls - 40)) 1000000 2> full.err &  # exec: signals reach it
process=$!
for ((i = 0; i < 600; i++)); do
  grep -qs 'The training waits for room' full.err && break
  sleep 0.05
done
kill -TERM $process
wait $process
check "stopping a training that waits is a failure with a message" test $? -eq 1
check "it says where it goes on" grep -q 'interrupted while there was no room on the disk; what is saved is the state after update' full.err
run 0 "$QKV" train full --resume
check "resumed with room, it ends with the same bytes" cmp whole/model.safetensors full/model.safetensors
finish
