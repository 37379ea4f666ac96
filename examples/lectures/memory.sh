#!/bin/bash
# A text of C tokens has C x C pairs of tokens. What do they cost, in memory and in time?
. "$(dirname "$0")/lib.sh"
corpus

title "One text of C tokens in a small model (2 layers, 2 heads, width 32)"
[ -e vocabulary ] || qkv tokenizer train vocabulary corpus/train.en --vocab-size 500 --layout gpt2 --quiet
numbers() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "%d ", 5 + i * 7 % 400 }'; }
# Milliseconds in a kernel, the least of the runs: spent KERNEL < PROFILES
spent() { awk -v name="$1" '$1 == name && $2 == "forward" && (!least || $5 < least) { least = $5 } END { print least }'; }
printf '$ qkv train ... --context C --max-steps 1\n$ qkv forward ... --ids "C tokens" --profile\n'
longest=$(pick 8192 512)
for ((c = 512; c <= longest; c *= 2)); do
  rm -rf long
  qkv train long --task lm --train corpus/train.en --valid corpus/valid.en --tokenizer vocabulary --family llama --layers 2 --hidden 32 \
    --heads 2 --context $c --batch-tokens $c --max-steps 1 --average 0 2> told
  for _ in 1 2 3; do qkv forward long --ids "$(numbers $c)" --want hidden --profile --threads 1 2>&1 > hidden; done > profile
  awk -v c=$c -v activations="$(awk '$1 == "activations" { print $2 }' told)" -v attention="$(spent attention < profile)" -v products="$(spent linear < profile)" \
    'BEGIN { printf "%d\t%d\t%.1f\t%s\t%s\t%s\n", c, c * c, c * c * 4 * 2 * 2 / 1048576, activations, attention, products }'
done | { printf 'C\tcells C x C\tMiB of all weights\tMiB of activations\tattention ms\tproducts ms\n'; cat; } | table
cat << END
"MiB of all weights": what the attention weights of 4 heads (2 layers of 2) would take as 4-byte numbers. "Activations" is what a
training of such a text takes in fact, its backward pass included: it grows like C, because weights are computed in pieces, used, and
computed again in the backward pass (Rabe and Staats, 2021; Dao et al., 2022); the C x C matrix never exists. The time can't be avoided
that way: attention takes about four times as long for twice the text, the products with matrices (of width 32 here) twice as long.
END

title "The model of these scripts, writing"
gpt
show qkv info gpt | awk '/^context/ { split($1, part, "."); value[part[2], part[3]] = $2 " " $3; if (!(part[2] in seen)) { seen[part[2]] = 1; order[++n] = part[2] } }
  END { print "tokens C\tcells of a head\tcache of keys and values"; for (i = 1; i <= n; i++) printf "%d\t%s\t%s\n", order[i], value[order[i], "cells"], value[order[i], "cache"] }' | table
echo "Writing one token after the other needs a row of cells at a time; what stays in memory is the cache, which grows like C."
