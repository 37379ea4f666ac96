// A running batch: sentences on their way through the decoder together. New ones join and finished ones leave at any step;
// what is found for one does not depend on the others, to the bit.
//
// One search belongs to one thread at a time. Its memory is bounded: when the pages of the cache run short, the youngest
// sentence is thrown out and named in `returned`; whoever admits sentences admits it again later.
#pragma once
#include "generate/logits_rules.h"
#include "generate/page_cache.h"
#include "generate/sentence.h"

// What a search needs for a sentence beside the sentence itself.
struct place {
  struct sentence sentence;
  size_t index;            // in the list of requests
  uint64_t age;            // when it was admitted; 0: the place is free
  int fed;                 // positions that are in the cache
  int holders;             // beams that hold pages, pages_for(fed) each
  int32_t *pages, *other;  // [beams, most_pages]; other: for the step that follows
  int32_t *cross_pages;
  int first_row;           // of its logits
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
  int most_pages;               // of one hypothesis
  uint64_t admitted;
  size_t *returned;
  size_t returned_count, returned_capacity;
  // the step's batch
  int32_t *ids, *positions, *slots, *logit_rows;
  size_t row_capacity, position_capacity, slot_capacity;
  struct span *spans, *cross;
  int32_t *history;             // [most_length]
  // per row of logits
  int32_t *candidate_ids, *best;
  float *candidate_values, *losses, *log_sums;
  size_t *removed_from;
};

// rows: hypotheses that a step works on at most (but at least one sentence). memory: bytes that the cache may grow to.
bool search_open(struct search *search, const struct model *const *models, int count, const struct generation_options *options,
                 int rows, size_t memory, struct error *error);
void search_close(struct search *search);
// How many sentences may be admitted now.
int search_room(const struct search *search);
// Encodes requests[indexes[i]] and lets them join. Those that don't fit go to `returned`.
bool search_admit(struct search *search, const size_t *indexes, int count);
// One token for every running hypothesis.
bool search_step(struct search *search);
