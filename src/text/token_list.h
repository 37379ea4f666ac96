// The tokens of one word, as every kind of model gives them.
#pragma once
#include <stdint.h>

#include "base/memory.h"

// start and end are byte offsets in the word.
struct token {
  int32_t id;
  uint32_t start, end;
};

struct token_list {
  struct token *items;
  size_t count, capacity;
};

static inline bool token_list_add(struct token_list *list, struct token token, struct error *error) {
  if (list->count == list->capacity && !memory_grow(error, &list->items, &list->capacity, list->count + 1, sizeof *list->items))
    return false;
  list->items[list->count++] = token;
  return true;
}
