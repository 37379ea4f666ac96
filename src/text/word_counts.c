#include "text/word_counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/utf8.h"
#include "text/hash.h"

// A word of more bytes is counted in parts: every merge inside a word looks at the whole of it.
enum { BATCH_BYTES = 8 << 20, BATCH_LINES = 1 << 16, CHUNKS = 16, WORD_MAX = 1024 };

// One table -------------------------------------------------------------------------------------------------------------

static void insert_slot(struct word_table *table, size_t index) {
  size_t mask = table->slot_count - 1, i = table->words[index].hash & mask;
  while (table->slots[i]) i = (i + 1) & mask;
  table->slots[i] = (uint32_t)index + 1;
}

static bool grow(struct word_table *table, struct error *error) {
  size_t wanted = table->slot_count ? 2 * table->slot_count : 1024;
  uint32_t *slots = memory_new(error, wanted, sizeof *slots);
  if (!slots) return false;
  free(table->slots);
  table->slots = slots;
  table->slot_count = wanted;
  for (size_t i = 0; i < table->count; i++) insert_slot(table, i);
  return true;
}

bool word_table_add(struct word_table *table, const char *word, size_t size, uint64_t hash, uint64_t count, struct error *error) {
  if (2 * (table->count + 1) > table->slot_count && !grow(table, error)) return false;
  size_t mask = table->slot_count - 1;
  for (size_t i = hash & mask; table->slots[i]; i = (i + 1) & mask) {
    struct counted_word *known = &table->words[table->slots[i] - 1];
    if (known->hash == hash && known->size == size && memcmp(table->text.data + known->offset, word, size) == 0) {
      known->count += count;
      return true;
    }
  }
  if (table->text.size + size >= UINT32_MAX || table->count >= UINT32_MAX / 4)
    return error_set(error, ERROR_MEMORY, "the words to learn from take more than 4 GB; give a smaller limit of words");
  if (!memory_grow(error, &table->words, &table->capacity, table->count + 1, sizeof *table->words)) return false;
  table->words[table->count] = (struct counted_word){count, hash, (uint32_t)table->text.size, (uint32_t)size};
  buffer_append(&table->text, word, size);
  if (!buffer_check(&table->text, error)) return false;
  insert_slot(table, table->count++);
  return true;
}

static void clear(struct word_table *table) {
  buffer_clear(&table->text);
  table->count = 0;
  if (table->slots) memset(table->slots, 0, table->slot_count * sizeof *table->slots);
}

void word_table_free(struct word_table *table) {
  buffer_free(&table->text);
  free(table->words);
  free(table->slots);
  *table = (struct word_table){0};
}

// Forgets the rarest words until half of the limit is left. All words of one count stay or go together.
static bool forget_rare(struct word_table *table, size_t limit, size_t *forgotten, struct error *error) {
  uint64_t threshold = 0;
  size_t kept = table->count;
  while (kept > limit / 2) {
    threshold++;
    kept = 0;
    for (size_t i = 0; i < table->count; i++) kept += table->words[i].count > threshold;
  }
  struct word_table smaller = {0};
  for (size_t i = 0; i < table->count; i++) {
    const struct counted_word *word = &table->words[i];
    if (word->count > threshold &&
        !word_table_add(&smaller, table->text.data + word->offset, word->size, word->hash, word->count, error)) {
      word_table_free(&smaller);
      return false;
    }
  }
  *forgotten += table->count - kept;
  word_table_free(table);
  *table = smaller;
  return true;
}

// A batch ---------------------------------------------------------------------------------------------------------------

struct chunk {
  struct word_table table;
  struct working_text working;
  struct pattern_scratch *pattern;
  struct buffer clean;
  size_t invalid;
  struct error error;
};

struct batch {
  struct buffer text;
  size_t *ends, count, capacity;  // lines
  struct chunk chunks[CHUNKS];
  const struct normalizer_list *normalizer;
  const struct pretokenizer_list *pretokenizer;
  struct word_counts *counts;
  struct error shard_errors[WORD_SHARDS];
};

static void replace_invalid(struct chunk *chunk, const char *line, size_t size) {
  buffer_clear(&chunk->clean);
  for (size_t i = 0; i < size;) {
    uint32_t c;
    char bytes[4];
    int valid, length = utf8_decode(line + i, line + size, &c, &valid);
    chunk->invalid += !valid;
    buffer_append(&chunk->clean, bytes, (size_t)utf8_encode(bytes, c));
    i += (size_t)length;
  }
}

static bool count_word(struct word_table *table, const char *word, size_t size, struct error *error) {
  while (size > 0) {
    size_t part = size;
    if (part > WORD_MAX)
      for (part = WORD_MAX; (word[part] & 0xC0) == 0x80; part--) continue;
    if (!word_table_add(table, word, part, hash_bytes(word, part), 1, error)) return false;
    word += part;
    size -= part;
  }
  return true;
}

static bool count_line(struct batch *batch, struct chunk *chunk, const char *line, size_t size) {
  struct error *error = &chunk->error;
  if (utf8_invalid(line, size) != size) {
    replace_invalid(chunk, line, size);
    if (!buffer_check(&chunk->clean, error)) return false;
    line = chunk->clean.data;
    size = chunk->clean.size;
  }
  if (!working_begin(&chunk->working, line, size, 0, error) ||
      !normalizer_apply(batch->normalizer, &chunk->working, &chunk->pattern, error) ||
      !pretokenizer_apply(batch->pretokenizer, &chunk->working, &chunk->pattern, error))
    return false;
  const struct aligned_text *text = working_current(&chunk->working);
  for (size_t i = 0; i < chunk->working.pieces.count; i++) {
    struct piece piece = chunk->working.pieces.items[i];
    if (!count_word(&chunk->table, text->data + piece.start, piece.end - piece.start, error)) return false;
  }
  return true;
}

static void count_chunk(void *data, size_t index, int worker) {
  struct batch *batch = data;
  struct chunk *chunk = &batch->chunks[index];
  clear(&chunk->table);
  size_t first = batch->count * index / CHUNKS, last = batch->count * (index + 1) / CHUNKS;
  for (size_t i = first; i < last; i++) {
    size_t start = i ? batch->ends[i - 1] : 0;
    if (!count_line(batch, chunk, buffer_string(&batch->text) + start, batch->ends[i] - start)) return;
  }
}

static void add_to_shard(void *data, size_t shard, int worker) {
  struct batch *batch = data;
  for (int c = 0; c < CHUNKS; c++) {
    const struct word_table *table = &batch->chunks[c].table;
    for (size_t i = 0; i < table->count; i++) {
      const struct counted_word *word = &table->words[i];
      if (word->hash >> 60 != shard) continue;
      if (!word_table_add(&batch->counts->shards[shard], table->text.data + word->offset, word->size, word->hash, word->count,
                          &batch->shard_errors[shard]))
        return;
    }
  }
}

static bool copy_error(struct error *error, const struct error *from) {
  return from->code == 0 || error_set(error, from->code, "%s", from->message);
}

static bool count_batch(struct batch *batch, size_t max_words, struct error *error) {
  parallel_for(CHUNKS, count_chunk, batch);
  for (int i = 0; i < CHUNKS; i++)
    if (!copy_error(error, &batch->chunks[i].error)) return false;
  parallel_for(WORD_SHARDS, add_to_shard, batch);
  size_t limit = max_words / WORD_SHARDS + 2;
  for (int i = 0; i < WORD_SHARDS; i++) {
    if (!copy_error(error, &batch->shard_errors[i])) return false;
    struct word_table *shard = &batch->counts->shards[i];
    if (shard->count > limit && !forget_rare(shard, limit, &batch->counts->forgotten_words, error)) return false;
  }
  batch->counts->lines += batch->count;
  batch->count = 0;
  buffer_clear(&batch->text);
  return true;
}

// All lines -------------------------------------------------------------------------------------------------------------

static bool add_line(struct batch *batch, const char *line, size_t size, struct error *error) {
  buffer_append(&batch->text, line, size);
  if (!memory_grow(error, &batch->ends, &batch->capacity, batch->count + 1, sizeof *batch->ends)) return false;
  batch->ends[batch->count++] = batch->text.size;
  return buffer_check(&batch->text, error);
}

static void free_batch(struct batch *batch) {
  for (int i = 0; i < CHUNKS; i++) {
    struct chunk *chunk = &batch->chunks[i];
    batch->counts->invalid_bytes += chunk->invalid;
    word_table_free(&chunk->table);
    working_free(&chunk->working);
    pattern_scratch_free(chunk->pattern);
    buffer_free(&chunk->clean);
  }
  buffer_free(&batch->text);
  free(batch->ends);
  free(batch);
}

bool word_counts_read(struct word_counts *counts, const struct normalizer_list *normalizer,
                      const struct pretokenizer_list *pretokenizer, size_t max_words, tokenizer_next_line *next, void *data,
                      struct error *error) {
  struct batch *batch = memory_new(error, 1, sizeof *batch);
  if (!batch) return false;
  batch->normalizer = normalizer;
  batch->pretokenizer = pretokenizer;
  batch->counts = counts;
  const char *line;
  size_t size;
  bool ok = true;
  while (ok && next(data, &line, &size, error)) {
    ok = add_line(batch, line, size, error);
    if (ok && (batch->text.size >= BATCH_BYTES || batch->count >= BATCH_LINES)) ok = count_batch(batch, max_words, error);
  }
  ok = ok && error->code == 0 && count_batch(batch, max_words, error);
  free_batch(batch);
  return ok;
}

void word_counts_free(struct word_counts *counts) {
  for (int i = 0; i < WORD_SHARDS; i++) word_table_free(&counts->shards[i]);
  *counts = (struct word_counts){0};
}

static int by_bytes(const void *a, const void *b) {
  const struct word_view *x = a, *y = b;
  size_t size = x->size < y->size ? x->size : y->size;
  int order = memcmp(x->text, y->text, size);
  if (order) return order;
  return x->size < y->size ? -1 : x->size > y->size;
}

struct word_view *word_counts_sorted(const struct word_counts *counts, size_t *count, struct error *error) {
  size_t total = 0, at = 0;
  for (int i = 0; i < WORD_SHARDS; i++) total += counts->shards[i].count;
  struct word_view *views = memory_new(error, total, sizeof *views);
  if (!views) return NULL;
  for (int s = 0; s < WORD_SHARDS; s++) {
    const struct word_table *table = &counts->shards[s];
    for (size_t i = 0; i < table->count; i++)
      views[at++] = (struct word_view){table->text.data + table->words[i].offset, table->words[i].size, table->words[i].count};
  }
  qsort(views, total, sizeof *views, by_bytes);
  *count = total;
  return views;
}
