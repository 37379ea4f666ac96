#!/bin/bash
# Prints the GLUE table (Wang et al., 2019) with its average for fine-tuned models, by the scores of the paper on each task.
#   scripts/glue.sh TASK=MODEL:DEV... [options of qkv eval, such as --columns label,text --no-header]
# TASK is cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte or wnli; DEV is a table with labels; MODEL is what qkv train made, such as
#   scripts/glue.sh sst2=out/sst:dev.tsv rte=out/rte:rte/dev.tsv
# QKV names the command (default: qkv).
set -eu
qkv=${QKV:-qkv}
pairs=() options=()
for argument in "$@"; do
  case $argument in
    [a-z]*=*:*) pairs+=("$argument") ;;
    *) options+=("$argument") ;;
  esac
done
[ ${#pairs[@]} -gt 0 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }

# The scores that count for a task, by the names that qkv eval gives them.
scores_of() {
  case $1 in
    cola) echo matthews ;;
    stsb) echo "pearson spearman" ;;
    mrpc | qqp) echo "f1 accuracy" ;;
    sst2 | mnli | qnli | rte | wnli) echo accuracy ;;
    *) echo "glue.sh: $1 is no task of GLUE" >&2; return 1 ;;
  esac
}

printf '%-6s %-10s %8s %9s\n' task score value examples
for pair in "${pairs[@]}"; do
  task=${pair%%=*} rest=${pair#*=}
  names=$(scores_of "$task") || exit 2
  "$qkv" eval "${rest%%:*}" "${rest#*:}" --format json --quiet ${options[0]+"${options[@]}"} |
    awk -v task="$task" -v names="$names" '
      function value(name,   at) { at = index($0, "\"" name "\": "); return at ? substr($0, at + length(name) + 4) + 0 : "none" }
      { n = split(names, list, " ")
        for (i = 1; i <= n; i++) { v = value(list[i]); if (v == "none") { print "glue.sh: no " list[i] " for " task > "/dev/stderr"; exit 1 }
          if (list[i] ~ /matthews|pearson|spearman/) v *= 100
          printf "%-6s %-10s %8.2f %9d\n", task, list[i], v, value("examples"); sum += v }
        printf "= %s %.10f\n", task, sum / n }'
done | awk '/^=/ { sum += $3; count++; next } { print } END { if (count) printf "average of %d task%s %18.2f\n", count, count == 1 ? " " : "s", sum / count }'
