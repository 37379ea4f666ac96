// What a training will take of memory, told before its first update; and batches that fit into what may be taken.
//
// Only memory that no file stands behind counts (what the kernel calls anonymous). The text's tokens, the mapped weights of
// --from and the copies for the mean lie in files, whose pages the kernel may drop at any time.
//
// The activations are those of the largest batches of an epoch, as the same code finds them that trains, run with kernels that do
// nothing over an arena that only counts. Batches of other epochs may have a few tokens more or less.
#pragma once
#include "train/task.h"

struct forecast {
  size_t present;       // program, vocabulary, text: what the process has now, without weights
  size_t weights;       // values, and their copies for products
  size_t optimizer;     // gradients and two moments
  size_t activations;   // values and gradients of the largest batch, one pass with backward
  int source_rows, target_rows;  // of the batch with the most rows
  size_t validation;    // in turn with the activations
  size_t saving;        // what is between the weights and the disk
  size_t all;
  size_t disk;          // files of the directory, the mean's copies among them
};

bool forecast_make(struct forecast *forecast, struct job *job);
void forecast_say(const struct job *job, const struct forecast *forecast);
// With options.memory: makes the batches smaller until all fits, and takes as many more of them for an update.
bool forecast_fit(struct job *job, struct forecast *forecast);
