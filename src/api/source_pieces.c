#include "api/source_pieces.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct cutter {
  struct source_pieces *pieces;
  struct source_line *line;
  const struct tokenizer *tokenizer;
  const char *text;
  size_t index;
  int limit;
  bool split;
  struct error *error;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Tokens before and after the text's own ones, which the post-processor added.
static void own_tokens(const struct encoding *encoding, size_t *first, size_t *end) {
  *first = 0;
  *end = encoding->count;
  while (*first < *end && encoding->sequences[*first] < 0) ++*first;
  while (*end > *first && encoding->sequences[*end - 1] < 0) --*end;
}

// Takes the tokens [0, keep) and [resume, count) of the encoding as a piece.
static bool add_piece(const struct cutter *cutter, size_t start, size_t size, size_t keep, size_t resume) {
  const struct encoding *encoding = &cutter->pieces->encoding;
  struct source_pieces *pieces = cutter->pieces;
  if (!memory_grow(cutter->error, &pieces->items, &pieces->capacity, pieces->count + 1, sizeof *pieces->items)) return false;
  size_t after = encoding->count - resume, count = keep + after;
  struct source_piece piece = {.line = cutter->index, .start = start, .size = size, .count = (int)count};
  piece.ids = memory_new(cutter->error, count, sizeof *piece.ids);
  piece.starts = memory_new(cutter->error, count, sizeof *piece.starts);
  piece.ends = memory_new(cutter->error, count, sizeof *piece.ends);
  pieces->items[pieces->count++] = piece;
  cutter->line->count++;
  if (!piece.ids || !piece.starts || !piece.ends) return false;
  for (size_t i = 0; i < count; i++) {
    size_t from = i < keep ? i : resume + i - keep;
    piece.ids[i] = encoding->ids[from];
    piece.starts[i] = encoding->starts[from];
    piece.ends[i] = encoding->ends[from];
  }
  return true;
}

// Where in `text` the tokens [first, end) are best cut so that at most `room` stand before: a byte offset > 0.
static size_t best_cut(const struct encoding *encoding, const char *text, size_t first, size_t end, size_t room) {
  size_t most = first + room, blank = 0, sentence = 0;
  if (most > end) most = end;
  for (size_t i = first + 1; i <= most && i < end; i++) {
    size_t at = encoding->starts[i];
    if (at == 0 || !(is_blank(text[at - 1]) || is_blank(text[at]))) continue;
    blank = at;
    size_t before = at;
    while (before && is_blank(text[before - 1])) before--;
    if (before && strchr(".!?;:", text[before - 1])) sentence = at;
  }
  size_t half = encoding->starts[first + room / 2];
  if (sentence > half) return sentence;
  if (blank > half) return blank;
  size_t hard = encoding->starts[most < end ? most : end - 1];
  return hard > encoding->starts[first] ? hard : encoding->ends[first];
}

static bool add_text(const struct cutter *cutter, size_t start, size_t size);

// Several pieces: the cuts are made in one pass over the tokens, then each piece is encoded by itself.
static bool add_split(const struct cutter *cutter, size_t start, size_t size, size_t room) {
  struct encoding whole = cutter->pieces->encoding;  // taken out, since encoding the pieces uses the other one
  cutter->pieces->encoding = (struct encoding){0};
  const char *text = cutter->text + start;
  size_t first, end, done = 0;
  bool fine = true;
  own_tokens(&whole, &first, &end);
  while (fine && done < size) {
    size_t cut = end - first > room ? best_cut(&whole, text, first, end, room) : size;
    if (cut <= done || cut >= size) cut = size;
    while (first < end && whole.starts[first] < cut) first++;
    if (done == 0 && cut == size) {  // one token that cannot be divided does not fit: as if it were to be cut
      struct cutter hard = *cutter;
      hard.split = false;
      fine = add_text(&hard, start, size);
    } else {
      fine = add_text(cutter, start + done, cut - done);
    }
    done = cut;
    if (first >= end) break;
  }
  encoding_free(&whole);
  return fine;
}

static bool add_text(const struct cutter *cutter, size_t start, size_t size) {
  struct encoding *encoding = &cutter->pieces->encoding;
  encoding->keep_all = true;
  if (!tokenizer_encode(cutter->tokenizer, cutter->text + start, size, true, encoding, cutter->error)) return false;
  // The whole line comes first and has the most; its pieces count the same bytes again.
  if (encoding->invalid > cutter->line->invalid) cutter->line->invalid = encoding->invalid;
  size_t first, end;
  own_tokens(encoding, &first, &end);
  if (first == end) return true;
  size_t special = encoding->count - (end - first), limit = (size_t)cutter->limit;
  if (encoding->count <= limit) return add_piece(cutter, start, size, encoding->count, encoding->count);
  if (special >= limit)
    return error_set(cutter->error, ERROR_UNSUPPORTED,
                     "the model takes %d tokens, and the tokenizer adds %zu of its own to each text", cutter->limit, special);
  if (cutter->split) return add_split(cutter, start, size, limit - special);
  size_t keep = first + limit - special;
  cutter->line->cut += end - keep;
  return add_piece(cutter, start, encoding->ends[keep - 1], keep, end);
}

bool source_pieces_add(struct source_pieces *pieces, struct source_line *line, const struct tokenizer *tokenizer,
                       const char *text, size_t index, int limit, bool split, struct error *error) {
  size_t size = strlen(text);
  *line = (struct source_line){.first = pieces->count};
  struct cutter cutter = {.pieces = pieces,
                          .line = line,
                          .tokenizer = tokenizer,
                          .text = text,
                          .index = index,
                          .limit = limit,
                          .split = split,
                          .error = error};
  return add_text(&cutter, 0, size);
}

// A vocabulary that calls its end token unknown, too, lacks nothing: it is made of bytes.
size_t source_unknown(const struct tokenizer *tokenizer, const struct arch *arch, const int32_t *ids, size_t count) {
  int32_t unknown = tokenizer_unknown(tokenizer);
  size_t found = 0;
  for (size_t i = 0; unknown >= 0 && unknown != arch->eos_id && i < count; i++) found += ids[i] == unknown;
  return found;
}

void source_pieces_free(struct source_pieces *pieces) {
  for (size_t i = 0; i < pieces->count; i++) {
    free(pieces->items[i].ids);
    free(pieces->items[i].starts);
    free(pieces->items[i].ends);
  }
  free(pieces->items);
  encoding_free(&pieces->encoding);
  *pieces = (struct source_pieces){0};
}
