// A vocabulary of whole words: a word is its own token, or the unknown one.
#pragma once
#include "text/vocabulary.h"

struct word_level {
  struct vocabulary vocabulary;
  char *unknown;  // the unknown token's text; it need not be in the vocabulary as long as no unknown word comes up
};

// The word's id, or the unknown token's; -1 with an error when there is neither.
int32_t word_level_encode(const struct word_level *model, const char *word, size_t size, struct error *error);
void word_level_free(struct word_level *model);
