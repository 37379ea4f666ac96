#!/usr/bin/env bash
# Directories that qkv saved are opened by transformers: nothing missing, nothing unexpected, the same numbers.
# Needs Python with torch and transformers (QKV_PYTHON names one); says so and skips without.
resave=$1
source=$2
golden=$source/tests/golden
python=${QKV_PYTHON:-python3}
export TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1
if ! "$python" -c 'import torch, transformers' 2> /dev/null; then
  echo "1..0 # SKIP no Python with torch and transformers (set QKV_PYTHON to name one)"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
number=0

save() { # TITLE ORIGINAL(or -) FROM... TYPE SHARD_BYTES: saves into a folder of its own and adds it to the list
  number=$((number + 1))
  local title=$1 original=$2
  shift 2
  "$resave" "${@/OUT/$folder/$number}" || echo "# $title could not be saved"
  echo "$folder/$number $original $title" >> "$folder/list"
}

for case in marian marian-unshared marian-untied pegasus pegasus-silu marian-generate openai-gpt gpt2 gpt2-knobs llama llama-knobs \
  llama-linear llama-dynamic llama-llama3 llama-yarn llama-yarn-scaled; do
  save "$case again" "$golden/$case" "$golden/$case" OUT f32 0
done
# BERT and its kin with each head; decoders with those of other tasks.
for case in bert bert-pretraining bert-masked bert-masked-untied bert-next-sentence bert-classify bert-regress bert-tag bert-span bert-choice \
  roberta-masked roberta-classify roberta-choice xlm-roberta-tag xlm-roberta-masked distilbert distilbert-masked distilbert-classify \
  distilbert-span distilbert-choice electra electra-masked electra-classify electra-tag electra-choice albert-pretraining albert-classify \
  albert-span albert-choice mpnet mpnet-masked mpnet-classify gpt2-classify gpt2-tag gpt2-span gpt2-double openai-gpt-double \
  openai-gpt-classify llama-classify llama-tag; do
  save "$case again" "$golden/$case" "$golden/$case" OUT f32 0
done
save "marian in shards" "$golden/marian" "$golden/marian" OUT f32 20000
save "marian in bf16" "$golden/marian" "$golden/marian" OUT bf16 0
save "pegasus in f16, in shards" "$golden/pegasus" "$golden/pegasus" OUT f16 20000
save "gpt2 in bf16, in shards" "$golden/gpt2" "$golden/gpt2" OUT bf16 20000
save "llama in shards" "$golden/llama" "$golden/llama" OUT f32 20000
for new in marian marian-untied pegasus pegasus-untied openai-gpt gpt2 gpt2-untied llama llama-untied llama-yarn; do
  save "a new $new" - --new "$new" OUT f32 0
done
for new in bert/0 bert/1 bert/2 bert/4 bert/5 bert/6 bert/7 roberta/0 roberta/4 xlm-roberta/4 distilbert/0 electra/1 electra/4 albert/2 mpnet/0; do
  save "a new $new" - --new "$new" OUT f32 0
done
"$python" "$source/tests/hf/check_saved.py" < "$folder/list"
echo "1..$number"
