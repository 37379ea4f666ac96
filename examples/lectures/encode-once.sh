#!/bin/bash
# Translating one sentence: how often does the encoder run, how often the decoder?
. "$(dirname "$0")/lib.sh"
translator

# How often an operation ran: calls OPERATION < PROFILE. Each pass of the decoder ends with one run of the head.
calls() { awk -v name="$1" '/^operation/ { on = 1 } on && $1 == name && $2 == "forward" { printf "%d", $6; found = 1; exit } END { if (!found) printf "0" }'; }

title "Sentences of several lengths, one at a time, greedy"
awk '{ print length($0) "\t" $0 }' corpus/test.en | sort -n | awk -F '\t' '{ line[NR] = $2 } END { for (i = 1; i <= 5; i++) print line[int(1 + (i - 1) * (NR - 1) / 4)] }' > five.txt
layers=$(fact translator encoder.layers)
printf '$ qkv translate translator --beam 1 --profile\n'
while read -r line; do
  echo "$line" | qkv translate translator --beam 1 --profile > target 2> profile
  tokens=$(echo "$line" | qkv tokenize translator | wc -w)
  written=$(($(qkv tokenize translator target --no-special-tokens | wc -w) + 1))
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$line" "$tokens" "$(calls encoder.embedding < profile)" "$written" "$(calls head < profile)" \
    "$(calls 'encoder.*.self.attention' < profile)" "$(calls 'decoder.*.cross.attention' < profile)"
done < five.txt > counts
{ printf 'sentence\ttokens\tencoder passes\ttokens written\tdecoder passes\tencoder layers run\tdecoder layers run\n'; cat counts; } | table
cat << END
The encoder reads the whole sentence in one pass. The decoder runs once for each token that it writes, the end token among them, and looks
at the same encoder output each time: its keys and values are made once. A pass goes through $layers layers, hence the last two columns.
END

title "A training needs one pass of each: all target words are known"
cat five.txt > pair.en
qkv translate translator five.txt --beam 1 --quiet > pair.es
show qkv score translator pair.en pair.es --profile > scores 2> profile
printf 'Encoder passes: %s. Decoder passes: %s, for all tokens of all five sentences.\n' "$(calls encoder.embedding < profile)" "$(calls head < profile)"

title "With a beam of 4"
show qkv translate translator five.txt --beam 4 --profile > target 2> profile
printf 'Encoder passes: %s. Decoder passes: %s; each takes one token of every hypothesis of every sentence that is not finished.\n' \
  "$(calls encoder.embedding < profile)" "$(calls head < profile)"
