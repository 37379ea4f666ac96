# Writes documents of three to six sentences about one of four topics (water, money, night, game), a blank line behind each. The topics
# share their grammar and some words; "bank" belongs to two of them, "bat" to two others, and only its neighbours say which is meant.
#   awk -v seed=N -v documents=N [-v labelled=1] [-v ordered=1] -f stories.awk
# labelled: TOPIC, a tab, the sentence, and no blank lines; ordered: sentences begin with first, then, later, ... by their places
function random(n) { state = (state * 16807) % 2147483647; return int(state / 2147483647 * n) + 1 }
function one(list,   n, word) { n = split(list, word, " "); return word[random(n)] }
function noun(t) { return (random(3) == 1 ? one("old big small new") " " : "") one(nouns[t]) }
function clause(t,   many, verb, subject) {
  many = random(2) == 1
  subject = noun(t) (many ? "s" : "")
  verb = one(random(5) == 1 ? "see like find want" : verbs[t]) (many ? "" : "s")
  if (random(3) == 1) return "the " subject " " verb " " one("near behind beside under") " the " one(places[t])
  return "the " subject " " verb " the " noun(t) (random(2) == 1 ? " " one("near behind beside") " the " one(places[t]) : "")
}
BEGIN {
  state = seed
  nouns["water"] = "fisher boat duck stone otter frog"
  verbs["water"] = "row float dive swim"
  places["water"] = "bank river lake shore bank"
  nouns["money"] = "clerk loan coin cheque banker lawyer"
  verbs["money"] = "count lend borrow owe"
  places["money"] = "bank counter office market bank"
  nouns["night"] = "owl moth bat star ghost bat"
  verbs["night"] = "haunt glow listen hide"
  places["night"] = "cave wood tower moon"
  nouns["game"] = "player ball bat team captain bat"
  verbs["game"] = "throw win train lose"
  places["game"] = "field goal club gate"
  split("first then later next afterwards finally", order, " ")
  for (d = 0; d < documents; d++) { topic = one("water money night game"); place = 0
    for (s = random(4) + 3; s > 0; s--) print (labelled ? topic "\t" : "") (ordered ? order[++place] " " : "") clause(topic) " ."
    if (!labelled) print "" }
}
