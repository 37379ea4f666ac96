// What a model of masked words expects at given places: log-probabilities over its vocabulary.
#pragma once
#include "generate/sequence_pass.h"

struct masked_place {
  uint32_t sequence;  // places stand in the order of their sequences
  int row;            // of the sequence
};

// Calls take for each place, in any order and from several threads at once, with log_probs [vocabulary], which may be changed.
bool masked_words_run(const struct model *model, const struct pass_sequence *sequences, size_t count,
                      const struct masked_place *places, size_t place_count,
                      void (*take)(void *user, size_t place, float *log_probs), void *user, struct error *error);
