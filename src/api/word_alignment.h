// From tokens that belong together to words that do: the form "0-0 1-2" that word aligners use, source word - target word,
// counted from 0 over what blanks separate.
#pragma once
#include "api/source_pieces.h"
#include "base/buffer.h"

// One piece of a line with its translation.
struct aligned_piece {
  const char *source_text;           // the line; the piece lies in it
  const struct source_piece *source;
  const int32_t *target;             // [target_count]
  int target_count;
  const int32_t *alignment;          // [target_count] the source token of each target token
};

// Appends the pairs, each once, sorted by source word, then target word. *source_words and *target_words count the words of the
// pieces before and are moved on.
bool word_alignment_add(struct buffer *out, const struct aligned_piece *piece, const struct tokenizer *tokenizer,
                        int *source_words, int *target_words, struct error *error);
