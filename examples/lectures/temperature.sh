#!/bin/bash
# Why are products divided by the square root of the width, and what has that to do with temperature?
. "$(dirname "$0")/lib.sh"

printf '1 0\n0 1\n' > same.tsv
printf '2\t1\n1\t2\n0\t1\n-1\t0\n' > x.tsv
weights() { qkv attend "$@" --format json | matrix "weights of head 0"; }

title "One row of weights, its products multiplied by more and more"
for scale in 0.01 0.1 0.5 1 2 5 20; do
  weights x.tsv --wq same.tsv --wk same.tsv --wv same.tsv --scale $scale | sed -n 1p |
    awk -F '\t' -v scale=$scale '{ entropy = 0; line = scale "\t" 1 / scale
      for (i = 1; i <= NF; i++) { line = line sprintf("\t%.3f", $i); if ($i > 0) entropy -= $i * log($i) }
      printf "%s\t%.3f\n", line, entropy }'
done | { printf 'scale\ttemperature\ttoken 0\ttoken 1\ttoken 2\ttoken 3\tentropy\n'; cat; } | table
cat << END
The scale is 1 / temperature. Hot (at the top): every token gets its equal share, the entropy is ln 4 = 1.386. Cold (at the bottom):
the largest product takes all, and a gradient no longer reaches the others.
END

title "Random vectors: the wider they are, the larger their products, unless these are divided by sqrt(width)"
# A standard normal number by Box and Muller, from a generator of our own so that every awk gives the same.
random_vectors() {  # TOKENS WIDTH
  awk -v tokens="$1" -v width="$2" 'function uniform() { state = (state * 16807) % 2147483647; return state / 2147483647 }
    BEGIN { state = 12345; pi = atan2(0, -1)
      for (t = 0; t < tokens; t++) { line = ""; for (i = 0; i < width; i++) line = line sprintf("%.5f ", sqrt(-2 * log(uniform())) * cos(2 * pi * uniform())); print line } }'
}
identity() { awk -v width="$1" 'BEGIN { for (i = 0; i < width; i++) { line = ""; for (j = 0; j < width; j++) line = line (i == j) " "; print line } }'; }
spread() { awk -F '\t' '{ for (i = 1; i <= NF; i++) { n++; sum += $i; squares += $i * $i } } END { printf "%.2f", sqrt(squares / n - (sum / n) ^ 2) }'; }
largest() { awk -F '\t' '{ most = 0; for (i = 1; i <= NF; i++) if ($i > most) most = $i; sum += most } END { printf "%.2f", sum / NR }'; }
for width in 4 16 64 $(pick 256 ''); do
  random_vectors 64 "$width" > vectors
  head -32 vectors > queries
  tail -32 vectors > keys
  identity "$width" > same
  qkv attend queries --over keys --wq same --wk same --wv same --format json > scaled
  qkv attend queries --over keys --wq same --wk same --wv same --scale 1 --format json > unscaled
  printf '%s\t%s\t%s\t%s\t%s\n' "$width" "$(matrix "products of head 0" < scaled | spread)" "$(matrix "scaled products of head 0" < scaled | spread)" \
    "$(matrix "weights of head 0" < unscaled | largest)" "$(matrix "weights of head 0" < scaled | largest)"
done | { printf 'width\tspread of products\tafter the division\tlargest weight without it\tlargest weight with it\n'; cat; } | table
cat << END
The spread (standard deviation) of the products grows like the square root of the width: 2, 4, 8, ... Divided by it, it stays at 1, and
the largest of the 32 weights in a row (mean of 32 rows) stays about the same for every width. Without the division one key takes all.
END

title "The same knob on a model's last softmax"
gpt
for temperature in 0.02 0.2 1 3; do
  # shellcheck disable=SC2046,SC2183
  printf '%s\t%s\t%s\n' "$temperature" $(qkv generate gpt --prompt "The old" --temperature $temperature --samples "$(pick 300 20)" --seed 1 --max-new 1 --quiet |
    grep -v '^---$' | sort | uniq -c | sort -rn | awk '{ n++; sum += $1; if (n == 1) first = $1 } END { printf "%d %.2f", n, first / sum }')
done | { printf 'temperature\tdifferent first words\tshare of the most frequent\n'; cat; } | table
echo "How \"The old\" goes on, drawn $(pick 300 20) times: the colder, the more often the likeliest word; the hotter, the more even."
