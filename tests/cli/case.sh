# shellcheck shell=bash
# Sourced by the command-line tests: runs a command, looks at its exit status and what it said, counts in TAP.
#   run STATUS COMMAND...       checks the exit status; keeps standard output and error in $work/out and $work/err
#   out_is TEXT / out_has TEXT / err_has TEXT / err_empty     check what the last `run` said
#   err_path               the last `run` said nothing but by which path it computes
#   check TITLE COMMAND...      passes if COMMAND succeeds
# The environment gives QKV (the command) and SOURCE (the source tree).
set -u
export LC_ALL=C.UTF-8 HOME=/nonexistent
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
number=0 failed=0 last=

result() {  # STATUS TITLE
  number=$((number + 1))
  if [ "$1" -eq 0 ]; then
    echo "ok $number - $2"
  else
    echo "not ok $number - $2"
    failed=$((failed + 1))
    sed 's/^/# out: /' "$work/out" 2>/dev/null | head -20
    sed 's/^/# err: /' "$work/err" 2>/dev/null | head -20
  fi
}

run() {
  wanted=$1
  shift
  last=$(basename "$1")
  for word in "${@:2}"; do last="$last ${word:0:60}"; done
  "$@" > "$work/out" 2> "$work/err" < "${input:-/dev/null}"
  status=$?
  [ "$status" -eq "$wanted" ] || echo "# exit status $status, wanted $wanted"
  result "$([ "$status" -eq "$wanted" ] && ! grep -q 'Sanitizer\|runtime error:' "$work/err"; echo $?)" "$last -> $wanted"
}

out_is() { printf '%s\n' "$1" | cmp -s - "$work/out"; result $? "$last prints ${1:0:60}"; }
out_has() { grep -qF -- "$1" "$work/out"; result $? "$last prints ... $1"; }
out_empty() { [ ! -s "$work/out" ]; result $? "$last prints nothing"; }
err_has() { grep -qF -- "$1" "$work/err"; result $? "$last says ... $1"; }
err_path() { [ "$(wc -l < "$work/err")" = 1 ] && grep -q '^qkv .*: .* on the .* path of ' "$work/err"; result $? "$last says by which path it runs"; }
err_empty() { [ ! -s "$work/err" ]; result $? "$last says nothing"; }
check() { title=$1; shift; "$@" > "$work/out" 2> "$work/err"; result $? "$title"; }

skip_all() { echo "1..0 # SKIP $1"; exit 0; }
finish() { echo "1..$number"; [ "$failed" -eq 0 ]; exit; }
