#include "text/aligned_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

bool piece_add(struct piece_list *list, uint32_t start, uint32_t end, int32_t token, struct error *error) {
  if (list->count == list->capacity && !memory_grow(error, &list->items, &list->capacity, list->count + 1, sizeof *list->items))
    return false;
  list->items[list->count++] = (struct piece){start, end, token};
  return true;
}

void working_take_pieces(struct working_text *working) {
  struct piece_list old = working->pieces;
  working->pieces = working->next_pieces;
  working->next_pieces = old;
  working->next_pieces.count = 0;
}

bool working_begin(struct working_text *working, const char *text, size_t size, uint32_t base, struct error *error) {
  struct aligned_text *current = &working->texts[working->current];
  current->data = text;
  current->size = size;
  current->base = base;
  current->alignments = NULL;
  working->pieces.count = working->next_pieces.count = 0;
  return size == 0 || piece_add(&working->pieces, 0, (uint32_t)size, -1, error);
}

void working_free(struct working_text *working) {
  for (int i = 0; i < 2; i++) {
    buffer_free(&working->texts[i].own);
    free(working->texts[i].own_alignments);
  }
  free(working->pieces.items);
  free(working->next_pieces.items);
  *working = (struct working_text){0};
}

static bool continues(const struct aligned_text *text, size_t i) { return i < text->size && (text->data[i] & 0xC0) == 0x80; }

struct alignment working_original(const struct aligned_text *text, size_t start, size_t end) {
  if (text->alignments) return (struct alignment){text->alignments[start].start, text->alignments[end - 1].end};
  while (start > 0 && continues(text, start)) start--;
  while (continues(text, end)) end++;
  return (struct alignment){text->base + (uint32_t)start, text->base + (uint32_t)end};
}

struct rewriter rewrite_begin(struct working_text *working, struct error *error) {
  struct rewriter rewriter = {&working->texts[working->current], &working->texts[!working->current], 0, error, working};
  buffer_clear(&rewriter.to->own);
  rewriter.to->size = 0;
  return rewriter;
}

static struct alignment *reserve(struct rewriter *rewriter, size_t bytes) {
  struct aligned_text *to = rewriter->to;
  if (rewriter->error->code) return NULL;
  if (to->own.size + bytes >= UINT32_MAX) {
    error_set(rewriter->error, ERROR_FORMAT, "a text of more than 4 GB after normalization cannot be tokenized; split it");
    return NULL;
  }
  if (!memory_grow(rewriter->error, &to->own_alignments, &to->capacity, to->own.size + bytes, sizeof *to->own_alignments))
    return NULL;
  return to->own_alignments + to->own.size;
}

void rewrite_copy(struct rewriter *rewriter, size_t bytes) {
  struct alignment *alignments = reserve(rewriter, bytes);
  if (!alignments) return;
  const struct aligned_text *from = rewriter->from;
  if (from->alignments) {
    memcpy(alignments, from->alignments + rewriter->offset, bytes * sizeof *alignments);
  } else {
    for (size_t i = 0; i < bytes;) {
      size_t length = 1;
      while (i + length < bytes && continues(from, rewriter->offset + i + length)) length++;
      uint32_t start = from->base + (uint32_t)(rewriter->offset + i);
      for (size_t k = 0; k < length; k++) alignments[i + k] = (struct alignment){start, start + (uint32_t)length};
      i += length;
    }
  }
  buffer_append(&rewriter->to->own, from->data + rewriter->offset, bytes);
  rewriter->offset += bytes;
}

void rewrite_skip(struct rewriter *rewriter, size_t bytes) { rewriter->offset += bytes; }

static size_t next_length(const struct rewriter *rewriter) {
  uint32_t ignored;
  const struct aligned_text *from = rewriter->from;
  if (rewriter->offset >= from->size) return 0;
  return (size_t)utf8_decode(from->data + rewriter->offset, from->data + from->size, &ignored, NULL);
}

void rewrite_character(struct rewriter *rewriter, uint32_t c, int change) {
  char bytes[4];
  size_t length = (size_t)utf8_encode(bytes, c), at = rewriter->offset;
  struct alignment *alignments = reserve(rewriter, length), place = {0, 0};
  if (!alignments) return;
  if (change > 0) {
    if (at > 0) place = working_original(rewriter->from, at - 1, at);
  } else if (at < rewriter->from->size) {
    place = working_original(rewriter->from, at, at + next_length(rewriter));
  }
  for (size_t i = 0; i < length; i++) alignments[i] = place;
  buffer_append(&rewriter->to->own, bytes, length);
  for (int i = change; i <= 0; i++) rewriter->offset += next_length(rewriter);
}

bool rewrite_end(struct rewriter *rewriter) {
  struct aligned_text *to = rewriter->to;
  if (rewriter->error->code || !buffer_check(&to->own, rewriter->error)) return false;
  to->data = buffer_string(&to->own);
  to->size = to->own.size;
  to->base = 0;
  to->alignments = to->own_alignments;
  if (!to->alignments) to->size = 0;
  rewriter->working->current = !rewriter->working->current;
  return true;
}
