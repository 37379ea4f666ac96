// A batch: sequences one after the other without padding, as ids with positions, and spans that say who sees whom.
// Built by src/data for training and by src/generate for inference; the memory belongs to the builder.
#pragma once
#include <stdint.h>

#include "tensor/span.h"

// One side: what goes through one stack.
struct batch_side {
  int rows;
  const int32_t *ids;         // [rows]
  const int32_t *positions;   // [rows], 0-based within each sequence
  const int32_t *types;       // [rows] segments, or NULL
  const uint64_t *row_keys;   // [rows], for dropout: sample number << 24 | position; may be NULL when nothing is dropped
  const struct span *spans;   // [span_count], self-attention
  int span_count;
};

struct batch {
  struct batch_side source;   // rows == 0 without an encoder
  struct batch_side target;   // rows == 0 without a decoder
  const struct span *cross;   // [cross_count]: target rows over source rows
  int cross_count;
  const int32_t *labels;      // [rows of the side that predicts], -1 where nothing is learnt
  int label_count;            // labels that are not -1
  int sequences;
  const uint64_t *lines;      // [sequences] place (file and line) of each in the training files, or NULL
};
