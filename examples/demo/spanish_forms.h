// Spanish word forms: the rules of regular and stem-changing words, with the spelling that goes with them.
// A form is written into a fixed buffer, which is also returned.
#pragma once
#include "english_forms.h"

// First, second, third person singular, first and third plural; the second plural of Spain is left out.
enum person { FIRST, SECOND, THIRD, FIRST_PLURAL, THIRD_PLURAL, PERSONS };

struct agreement {
  enum gender gender;
  bool plural;
};

const char *spanish_noun(char out[FORM], const struct noun *noun, bool plural);
// before_noun chooses the short forms: un buen libro.
const char *spanish_adjective(char out[FORM], const struct adjective *adjective, struct agreement agreement, bool before_noun);
const char *spanish_verb(char out[FORM], const struct verb *verb, enum tense tense, enum person person);
// Past is the imperfect: the house was white, la casa era blanca.
const char *spanish_copula(enum copula copula, enum tense tense, enum person person);
