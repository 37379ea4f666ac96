// Words of both languages while a sentence grows: every Spanish word knows the English word it comes from.
#pragma once
#include "grammar.h"

enum { NO_SOURCE = -1 };

struct spanish_word {
  char text[FORM];
  int source;  // number of an English word, or NO_SOURCE
};

struct phrase {
  char english[MOST_WORDS][FORM];
  struct spanish_word spanish[MOST_WORDS];
  int english_count, spanish_count;
};

// Appends the words of a text (separated by blanks) and returns the number of the first.
int phrase_english(struct phrase *phrase, const char *text);
void phrase_spanish(struct phrase *phrase, const char *text, int source);
// Appends one side of another phrase. The Spanish words keep their sources, which stand at `base` here.
int phrase_add_english(struct phrase *phrase, const struct phrase *part);
void phrase_add_spanish(struct phrase *phrase, const struct phrase *part, int base);
// Both sides as sentences: contractions (al, del), a capital letter first, punctuation.
void phrase_finish(struct phrase *phrase, struct pair *pair, bool question);
