// Targets that are given: how probable a model finds each of their tokens, and which source token each looks at.
#pragma once
#include "model/model.h"

struct forced_pair {
  const int32_t *source, *target;  // the target usually ends with the end token; a model with a decoder only has no source
  int source_count, target_count;
  float *log_probs;    // [target_count] receives log p(token | source, tokens before it); or NULL. Without a source nothing
                       // stands before the first token: it gets 0
  int32_t *alignment;  // [target_count] receives, for each target token, the source token of the largest cross-attention while
                       // it was predicted, averaged over the heads of one layer (forced_alignment_layer); or NULL
};

// The last but one layer: the one that aligns words best (Garg et al., 2019).
int forced_alignment_layer(const struct arch *arch);

// All pairs at once, in batches. start_id stands before each target, unless there are no sources. A pair without target tokens is
// passed over. With several models the probabilities are
// averaged; alignments are the first one's.
bool forced_decode(const struct model *const *models, int count, int start_id, const struct forced_pair *pairs, size_t pair_count,
                   struct error *error);
