#!/bin/bash
# qkv score against the log-probabilities of transformers, from text; and calls that it refuses.
. "$(dirname "$0")/case.sh"
. "$(dirname "$0")/words.sh"

# The golden cases whose ids all have words.
golden() {  # CASE: source words TAB target words TAB sum
  sed -n 's/.*"source": \[\(.*\)\], "target": \[\(.*\)\], "log_probs".*"sum": \(.*\)}.*/\1\t\2\t\3/p' "$SOURCE/tests/golden/$1/scores.json" |
    awk -F'\t' -v end="$2" '
      function words(list,   n, ids, i, text) {
        n = split(list, ids, ", ")
        if (ids[n] != end) return "?"
        for (i = 1; i < n; i++) { if (ids[i] < 2) return "?"; text = text (i > 1 ? " " : "") "w" ids[i] }
        return text
      }
      { s = words($1); t = words($2); if (s != "?" && t != "?") print s "\t" t "\t" $3 }'
}
words_model marian-generate model
golden marian-generate 0 > cases
cut -f1 cases > source
cut -f2 cases > target
cut -f3 cases > wanted
check "there are golden cases" test "$(wc -l < cases)" -ge 3
run 0 "$QKV" score model source target
cp out scores
err_has "lines, "
check "they are those of transformers" awk 'NR == FNR { w[FNR] = $1; next } { d = $1 - w[FNR]; if (d < 0) d = -d; if (d > 2e-4) exit 1 } END { if (FNR < 3) exit 1 }' wanted scores
run 0 "$QKV" score model source target --threads 1 --quiet
err_empty
cp out alone
check "one thread gives the same bits" cmp alone scores
input=target run 0 "$QKV" score model source - --quiet
cp out piped
check "standard input gives the same" cmp piped scores
run 0 "$QKV" score model source target --per-token
cp out tokens
check "a line's last running sum is its score" cmp <(awk -F'\t' '{ last[$1] = $4 } END { for (i = 0; i < NR && i in last; i++) print last[i] }' tokens) scores
check "a line ends with the end token" test "$(awk -F'\t' '$1 == 0 { t = $2 } END { print t }' tokens)" = "</s>"

for i in $(seq 1 300); do printf 'w%d ' $((i % 40 + 2)); done > long
echo >> long
echo w5 > one
run 3 "$QKV" score model long one
err_has 'long: 1 line longer than the model takes'
run 0 "$QKV" score model long one --accept-cuts
printf 'w5 \377\n' > bytes
run 0 "$QKV" score model bytes one
err_has 'bytes: 1 line held bytes that are no UTF-8'
echo "w5 strange" > strange
run 0 "$QKV" score model strange one
err_has 'strange: 1 line held what the vocabulary lacks on this or the other side'
: > empty
run 0 "$QKV" score model empty empty
out_empty
run 1 "$QKV" score model source one
err_has 'one has 1 lines and source has more'
run 1 "$QKV" score model one source
err_has 'one has 1 lines and source has more'
run 1 "$QKV" score model source
err_has 'a text alone has no probability'
run 2 "$QKV" score model
err_has 'TEXTS is missing'
run 2 "$QKV" score model source target --backward model
err_has 'a translation has one direction'
run 2 "$QKV" eval model source
err_has 'a reference is missing'
run 2 "$QKV" score model - -
err_has 'only one of both sides can be standard input'
run 1 "$QKV" score model nowhere one
err_has 'nowhere: cannot be read'
finish
