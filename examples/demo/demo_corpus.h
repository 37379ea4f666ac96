// A corpus of the demo's language in three splits. Combinations of an adjective with a noun and of a subject with a verb
// are dealt to the splits by a hash: what is dealt to valid or test occurs in no other split, in any inflection. Every word of
// valid and test occurs in train.
#pragma once
#include "base/error.h"
#include "grammar.h"

enum split { TRAIN, VALID, TEST, SPLITS };

struct corpus {
  struct pair *pairs[SPLITS];
  size_t counts[SPLITS];
};

// The split that a combination belongs to. It depends on nothing but the seed and the words. Names with "to be" and pronouns
// with "to like" are never held out.
enum split combination_split(uint64_t seed, const struct combination *combination);

// Makes `wanted` distinct pairs for each split. The same seed gives the same corpus.
bool corpus_make(struct corpus *corpus, uint64_t seed, const size_t wanted[SPLITS], struct error *error);
void corpus_free(struct corpus *corpus);
// DIRECTORY/train.en, train.es, valid.en, ... one sentence a line.
bool corpus_write(const struct corpus *corpus, const char *directory, struct error *error);
