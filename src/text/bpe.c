#include "text/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/bytes_alphabet.h"
#include "text/hash.h"

// Up to this many symbols the next pair is found by looking at all of them, which is faster than a heap.
enum { SHORT_WORD = 32 };

// Pairs and their merges -----------------------------------------------------------------------------------------------

static uint64_t pair_of(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }

static struct merge_slot *find_slot(const struct bpe *bpe, uint64_t pair) {
  size_t mask = bpe->slot_count - 1, i = hash_mix(pair * 0x9E3779B97F4A7C15u) & mask;
  while (bpe->slots[i].pair != pair && bpe->slots[i].pair != UINT64_MAX) i = (i + 1) & mask;
  return &bpe->slots[i];
}

static const struct merge_slot *find_merge(const struct bpe *bpe, int32_t left, int32_t right) {
  const struct merge_slot *slot = find_slot(bpe, pair_of(left, right));
  return slot->pair == UINT64_MAX ? NULL : slot;
}

bool bpe_add_merge(struct bpe *bpe, int32_t left, int32_t right, struct error *error) {
  if (!memory_grow(error, &bpe->merges, &bpe->merge_capacity, bpe->merge_count + 1, sizeof *bpe->merges)) return false;
  bpe->merges[bpe->merge_count++] = (struct merge){left, right};
  return true;
}

static int32_t merged_token(const struct bpe *bpe, struct merge merge, struct buffer *text) {
  size_t left_size, right_size, skip = bpe->prefix ? strlen(bpe->prefix) : 0;
  const char *left = vocabulary_token(&bpe->vocabulary, merge.left, &left_size);
  const char *right = vocabulary_token(&bpe->vocabulary, merge.right, &right_size);
  if (skip > right_size) skip = right_size;
  buffer_clear(text);
  buffer_append(text, left, left_size);
  buffer_append(text, right + skip, right_size - skip);
  return text->failed ? -1 : vocabulary_find(&bpe->vocabulary, text->data, text->size);
}

static bool fill_slots(struct bpe *bpe, const char *name, struct error *error) {
  bpe->slot_count = 16;
  while (bpe->slot_count < 3 * bpe->merge_count) bpe->slot_count *= 2;
  bpe->slots = memory_new(error, bpe->slot_count, sizeof *bpe->slots);
  if (!bpe->slots) return false;
  for (size_t i = 0; i < bpe->slot_count; i++) bpe->slots[i].pair = UINT64_MAX;
  struct buffer text = {0};
  for (size_t rank = 0; rank < bpe->merge_count && error->code == 0; rank++) {
    struct merge merge = bpe->merges[rank];
    int32_t merged = merged_token(bpe, merge, &text);
    if (!buffer_check(&text, error)) break;
    if (merged < 0) {
      error_set(error, ERROR_FORMAT, "%s: merge %zu makes the token \"%.60s\", which is not in the vocabulary", name, rank,
                buffer_string(&text));
      break;
    }
    struct merge_slot *slot = find_slot(bpe, pair_of(merge.left, merge.right));  // of two equal pairs the later one counts
    *slot = (struct merge_slot){pair_of(merge.left, merge.right), (uint32_t)rank, merged};
  }
  buffer_free(&text);
  return error->code == 0;
}

bool bpe_prepare(struct bpe *bpe, const char *name, struct error *error) {
  if (!fill_slots(bpe, name, error)) return false;
  for (int byte = 0; byte < 256; byte++) {
    char text[8];
    int size = utf8_encode(text, bytes_alphabet_character((unsigned char)byte));
    bpe->byte_ids[byte] = vocabulary_find(&bpe->vocabulary, text, (size_t)size);
    size = snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
    bpe->fallback_ids[byte] = vocabulary_find(&bpe->vocabulary, text, (size_t)size);
  }
  return true;
}

// A word as symbols ----------------------------------------------------------------------------------------------------

static bool add_symbol(struct bpe_scratch *scratch, size_t *count, int32_t id, uint32_t start, uint32_t length,
                       struct error *error) {
  if (!memory_grow(error, &scratch->symbols, &scratch->symbol_capacity, *count + 1, sizeof *scratch->symbols)) return false;
  scratch->symbols[*count] = (struct bpe_symbol){id, start, start + length, (int32_t)*count - 1, (int32_t)*count + 1};
  ++*count;
  return true;
}

// Words of raw bytes whose every byte has an id and that carry no marks: one symbol a byte.
static bool start_bytes(const struct bpe *bpe, const char *word, size_t size, struct bpe_scratch *scratch, size_t *count,
                        struct error *error) {
  for (size_t i = 0; i < size; i++)
    if (!add_symbol(scratch, count, bpe->byte_ids[(unsigned char)word[i]], (uint32_t)i, 1, error)) return false;
  return true;
}

static bool have_byte_ids(const struct bpe *bpe, const char *word, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (bpe->byte_ids[(unsigned char)word[i]] < 0) return false;
  return true;
}

static bool have_fallback(const struct bpe *bpe, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (bpe->fallback_ids[(unsigned char)text[i]] < 0) return false;
  return true;
}

// The character at [at, at + length) as the vocabulary spells it: with the prefix unless it is the first, with the suffix if it
// is the last.
static const char *spell(const struct bpe *bpe, const char *word, size_t size, size_t at, size_t length,
                         struct bpe_scratch *scratch, size_t *spelled) {
  *spelled = length;
  bool prefixed = bpe->prefix && at > 0, suffixed = bpe->suffix && at + length == size;
  if (!prefixed && !suffixed) return word + at;
  struct buffer *piece = &scratch->piece;
  buffer_clear(piece);
  if (prefixed) buffer_text(piece, bpe->prefix);
  buffer_append(piece, word + at, length);
  if (suffixed) buffer_text(piece, bpe->suffix);
  *spelled = piece->size;
  return buffer_string(piece);
}

// Symbols of any word. Offsets add up the lengths of what was taken, as `tokenizers` does: a dropped character moves
// everything behind it.
static bool start_characters(const struct bpe *bpe, const char *word, size_t size, struct bpe_scratch *scratch, size_t *count,
                             struct error *error) {
  uint32_t at = 0, unknown = 0;  // unknown: length of the unknown stretch that is still open
  bool open = false;
  for (size_t i = 0; i < size;) {
    uint32_t character;
    size_t length = (size_t)utf8_decode(word + i, word + size, &character, NULL), spelled;
    const char *text = spell(bpe, word, size, i, length, scratch, &spelled);
    i += length;
    int32_t id = vocabulary_find(&bpe->vocabulary, text, spelled);
    if (id < 0 && bpe->byte_fallback && have_fallback(bpe, text, spelled)) {
      // An open unknown stretch stays open here and is added behind these bytes: so does `tokenizers`.
      for (size_t k = 0; k < spelled; k++)
        if (!add_symbol(scratch, count, bpe->fallback_ids[(unsigned char)text[k]], at++, 1, error)) return false;
      continue;
    }
    if (open && (id >= 0 || !bpe->fuse_unknown)) {
      if (!add_symbol(scratch, count, bpe->unknown, at, unknown, error)) return false;
      at += unknown;
      open = false;
    }
    if (id >= 0) {
      if (!add_symbol(scratch, count, id, at, (uint32_t)length, error)) return false;
      at += (uint32_t)length;
    } else if (bpe->missing_unknown) {
      return error_set(error, ERROR_FORMAT, "the unknown token \"%s\" is needed, but not in the model's vocabulary",
                       bpe->missing_unknown);
    } else if (bpe->unknown >= 0) {
      unknown = (open ? unknown : 0) + (uint32_t)length;
      open = true;
    }
  }
  return (!open || add_symbol(scratch, count, bpe->unknown, at, unknown, error)) && buffer_check(&scratch->piece, error);
}

// Merging --------------------------------------------------------------------------------------------------------------

static size_t merge_short(const struct bpe *bpe, struct bpe_symbol *symbols, size_t count) {
  uint32_t ranks[SHORT_WORD];
  int32_t merged[SHORT_WORD];
  for (size_t i = 0; i + 1 < count; i++) {
    const struct merge_slot *merge = find_merge(bpe, symbols[i].id, symbols[i + 1].id);
    ranks[i] = merge ? merge->rank : UINT32_MAX;
    merged[i] = merge ? merge->merged : -1;
  }
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; i++)
      if (ranks[i] < ranks[best]) best = i;
    if (ranks[best] == UINT32_MAX) break;
    symbols[best].id = merged[best];
    symbols[best].end = symbols[best + 1].end;
    count--;
    for (size_t i = best + 1; i < count; i++) {
      symbols[i] = symbols[i + 1];
      ranks[i] = ranks[i + 1];
      merged[i] = merged[i + 1];
    }
    for (size_t i = best > 0 ? best - 1 : 0; i <= best && i + 1 < count; i++) {
      const struct merge_slot *merge = find_merge(bpe, symbols[i].id, symbols[i + 1].id);
      ranks[i] = merge ? merge->rank : UINT32_MAX;
      merged[i] = merge ? merge->merged : -1;
    }
  }
  return count;
}

static bool before(struct bpe_candidate a, struct bpe_candidate b) {
  return a.rank != b.rank ? a.rank < b.rank : a.position < b.position;
}

static bool push(struct bpe_scratch *scratch, size_t *count, struct bpe_candidate candidate, struct error *error) {
  if (!memory_grow(error, &scratch->heap, &scratch->heap_capacity, *count + 1, sizeof *scratch->heap)) return false;
  size_t i = (*count)++;
  for (; i > 0 && before(candidate, scratch->heap[(i - 1) / 2]); i = (i - 1) / 2) scratch->heap[i] = scratch->heap[(i - 1) / 2];
  scratch->heap[i] = candidate;
  return true;
}

static struct bpe_candidate pop(struct bpe_scratch *scratch, size_t *count) {
  struct bpe_candidate top = scratch->heap[0], last = scratch->heap[--*count];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= *count) break;
    if (child + 1 < *count && before(scratch->heap[child + 1], scratch->heap[child])) child++;
    if (!before(scratch->heap[child], last)) break;
    scratch->heap[i] = scratch->heap[child];
    i = child;
  }
  scratch->heap[i] = last;
  return top;
}

static bool push_pair(const struct bpe *bpe, struct bpe_scratch *scratch, size_t *heap, int32_t left, size_t count,
                      struct error *error) {
  const struct bpe_symbol *symbols = scratch->symbols;
  if (left < 0 || (size_t)symbols[left].next >= count) return true;
  const struct merge_slot *merge = find_merge(bpe, symbols[left].id, symbols[symbols[left].next].id);
  return !merge || push(scratch, heap, (struct bpe_candidate){merge->rank, (uint32_t)left, merge->merged}, error);
}

// A merged symbol's right half gets id -1; entries of the heap that no longer fit are dropped when they come up.
static bool merge_long(const struct bpe *bpe, struct bpe_scratch *scratch, size_t *count, struct error *error) {
  struct bpe_symbol *symbols = scratch->symbols;
  size_t heap = 0, n = *count;
  for (size_t i = 0; i < n; i++)
    if (!push_pair(bpe, scratch, &heap, (int32_t)i, n, error)) return false;
  while (heap > 0) {
    struct bpe_candidate top = pop(scratch, &heap);
    struct bpe_symbol *left = &symbols[top.position];
    if (left->id < 0 || (size_t)left->next >= n) continue;
    struct bpe_symbol *right = &symbols[left->next];
    const struct merge_slot *merge = find_merge(bpe, left->id, right->id);
    if (!merge || merge->merged != top.merged) continue;
    left->id = top.merged;
    left->end = right->end;
    left->next = right->next;
    right->id = -1;
    if ((size_t)left->next < n) symbols[left->next].previous = (int32_t)top.position;
    if (!push_pair(bpe, scratch, &heap, left->previous, n, error) ||
        !push_pair(bpe, scratch, &heap, (int32_t)top.position, n, error))
      return false;
  }
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (symbols[i].id >= 0) symbols[kept++] = symbols[i];
  *count = kept;
  return true;
}

// Words in and out -----------------------------------------------------------------------------------------------------

static bool spell_bytes(struct buffer *out, const char *word, size_t size, struct error *error) {
  buffer_clear(out);
  for (size_t i = 0; i < size; i++) {
    char bytes[4];
    buffer_append(out, bytes, (size_t)utf8_encode(bytes, bytes_alphabet_character((unsigned char)word[i])));
  }
  return buffer_check(out, error);
}

// Offsets in the spelled word become offsets in the raw word: each raw byte was spelled as one character.
static void unspell(const struct buffer *spelled, struct token *tokens, size_t count) {
  size_t at = 0, raw = 0;  // raw: characters that begin before `at`
  for (size_t i = 0; i < count; i++) {
    if (tokens[i].end > spelled->size || tokens[i].start >= tokens[i].end) continue;
    for (; at <= tokens[i].start; at++) raw += (spelled->data[at] & 0xC0) != 0x80;
    uint32_t start = (uint32_t)raw - 1;
    for (; at < tokens[i].end; at++) raw += (spelled->data[at] & 0xC0) != 0x80;
    tokens[i].start = start;
    tokens[i].end = (uint32_t)raw;
  }
}

static bool encode_spelled(const struct bpe *bpe, const char *word, size_t size, bool plain_bytes, struct bpe_scratch *scratch,
                           struct token_list *out, struct error *error) {
  size_t count = 0;
  bool ok = plain_bytes ? start_bytes(bpe, word, size, scratch, &count, error)
                        : start_characters(bpe, word, size, scratch, &count, error);
  if (!ok) return false;
  if (count <= SHORT_WORD) count = merge_short(bpe, scratch->symbols, count);
  else if (!merge_long(bpe, scratch, &count, error)) return false;
  for (size_t i = 0; i < count; i++)
    if (!token_list_add(out, (struct token){scratch->symbols[i].id, scratch->symbols[i].start, scratch->symbols[i].end}, error))
      return false;
  return true;
}

bool bpe_encode(const struct bpe *bpe, const char *word, size_t size, struct bpe_scratch *scratch, struct token_list *out,
                struct error *error) {
  if (size == 0) return true;
  bool plain_bytes = bpe->bytes && !bpe->prefix && !bpe->suffix && have_byte_ids(bpe, word, size);
  const char *text = word;
  size_t text_size = size;
  if (bpe->bytes && (!plain_bytes || bpe->ignore_merges)) {
    if (!spell_bytes(&scratch->spelled, word, size, error)) return false;
    text = scratch->spelled.data;
    text_size = scratch->spelled.size;
  }
  if (bpe->ignore_merges) {
    int32_t id = vocabulary_find(&bpe->vocabulary, text, text_size);
    if (id >= 0) return token_list_add(out, (struct token){id, 0, (uint32_t)size}, error);
  }
  if (plain_bytes) return encode_spelled(bpe, word, size, true, scratch, out, error);
  size_t first = out->count;
  if (!encode_spelled(bpe, text, text_size, false, scratch, out, error)) return false;
  if (bpe->bytes) unspell(&scratch->spelled, out->items + first, out->count - first);
  return true;
}

void bpe_scratch_free(struct bpe_scratch *scratch) {
  free(scratch->symbols);
  free(scratch->heap);
  buffer_free(&scratch->spelled);
  buffer_free(&scratch->piece);
  *scratch = (struct bpe_scratch){0};
}

void bpe_free(struct bpe *bpe) {
  vocabulary_free(&bpe->vocabulary);
  free(bpe->merges);
  free(bpe->slots);
  free(bpe->prefix);
  free(bpe->suffix);
  free(bpe->missing_unknown);
  *bpe = (struct bpe){0};
}
