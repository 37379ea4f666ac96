#!/bin/bash
# The layout of the tree: a file includes only headers of lower layers or its own folder, file names are unique, and no
# source file but the public header has more than 800 lines.
#   layers.sh SOURCE_TREE
set -u
cd "$1" || exit 99
number=0 failed=0

report() {  # TITLE, and what is wrong on standard input, a line each
  number=$((number + 1))
  local wrong
  wrong=$(cat)
  if [ -z "$wrong" ]; then
    echo "ok $number - $1"
  else
    echo "not ok $number - $1"
    sed 's/^/# /' <<< "$wrong"
    failed=1
  fi
}

# folder/layer; the public header is 0.
layers="base/1 text/2 metrics/2 draw/2 tensor/2 cpu/3 model/4 hf/5 data/5 generate/5 train/6 inspect/6 api/7"

check_includes() {
  find src -name '*.[ch]' -exec awk -v layers="$layers" '
    BEGIN { n = split(layers, rows, " "); for (i = 1; i <= n; i++) { split(rows[i], row, "/"); layer[row[1]] = row[2] } }
    /^ *# *include *"/ {
      header = $0
      sub(/^[^"]*"/, "", header)
      sub(/".*/, "", header)
      if (header == "qkv.h") next  # layer 0
      split(FILENAME, parts, "/"); from = parts[2]; split(header, target, "/"); to = target[1]
      if (!(from in layer)) print FILENAME ": the folder " from " has no layer"
      else if (!(to in layer)) print FILENAME ": \"" header "\" names no folder of src"
      else if (to != from && layer[to] >= layer[from]) print FILENAME " (layer " layer[from] ") includes " header " (layer " layer[to] ")"
    }' {} +
}

check_command_includes() {
  grep -n '^ *# *include *"' cli/*.[ch] | grep -v '"qkv.h"\|"cli/'
}

check_cairo() { grep -lr '^ *# *include *<cairo' src cli include tests | grep -v '^src/draw/canvas_cairo.c$'; }

sources() { find src cli include tests examples bench scripts -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \) 2> /dev/null; }

check_names() { sources | awk -F/ '{ places[$NF] = places[$NF] " " $0; count[$NF]++ } END { for (name in count) if (count[name] > 1) print name ":" places[name] }'; }

# The public header is one file by design.
check_lengths() { sources | grep -v '^include/qkv.h' | tr '\n' '\0' | xargs -0 awk 'FNR == 801 { print FILENAME " has more than 800 lines" }'; }

[ "$(find src -name '*.c' | wc -l)" -gt 0 ] || { echo "Bail out! no sources in $PWD"; exit 99; }
report "files include only lower layers" < <(check_includes)
report "the command sees only qkv.h" < <(check_command_includes)
report "one file knows cairo" < <(check_cairo)
report "file names are unique" < <(check_names)
report "no file has more than 800 lines" < <(check_lengths)
echo "1..$number"
exit $failed
