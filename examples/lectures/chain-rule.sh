#!/bin/bash
# How does a model that knows only the next word know how probable a sentence is, and when it ends?
. "$(dirname "$0")/lib.sh"
gpt

title "The next word, after more and more of a sentence"
for text in "The" "The old" "The old nurses" "The old nurses do" "The old nurses do not"; do
  show qkv fill gpt --text "$text" --top 4 --quiet | awk -F '\t' '{ printf "  %s", $0; printf "\n" }'
done
echo "(probability, its natural logarithm, token)"

title "The chain rule: a sentence's probability is the product of such entries"
echo "The old nurses do not like the bridge." > sentence.txt
show qkv score gpt sentence.txt --per-token --quiet | readable > tokens
awk -F '\t' 'BEGIN { print "token\tp(token | all before)\tln p\tproduct so far\tsum of ln p" }
  { printf "%s\t%.5f\t%.3f\t%.2e\t%.3f\n", $2, exp($3), $3, exp($4), $4 }' tokens | table
echo "The product soon becomes too small for a computer's numbers; the sum of logarithms does not."

title "Which of these sentences is likelier?"
printf '%s\n' "The old nurses do not like the bridge." "The old nurses does not like the bridge." "The old bridge does not like the nurses." \
  "Not nurses the bridge old do like the." > four.txt
{ printf 'ln p\tsentence\n'; qkv score gpt four.txt --quiet | paste - four.txt; } | table

title "Writing: the most probable word, again and again, to the end token"
show qkv generate gpt --prompt "The old" --temperature 0 --steps --quiet
echo "(step, token, probability, and the most probable ones with theirs)"
cat << END
The end is a token like others, with a probability at each step; the model was taught it behind every sentence.
END

title "The same by drawing: five texts"
show qkv generate gpt --prompt "The old" --temperature 1 --samples 5 --seed 4 --quiet | grep -v '^---$'
