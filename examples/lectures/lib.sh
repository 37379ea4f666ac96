# shellcheck shell=bash disable=SC2034
# Sourced by every script here. It finds the built qkv, makes the folder to work in, and prints commands and tables.
#
#   SCRIPT [--quick] [FOLDER]    FOLDER keeps texts and models, and what lies there already is used again;
#                                without it a temporary folder is removed at the end.
#   --quick                      everything so small that it only shows that the script runs
#
# QKV names the command to use; without it the one of build/ or build-demo/ is taken. It has to come from a build folder, since
# the program that makes the text (examples/demo) is found there, too.
set -euo pipefail
trap 'exit 1' TERM
export LC_ALL=C.UTF-8
root=$(cd "$(dirname "$0")/../.." && pwd)

quick=
if [ "${1:-}" = --quick ]; then
  quick=yes
  shift
fi
case ${1:-} in
  -*) echo "usage: $0 [--quick] [FOLDER]" >&2; exit 2 ;;
esac

command_path=${QKV:-}
for build in build build-demo; do
  if [ -z "$command_path" ] && [ -x "$root/$build/cli/qkv" ]; then command_path=$root/$build/cli/qkv; fi
done
if [ -z "$command_path" ]; then
  echo "$0: there is no built qkv: meson setup build && ninja -C build, or QKV=.../cli/qkv" >&2
  exit 2
fi
qkv() { "$command_path" "$@"; }

if [ -n "${1:-}" ]; then
  mkdir -p "$1"
  cd "$1"
else
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cd "$folder"
fi

# ---- What is printed ----

title() { printf '\n== %s\n' "$1"; }

# Prints a command, whatever becomes of its output, and runs it.
exec 3>&1
show() {
  local word line="\$"
  for word in "$@"; do
    case $word in
      *[!A-Za-z0-9_.,/:=+-]* | '') line="$line '$word'" ;;
      *) line="$line $word" ;;
    esac
  done
  printf '%s\n' "$line" >&3
  "$@"
}

# Lines with tabs between the columns, the first one with their names, as a table; what is a number stands at the right.
table() {
  awk -F '\t' '
    { rows = NR; if (NF > columns) columns = NF
      for (c = 1; c <= NF; c++) { cell[NR, c] = $c; if (length($c) > width[c]) width[c] = length($c)
        if (NR > 1 && $c != "" && $c !~ /^[-+]?([0-9][0-9,]*\.?[0-9]*(e[-+]?[0-9]+)?|inf|nan|-)( (%|x|ms|[KMG]?B))?$/) words[c] = 1 } }
    function line(r,   c, text) {
      text = ""
      for (c = 1; c <= columns; c++)
        text = text sprintf(words[c] ? "  %-" width[c] "s" : "  %" width[c] "s", cell[r, c])
      sub(/ +$/, "", text)
      print text }
    END { line(1)
      text = ""
      for (c = 1; c <= columns; c++) { rule = sprintf("%" width[c] "s", ""); gsub(/ /, "-", rule); text = text "  " rule }
      print text
      for (r = 2; r <= rows; r++) line(r) }'
}

# The matrix that `qkv attend --format json` calls NAME, a row a line, tabs between: matrix NAME < JSON
matrix() {
  awk -v name="\"name\":\"$1\"" 'index($0, name) { sub(/.*"values":\[\[/, ""); sub(/\]\]}.*/, ""); gsub(/\],\[/, "\n"); gsub(/,/, "\t"); print }'
}

# Byte-pair tokens as they stand in a vocabulary, with blanks and Spanish letters put back
readable() {
  sed "s/Ġ/ /g; s/Ã¡/á/g; s/Ã©/é/g; s/ÃŃ/í/g; s/Ã³/ó/g; s/Ãº/ú/g; s/Ã±/ñ/g; s/Ã¼/ü/g; s/Ãģ/Á/g; s/Ãī/É/g; s/Â¿/¿/g; s/Â¡/¡/g"
}

# ---- How large ----

# pick USUAL QUICK: the one that fits.
pick() { if [ -n "$quick" ]; then echo "$2"; else echo "$1"; fi; }

# ---- Texts and models that several scripts use; each is made once in a folder ----

# corpus/: sentences in English and Spanish from a grammar (examples/demo), line i of one being the translation of line i of the other
corpus() {
  [ -e corpus/test.es ] || "$(dirname "$command_path")/../examples/demo/qkv-demo-corpus" corpus \
    --train "$(pick 24000 2000)" --valid "$(pick 400 60)" --test "$(pick 800 60)" > corpus.txt
}

# sentences.txt and sentences-valid.txt: the English ones, a blank line between any two, so that each is a document of its own
sentences() {
  corpus
  [ -e sentences.txt ] || { sed G corpus/train.en > sentences.txt; sed G corpus/valid.en > sentences-valid.txt; }
}

# stories.txt and stories-valid.txt: short documents about four topics, from the grammar of stories.awk
stories() {
  [ -e stories-valid.txt ] || {
    awk -v seed=1 -v documents="$(pick 4000 300)" -f "$root/examples/lectures/stories.awk" > stories.txt
    awk -v seed=99 -v documents="$(pick 150 20)" -f "$root/examples/lectures/stories.awk" > stories-valid.txt
  }
}

# gpt/: a language model of these sentences
gpt() {
  sentences
  learn gpt --task lm --train sentences.txt --valid sentences-valid.txt --document-separator blank --size tiny --layers 2 --hidden 64 \
    --context 48 --vocab-size 1600 --batch-tokens 1024 --dropout 0 --learning-rate 0.004 --warmup-steps 50 \
    --max-steps "$(pick 600 20)" --valid-every "$(pick 600 20)"
}

# translator/: from English to Spanish
translator() {
  corpus
  learn translator --task translation --train corpus/train.en corpus/train.es --valid corpus/valid.en corpus/valid.es --size tiny --layers 2 \
    --hidden 64 --vocab-size 2000 --batch-tokens 256 --dropout 0 --learning-rate 0.002 --warmup-steps 100 --schedule linear \
    --max-steps "$(pick 3000 20)" --valid-every "$(pick 3000 20)"
}

# bert/: a model of the masked words of these stories
bert() {
  stories
  learn bert --task mlm --train stories.txt --valid stories-valid.txt --next-sentence none --size tiny --layers 4 --hidden 64 --heads 4 \
    --vocab-size 260 --max-length 16 --batch-tokens 256 --dropout 0 --learning-rate 0.002 --warmup-steps 50 --schedule linear \
    --max-steps "$(pick 3000 20)" --valid-every "$(pick 3000 20)"
}

# learn OUT OPTION...: trains OUT, saying so, unless it is there. A failure ends the script.
learn() {
  local out=$1
  shift
  [ ! -e "$out/trained" ] || return 0
  echo "(training $out)" >&2
  rm -rf "$out"
  if ! qkv train "$out" "$@" --quiet --average 0 2> messages; then
    cat messages >&2
    kill $$  # also from within a substitution
    exit 1
  fi
  : > "$out/trained"
}

# What log.jsonl says of the best validation: best MODEL KEY, such as valid_loss or accuracy
best() { grep '"best":true' "$1/log.jsonl" | tail -1 | sed "s/.*\"$2\":\([^,}]*\).*/\1/"; }

# A fact of `qkv info`: fact MODEL NAME
fact() { qkv info "$1" | awk -v name="$2" '$1 == name { $1 = ""; sub(/^ */, ""); print }'; }
