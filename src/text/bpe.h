// Byte pair encoding (Sennrich et al. 2016): a word starts as its characters, and the adjacent pair of lowest rank is
// merged until no known pair is left.
//
// Invariant: merges[i] names ids of the vocabulary; the table maps a pair to the rank and the merged token's id.
#pragma once
#include <stdint.h>

#include "text/token_list.h"
#include "text/vocabulary.h"

struct merge {
  int32_t left, right;
};

struct bpe {
  struct vocabulary vocabulary;
  struct merge *merges;  // in order of rank
  size_t merge_count, merge_capacity;
  struct merge_slot {
    uint64_t pair;  // left << 32 | right; UINT64_MAX is free
    uint32_t rank;
    int32_t merged;
  } * slots;
  size_t slot_count;
  char *prefix;           // continuing_subword_prefix; NULL: none
  char *suffix;           // end_of_word_suffix; NULL: none
  int32_t unknown;        // -1: characters that are not in the vocabulary are dropped
  char *missing_unknown;  // the unknown token that the vocabulary lacks: an error when it is needed; else NULL
  bool fuse_unknown, byte_fallback, ignore_merges;
  bool bytes;                 // words are raw bytes to be spelled in the bytes' alphabet
  int32_t byte_ids[256];      // bytes: the id of each byte's character, or -1
  int32_t fallback_ids[256];  // byte_fallback: the ids of <0x00> to <0xFF>, or -1
};

// Working memory of one thread.
struct bpe_scratch {
  struct bpe_symbol {
    int32_t id;
    uint32_t start, end;
    int32_t previous, next;
  } * symbols;
  size_t symbol_capacity;
  struct bpe_candidate {
    uint32_t rank, position;
    int32_t merged;
  } * heap;
  size_t heap_capacity;
  struct buffer spelled, piece;
};

bool bpe_add_merge(struct bpe *bpe, int32_t left, int32_t right, struct error *error);
// After vocabulary, merges and settings are in place; name is used in messages.
bool bpe_prepare(struct bpe *bpe, const char *name, struct error *error);
// Appends the word's tokens. Offsets count bytes of `word` as given.
bool bpe_encode(const struct bpe *bpe, const char *word, size_t size, struct bpe_scratch *scratch, struct token_list *out,
                struct error *error);
void bpe_scratch_free(struct bpe_scratch *scratch);
void bpe_free(struct bpe *bpe);
