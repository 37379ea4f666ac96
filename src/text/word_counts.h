// How often each word occurs, counted in parallel with a result that does not depend on the number of threads.
//
// Lines are gathered in batches of a fixed size; each batch is cut into chunks that are counted on their own and added to
// the shards of the whole count in the order of the chunks. A word's shard follows from its hash. A shard that outgrows
// its share of max_words forgets its rarest words after the batch.
#pragma once
#include <stdint.h>

#include "text/learn.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"

struct counted_word {
  uint64_t count, hash;
  uint32_t offset, size;  // in the table's text
};

// Open addressing; slots hold index + 1.
struct word_table {
  struct buffer text;
  struct counted_word *words;
  size_t count, capacity;
  uint32_t *slots;
  size_t slot_count;
};

enum { WORD_SHARDS = 16 };

struct word_counts {
  struct word_table shards[WORD_SHARDS];
  size_t forgotten_words, invalid_bytes, lines;
};

// Counts the words of all lines. normalizer and pretokenizer say what a word is.
bool word_counts_read(struct word_counts *counts, const struct normalizer_list *normalizer,
                      const struct pretokenizer_list *pretokenizer, size_t max_words, tokenizer_next_line *next, void *data,
                      struct error *error);
void word_counts_free(struct word_counts *counts);

bool word_table_add(struct word_table *table, const char *word, size_t size, uint64_t hash, uint64_t count, struct error *error);
void word_table_free(struct word_table *table);

// All words of all shards in the order of their bytes.
struct word_view {
  const char *text;
  size_t size;
  uint64_t count;
};
struct word_view *word_counts_sorted(const struct word_counts *counts, size_t *count, struct error *error);
