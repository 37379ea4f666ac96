#include "text/word_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PROBES = 16 };

bool word_cache_open(struct word_cache *cache, size_t slots, struct error *error) {
  cache->slots = memory_new(error, slots, sizeof *cache->slots);
  cache->slot_count = cache->slots ? slots : 0;
  return cache->slots != NULL;
}

void word_cache_free(struct word_cache *cache) {
  for (size_t i = 0; i < cache->slot_count; i++) free(atomic_load_explicit(&cache->slots[i], memory_order_relaxed));
  free(cache->slots);
  *cache = (struct word_cache){0};
}

static bool same(const struct cached_word *entry, const char *word, size_t size, uint64_t hash) {
  return entry->hash == hash && entry->size == size && memcmp(&entry->tokens[entry->count], word, size) == 0;
}

const struct cached_word *word_cache_find(const struct word_cache *cache, const char *word, size_t size, uint64_t hash) {
  size_t mask = cache->slot_count - 1;
  for (size_t probe = 0, i = hash & mask; probe < PROBES; probe++, i = (i + 1) & mask) {
    const struct cached_word *entry = atomic_load_explicit(&cache->slots[i], memory_order_acquire);
    if (!entry) return NULL;
    if (same(entry, word, size, hash)) return entry;
  }
  return NULL;
}

static struct cached_word *make_entry(const char *word, size_t size, uint64_t hash, const struct token *tokens, size_t count) {
  struct cached_word *entry = malloc(sizeof *entry + count * sizeof entry->tokens[0] + size);
  if (!entry) return NULL;  // not remembering a word loses only time
  entry->hash = hash;
  entry->size = (uint16_t)size;
  entry->count = (uint16_t)count;
  for (size_t i = 0; i < count; i++)
    entry->tokens[i] = (struct cached_token){tokens[i].id, (uint8_t)tokens[i].start, (uint8_t)tokens[i].end};
  memcpy(&entry->tokens[count], word, size);
  return entry;
}

void word_cache_add(struct word_cache *cache, const char *word, size_t size, uint64_t hash, const struct token *tokens,
                    size_t count) {
  if (size > WORD_CACHE_WORD_MAX || count > WORD_CACHE_TOKENS_MAX) return;
  for (size_t i = 0; i < count; i++)
    if (tokens[i].end > UINT8_MAX) return;
  struct cached_word *entry = NULL;
  size_t mask = cache->slot_count - 1;
  for (size_t probe = 0, i = hash & mask; probe < PROBES; probe++, i = (i + 1) & mask) {
    struct cached_word *there = atomic_load_explicit(&cache->slots[i], memory_order_acquire);
    if (there && same(there, word, size, hash)) break;
    if (there) continue;
    if (!entry && !(entry = make_entry(word, size, hash, tokens, count))) return;
    if (atomic_compare_exchange_strong_explicit(&cache->slots[i], &there, entry, memory_order_acq_rel, memory_order_acquire))
      return;
    if (same(there, word, size, hash)) break;  // another thread was faster
  }
  free(entry);
}
