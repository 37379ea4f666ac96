#!/bin/bash
# The scripts of examples/lectures: each runs, made small, and says what must be true of any model; the three READMEs list the
# scripts of course.txt in its order, and there is no script besides.
. "$(dirname "$0")/../cli/case.sh"
lectures=$SOURCE/examples/lectures

for readme in README.md README.es.md README.pt.md; do
  check "$readme lists the scripts of course.txt" cmp <(sed -n 's/^- \[\([a-z0-9-]*\)\](\1\.sh): .*/\1/p' "$lectures/$readme") "$lectures/course.txt"
done
check "the folder holds no other scripts" cmp <(cd "$lectures" && printf '%s\n' ./*.sh | sed 's|^./||; s/\.sh$//' | grep -vx 'lib\|all' | sort) <(sort "$lectures/course.txt")

run 0 "$lectures/all.sh" --quick folder
cp out all
# What NAME printed: said NAME
said() { awk -v name="$1" '/^######## / { on = $2 == name } on' all; }
while read -r name; do
  check "$name prints a table" bash -c "awk -v name=$name '/^######## / { on = \$2 == name } on' all | grep -q '^  --*'"
done < "$lectures/course.txt"
check "no table holds what is no number" bash -c "! grep -wi 'nan' all"

said attention > one
check "attention without weights moves a word towards its neighbour" bash -c "grep -q 'river bank  1.360  0.640' one && grep -q 'money bank  0.640  1.360' one"
said causal-mask > one
check "causal-mask: what comes later changes nothing" grep -q 'Only the last row differs' one
said heads-sum > one
check "heads-sum: the sum is the projection of what was concatenated" grep -q 'last two columns: [0-9]e-0[67]' one
said teacher-forcing > one
check "teacher-forcing: score and eval agree on the mean" bash -c "mean=\$(sed -n 's/.*; mean \([0-9.]*\)$/\1/p' one); grep -q \"^loss \$mean,\" one"
said residual > one
check "residual: every layer of eight has a gradient of the same order" awk '$1 == 8 && $2 == "on" { if (NF != 7) next; found += 1; for (i = 4; i <= 7; i++) if ($i < $3 / 3 || $i > $3 * 3) bad = 1 } $1 == 8 && $2 == "off" && NF == 7 { found += ($7 < $3 / 100) } END { exit !(found == 2 && !bad) }' one
said positions > one
check "positions: without them permuted input gives permuted output" bash -c "grep -q 'positions none: the states of a token differ by \(0.0e+00\|[0-9.]*e-0[5-9]\) at most' one"
said sinusoids > one
check "sinusoids: the same numbers in another order" grep -q 'differ by 0.0000 at most' one
said cached-step > one
check "cached-step: the same bits" grep -q 'are the same, to the last bit' one

run 2 "$lectures/all.sh"
err_has "usage:"
run 2 "$lectures/attention.sh" --slow
err_has "usage:"
finish
