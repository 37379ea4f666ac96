#!/bin/bash
# What is made from the option tables: the manual page, the completions, docs/command.md.
. "$(dirname "$0")/case.sh"

"$QKV" help --markdown > command.md
if ! cmp -s command.md "$SOURCE/docs/command.md"; then
  echo "# docs/command.md is not what the tables say; run: qkv help --markdown > docs/command.md"
  diff "$SOURCE/docs/command.md" command.md | head -20 | sed 's/^/# /'
fi
check "docs/command.md is what the tables say" cmp command.md "$SOURCE/docs/command.md"

"$QKV" help --man > qkv.1
if command -v mandoc > /dev/null; then
  check "mandoc has no complaint about the manual page" mandoc -T lint -W error qkv.1
elif command -v groff > /dev/null; then
  check "groff has no complaint about the manual page" bash -c 'test -z "$(groff -ww -man -Tutf8 qkv.1 2>&1 > /dev/null)"'
fi
check "the manual page names every verb" bash -c "'$QKV' help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' | while read -r verb; do grep -q \"^.B qkv \$verb\" qkv.1 || exit 1; done"

"$QKV" help --completion bash > qkv.bash
check "bash reads the completions" bash -n qkv.bash
complete_words() {  # the words before the cursor and the one at it, as arguments
  bash -c '. ./qkv.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _qkv; echo " ${COMPREPLY[*]} "' _ "$@"
}
touch file.txt
check "verbs are completed" test "$(complete_words qkv ev)" = " eval "
check "options are completed" test "$(complete_words qkv eval --hyp)" = " --hypotheses "
check "choices are completed" test "$(complete_words qkv eval --metric chrf)" = " chrf chrf++ "
check "files are completed" test "$(complete_words qkv eval --hypotheses fi)" = " file.txt "
check "arguments are completed as files" test "$(complete_words qkv eval fi)" = " file.txt "
check "verbs are completed after help" test "$(complete_words qkv help ev)" = " eval "

"$QKV" help --completion zsh > _qkv
if command -v zsh > /dev/null; then check "zsh reads the completions" zsh -n _qkv; fi
finish
