#include "noun_phrase.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct pronoun {
  const char *english, *spanish;  // NULL: left out
  enum person person;
  struct agreement agreement;
} pronouns[] = {
    {"I", NULL, FIRST, {MASCULINE, false}},        {"you", NULL, SECOND, {MASCULINE, false}},
    {"he", "él", THIRD, {MASCULINE, false}},       {"she", "ella", THIRD, {FEMININE, false}},
    {"we", NULL, FIRST_PLURAL, {MASCULINE, true}}, {"they", "ellos", THIRD_PLURAL, {MASCULINE, true}},
};
enum { PRONOUNS = sizeof pronouns / sizeof *pronouns };

size_t choose(struct chooser *chooser, size_t n) { return (size_t)random_below(chooser->key, chooser->counter++, n); }

bool chance(struct chooser *chooser, size_t percent) { return choose(chooser, 100) < percent; }

size_t who_as_subject(void) { return noun_count + name_count + PRONOUNS; }

size_t subject_count(void) { return who_as_subject() + 1; }

void record(struct pair *pair, enum combination_kind kind, size_t first, size_t second) {
  assert(pair->combination_count < MOST_COMBINATIONS);
  pair->combinations[pair->combination_count++] = (struct combination){kind, first, second};
}

void record_subject(struct pair *pair, const struct noun_phrase *subject, size_t verb) {
  for (int i = 0; i < subject->head_count; i++) record(pair, SUBJECT_VERB, subject->heads[i], verb);
}

bool looks_past(const struct verb *verb) {
  char past[FORM];
  return strcmp(english_past(past, verb), verb->english);
}

bool takes_personal_a(const struct noun_phrase *object) {
  return (object->classes & PERSON) || ((object->classes & ANIMAL) && object->definite);
}

static size_t choose_noun(struct chooser *chooser, uint32_t classes) {
  for (;;) {
    size_t i = choose(chooser, noun_count);
    if (nouns[i].classes & classes) return i;
  }
}

static const struct determiner *choose_determiner(struct chooser *chooser, const struct noun *noun, bool plural, int options) {
  int total = 0;
  for (size_t i = 0; i < determiner_count; i++) total += determiners[i].weight;
  for (;;) {
    const struct determiner *determiner = determiners;
    for (int place = (int)choose(chooser, (size_t)total); place >= determiner->weight; determiner++) place -= determiner->weight;
    bool fits_number = determiner->use == BOTH_NUMBERS || (determiner->use == PLURAL_ONLY) == plural;
    bool fits_mass = !noun->mass || determiner->with_mass;
    bool fits_options = determiner->definiteness == DEFINITE     ? !(options & ONLY_INDEFINITE)
                        : determiner->definiteness == INDEFINITE ? !(options & ONLY_DEFINITE)
                                                                 : !(options & (ONLY_DEFINITE | ONLY_INDEFINITE));
    if (fits_number && fits_mass && fits_options) return determiner;
  }
}

// An adjective that goes with the noun and stands at that place, or adjective_count if a few tries found none.
static size_t choose_adjective(struct chooser *chooser, const struct noun *noun, enum adjective_place place) {
  for (int tries = 0; tries < 60; tries++) {
    size_t i = choose(chooser, adjective_count);
    if ((adjectives[i].classes & noun->classes) && adjectives[i].place == place) return i;
  }
  return adjective_count;
}

// What stands around a noun.
struct decoration {
  size_t before, after;  // adjectives; adjective_count: none
  bool very;
};

static struct decoration decorate(struct chooser *chooser, const struct noun *noun, int options) {
  struct decoration decoration = {adjective_count, adjective_count, false};
  if (!(options & WITH_ADJECTIVES)) return decoration;
  if (chance(chooser, 8)) decoration.before = choose_adjective(chooser, noun, BEFORE_NOUN);
  size_t after = decoration.before < adjective_count ? 15 : 36;
  if (chance(chooser, after)) decoration.after = choose_adjective(chooser, noun, AFTER_NOUN);
  if (decoration.after < adjective_count) decoration.very = adjectives[decoration.after].graded && chance(chooser, 10);
  return decoration;
}

// "good very old house". The places of the four come back: adjective before, very, adjective after (in Spanish), noun.
static void english_core(struct phrase *words, const struct noun *noun, bool plural, const struct decoration *decoration,
                         int places[4]) {
  char form[FORM];
  if (decoration->before < adjective_count) places[0] = phrase_english(words, adjectives[decoration->before].english);
  if (decoration->very) places[1] = phrase_english(words, "very");
  if (decoration->after < adjective_count) places[2] = phrase_english(words, adjectives[decoration->after].english);
  places[3] = phrase_english(words, plural ? english_plural(form, noun) : noun->english);
}

static const char *spanish_determiner(const struct determiner *determiner, const struct noun *noun, bool plural, bool directly) {
  if (!plural && directly && noun->stressed_a && determiner->before_stressed_a) return determiner->before_stressed_a;
  return determiner->spanish[noun->gender + 2 * plural];
}

static void spanish_core(struct phrase *words, const struct noun *noun, struct agreement agreement,
                         const struct decoration *decoration, const int places[4]) {
  char form[FORM];
  if (decoration->before < adjective_count)
    phrase_spanish(words, spanish_adjective(form, &adjectives[decoration->before], agreement, true), places[0]);
  phrase_spanish(words, spanish_noun(form, noun, agreement.plural), places[3]);
  if (decoration->very) phrase_spanish(words, "muy", places[1]);
  if (decoration->after < adjective_count)
    phrase_spanish(words, spanish_adjective(form, &adjectives[decoration->after], agreement, false), places[2]);
}

static void name_phrase(struct noun_phrase *phrase, size_t i) {
  *phrase = (struct noun_phrase){.person = THIRD, .agreement = {names[i].gender, false}, .classes = PERSON, .definite = true};
  phrase->heads[phrase->head_count++] = noun_count + i;
  phrase_spanish(&phrase->words, names[i].name, phrase_english(&phrase->words, names[i].name));
}

static void pronoun_phrase(struct noun_phrase *phrase, size_t i) {
  const struct pronoun *pronoun = &pronouns[i];
  *phrase = (struct noun_phrase){.person = pronoun->person, .agreement = pronoun->agreement, .classes = PERSON, .definite = true};
  phrase->dropped = !pronoun->spanish;
  phrase->heads[phrase->head_count++] = noun_count + name_count + i;
  int place = phrase_english(&phrase->words, pronoun->english);
  if (pronoun->spanish) phrase_spanish(&phrase->words, pronoun->spanish, place);
}

// the king's, Ana's: with a short phrase for who has it.
static void possessor_phrase(struct noun_phrase *possessor, struct pair *pair, struct chooser *chooser, size_t owned) {
  *possessor = (struct noun_phrase){0};
  if (chance(chooser, 35)) {
    name_phrase(possessor, choose(chooser, name_count));
  } else {
    do noun_phrase(possessor, pair, chooser, PERSON, ONLY_DEFINITE);
    while (possessor->agreement.plural || possessor->heads[0] == owned);
  }
  char *last = possessor->words.english[possessor->words.english_count - 1];
  size_t size = strlen(last);
  snprintf(last + size, FORM - size, "'s");
}

static void record_adjectives(struct pair *pair, const struct decoration *decoration, size_t noun) {
  if (decoration->before < adjective_count) record(pair, ADJECTIVE_NOUN, decoration->before, noun);
  if (decoration->after < adjective_count) record(pair, ADJECTIVE_NOUN, decoration->after, noun);
}

static void plain_phrase(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser, size_t number, int options) {
  const struct noun *noun = &nouns[number];
  bool plural = !noun->mass && chance(chooser, 32);
  const struct determiner *determiner = choose_determiner(chooser, noun, plural, options);
  struct decoration decoration = decorate(chooser, noun, options);
  *phrase = (struct noun_phrase){.person = plural ? THIRD_PLURAL : THIRD, .agreement = {noun->gender, plural}};
  phrase->classes = noun->classes;
  phrase->definite = determiner->definiteness == DEFINITE;
  phrase->heads[phrase->head_count++] = number;
  record_adjectives(pair, &decoration, number);
  struct phrase *words = &phrase->words;
  int places[4] = {0}, article = phrase_english(words, plural ? determiner->english_plural : determiner->english);
  english_core(words, noun, plural, &decoration, places);
  if (!plural && !strcmp(determiner->english, "a")) strcpy(words->english[article], english_article(words->english[article + 1]));
  bool directly = decoration.before == adjective_count;
  phrase_spanish(words, spanish_determiner(determiner, noun, plural, directly), article);
  spanish_core(words, noun, phrase->agreement, &decoration, places);
}

// the king's old horse: el caballo viejo del rey.
static void possessed_phrase(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser, size_t number, int options) {
  const struct noun *noun = &nouns[number];
  bool plural = !noun->mass && chance(chooser, 25);
  struct noun_phrase possessor;
  possessor_phrase(&possessor, pair, chooser, number);
  struct decoration decoration = decorate(chooser, noun, options);
  *phrase = (struct noun_phrase){
      .person = plural ? THIRD_PLURAL : THIRD, .agreement = {noun->gender, plural}, .classes = noun->classes, .definite = true};
  phrase->heads[phrase->head_count++] = number;
  record_adjectives(pair, &decoration, number);
  struct phrase *words = &phrase->words;
  int places[4] = {0}, base = phrase_add_english(words, &possessor.words);
  english_core(words, noun, plural, &decoration, places);
  phrase_spanish(words, spanish_determiner(&determiners[0], noun, plural, decoration.before == adjective_count), NO_SOURCE);
  spanish_core(words, noun, phrase->agreement, &decoration, places);
  phrase_spanish(words, "de", NO_SOURCE);
  phrase_add_spanish(words, &possessor.words, base);
}

// who sings, that eats the apples.
static void add_relative(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser) {
  size_t i;
  do i = choose(chooser, verb_count);
  while (!(verbs[i].subjects & phrase->classes) || verbs[i].kind > TRANSITIVE || verbs[i].reflexive || verbs[i].needs_place);
  const struct verb *verb = &verbs[i];
  enum tense tense = looks_past(verb) && chance(chooser, 50) ? PAST : PRESENT;
  record_subject(pair, phrase, i);
  char form[FORM];
  struct phrase *words = &phrase->words;
  int who = phrase_english(words, phrase->classes & PERSON ? "who" : "that");
  const char *english = verb->english;
  if (tense == PAST) english = english_past(form, verb);
  if (tense == PRESENT && phrase->person == THIRD) english = english_third_person(form, verb);
  int place = phrase_english(words, english);
  if (verb->particle) phrase_english(words, verb->particle);
  phrase_spanish(words, "que", who);
  phrase_spanish(words, spanish_verb(form, verb, tense, phrase->person), place);
  if (verb->kind != TRANSITIVE) return;
  struct noun_phrase object;
  object_phrase(&object, pair, chooser, verb, 0);
  int base = phrase_add_english(words, &object.words);
  if (takes_personal_a(&object)) phrase_spanish(words, "a", NO_SOURCE);
  phrase_add_spanish(words, &object.words, base);
}

static void add_second(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser, uint32_t classes) {
  struct noun_phrase second;
  int options = phrase->definite ? ONLY_DEFINITE : 0;
  int tries = 0;
  do noun_phrase(&second, pair, chooser, phrase->classes & classes, options);
  while (second.heads[0] == phrase->heads[0] && ++tries < 20);
  if (tries == 20) return;  // no other noun of that kind
  int place = phrase_english(&phrase->words, "and"), base = phrase_add_english(&phrase->words, &second.words);
  phrase_spanish(&phrase->words, "y", place);
  phrase_add_spanish(&phrase->words, &second.words, base);
  phrase->heads[phrase->head_count++] = second.heads[0];
  phrase->person = THIRD_PLURAL;
  bool feminine = phrase->agreement.gender == FEMININE && second.agreement.gender == FEMININE;
  phrase->agreement = (struct agreement){feminine ? FEMININE : MASCULINE, true};
}

void noun_phrase(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser, uint32_t classes, int options) {
  bool person = classes & PERSON;
  if (person && (options & WITH_PRONOUNS) && chance(chooser, 32)) {
    pronoun_phrase(phrase, choose(chooser, PRONOUNS));
    return;
  }
  if (person && (options & WITH_NAMES) && chance(chooser, 16)) {
    name_phrase(phrase, choose(chooser, name_count));
    return;
  }
  size_t number = choose_noun(chooser, classes);
  if ((options & WITH_POSSESSOR) && chance(chooser, 10)) {
    possessed_phrase(phrase, pair, chooser, number, options);
    return;
  }
  plain_phrase(phrase, pair, chooser, number, options);
  if ((options & WITH_RELATIVE) && (phrase->classes & (PERSON | ANIMAL)) && chance(chooser, 7)) {
    add_relative(phrase, pair, chooser);
  } else if ((options & WITH_PAIRS) && chance(chooser, 7)) {
    add_second(phrase, pair, chooser, classes);
  }
}

void object_phrase(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser, const struct verb *verb, int options) {
  size_t counted = pair->combination_count;
  do {
    pair->combination_count = counted;
    noun_phrase(phrase, pair, chooser, verb->objects, options);
  } while ((phrase->classes & ANIMAL) && !phrase->definite);
}
