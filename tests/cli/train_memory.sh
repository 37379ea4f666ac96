#!/bin/bash
# The memory that a training announces is what it takes; --memory and --recompute make it take less, with the same bytes.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/toy.sh"
[ -r /proc/self/status ] && grep -q RssAnon /proc/self/status || skip_all "the system does not tell a process's anonymous memory"

for copy in 1 2 3 4; do for side in s t; do cat train.$side >> much.$side; done; done
train() {
  "$QKV" train "$1" --task translation --train much.s much.t --valid valid.s valid.t --hidden 96 --heads 4 --ffn 256 --layers 3 \
    --vocab-size 270 --batch-tokens 4000 --max-length 60 --max-steps 3 --valid-every 3 --threads 2 --average 0 --dtype f32 "${@:2}"
}
# Runs a training, looking at its anonymous memory; sets peak, told, activations and batch.
watch() {
  train "$@" 2> notes &
  local process=$! now
  peak=0
  while now=$(awk '/^RssAnon/ { print $2 }' "/proc/$(pgrep_child $process)/status" 2> /dev/null) && kill -0 $process 2> /dev/null; do
    [ "${now:-0}" -gt $peak ] && peak=$now
    sleep 0.01
  done
  wait $process
  status=$?
  told=$(awk '$1 == "all" && $3 == "MiB" { print $2 }' notes)
  activations=$(awk '$1 == "activations" { print $2 }' notes)
}
# The command runs below the shell that runs the function.
pgrep_child() {
  local children
  children=$(cat "/proc/$1/task/$1/children" 2> /dev/null)
  children=${children%% *}
  echo "${children:-$1}"
}
near() { awk -v peak="$1" -v told="$2" 'BEGIN { peak /= 1024; off = peak - told; if (off < 0) off = -off; print "peak", peak, "told", told; exit !(off <= 16 || off <= 0.02 * told) }'; }

watch whole
check "the training runs" test $status -eq 0
for line in weights optimizer activations validation 'the rest' all; do check "it tells: $line" grep -q "^  $line " notes; done
whole=$activations
limit=$(awk -v all="$told" -v activations="$activations" 'BEGIN { print int(all - activations / 2) }')  # a sanitizer's own memory is in it
if [ -z "${SLOW_START:-}" ]; then check "the peak is what was told" near "$peak" "$told"; fi

watch light --recompute
check "--recompute runs" test $status -eq 0
check "--recompute needs less" awk -v whole="$whole" -v light="$activations" 'BEGIN { exit !(light < whole * 0.6) }'
if [ -z "${SLOW_START:-}" ]; then check "the peak with --recompute is what was told" near "$peak" "$told"; fi
check "and gives the same bytes" cmp whole/model.safetensors light/model.safetensors

watch fitted --memory "${limit}M"
check "--memory runs" test $status -eq 0
check "it says so" grep -qF "so that all fits into $limit MiB (--memory)" notes
if [ -z "${SLOW_START:-}" ]; then
  check "what is told fits into it" awk -v told="$told" -v limit="$limit" 'BEGIN { exit !(told > 0 && told <= limit) }'
  check "the peak, too" near "$peak" "$told"
fi
check "the batches became smaller, and more of them make an update" awk -F'[:,]' '/"batch_tokens"/ { small = $2 < 4000 } /"accumulate"/ { more = $2 > 1 } END { exit !(small && more) }' fitted/training.json

run 1 train none --memory 2M
err_has '--memory allows 2 MiB, but with the smallest batches that hold the longest sample'
err_has 'or try --recompute'
check "what does not fit leaves no directory" test ! -e none
run 2 train none --memory 12
finish
