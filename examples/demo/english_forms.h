// English word forms. A form is written into a fixed buffer, which is also returned.
#pragma once
#include "lexicon.h"

enum { FORM = 32 };

const char *english_plural(char out[FORM], const struct noun *noun);
const char *english_third_person(char out[FORM], const struct verb *verb);
const char *english_past(char out[FORM], const struct verb *verb);
const char *english_article(const char *next_word);  // "a" or "an"
