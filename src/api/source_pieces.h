// Lines of source text as token ids that fit a model: a line that is too long is split at a blank, preferably after the end of
// a sentence, or cut, as wanted.
//
// The pieces of a line stand one after the other and cover it, except for what was cut and counted. A line without any token
// of its own (empty, only blanks) has no piece.
#pragma once
#include "model/arch.h"
#include "text/tokenizer.h"

struct source_piece {
  size_t line;             // which text it is from
  size_t start, size;      // bytes of that text
  int32_t *ids;            // [count] with the special tokens
  uint32_t *starts, *ends; // [count] bytes within the piece; 0 and 0 for special tokens
  int count;
};

struct source_pieces {
  struct source_piece *items;
  size_t count, capacity;
  struct encoding encoding;
};

struct source_line {
  size_t first, count;  // pieces
  size_t cut, invalid;  // tokens that were cut off, bytes that were not valid UTF-8
};

// Adds the pieces of a text of which no piece may have more than `limit` tokens.
bool source_pieces_add(struct source_pieces *pieces, struct source_line *line, const struct tokenizer *tokenizer,
                       const char *text, size_t index, int limit, bool split, struct error *error);
// Tokens among `ids` that stand for what the vocabulary lacks.
size_t source_unknown(const struct tokenizer *tokenizer, const struct arch *arch, const int32_t *ids, size_t count);
void source_pieces_free(struct source_pieces *pieces);
