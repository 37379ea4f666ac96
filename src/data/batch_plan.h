// The order of training as a function of (seed, epoch): which samples stand in which batch, and which batch comes when.
//
//   1. The samples of an epoch are permuted.
//   2. The row of samples is cut into batches: as many as fit into `batch_tokens` on the longer side.
//
// Nothing is padded, so batches need not hold samples alike in length, and must not: sentences of one length are alike in other
// ways, too, and a network learns worse from batches of them (a translator on Multi30k loses two BLEU in its first 2,000 updates).
//
// Planning an epoch takes 4 bytes a sample; afterwards any batch of it is found at once, which is how a run that was
// interrupted finds its place.
#pragma once
#include "data/samples.h"

struct batch_plan_options {
  uint64_t seed;
  size_t batch_tokens;
  size_t batch_size; // at most so many samples; 0: any number
  bool shuffled;     // otherwise the samples stay in their order: for validation
  int accumulate;    // batches per update; 0 counts as 1
};

struct batch_plan {
  struct batch_plan_options options;
  uint64_t epoch;
  uint32_t *order;      // [samples]
  size_t sample_count;
  size_t *starts;       // [batch_count + 1], into order
  size_t batch_count;
  size_t update_count;  // groups of `accumulate` batches; the last one may have fewer
  size_t start_capacity;
};

// Starts from all zero; may be called again for the next epoch. No samples give no batches.
bool batch_plan_make(struct batch_plan *plan, const struct samples *samples, const struct batch_plan_options *options,
                     uint64_t epoch, struct error *error);
void batch_plan_free(struct batch_plan *plan);

struct batch_list {
  const uint32_t *samples;
  size_t count;
};

// The index-th batch of the epoch.
struct batch_list batch_plan_batch(const struct batch_plan *plan, size_t index);
// The batches of an update are [first, first + count).
void batch_plan_update(const struct batch_plan *plan, size_t update, size_t *first, size_t *count);
