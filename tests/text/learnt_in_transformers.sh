#!/usr/bin/env bash
# Vocabularies that qkv learnt are opened by transformers and tokenizers, which give the same ids and texts.
#   learnt_in_transformers.sh QKV
# Needs Python with transformers (QKV_PYTHON names one); says so and skips without.
qkv=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
python=${QKV_PYTHON:-python3}
export TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1
if ! "$python" -c 'import transformers' 2> /dev/null; then
  echo "1..0 # SKIP no Python with transformers (set QKV_PYTHON to name one)"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 99
"$python" "$here/check_learnt.py" --text > text
number=0
for layout in marian pegasus bert; do
  for type in bpe bpe-words bpe-blanks wordpiece unigram word char; do
    for more in "" "--lowercase --normalize nfkc" "--lowercase"; do
      [ "$more" = --lowercase ] && [ $type != wordpiece ] && continue
      # BERT's own layout is for pieces of words; the others stand for all that have no class of their own.
      [ $layout = bert ] && [ $type != wordpiece ] && [ $type != bpe-blanks ] && continue
      number=$((number + 1))
      # shellcheck disable=SC2086
      "$qkv" tokenizer train "$number" text --type $type --layout $layout --vocab-size 600 --max-length 99 $more 2> messages ||
        cat messages
      "$qkv" tokenize "$number" text --ids > "$number/ids"
      "$qkv" detokenize "$number" "$number/ids" > "$number/back"
      echo "$number $layout $type $more" >> list
    done
  done
done
"$python" "$here/check_learnt.py" < list
echo "1..$number"
