#!/bin/bash
# The libraries show the functions of qkv.h and nothing else, neither more nor fewer.
#   symbols.sh QKV_H LIBQKV.so LIBQKV.a NM
set -u
header=$1 shared=$2 static=$3 nm=$4
number=0 failed=0
report() {  # TITLE WRONG
  number=$((number + 1))
  if [ -z "$2" ]; then echo "ok $number - $1"; else echo "not ok $number - $1"; sed 's/^/# /' <<< "$2"; failed=1; fi
}
declared=$(grep -o '\bqkv_[a-z0-9_]*(' <<< "$(sed 's|//.*||' "$header" | tr '\n' ' ' | grep -o 'QKV_API [^;]*;')" | tr -d '(' | sort -u)
[ -n "$declared" ] || { echo "Bail out! no declarations in $header"; exit 99; }
# Sanitizers and the linker add symbols of their own; the names below are not ours.
known='^_init$|^_fini$|^__bss_start$|^_edata$|^_end$|^__start_|^__stop_|^__odr_asan|^__asan|^__tsan|^__ubsan|^__sanitizer'
exported=$("$nm" -D --defined-only "$shared" | awk '{print $3}' | grep -vE "$known" | sort -u)
shown=$("$nm" -g --defined-only "$static" 2> /dev/null | awk 'NF == 3 {print $3}' | grep -vE "$known" | sort -u)
report "the shared library shows what qkv.h declares" "$(diff <(echo "$declared") <(echo "$exported"))"
report "the static library shows what qkv.h declares" "$(diff <(echo "$declared") <(echo "$shown"))"
echo "1..$number"
exit $failed
