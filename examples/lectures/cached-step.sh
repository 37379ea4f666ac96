#!/bin/bash
# Does a step over cached keys and values give the same numbers as a whole pass, and what does it save?
. "$(dirname "$0")/lib.sh"
gpt

title "The same numbers"
ids=$(echo "The old nurses do not like the bridge." | qkv tokenize gpt --ids --no-special-tokens)
show qkv forward gpt --ids "$ids" --want logits --quiet > whole
show qkv forward gpt --ids "$ids" --want logits --cached --quiet > steps
if cmp whole steps; then echo "All $(wc -w < whole) logits are the same, to the last bit: one token after the other over the cache, or all at once."; fi

title "What is computed for each next token"
{ printf 'tokens before\tkeys and values\trows through the layers, no cache\twith it\tproducts with weights that the cache saves\n'
  for n in 1 2 4 8 16 32; do printf '%d\t%d\t%d\t1\t%.0f %%\n' $n $n $((n + 1)) "$(awk -v n=$n 'BEGIN { print 100 * n / (n + 1) }')"; done; } | table
echo "Earlier tokens don't see later ones, so their keys and values stay as they are: computed once, kept, read again."

title "How often a layer worked on how many rows: counts of a profile"
for way in "" --cached; do
  show qkv forward gpt --ids "$ids" $way --profile > out 2> profile
  awk '/^operation/ { on = 1 } on && $1 == "decoder.*.self.query_key_value" { printf "  queries, keys and values were made in %d calls over 2 layers\n", $6 }' profile
done
echo "All $(echo "$ids" | wc -w) tokens in one pass, or in as many passes of one token each: the same rows in all. Without a cache the passes would have 1, 2, 3, ... rows."

title "The price: memory"
qkv info gpt | awk '/^context.*cache/ { split($1, part, "."); print part[2] "\t" $2 " " $3 }' | { printf 'tokens\tcache\n'; cat; } | table
echo "Keys and values: 2 x $(fact gpt decoder.layers) layers x width $(fact gpt hidden) numbers a token, of 2 bytes each where the processor has bf16, else of 4."
