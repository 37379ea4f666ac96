#!/bin/bash
# The whole course: runs every script of course.txt in its order, in one folder, so that each model is trained once.
#   all.sh [--quick] FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
options=()
if [ "${1:-}" = --quick ]; then options=(--quick) && shift; fi
if [ $# -ne 1 ]; then
  echo "usage: $0 [--quick] FOLDER" >&2
  exit 2
fi
while read -r name; do
  printf '\n######## %s\n# %s\n' "$name" "$(sed -n '2s/^# //p' "$here/$name.sh")"
  "$here/$name.sh" "${options[@]}" "$1" < /dev/null
done < "$here/course.txt"
