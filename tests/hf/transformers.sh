#!/usr/bin/env bash
# Directories that qkv saved are opened by transformers: nothing missing, nothing unexpected, the same numbers.
# Needs Python with torch and transformers (QKV_PYTHON names one); says so and skips without.
resave=$1
golden=$2/tests/golden
python=${QKV_PYTHON:-python3}
export TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1
if ! "$python" -c 'import torch, transformers' 2>/dev/null; then
  echo "1..0 # SKIP no Python with torch and transformers (set QKV_PYTHON to name one)"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
number=0

check() { # NAME ORIGINAL(or -) RESAVE_ARGUMENTS...: saves into $folder/N and opens it
  number=$((number + 1))
  local name=$1 original=$2
  shift 2
  [ "$original" = - ] && original=
  if "$resave" "${@/OUT/$folder/$number}" && "$python" "$source/tests/hf/check_saved.py" "$folder/$number" $original > "$folder/log" 2>&1; then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    sed 's/^/# /' "$folder/log" | tail -5
  fi
}

source=$2
for case in marian marian-unshared marian-untied pegasus pegasus-silu marian-generate; do
  check "$case again" "$golden/$case" "$golden/$case" OUT f32 0
done
check "marian in shards" "$golden/marian" "$golden/marian" OUT f32 20000
check "marian in bf16" "$golden/marian" "$golden/marian" OUT bf16 0
check "pegasus in f16, in shards" "$golden/pegasus" "$golden/pegasus" OUT f16 20000
for new in marian marian-untied pegasus pegasus-untied; do
  check "a new $new" - --new "$new" OUT f32 0
done
echo "1..$number"
