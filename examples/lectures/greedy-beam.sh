#!/bin/bash
# Is the translation that takes the most probable word at each step the most probable translation?
. "$(dirname "$0")/lib.sh"
translator

bleu() { qkv eval --hypotheses "$1" corpus/test.es --metric bleu --quiet | awk -F " = " '{ split($2, part, " "); print part[1] }'; }

title "The same sentences by greedy search and with beams"
# Scores without length penalty: plain sums of log-probabilities, which compare.
printf '$ qkv translate translator --beam 1 ... 8 --length-penalty 0 --scores\n'
for beam in 1 2 4 8; do
  start=$(date +%s%N)
  qkv translate translator corpus/test.en --beam $beam --length-penalty 0 --scores --quiet > beam-$beam
  took=$((($(date +%s%N) - start) / 1000000))
  sed 's/ ||| .*//' beam-$beam > beam-$beam.es
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' $beam "$(awk -F ' \\|\\|\\| ' '{ sum += $2 } END { printf "%.3f", sum / NR }' beam-$beam)" \
    "$(paste -d '\n' beam-1 beam-$beam | awk -F ' \\|\\|\\| ' 'NR % 2 { score = $2 } NR % 2 == 0 && $2 > score + 0.0001 { n++ } END { print n + 0 }')" \
    "$(bleu beam-$beam.es)" "$(awk '{ n += NF } END { printf "%.2f", n / NR }' beam-$beam.es)" "$took"
done | { printf 'beam\tmean ln p of the translations\tlikelier than greedy\tBLEU\twords a sentence\tmilliseconds\n'; cat; } | table
cat << END
Of $(wc -l < corpus/test.en) sentences. ln p nearer to 0 is likelier; BLEU says whether likelier was also better. Every further word lowers a sum of logarithms,
so a wider beam tends to find shorter translations, now and then none at all (Stahlberg and Byrne, 2019). Dividing by length ^ A counters that:
END
for penalty in 0.5 1 2; do
  qkv translate translator corpus/test.en --beam 4 --length-penalty $penalty --quiet > penalty.es
  printf '%s\t%s\t%s\n' $penalty "$(awk '{ n += NF } END { printf "%.2f", n / NR }' penalty.es)" "$(bleu penalty.es)"
done | { printf 'A, beam 4\twords a sentence\tBLEU\n'; cat; } | table

title "Where greedy search lost most"
paste beam-1 beam-4 corpus/test.en corpus/test.es | awk -F '\t' '{ split($1, greedy, " \\|\\|\\| "); split($2, beam, " \\|\\|\\| ")
  if (beam[2] - greedy[2] > most || NR == 1) { most = beam[2] - greedy[2]; best = greedy[2] "\tgreedy\t" greedy[1] "\n" beam[2] "\tbeam 4\t" (beam[1] == "" ? "(nothing: the end at once)" : beam[1]) "\n\twanted\t" $4; source = $3 } }
  END { print source > "worst.txt"; print "ln p\tfound by\ttranslation of: " source; print best }' | table

title "Its beam: the four best when the search ends"
show qkv translate translator worst.txt --beam 4 --length-penalty 0 --nbest 4 --quiet

title "Greedy search on it, word by word: the price of the first choice"
qkv translate translator worst.txt --beam 1 --quiet > greedy.es
qkv translate translator worst.txt --beam 4 --length-penalty 0 --quiet > beam.es
for which in greedy beam; do
  show qkv score translator worst.txt $which.es --per-token --quiet | readable |
    awk -F '\t' -v which=$which '{ sub(/^ /, "_", $2); line = line sprintf(" %s %.2f", $2, $4) } END { print "  " which ":" line }'
done
echo "(Each piece with the sum of ln p so far.) Where the two part, greedy search takes the likelier piece, and never looks back."
