#!/bin/bash
# What every verb has in common: help, mistyped words, exit statuses.
. "$(dirname "$0")/case.sh"

run 0 "$QKV" --version
err_empty
check "the version is that of the build" test "$("$QKV" --version)" = "qkv $VERSION"
# The best of twenty, since other programs may be running; a sanitizer's start-up is no fault of ours.
best=1000000000
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  start=$(date +%s%N)
  "$QKV" --version > /dev/null
  took=$(($(date +%s%N) - start))
  [ "$took" -lt "$best" ] && best=$took
done
if [ -z "${SLOW_START:-}" ]; then check "--version takes less than 10 ms" test "$best" -lt 10000000; fi

run 2 "$QKV"
err_has "qkv VERB ARGUMENTS"
out_empty
run 0 "$QKV" --help
out_has "eval"
run 0 "$QKV" help
out_has "explains a verb"
run 2 "$QKV" evla
err_has 'did you mean eval?'
run 2 "$QKV" xyzzyx
err_has 'no verb is called "xyzzyx"'
run 2 "$QKV" help evla
err_has 'did you mean eval?'
run 2 "$QKV" $'ev\033[2Jal'
check "control characters are not passed on to the terminal" bash -c "! grep -q $'\033' '$work/err'"

# Every verb: help with an example, an unknown option, an unknown letter.
for verb in $("$QKV" help --completion bash | sed -n "s/^    '\([a-z ]*\)')$/\1/p" | tr ' ' '+'); do
  words=${verb//+/ }
  # shellcheck disable=SC2086
  run 0 "$QKV" $words --help
  out_has "qkv $words"
  out_has "Example:"
  # shellcheck disable=SC2086
  run 2 "$QKV" $words --hepl
  err_has "unknown option --hepl; did you mean --help?"
  # shellcheck disable=SC2086
  run 2 "$QKV" $words -Z
  err_has "unknown option -Z"
  # shellcheck disable=SC2086
  run 0 "$QKV" help $words
done

run 2 "$QKV" eval --metric
err_has "--metric wants a value: --metric all|bleu|chrf|chrf++"
run 2 "$QKV" eval --metric --lowercase x
err_has "--lowercase is an option; if the value is meant, write --metric=--lowercase"
run 2 "$QKV" eval --metric=rouge x
err_has '--metric wants one of all|bleu|chrf|chrf++; got "rouge"'
run 2 "$QKV" eval --lowercase=yes x
err_has '--lowercase takes no value; got "yes"'
run 2 "$QKV" eval --hypotheses "" x
err_has '--hypotheses wants a file name'
run 2 "$QKV" help --man --markdown
err_has "contradict"
run 2 "$QKV" help eval too
err_has 'no verb is called "too"'

# Standard output that cannot be written is a failure, not silence.
if [ -e /dev/full ]; then
  check "a full disk is noticed" bash -c "'$QKV' help > /dev/full; [ \$? -eq 1 ]"
  "$QKV" help > /dev/full 2> full.txt
  check "a full disk is named" grep -q "standard output: cannot be written: No space left" full.txt
fi
check "a closed standard output is noticed" bash -c "'$QKV' help >&- 2> /dev/null; [ \$? -eq 1 ]"
check "a reader that leaves early is no error message" bash -c "test -z \"\$('$QKV' help --markdown 2>&1 >/dev/null | head -1)\""
bash -c "set -o pipefail; '$QKV' help --markdown 2> err.txt | head -1 > /dev/null"
check "head ends the command quietly" test ! -s err.txt
finish
