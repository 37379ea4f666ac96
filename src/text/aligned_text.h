// Text on its way through normalizers and pre-tokenizers that still knows which bytes of the original text each of its
// bytes stands for, and the pieces it has been cut into.
//
// While nothing has changed the number of bytes, `alignments` is NULL and byte i stands for the character of the
// original around base + i. Afterwards byte i stands for the original's bytes [alignments[i].start, alignments[i].end).
// Rewriting goes from one aligned_text to another, so there are always two of them.
#pragma once
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct alignment {
  uint32_t start, end;
};

struct aligned_text {
  const char *data;  // points to own.data or to somebody else's text
  size_t size;
  uint32_t base;
  const struct alignment *alignments;
  struct buffer own;
  struct alignment *own_alignments;
  size_t capacity;
};

// A part of an aligned_text. token >= 0: it is an added token of that id and is left alone.
struct piece {
  uint32_t start, end;
  int32_t token;
};

struct piece_list {
  struct piece *items;
  size_t count, capacity;
};

struct working_text {
  struct aligned_text texts[2];
  int current;
  struct piece_list pieces, next_pieces;
};

static inline const struct aligned_text *working_current(const struct working_text *working) {
  return &working->texts[working->current];
}

// Starts with one piece: the unchanged text, which begins at byte `base` of the original.
bool working_begin(struct working_text *working, const char *text, size_t size, uint32_t base, struct error *error);
void working_free(struct working_text *working);

// The original's bytes that [start, end), not empty, of the current text stand for.
struct alignment working_original(const struct aligned_text *text, size_t start, size_t end);

bool piece_add(struct piece_list *list, uint32_t start, uint32_t end, int32_t token, struct error *error);
// The pieces gathered in next_pieces become the pieces.
void working_take_pieces(struct working_text *working);

// Rewriting: begin, then for the text in order characters and copies, then end, which makes the result current.
// It does not touch pieces: whoever rewrites inside pieces gathers the new ones in next_pieces.
struct rewriter {
  struct aligned_text *from, *to;
  size_t offset;  // bytes of `from` that have been dealt with
  struct error *error;
  struct working_text *working;
};

struct rewriter rewrite_begin(struct working_text *working, struct error *error);
void rewrite_copy(struct rewriter *rewriter, size_t bytes);  // as it is
void rewrite_skip(struct rewriter *rewriter, size_t bytes);  // leave out
// change 0: c replaces the next character; 1: c is inserted and shares the place of the character before;
// -n: c replaces the next character and the n characters after that one are removed.
void rewrite_character(struct rewriter *rewriter, uint32_t c, int change);
bool rewrite_end(struct rewriter *rewriter);
