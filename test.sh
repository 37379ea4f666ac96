#!/bin/bash
# Builds qkv and runs its tests: with gcc everything, on every instruction set that the processor has; with clang
# and under the sanitizers on the default and on the reference path. The last line is the sum.
#   ./test.sh         all of it
#   ./test.sh quick   gcc on the default path only
# Build folders are kept in build-test/ for the next time. TEST_JOBS limits how many programs run at once.
set -u
cd "$(dirname "$0")" || exit 1
jobs=${TEST_JOBS:-$(nproc)}
passed=0 failed=0 skipped=0
export DEBIAN_FRONTEND=noninteractive

scripts/setup.sh clang || exit 1

problem() {
  echo "FAILED: $1"
  failed=$((failed + 1))
}

# build NAME COMPILER [MESON_OPTION...]: makes build-test/NAME. False, counted as a failure, when it does not build.
build() {
  local name=$1 compiler=$2 folder=build-test/$1
  shift 2
  if [ ! -e "$folder/build.ninja" ]; then
    rm -rf "$folder"
    if ! CC=$compiler meson setup "$folder" "$@" > "build-test/$name.log" 2>&1; then
      tail -20 "build-test/$name.log"
      problem "$name: configuring (build-test/$name.log)"
      return 1
    fi
  fi
  if ! ninja -C "$folder" -j "$jobs" > "build-test/$name.log" 2>&1; then
    grep -m 10 -A 5 -E 'error|FAILED' "build-test/$name.log"
    problem "$name: building (build-test/$name.log)"
    return 1
  fi
  if grep -q 'warning:' "build-test/$name.log"; then
    grep -m 10 -A 5 'warning:' "build-test/$name.log"
    problem "$name: the compiler warns (build-test/$name.log)"
  fi
}

# check NAME TITLE [MESON_TEST_ARGUMENT...]: runs the tests of build-test/NAME and adds up what ran.
check() {
  local folder=build-test/$1 title=$2 start=$SECONDS p f s log
  shift 2
  log=$folder/meson-logs/testlog.json
  rm -f "$log"
  meson test -C "$folder" --no-rebuild --num-processes "$jobs" --timeout-multiplier 4 "$@" > build-test/run.log 2>&1
  if [ ! -s "$log" ]; then
    tail -5 build-test/run.log
    problem "$title: no test ran"
    return
  fi
  read -r p f s < <(awk -f scripts/count-tests.awk "$log")
  echo "$title: $p passed, $f failed, $s skipped, in $((SECONDS - start)) s"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  if [ "$f" -gt 0 ]; then
    grep -E '^ *[0-9]+/[0-9]+ .*(FAIL|ERROR|TIMEOUT)' build-test/run.log
    grep -E '^not ok|^# |\[  FAILED  \]|\[  ERROR   \]|\[   LINE   \]|Sanitizer|runtime error' "$folder/meson-logs/testlog.txt" | head -60
  fi
}

# What is run again on other instruction sets: everything that holds numbers against a reference or against themselves.
numbers=("kernels" "exactness of kernels" "bf16" "golden model" "hf golden_open" "generate golden_scores"
  "generate golden_search" "generate search_bits" "updates" "forward" "command translate")
# The same under a sanitizer, without what is slow there.
checked=("kernels" "bf16" "golden model" "hf golden_open" "generate golden_scores" "generate golden_search" "updates" "forward")
# And what uses several threads.
threads=("base" "exactness of kernels" "updates" "forward" "command translate")

# What takes minutes under a sanitizer and runs there on no code that the other tests don't run.
slow=("gradients" "command bench" "command train_disk" "command train_killed" "text golden_tokenizers" "installed library and examples" "lectures"
  "hf knob_pairs" "same bits of heads")

# all_but NAME WORD...: fills the array `chosen` with the names of the tests of build-test/NAME except those given.
all_but() {
  local folder=build-test/$1
  shift
  mapfile -t chosen < <(meson test -C "$folder" --list 2> /dev/null | sed -n 's|^qkv[^/]* / ||p' | grep -vxFf <(printf '%s\n' "$@"))
}

has() { grep -qw -- "$1" /proc/cpuinfo 2> /dev/null; }

mkdir -p build-test
if build gcc gcc; then
  check gcc "gcc"
  if [ "${1:-}" != quick ]; then
    QKV_CPU=reference check gcc "gcc, reference kernels" "${numbers[@]}"
    if has avx512f && has avx2; then QKV_CPU=avx2 check gcc "gcc, AVX2 kernels" "${numbers[@]}"; fi
  fi
fi
if [ "${1:-}" != quick ]; then
  if command -v clang > /dev/null && build clang clang; then
    all_but clang "command train_disk" "command train_killed" "lectures"
    check clang "clang" "${chosen[@]}"
    QKV_CPU=reference check clang "clang, reference kernels" "${numbers[@]}"
  fi
  export LSAN_OPTIONS="suppressions=$PWD/tests/leaks.supp:print_suppressions=0"
  export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  if build sanitized gcc -Dbuildtype=debugoptimized -Db_sanitize=address,undefined; then
    all_but sanitized "${slow[@]}"
    check sanitized "address and undefined behaviour sanitizers" "${chosen[@]}"
    QKV_CPU=reference check sanitized "sanitizers, reference kernels" "${checked[@]}"
  fi
  export TSAN_OPTIONS=die_after_fork=0  # a test starts threads in a forked child
  if build threads gcc -Dbuildtype=debugoptimized -Db_sanitize=thread; then
    check threads "thread sanitizer" "${threads[@]}"
  fi
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
