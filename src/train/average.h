// Weights kept from several moments of a training, and their mean: the last N, or the best N by score.
//
// The copies lie in an unnamed temporary file that is mapped, so that they need no memory of their own; what is mapped is
// [capacity][size] f32, one slot per kept moment.
#pragma once
#include "base/unnamed_file.h"
#include "model/model.h"

struct kept_weights {
  int64_t step;
  double score;  // larger is better
};

struct average {
  int capacity, count;
  bool best;               // keep the best by score, otherwise the last
  size_t size;             // f32 values of a copy
  struct unnamed_file file;
  float *slots;            // in the file
  struct kept_weights *kept;  // [capacity], slot by slot
};

// How many values the trainable weights of a model have.
size_t average_size(const struct model *model);
bool average_open(struct average *average, int capacity, bool best, size_t size, const char *directory, struct error *error);
void average_close(struct average *average);
// Keeps a copy of the model's weights, unless it is worse than all that are kept and the slots are full.
void average_keep(struct average *average, const struct model *model, int64_t step, double score);
// Sets the model's weights to the mean of the copies. The caller packs them (model_repack).
void average_apply(const struct average *average, struct model *model);

// One copy outside of the slots: [size].
void average_copy_out(float *copy, const struct model *model);
void average_copy_in(struct model *model, const float *copy);
