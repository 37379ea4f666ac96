// One update of the weights from a list of micro-batches, whose gradients are added in order and divided, head by head, by the
// number of targets of all of them: accumulating gives what the one big batch would give.
//
//   update_begin; for each micro-batch: update_add; update_end
//
// A loss or gradient that is not finite ends the update with an error that names the update, the tensor in which it first
// stood and the lines of the batch; the weights are then those of the last good update.
#pragma once
#include "data/samples.h"
#include "train/optimizer.h"

struct update {
  struct context *context;
  struct model *model;
  int64_t step;             // from 1
  uint64_t seed;            // of dropout
  double label_smoothing;
  double scales[TARGET_HEADS];  // 1 / targets of the whole update, for each head
  const char *const *paths; // of the source files, for the names of lines; NULL: lines have no names
  // Results
  struct loss loss;
  int64_t tokens;           // rows of encoder and decoder
  double norm;
};

void update_begin(struct update *update, struct context *context, struct model *model, int64_t step, uint64_t seed,
                  double label_smoothing, const int64_t targets[TARGET_HEADS]);
bool update_add(struct update *update, const struct batch *batch);
bool update_end(struct update *update, const struct optimizer_options *options, double learning_rate);
