// Noun phrases of the demo's language: articles, numbers and possessives with nouns and adjectives, names, pronouns, two of
// them joined by "and", what belongs to somebody, and what somebody does (the man who sings).
#pragma once
#include "phrase.h"

struct noun_phrase {
  struct phrase words;
  size_t heads[2];  // as subjects of combinations
  int head_count;
  enum person person;
  struct agreement agreement;
  uint32_t classes;
  bool definite, dropped;  // dropped: a pronoun that Spanish leaves out; `words` has only its English side
};

enum {
  WITH_ADJECTIVES = 1 << 0,
  WITH_POSSESSOR = 1 << 1,
  WITH_RELATIVE = 1 << 2,
  WITH_PAIRS = 1 << 3,      // joined by "and"
  WITH_NAMES = 1 << 4,
  WITH_PRONOUNS = 1 << 5,
  ONLY_DEFINITE = 1 << 6,
  ONLY_INDEFINITE = 1 << 7,
};

void noun_phrase(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser, uint32_t classes, int options);
// The direct object of a verb: an animal only where it is definite, because it has "a" then.
void object_phrase(struct noun_phrase *phrase, struct pair *pair, struct chooser *chooser, const struct verb *verb, int options);
bool takes_personal_a(const struct noun_phrase *object);

void record(struct pair *pair, enum combination_kind kind, size_t first, size_t second);
void record_subject(struct pair *pair, const struct noun_phrase *subject, size_t verb);
size_t who_as_subject(void);

bool looks_past(const struct verb *verb);  // its English past differs from its present
