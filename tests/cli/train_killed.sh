#!/bin/bash
# A training that is killed again and again at random moments, and resumed each time with another number of threads, ends with the
# bytes of the one that was left alone. KILLS sets how often. And what a resumed training refuses to go on with.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/toy.sh"

options="--hidden 32 --heads 4 --ffn 64 --layers 1 --vocab-size 270 --batch-tokens 400 --max-length 30 --warmup-steps 10
  --learning-rate 0.01 --max-steps 60 --valid-every 6 --average 3 --dropout 0.1 --patience 0 --metric loss"
# In the background the shell gives way to the command, so that signals reach it.
begin() { $in_background "$QKV" train "$1" --task translation --train train.s train.t --valid valid.s valid.t $options --threads "${2:-1}"; }

started=$(date +%s%N)
in_background=
run 0 begin whole
took=$((($(date +%s%N) - started) / 1000000))

# Kills the run in the background after a random part of the time that a whole run takes, the longer the more often this training was
# killed already, so that it gets on in a busy machine; not at all when there were kills enough. Sets `killed`.
RANDOM=7
strike() {  # ROUND
  process=$!
  sleep "$(awk -v took="$took" -v random=$RANDOM -v round="$1" 'BEGIN { print took * (0.05 + random / 32768) * (1 + round / 8) / 1000 }')"
  [ $done -lt "$kills" ] && kill -KILL $process 2> /dev/null
  wait $process 2> /dev/null
  killed=$(($? == 137))
}

kills=${KILLS:-$([ "${SLOW_START:-}" ] && echo 10 || echo 50)} done=0 chains=0 early=0 differ=0 left=0
while [ $done -lt "$kills" ]; do
  rm -rf broken
  in_background=exec begin broken 2> broken.err &
  strike 0
  round=0
  chains=$((chains + 1))
  while [ $killed -eq 1 ]; do
    done=$((done + 1))
    if [ ! -e broken/training.json ]; then early=$((early + 1)) && break; fi
    round=$((round + 1))
    "$QKV" train broken --resume --threads $((1 + done % 3)) 2> broken.err &
    strike $round
  done
  [ -e broken/training.json ] || continue
  [ $killed -eq 1 ] && continue
  cmp -s whole/model.safetensors broken/model.safetensors || differ=$((differ + 1))
  [ -z "$(find broken -name '*.tmp')" ] || left=$((left + 1))
done
echo "# $done kills in $chains trainings, $early of them before OUT was ready"
check "all of the trainings that were killed ended with the same bytes" test $differ -eq 0
check "and nothing was left over" test $left -eq 0
check "most were killed after they had begun" test $((done - early)) -gt $((done / 2))

# Killed for certain in the middle.
rm -rf broken
in_background=exec begin broken 2> broken.err &
process=$!
for ((i = 0; i < 1200; i++)); do
  [ "$(grep -c '"learning_rate":[0-9]' broken/log.jsonl 2>/dev/null)" -ge 15 ] 2>/dev/null && break
  sleep 0.01
done
kill -KILL $process 2> /dev/null
wait $process 2> /dev/null
cp -r broken other
if ! grep -q 'on the reference path' broken.err; then
  QKV_CPU=reference run 2 "$QKV" train broken --resume --dtype f32
  err_has 'this is not what the training began with: '
  err_has 'is now "reference"'
fi
run 2 "$QKV" train broken --resume --dropout 0.2
err_has 'dropout was 0.1 and is now 0.2'
sed -i '1s/.*/dry/' train.s
run 2 "$QKV" train broken --resume
err_has 'training_text was '
err_has '--resume-anyway goes on nevertheless'
run 0 "$QKV" train other --resume --resume-anyway
err_has 'resuming although this is not what the training began with: training_text was '
. "$SOURCE/tests/cli/toy.sh"
run 0 "$QKV" train broken --resume --threads 2
check "what was refused changed nothing: the same bytes" cmp whole/model.safetensors broken/model.safetensors
finish
