// A weight: its values, and while it is trained its gradient and moments; with copies packed for the kernels.
//
// A matrix is [rows, cols] = [outputs, inputs]; a vector (bias, gain) is [size, 1]. Several tensors of a checkpoint
// can lie in one weight one below the other (query, key and value): its parts.
//
// Values live in one of two places: `stored` (a part of a mapped checkpoint each, f32, f16 or bf16, read where it lies), or
// `values` (f32, ours: the master copy while training, and always for vectors). Once `values` exists it is the truth.
// One weight may be used many times (tied embeddings, shared layers).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum number_type { TYPE_F32, TYPE_F16, TYPE_BF16 };

enum initialisation { INITIAL_ZERO, INITIAL_ONE, INITIAL_NORMAL, INITIAL_XAVIER, INITIAL_SINUSOID, INITIAL_SINUSOID_INTERLEAVED };

enum { WEIGHT_PARTS = 4 };

struct weight_part {
  int rows;
  const void *stored;  // NULL: not stored, see values
  enum number_type type;
  bool transposed;     // stored as [cols, rows]
  int stride;          // of a transposed part: how many numbers the stored rows are apart; 0: `rows`, nothing lies between
};

struct weight {
  char name[64];  // qkv's own name, such as "decoder.3.cross.key_value.weight"
  int rows, cols;
  int part_count;
  struct weight_part parts[WEIGHT_PARTS];  // their rows add up to `rows`
  enum initialisation initialisation;
  float deviation;    // of INITIAL_NORMAL
  int zero_row;       // a row that starts as zeros (padding), or -1
  int frozen_row;     // set by weight_start_training: zero_row if it is still all zeros and has to stay so, or -1
  bool trainable;     // learnt at all; sinusoids and the like are not
  bool followed;      // a statistic that training follows: not learnt, but kept wherever learnt values are
  bool decayed;       // weight decay applies: matrices yes, biases and norms no
  float rate;         // factor of the learning rate: 1, less for lower layers that are only nudged
  bool direct;        // read by kernels as f32 as it is: its values are made even where they are stored
  bool product;       // used as the matrix of a product: packed copies are made
  float *values;      // [rows, cols]
  float *gradient;    // [rows, cols]
  double gradient_squares;  // summed up by the last update, before clipping
  float *first, *second;  // moments
  float *packed, *packed_transposed;
};

struct kernels;

void weight_free(struct weight *weight);
static inline size_t weight_size(const struct weight *weight) { return (size_t)weight->rows * (size_t)weight->cols; }

// Row `row` as f32: a pointer to it, or into `scratch` [cols] where it had to be converted.
const float *weight_row(const struct weight *weight, int row, float *scratch);
// Makes `values` (from `stored` if there is no values yet).
bool weight_own_values(struct weight *weight, struct error *error);
// Fills `values` as the initialisation says; a function of (seed, name).
void weight_initialise(struct weight *weight, uint64_t seed);
// Adds gradient and moments, all zero.
bool weight_start_training(struct weight *weight, struct error *error);
// The gradient of a bias whose matrix has none: += the sums of dy's columns, in the kernels' order. dy is [rows, bias->rows].
void weight_add_column_sums(struct weight *bias, const float *dy, int rows);
// Makes the packed copies from the present values. with_transposed: also the one that backward needs.
bool weight_pack(struct weight *weight, const struct kernels *kernels, bool with_transposed, struct error *error);
// The same from `values` into copies that are there already.
void weight_repack(const struct weight *weight, const struct kernels *kernels);
