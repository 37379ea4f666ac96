// Sentence pairs -> a packed batch for an encoder-decoder: the sources one after the other, the targets likewise; the
// decoder reads the start token and the target without its last token, and learns the target.
#pragma once
#include "base/error.h"
#include "data/corpus.h"
#include "data/samples.h"

struct sentence_pair {
  const int32_t *source, *target;  // both end with the end-of-sequence token
  size_t source_count, target_count;
  uint64_t number;                 // sample number: what dropout's random bits are drawn for
  uint64_t line;
};

// Starts from all zero; the arrays are reused by the next batch.
struct translation_batch {
  struct batch batch;  // points into the arrays below
  int32_t *source_ids, *source_positions, *target_ids, *target_positions, *labels;
  uint64_t *source_keys, *target_keys, *lines;
  struct span *source_spans, *target_spans, *cross_spans;
  struct sentence_pair *pairs;
  size_t source_capacity, target_capacity, pair_capacity, listed_capacity;
};

bool translation_batch_fill(struct translation_batch *out, const struct sentence_pair *pairs, size_t count, int decoder_start_id,
                            struct error *error);
void translation_batch_free(struct translation_batch *batch);

// A corpus of parallel text as samples (see samples.h). Free `batch` at the end.
struct translation_samples {
  const struct corpus *corpus;
  int decoder_start_id;
  struct translation_batch batch;  // the last one that was filled
};

struct samples translation_samples(struct translation_samples *of);
