// The sentences of the demo's language. Every kind of sentence is a function that chooses its parts, writes the English
// words, and then writes the Spanish ones in Spanish order with the places of the English words they stand for.
#include "grammar.h"

#include <string.h>

#include "noun_phrase.h"

enum { SUBJECT_OPTIONS = WITH_ADJECTIVES | WITH_POSSESSOR | WITH_RELATIVE | WITH_PAIRS | WITH_NAMES | WITH_PRONOUNS };
enum { DESCRIBED = WITH_NAMES | WITH_PRONOUNS | ONLY_DEFINITE };
enum { AT_PLACES = PLACE | INSIDE | SURFACE };
enum { OBJECT_OPTIONS = WITH_ADJECTIVES | WITH_POSSESSOR | WITH_NAMES };

static const struct modal {
  const char *english, *third, *negative;  // negative NULL: with do
  const char *spanish[PERSONS];
} modals[] = {
    {"can", "can", "cannot", {"puedo", "puedes", "puede", "podemos", "pueden"}},
    {"must", "must", "must not", {"debo", "debes", "debe", "debemos", "deben"}},
    {"want to", "wants to", NULL, {"quiero", "quieres", "quiere", "queremos", "quieren"}},
};

static const struct {
  const char *english, *spanish;
} frequencies[] = {{"always", "siempre"}, {"never", "nunca"}, {"often", "a menudo"}};

// Pronouns as objects.
static const struct object_pronoun {
  const char *english, *direct, *indirect;
  int subjects;       // bits of the persons of subjects that it does not go with
  bool person, thing;
} object_pronouns[] = {
    {"me", "me", "me", 1 << FIRST | 1 << FIRST_PLURAL, true, false},
    {"you", "te", "te", 1 << SECOND, true, false},
    {"him", "lo", "le", 0, true, false},
    {"her", "la", "le", 0, true, false},
    {"it", "lo", NULL, 0, false, true},
    {"us", "nos", "nos", 1 << FIRST | 1 << FIRST_PLURAL, true, false},
    {"them", "los", "les", 0, true, true},
};
enum { OBJECT_PRONOUNS = sizeof object_pronouns / sizeof *object_pronouns };

static const char *const reflexives[PERSONS] = {"me", "te", "se", "nos", "se"};

enum question_word { STATEMENT, YES_OR_NO, WHO, WHOM, WHAT, WHERE, WHY, WHEN };

static const struct {
  const char *english, *spanish;
} question_words[] = {[WHO] = {"who", "quién"},     [WHOM] = {"who", "a quién"}, [WHAT] = {"what", "qué"},
                      [WHERE] = {"where", "dónde"}, [WHY] = {"why", "por qué"},  [WHEN] = {"when", "cuándo"}};

// Everything chosen for a sentence with a verb of doing, and where its parts stand in English.
struct clause {
  const struct verb *verb;
  enum tense tense;
  enum question_word question;
  bool negative;
  const struct modal *modal;
  int frequency;  // -1: none
  struct noun_phrase subject, object, recipient;
  bool has_object, has_recipient;
  const struct object_pronoun *pronoun;  // instead of object or recipient
  struct phrase opening, ending;         // adverbs and places
  struct {
    int question, subject, negation, modal, verb, object, recipient, pronoun, frequency, opening, ending;
  } at;
};

// ---- parts

static void add_adverb(struct phrase *part, const struct adverb *adverb) {
  int place = phrase_english(part, adverb->english);
  phrase_spanish(part, adverb->spanish, place);
}

static const struct adverb *choose_adverb(struct chooser *chooser, enum tense tense, bool manner) {
  for (;;) {
    const struct adverb *adverb = &adverbs[choose(chooser, adverb_count)];
    if ((adverb->tenses & 1 << tense) && adverb->manner == manner) return adverb;
  }
}

static void add_place(struct phrase *part, struct pair *pair, struct chooser *chooser, uint32_t classes) {
  const struct preposition *preposition;
  do preposition = &prepositions[choose(chooser, preposition_count)];
  while (!(preposition->classes & classes));
  struct noun_phrase place;
  noun_phrase(&place, pair, chooser, preposition->classes & classes, WITH_ADJECTIVES | WITH_POSSESSOR | WITH_NAMES);
  int first = phrase_english(part, preposition->english), base = phrase_add_english(part, &place.words);
  phrase_spanish(part, preposition->spanish, first);
  phrase_add_spanish(part, &place.words, base);
}

// ---- sentences with a verb of doing

static void choose_objects(struct clause *clause, struct pair *pair, struct chooser *chooser) {
  const struct verb *verb = clause->verb;
  bool pronoun = (verb->kind == TRANSITIVE && chance(chooser, 22)) || (verb->kind == GIVING && chance(chooser, 40));
  if (clause->question == WHAT || clause->question == WHOM) return;
  while (pronoun) {
    const struct object_pronoun *choice = &object_pronouns[choose(chooser, OBJECT_PRONOUNS)];
    bool person = verb->kind == GIVING || (verb->objects & PERSON), thing = verb->kind == TRANSITIVE && (verb->objects & ~PERSON);
    bool fits = ((choice->person && person) || (choice->thing && thing)) && (verb->kind == TRANSITIVE || choice->indirect);
    if (!fits || (choice->subjects & 1 << clause->subject.person)) continue;
    clause->pronoun = choice;
    break;
  }
  clause->has_object = verb->kind != INTRANSITIVE && !(clause->pronoun && verb->kind == TRANSITIVE);
  clause->has_recipient = verb->kind == GIVING && !clause->pronoun;
  if (clause->has_object) object_phrase(&clause->object, pair, chooser, verb, OBJECT_OPTIONS);
  if (clause->has_recipient) noun_phrase(&clause->recipient, pair, chooser, PERSON, WITH_ADJECTIVES | WITH_NAMES);
}

static void choose_endings(struct clause *clause, struct pair *pair, struct chooser *chooser) {
  const struct verb *verb = clause->verb;
  bool open = clause->question == STATEMENT || clause->question == YES_OR_NO;
  if (verb->manner && open && chance(chooser, 25)) {
    add_adverb(&clause->ending, choose_adverb(chooser, clause->tense, true));
    return;
  }
  bool room = verb->kind == INTRANSITIVE && !verb->reflexive;
  if (room && clause->question != WHERE && (verb->needs_place || chance(chooser, 30)))
    add_place(&clause->ending, pair, chooser, verb->needs_place ? AT_PLACES : AT_PLACES | PLANT | PERSON);
  if (clause->question == WHEN || clause->frequency >= 0 || !chance(chooser, 25)) return;
  const struct adverb *adverb = choose_adverb(chooser, clause->tense, false);
  bool first = adverb->opens && clause->question == STATEMENT && chance(chooser, 40);
  add_adverb(first ? &clause->opening : &clause->ending, adverb);
}

// The word that asks for what is missing with this verb.
static enum question_word asking(const struct verb *verb) {
  switch (verb->kind) {
    case TRANSITIVE: return verb->objects & ~(PERSON | ANIMAL) ? WHAT : WHOM;
    case INTRANSITIVE: return WHERE;
    case MOTION: return WHEN;
    default: return WHY;
  }
}

static enum question_word choose_question(struct chooser *chooser, const struct verb *verb) {
  size_t kind = choose(chooser, 100);
  return kind < 70 ? STATEMENT : kind < 88 ? YES_OR_NO : kind < 92 ? WHO : kind < 94 ? WHY : asking(verb);
}

static void choose_clause(struct clause *clause, struct pair *pair, struct chooser *chooser) {
  size_t number;
  do number = choose(chooser, verb_count);
  while (verbs[number].kind == LIKING);
  const struct verb *verb = clause->verb = &verbs[number];
  clause->question = choose_question(chooser, verb);
  size_t tense = choose(chooser, 100);
  clause->tense = tense < 48 ? PRESENT : tense < 78 ? PAST : FUTURE;
  if (clause->question == STATEMENT) clause->negative = chance(chooser, 22);
  bool may_have_modal = clause->tense == PRESENT && clause->question <= YES_OR_NO;
  if (may_have_modal && chance(chooser, 20)) clause->modal = &modals[choose(chooser, 3)];
  bool plain = clause->question == STATEMENT && !clause->negative && !clause->modal;
  clause->frequency = plain && clause->tense == PRESENT && chance(chooser, 15) ? (int)choose(chooser, 3) : -1;
  bool shows_tense = (plain || clause->question == WHO) && clause->tense == PAST;
  if (shows_tense && !looks_past(verb)) clause->tense = FUTURE;
  if (clause->question == WHO) {
    clause->subject = (struct noun_phrase){.heads = {who_as_subject()}, .head_count = 1, .person = THIRD, .classes = PERSON};
  } else {
    int options = clause->question == STATEMENT ? SUBJECT_OPTIONS : WITH_ADJECTIVES | WITH_NAMES | WITH_PRONOUNS;
    noun_phrase(&clause->subject, pair, chooser, verb->subjects, options);
  }
  record_subject(pair, &clause->subject, number);
  choose_objects(clause, pair, chooser);
  choose_endings(clause, pair, chooser);
}

// The auxiliary that English questions and negations need.
static const char *auxiliary(const struct clause *clause) {
  if (clause->tense == FUTURE) return "will";
  if (clause->tense == PAST) return "did";
  return clause->subject.person == THIRD ? "does" : "do";
}

static void english_verb_group(struct phrase *out, struct clause *clause) {
  const struct modal *modal = clause->modal;
  bool third = clause->subject.person == THIRD, with_do = !modal || !modal->negative;
  char form[FORM];
  if (clause->negative && with_do) {
    phrase_english(out, auxiliary(clause));
    clause->at.negation = phrase_english(out, "not");
  }
  if (modal) {
    const char *positive = third && !clause->negative ? modal->third : modal->english;
    clause->at.modal = phrase_english(out, clause->negative && modal->negative ? modal->negative : positive);
    if (clause->negative && modal->negative) clause->at.negation = clause->at.modal;
  }
  if (clause->tense == FUTURE && !clause->negative) phrase_english(out, "will");
  bool bare = modal || clause->negative || clause->tense == FUTURE;
  const char *verb = clause->verb->english;
  if (!bare && clause->tense == PAST) verb = english_past(form, clause->verb);
  if (!bare && clause->tense == PRESENT && third) verb = english_third_person(form, clause->verb);
  clause->at.verb = phrase_english(out, verb);
}

// Do you want to, can you, will you, did you.
static void english_question_group(struct phrase *out, struct clause *clause) {
  const struct modal *modal = clause->modal;
  bool leading = modal && modal->negative;
  int first = phrase_english(out, leading ? modal->english : auxiliary(clause));
  clause->at.subject = phrase_add_english(out, &clause->subject.words);
  if (leading) clause->at.modal = first;
  if (modal && !leading) clause->at.modal = phrase_english(out, modal->english);
  clause->at.verb = phrase_english(out, clause->verb->english);
}

static void english_clause(struct phrase *out, struct clause *clause) {
  clause->at.opening = phrase_add_english(out, &clause->opening);
  if (clause->question > YES_OR_NO) clause->at.question = phrase_english(out, question_words[clause->question].english);
  if (clause->question == STATEMENT || clause->question == WHO) {
    clause->at.subject = phrase_add_english(out, &clause->subject.words);
    if (clause->frequency >= 0) clause->at.frequency = phrase_english(out, frequencies[clause->frequency].english);
    english_verb_group(out, clause);
  } else {
    english_question_group(out, clause);
  }
  bool giving = clause->verb->kind == GIVING;
  if (clause->verb->particle) phrase_english(out, clause->verb->particle);
  if (clause->pronoun) clause->at.pronoun = phrase_english(out, clause->pronoun->english);
  if (clause->has_object) clause->at.object = phrase_add_english(out, &clause->object.words);
  if (giving && clause->has_recipient) {
    phrase_english(out, "to");
    clause->at.recipient = phrase_add_english(out, &clause->recipient.words);
  }
  clause->at.ending = phrase_add_english(out, &clause->ending);
}

static void spanish_before_verb(struct phrase *out, const struct clause *clause) {
  if (clause->frequency >= 0) phrase_spanish(out, frequencies[clause->frequency].spanish, clause->at.frequency);
  if (clause->negative) phrase_spanish(out, "no", clause->at.negation);
  if (clause->verb->reflexive) phrase_spanish(out, reflexives[clause->subject.person], NO_SOURCE);
  if (clause->has_recipient) phrase_spanish(out, clause->recipient.agreement.plural ? "les" : "le", NO_SOURCE);
  if (!clause->pronoun) return;
  bool giving = clause->verb->kind == GIVING;
  phrase_spanish(out, giving ? clause->pronoun->indirect : clause->pronoun->direct, clause->at.pronoun);
}

static void spanish_objects(struct phrase *out, const struct clause *clause) {
  if (clause->has_object && clause->verb->kind == MOTION) phrase_spanish(out, clause->verb->direction, NO_SOURCE);
  bool direct = clause->has_object && clause->verb->kind == TRANSITIVE;
  if (direct && takes_personal_a(&clause->object)) phrase_spanish(out, "a", NO_SOURCE);
  if (clause->has_object) phrase_add_spanish(out, &clause->object.words, clause->at.object);
  if (clause->has_recipient) {
    phrase_spanish(out, "a", clause->at.recipient - 1);
    phrase_add_spanish(out, &clause->recipient.words, clause->at.recipient);
  }
  phrase_add_spanish(out, &clause->ending, clause->at.ending);
}

// Statement: subject, verb, objects. Question: verb, subject, objects. A subject stands between a modal and its verb unless
// a pronoun of that verb stands before both: ¿Puede Ana ver la casa? ¿La puede ver Ana?
static void spanish_clause(struct phrase *out, const struct clause *clause) {
  char form[FORM];
  bool inverted = clause->question != STATEMENT;
  phrase_add_spanish(out, &clause->opening, clause->at.opening);
  if (clause->question > YES_OR_NO) phrase_spanish(out, question_words[clause->question].spanish, clause->at.question);
  if (!inverted) phrase_add_spanish(out, &clause->subject.words, clause->at.subject);
  spanish_before_verb(out, clause);
  enum person person = clause->subject.person;
  if (clause->modal) phrase_spanish(out, clause->modal->spanish[person], clause->at.modal);
  if (!clause->modal) phrase_spanish(out, spanish_verb(form, clause->verb, clause->tense, person), clause->at.verb);
  bool together = clause->verb->reflexive || clause->pronoun || clause->has_recipient;
  if (clause->modal && together) phrase_spanish(out, clause->verb->spanish, clause->at.verb);
  if (inverted && clause->question != WHO) phrase_add_spanish(out, &clause->subject.words, clause->at.subject);
  if (clause->modal && !together) phrase_spanish(out, clause->verb->spanish, clause->at.verb);
  spanish_objects(out, clause);
}

static void doing_sentence(struct pair *pair, struct chooser *chooser) {
  struct clause clause = {0};
  struct phrase out = {0};
  choose_clause(&clause, pair, chooser);
  english_clause(&out, &clause);
  spanish_clause(&out, &clause);
  phrase_finish(&out, pair, clause.question != STATEMENT);
}

// ---- liking: the girl likes the cat, a la niña le gusta el gato

static void liking_sentence(struct pair *pair, struct chooser *chooser) {
  static const char *const dative[PERSONS] = {"me", "te", "le", "nos", "les"};
  size_t number = 0;
  while (verbs[number].kind != LIKING) number++;
  struct clause clause = {.verb = &verbs[number], .frequency = -1};
  clause.question = chance(chooser, 25) ? YES_OR_NO : STATEMENT;
  clause.negative = clause.question == STATEMENT && chance(chooser, 25);
  size_t tense = choose(chooser, 100);
  clause.tense = tense < 60 ? PRESENT : tense < 85 ? PAST : FUTURE;
  noun_phrase(&clause.subject, pair, chooser, PERSON, WITH_ADJECTIVES | WITH_NAMES | WITH_PRONOUNS);
  record_subject(pair, &clause.subject, number);
  noun_phrase(&clause.object, pair, chooser, clause.verb->objects & ~PERSON, WITH_ADJECTIVES | WITH_POSSESSOR | ONLY_DEFINITE);
  clause.has_object = true;
  struct phrase out = {0};
  char form[FORM];
  english_clause(&out, &clause);
  bool question = clause.question != STATEMENT;
  for (int part = 0; part < 2; part++) {  // who likes it stands first in a statement and last in a question
    bool who = (part == 0) != question;
    if (who && !clause.subject.dropped) {
      phrase_spanish(&out, "a", NO_SOURCE);
      phrase_add_spanish(&out, &clause.subject.words, clause.at.subject);
    }
    if (who) continue;
    if (clause.negative) phrase_spanish(&out, "no", clause.at.negation);
    phrase_spanish(&out, dative[clause.subject.person], clause.subject.dropped ? clause.at.subject : NO_SOURCE);
    phrase_spanish(&out, spanish_verb(form, clause.verb, clause.tense, clause.object.person), clause.at.verb);
    phrase_add_spanish(&out, &clause.object.words, clause.at.object);
  }
  phrase_finish(&out, pair, question);
}

// ---- to be

static const char *english_be(enum tense tense, enum person person) {
  static const char *const forms[2][PERSONS] = {{"am", "are", "is", "are", "are"}, {"was", "were", "was", "were", "were"}};
  return tense == FUTURE ? "will" : forms[tense][person];
}

static enum tense choose_tense_of_being(struct chooser *chooser) {
  size_t tense = choose(chooser, 100);
  return tense < 55 ? PRESENT : tense < 85 ? PAST : FUTURE;
}

// Writes "is not", "will not be" or, in a question, "is SUBJECT", "will SUBJECT be"; returns the place of the negation.
static int english_being(struct phrase *out, const struct noun_phrase *subject, enum tense tense, bool negative, bool question,
                         int *at_subject, int *at_verb) {
  int negation = 0;
  if (!question) *at_subject = phrase_add_english(out, &subject->words);
  *at_verb = phrase_english(out, english_be(tense, subject->person));
  if (question) *at_subject = phrase_add_english(out, &subject->words);
  if (negative) negation = phrase_english(out, "not");
  if (tense == FUTURE) *at_verb = phrase_english(out, "be");
  return negation;
}

// An adjective that can be said of all of the subject's nouns; adjective_count if a few tries found none.
static size_t choose_predicate(struct chooser *chooser, const struct noun_phrase *subject) {
  for (int tries = 0; tries < 60; tries++) {
    size_t i = choose(chooser, adjective_count);
    bool fits = !strstr(adjectives[i].masculine, "de ") && !adjectives[i].short_feminine;
    uint32_t classes = adjectives[i].classes;
    for (int head = 0; head < subject->head_count; head++)
      fits = fits && (classes & (subject->heads[head] < noun_count ? nouns[subject->heads[head]].classes : (uint32_t)PERSON));
    if (fits) return i;
  }
  return adjective_count;
}

// The house is very big: la casa es muy grande. Are the girls tired? ¿Están cansadas las niñas?
static void describing_sentence(struct pair *pair, struct chooser *chooser) {
  struct noun_phrase subject;
  size_t number;
  bool question = chance(chooser, 25), negative = !question && chance(chooser, 20);
  do {
    pair->combination_count = 0;
    noun_phrase(&subject, pair, chooser, ~0u, (question ? 0 : WITH_POSSESSOR | WITH_PAIRS) | DESCRIBED);
    number = choose_predicate(chooser, &subject);
  } while (number == adjective_count);
  const struct adjective *adjective = &adjectives[number];
  enum tense tense = choose_tense_of_being(chooser);
  record_subject(pair, &subject, verb_count);
  for (int i = 0; i < subject.head_count; i++)
    if (subject.heads[i] < noun_count) record(pair, ADJECTIVE_NOUN, number, subject.heads[i]);
  bool very = adjective->graded && chance(chooser, 20);
  struct phrase out = {0};
  int at_subject, at_verb, at_very = 0, at_not = english_being(&out, &subject, tense, negative, question, &at_subject, &at_verb);
  if (very) at_very = phrase_english(&out, "very");
  int at_adjective = phrase_english(&out, adjective->english);
  if (!question) phrase_add_spanish(&out, &subject.words, at_subject);
  if (negative) phrase_spanish(&out, "no", at_not);
  phrase_spanish(&out, spanish_copula(adjective->copula, tense, subject.person), at_verb);
  bool pronoun = question && subject.words.spanish_count == 1 && subject.heads[0] >= noun_count + name_count;
  if (pronoun) phrase_add_spanish(&out, &subject.words, at_subject);  // ¿Está él cansado?
  if (very) phrase_spanish(&out, "muy", at_very);
  char form[FORM];
  phrase_spanish(&out, spanish_adjective(form, adjective, subject.agreement, false), at_adjective);
  if (question && !pronoun) phrase_add_spanish(&out, &subject.words, at_subject);
  phrase_finish(&out, pair, question);
}

// The book is on the table: el libro está en la mesa.
static void locating_sentence(struct pair *pair, struct chooser *chooser) {
  bool thing = chance(chooser, 50), question = chance(chooser, 25), negative = !question && chance(chooser, 20);
  struct noun_phrase subject;
  struct phrase place = {0}, out = {0};
  int options = WITH_ADJECTIVES | (question ? 0 : WITH_POSSESSOR | WITH_PAIRS) | DESCRIBED;
  noun_phrase(&subject, pair, chooser, thing ? THING : PERSON | ANIMAL, options);
  record_subject(pair, &subject, verb_count);
  add_place(&place, pair, chooser, thing ? FURNITURE | PLANT : AT_PLACES | PLANT);
  enum tense tense = choose_tense_of_being(chooser);
  int at_subject, at_verb, at_not = english_being(&out, &subject, tense, negative, question, &at_subject, &at_verb);
  int at_place = phrase_add_english(&out, &place);
  if (!question) phrase_add_spanish(&out, &subject.words, at_subject);
  if (negative) phrase_spanish(&out, "no", at_not);
  phrase_spanish(&out, spanish_copula(ESTAR, tense, subject.person), at_verb);
  if (question) phrase_add_spanish(&out, &subject.words, at_subject);
  phrase_add_spanish(&out, &place, at_place);
  phrase_finish(&out, pair, question);
}

// There are two cats under the table: hay dos gatos debajo de la mesa.
static void existing_sentence(struct pair *pair, struct chooser *chooser) {
  static const char *const spanish[] = {"hay", "había", "habrá"};
  bool thing = chance(chooser, 50), question = chance(chooser, 25);
  struct noun_phrase subject;
  struct phrase place = {0}, out = {0};
  noun_phrase(&subject, pair, chooser, thing ? THING : PERSON | ANIMAL, WITH_ADJECTIVES | ONLY_INDEFINITE);
  add_place(&place, pair, chooser, thing ? FURNITURE | PLANT : AT_PLACES | PLANT);
  enum tense tense = choose_tense_of_being(chooser);
  const char *be = english_be(tense, subject.person);
  int first = phrase_english(&out, question ? be : "there");
  phrase_english(&out, question ? "there" : be);
  if (tense == FUTURE) phrase_english(&out, "be");
  int at_subject = phrase_add_english(&out, &subject.words), at_place = phrase_add_english(&out, &place);
  phrase_spanish(&out, spanish[tense], first);
  phrase_add_spanish(&out, &subject.words, at_subject);
  phrase_add_spanish(&out, &place, at_place);
  phrase_finish(&out, pair, question);
}

void grammar_sentence(struct pair *pair, struct chooser *chooser) {
  *pair = (struct pair){0};
  size_t kind = choose(chooser, 100);
  if (kind < 64)
    doing_sentence(pair, chooser);
  else if (kind < 72)
    liking_sentence(pair, chooser);
  else if (kind < 88)
    describing_sentence(pair, chooser);
  else if (kind < 95)
    locating_sentence(pair, chooser);
  else
    existing_sentence(pair, chooser);
}
