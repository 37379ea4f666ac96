// Counting the n-grams that a hypothesis and its references share.
//
// A trie: a node stands for one n-gram, found from the node of its first n - 1 symbols and its last symbol through one
// hash table. Node 0 is the empty n-gram. Symbols are characters, or numbers of words.
#pragma once
#include "metrics/metric_text.h"

struct ngram_node {
  uint32_t parent, symbol, order;
  uint32_t hypothesis, reference;  // how often it occurs on either side
  uint32_t most;                   // the most often it occurred in one reference so far (ngram_next_reference)
};

struct ngram_trie {
  struct ngram_node *nodes;
  size_t count, capacity;
  uint32_t *slots;  // open addressing; number of a node, or 0 for a free slot
  size_t slot_count;
};

struct symbols {
  uint32_t *data;
  size_t count, capacity;
};

// These return false with the error set when memory runs out.
bool ngram_open(struct ngram_trie *trie, struct error *error);
void ngram_close(struct ngram_trie *trie);
bool ngram_count_hypothesis(struct ngram_trie *trie, const struct symbols *symbols, int orders, struct error *error);
bool ngram_count_reference(struct ngram_trie *trie, const struct symbols *symbols, int orders, struct error *error);
// The counts of the current reference go into `most` and start again from 0.
void ngram_next_reference(struct ngram_trie *trie);
// How many n-grams of an order n there are in a sequence of `count` symbols.
uint64_t ngram_total(size_t count, int order);

// The number of a word: equal words have equal numbers. `words` is a trie used for nothing else.
bool ngram_word(struct ngram_trie *words, struct metric_text word, uint32_t *number, struct error *error);
bool symbols_push(struct symbols *symbols, uint32_t symbol, struct error *error);
void symbols_free(struct symbols *symbols);
