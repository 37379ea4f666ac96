// Words that were encoded before, with their tokens. Any number of threads may look up and add at once.
//
// A slot goes from empty to one entry and never changes again until the cache is freed, so a reader needs no lock. When the
// slots that a word may use are taken, or memory is, it is not added. An entry is a function of the word alone: which threads met
// which words first is not to be seen in any result.
#pragma once
#include <stdatomic.h>

#include "text/token_list.h"

enum { WORD_CACHE_WORD_MAX = 120, WORD_CACHE_TOKENS_MAX = 60 };

struct cached_token {
  int32_t id;
  uint8_t start, end;
};

struct cached_word {
  uint64_t hash;
  uint16_t size, count;
  struct cached_token tokens[];  // followed by the word's bytes
};

struct word_cache {
  _Atomic(struct cached_word *) *slots;
  size_t slot_count;
};

bool word_cache_open(struct word_cache *cache, size_t slots, struct error *error);  // slots: a power of two
void word_cache_free(struct word_cache *cache);
const struct cached_word *word_cache_find(const struct word_cache *cache, const char *word, size_t size, uint64_t hash);
void word_cache_add(struct word_cache *cache, const char *word, size_t size, uint64_t hash, const struct token *tokens,
                    size_t count);
