// Learning a unigram model of pieces from counted words (Kudo 2018, section 3.2; as SentencePiece does it): starting from many
// pieces that occur often, expectation maximisation fits their probabilities, and the pieces without which the words become least
// improbable are taken away, a quarter at a time, until the vocabulary has the wanted size.
#pragma once
#include "text/unigram.h"
#include "text/word_counts.h"

struct unigram_learning {
  const struct word_view *words;  // in a fixed order
  size_t word_count;
  size_t vocab_size;       // pieces that the vocabulary may have, with those that it has already
  uint64_t min_frequency;  // of a piece of several characters to begin with
};

// model holds the special tokens and gets the pieces, the most probable first. alphabet_cut: characters for which there was no
// room. Sums are taken in an order that does not depend on the number of threads.
bool unigram_learn(const struct unigram_learning *learning, struct unigram *model, size_t *alphabet_cut, struct error *error);
