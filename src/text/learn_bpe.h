// Learning BPE merges from counted words.
#pragma once
#include "text/vocabulary.h"
#include "text/word_counts.h"

struct bpe_learning {
  const struct word_view *words;  // in a fixed order
  size_t word_count;
  size_t vocab_size;  // tokens that the vocabulary may have, with those that it has already
  uint64_t min_frequency;
  bool bytes;          // words are raw bytes, spelled in the bytes' alphabet; all 256 are learnt
  const char *suffix;  // put behind a word's last character; NULL: none
  const char *prefix;  // put before all characters of a word but the first; NULL: none
};

struct learnt_merge {
  int32_t left, right;
};

// vocabulary holds the special tokens and gets the alphabet (sorted by code point), the characters with a prefix or a suffix (in
// the order of their bytes) and the merged tokens. merges is
// allocated, to be freed by the caller. Of pairs of equal count the one of the smaller ids is merged first.
// alphabet_cut: characters for which there was no room.
bool bpe_learn(const struct bpe_learning *learning, struct vocabulary *vocabulary, struct learnt_merge **merges,
               size_t *merge_count, size_t *alphabet_cut, struct error *error);
