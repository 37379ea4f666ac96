#!/bin/bash
# What does a Transformer know of the order of words without positions?
. "$(dirname "$0")/lib.sh"
stories

# A model of masked words, which sees both sides of a word: encoder OUT POSITIONS OPTION...
encoder() {
  learn "$1" --task mlm --train stories.txt --valid stories-valid.txt --next-sentence none --vocab-size 260 --max-length 16 --positions "$2" \
    --dropout 0 "${@:3}"
}

title "The same four tokens in another order, in models that have learnt nothing yet"
number=0
for positions in none learned sinusoid; do
  encoder order-$positions $positions --size blackboard --max-steps 1 --learning-rate 0
  show qkv forward order-$positions --ids "10 20 30 40" --want hidden --quiet > straight
  show qkv forward order-$positions --ids "30 10 40 20" --want hidden --quiet > permuted
  paste -d ' ' <(printf '10\n20\n30\n40\n') straight > rows
  for token in 30 10 40 20; do grep "^$token " rows; done | cut -d ' ' -f 2- > expected
  { printf 'token\tits state in 10 20 30 40\tits state in 30 10 40 20\n'
    for token in 30 10 40 20; do
      number=$((number + 1))
      printf '%s\t%s\t%s\n' $token "$(sed -n ${number}p expected | awk '{ printf "%.4f %.4f %.4f %.4f ...", $1, $2, $3, $4 }')" \
        "$(sed -n ${number}p permuted | awk '{ printf "%.4f %.4f %.4f %.4f ...", $1, $2, $3, $4 }')"
    done; } | table
  paste -d ' ' expected permuted | awk -v positions=$positions '{ n = NF / 2; for (i = 1; i <= n; i++) { d = $i - $(i + n); if (d < 0) d = -d; if (d > most) most = d } }
    END { printf "positions %s: the states of a token differ by %.1e at most\n\n", positions, most }'
  number=0
done
echo "Without positions the output of permuted input is the permuted output: a sentence is a bag of words."

title "Guessing masked words with and without positions, after $(pick 1000 10) updates"
for positions in none learned sinusoid rotary; do
  encoder place-$positions $positions --size tiny --layers 2 --hidden 64 --heads 4 --batch-tokens 256 --learning-rate 0.002 --warmup-steps 50 \
    --schedule linear --max-steps "$(pick 1000 10)" --valid-every "$(pick 1000 10)"
  printf '%s\t%.3f\t%.2f\t%.1f %%\n' $positions "$(best place-$positions valid_loss)" "$(best place-$positions perplexity)" \
    "$(awk -v a="$(best place-$positions masked_accuracy)" 'BEGIN { print 100 * a }')"
done | { printf 'positions\tloss of masked words\tperplexity\tof them right\n'; cat; } | table
