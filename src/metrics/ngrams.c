#include "metrics/ngrams.h"

#include <stdlib.h>

#include "base/memory.h"

enum { FIRST_SLOTS = 1024 };  // a power of two, as every later number of slots

bool ngram_open(struct ngram_trie *trie, struct error *error) {
  *trie = (struct ngram_trie){0};
  trie->slots = memory_new(error, FIRST_SLOTS, sizeof *trie->slots);
  if (!trie->slots || !memory_grow(error, &trie->nodes, &trie->capacity, FIRST_SLOTS / 2, sizeof *trie->nodes)) return false;
  trie->slot_count = FIRST_SLOTS;
  trie->nodes[0] = (struct ngram_node){0};
  trie->count = 1;
  return true;
}

void ngram_close(struct ngram_trie *trie) {
  free(trie->nodes);
  free(trie->slots);
  *trie = (struct ngram_trie){0};
}

static size_t hash(uint32_t parent, uint32_t symbol) {
  uint64_t key = ((uint64_t)parent << 32 | symbol) * 0x9E3779B97F4A7C15u;
  return (size_t)(key ^ key >> 29) * 0xBF58476D1CE4E5B9u >> 20;
}

static size_t slot_of(const struct ngram_trie *trie, uint32_t parent, uint32_t symbol) {
  size_t mask = trie->slot_count - 1, slot = hash(parent, symbol) & mask;
  for (;; slot = (slot + 1) & mask) {
    const struct ngram_node *node = &trie->nodes[trie->slots[slot]];
    if (!trie->slots[slot] || (node->parent == parent && node->symbol == symbol)) return slot;
  }
}

static bool double_slots(struct ngram_trie *trie, struct error *error) {
  uint32_t *slots = memory_new(error, trie->slot_count * 2, sizeof *slots);
  if (!slots) return false;
  free(trie->slots);
  trie->slots = slots;
  trie->slot_count *= 2;
  for (size_t i = 1; i < trie->count; i++) slots[slot_of(trie, trie->nodes[i].parent, trie->nodes[i].symbol)] = (uint32_t)i;
  return true;
}

// The child of `parent` along `symbol`, made if it is not there; 0 when memory ran out.
static uint32_t child(struct ngram_trie *trie, uint32_t parent, uint32_t symbol, struct error *error) {
  size_t slot = slot_of(trie, parent, symbol);
  if (trie->slots[slot]) return trie->slots[slot];
  if (trie->count >= UINT32_MAX) return error_memory(error, trie->count * sizeof *trie->nodes), 0;
  if (!memory_grow(error, &trie->nodes, &trie->capacity, trie->count + 1, sizeof *trie->nodes)) return 0;
  uint32_t number = (uint32_t)trie->count++;
  trie->nodes[number] = (struct ngram_node){.parent = parent, .symbol = symbol, .order = trie->nodes[parent].order + 1};
  trie->slots[slot] = number;
  if (trie->count * 2 > trie->slot_count && !double_slots(trie, error)) return 0;
  return number;
}

static bool count_side(struct ngram_trie *trie, const struct symbols *symbols, int orders, bool hypothesis, struct error *error) {
  for (size_t i = 0; i < symbols->count; i++) {
    uint32_t node = 0;
    for (size_t n = 0; n < (size_t)orders && i + n < symbols->count; n++) {
      node = child(trie, node, symbols->data[i + n], error);
      if (!node) return false;
      if (hypothesis)
        trie->nodes[node].hypothesis++;
      else
        trie->nodes[node].reference++;
    }
  }
  return true;
}

bool ngram_count_hypothesis(struct ngram_trie *trie, const struct symbols *symbols, int orders, struct error *error) {
  return count_side(trie, symbols, orders, true, error);
}

bool ngram_count_reference(struct ngram_trie *trie, const struct symbols *symbols, int orders, struct error *error) {
  return count_side(trie, symbols, orders, false, error);
}

void ngram_next_reference(struct ngram_trie *trie) {
  for (size_t i = 1; i < trie->count; i++) {
    struct ngram_node *node = &trie->nodes[i];
    if (node->reference > node->most) node->most = node->reference;
    node->reference = 0;
  }
}

uint64_t ngram_total(size_t count, int order) { return count >= (size_t)order ? count - (size_t)order + 1 : 0; }

bool ngram_word(struct ngram_trie *words, struct metric_text word, uint32_t *number, struct error *error) {
  uint32_t node = 0;
  for (size_t i = 0; i < word.size; i++) {
    node = child(words, node, (unsigned char)word.data[i], error);
    if (!node) return false;
  }
  *number = node;
  return true;
}

bool symbols_push(struct symbols *symbols, uint32_t symbol, struct error *error) {
  if (!memory_grow(error, &symbols->data, &symbols->capacity, symbols->count + 1, sizeof *symbols->data)) return false;
  symbols->data[symbols->count++] = symbol;
  return true;
}

void symbols_free(struct symbols *symbols) {
  free(symbols->data);
  *symbols = (struct symbols){0};
}
