// The samples of a text as training and validation see them, whatever a task makes of them: how many there are, how many rows
// each takes in the model and how many targets it has, and a batch made of some of them. What is in a sample only the task's
// own data file knows; it fills this struct in.
//
// Invariant: everything is a function of (epoch, sample). So batches can be planned before they are made, and a run that was
// interrupted sees what it would have seen. Validation is epoch 0.
#pragma once
#include "base/error.h"
#include "data/ledger.h"
#include "model/batch.h"

// [0] the head over the vocabulary or the only head; [1] the head for whole texts beside it (next sentence, double heads).
enum { TARGET_HEADS = 2 };

struct sample_rows {
  uint32_t source, target;  // of the encoder and of the decoder; 0 where the model has no such stack
};

struct samples {
  size_t count;
  void *user;  // given to the functions
  struct sample_rows (*rows)(const void *user, uint64_t epoch, size_t sample);
  // Adds the sample's targets (labels that are not -1) to each head's.
  void (*count_targets)(const void *user, uint64_t epoch, size_t sample, int64_t targets[TARGET_HEADS]);
  // The batch belongs to `user` and lives until the next call. NULL on failure.
  const struct batch *(*fill)(void *user, uint64_t epoch, const uint32_t *list, size_t count, struct error *error);
  const char *const *paths;   // of the files that batch.lines name
  const struct ledger *ledger;
};
