// A unigram language model of pieces (Kudo 2018, section 3.2): of all ways to cut a word into pieces the one with the largest sum
// of log-probabilities is taken, found by Viterbi's algorithm. A character that no piece covers costs 10 more than the rarest
// piece and is unknown; unknown neighbours become one token, or bytes.
#pragma once
#include "text/token_list.h"
#include "text/trie.h"

struct unigram {
  struct vocabulary vocabulary;
  double *scores;  // [vocabulary.size] log-probabilities
  size_t score_capacity;
  struct trie trie;
  int32_t unknown;  // -1: a character that no piece covers is an error
  double unknown_score;
  bool byte_fallback;
  int32_t fallback_ids[256];  // byte_fallback: the ids of <0x00> to <0xFF>, or -1
};

// Working memory of one thread: how the best cut up to each byte of a word ends.
struct unigram_scratch {
  struct unigram_ending {
    double score;
    uint32_t start;  // of the last piece; UINT32_MAX: no cut ends here
    int32_t id;
  } * endings;
  size_t capacity;
};

bool unigram_add(struct unigram *model, const char *piece, size_t size, double score, const char *name, struct error *error);
// After all pieces and settings are in place.
bool unigram_prepare(struct unigram *model, struct error *error);
// Appends the word's tokens.
bool unigram_encode(const struct unigram *model, const char *word, size_t size, struct unigram_scratch *scratch,
                    struct token_list *out, struct error *error);
void unigram_scratch_free(struct unigram_scratch *scratch);
void unigram_free(struct unigram *model);
