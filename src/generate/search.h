// A running batch: sentences on their way through the decoder together. New ones join and finished ones leave at any step;
// what is found for one does not depend on the others, to the bit.
//
// One search belongs to one thread at a time. Its memory is bounded: when the pages of the cache run short, the youngest
// sentence is thrown out and named in `returned`; whoever admits sentences admits it again later.
//
// A model with a decoder only has no sources: a prompt is the prefix of its target, and joins by being fed like any other row
// that is not in the cache yet, PREFILL_ROWS of all prompts in a step, while the others go on.
#pragma once
#include "generate/logits_rules.h"
#include "generate/page_cache.h"
#include "generate/sampling.h"
#include "generate/sentence.h"

enum { PREFILL_ROWS = 1024 };

// What a search needs for a sentence beside the sentence itself.
struct place {
  struct sentence sentence;
  size_t index;            // in the list of requests
  uint64_t age;            // when it was admitted; 0: the place is free
  int fed;                 // ids from sentence.first on that are in the cache
  int holders;             // beams that hold pages, pages_for(fed) each
  int reserved;            // pages that are kept for it, of a decoder-only model
  int32_t *pages, *other;  // [beams, most_pages]; other: for the step that follows
  int32_t *cross_pages;
  int first_row;           // of its logits; -1: it is not fed up to its last id yet
  int first_draw;
};

struct search {
  const struct model *const *models;
  int model_count;
  const struct generation_options *options;
  const struct generation_request *requests;
  struct generation **results;  // [requests], filled as sentences finish
  struct error *error;
  struct context context;
  struct page_cache cache;
  struct logits_rules rules;
  struct place *places;
  int place_count, active;
  int width;                    // hypotheses of a sentence, at most
  bool encodes;                 // the models have encoders
  int most_pages;               // of one hypothesis
  int reserved;                 // pages of all places
  uint64_t admitted;
  size_t *returned;
  size_t returned_count, returned_capacity;
  // the step's batch
  int32_t *ids, *positions, *slots, *logit_rows;
  size_t row_capacity, position_capacity, slot_capacity;
  struct span *spans, *cross;
  int32_t *history;             // all ids of one hypothesis
  size_t history_capacity;
  // per row of logits
  int32_t *candidate_ids, *best;
  float *candidate_values, *log_sums;
  size_t *removed_from;
  // per sample that goes on
  struct draw *draws;
  struct drawn *drawn;
};

// rows: hypotheses that a step works on at most (but at least one sentence). memory: bytes that the cache may grow to.
bool search_open(struct search *search, const struct model *const *models, int count, const struct generation_options *options,
                 int rows, size_t memory, struct error *error);
void search_close(struct search *search);
// How many sentences may be admitted now.
int search_room(const struct search *search);
// Encodes requests[indexes[i]] and lets them join. Those that don't fit go to `returned`.
bool search_admit(struct search *search, const size_t *indexes, int count);
// One token for every running hypothesis that is fed.
bool search_step(struct search *search);

// All ids of a beam, in search->history.
bool search_history(struct search *search, const struct sentence *sentence, int beam);
// search_choice.c: what may follow each row of logits, by rules, search or sampling, with `per_row` candidates each.
bool search_choose(struct search *search, struct tensor *logits, int per_row);
// The candidates of a place, after search_choose.
struct candidates search_candidates(struct search *search, const struct place *place, int per_row);
