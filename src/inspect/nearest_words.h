// Words that a page mentions, each written once; and which words lie nearest to a word in an embedding table.
#pragma once
#include "base/buffer.h"
#include "tensor/weight.h"
#include "text/tokenizer.h"

struct kernels;

struct word_list {
  int32_t *ids;  // sorted
  size_t count, capacity;
};

bool word_list_add(struct word_list *list, int32_t id, struct error *error);
void word_list_free(struct word_list *list);
// ,"words":{"5":"label"}
void word_list_write(struct buffer *out, const struct word_list *list, const struct tokenizer *tokenizer, struct error *error);

// ,"neighbours":{"5":[[17,0.83],...]}: for each different id the rows of the table with the largest cosine to its own.
void nearest_words_write(struct buffer *out, struct word_list *words, const struct weight *table, const struct kernels *kernels,
                         const int32_t *ids, int count, struct error *error);
