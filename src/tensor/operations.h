// The operations: each checks shapes, runs at once, and records itself if the context is recording. A NULL input (an
// earlier failure) gives NULL. `name` is a text that lives as long as the tape.
#pragma once
#include "tensor/context.h"
#include "tensor/weight.h"

// scale * table[id] + positions[position] (+ types[type]), then dropout. Gradients go to the tables that are trainable.
struct embedding_tables {
  struct weight *table, *positions, *types;  // positions and types may be NULL
  float scale;
  int32_t padding;  // this id's row of the table gets no gradient from here; -1: none
};
struct tensor *op_embedding(struct context *context, const char *name, const struct embedding_tables *tables, const int32_t *ids,
                            const int32_t *positions, const int32_t *types, int rows, int cols, const struct dropout *dropout);

// dropout(activation(x W^T + bias)): x [rows, inputs] -> [rows, outputs]
struct tensor *op_linear(struct context *context, const char *name, struct tensor *x, struct weight *weight, struct weight *bias,
                         enum activation activation, const struct dropout *dropout);

// dropout(up * activation(gate)): x [rows, 2 * columns], up | gate -> [rows, columns]
struct tensor *op_gate(struct context *context, const char *name, struct tensor *x, enum activation activation,
                       const struct dropout *dropout);

struct tensor *op_dropout(struct context *context, const char *name, struct tensor *x, const struct dropout *dropout);

// *sum = x + dropout(f) and its norm, which is returned. f NULL: *sum is x. gain NULL: no norm, the sum is returned.
// sum may be NULL where only the norm is used. f is not to be read afterwards: the sum may lie in its place.
struct tensor *op_residual_norm(struct context *context, const char *name, struct tensor **sum, struct tensor *x,
                                struct tensor *f, struct weight *gain, struct weight *bias, const struct norm *norm,
                                const struct dropout *dropout);

// Batch norm's: followed while a model learns, used instead of the batch's where it does not.
struct running_statistics {
  struct weight *mean, *variance;  // [columns]
  struct weight *batches;          // [1] how many were followed
};

// The norm of x by statistics over rows: of each span's query rows and each group of columns; with running.mean of all rows, and
// a group for each column.
struct column_norm {
  const struct span *spans;
  int span_count, groups;
  struct running_statistics running;  // all NULL: none
  struct norm norm;
};
struct tensor *op_column_norm(struct context *context, const char *name, struct tensor *x, struct weight *gain,
                              struct weight *bias, const struct column_norm *norm);

// A slice of a tensor's columns, from `column` on.
struct columns {
  struct tensor *tensor;
  int column;
};

// Biases by distance from a table [buckets, heads]: [heads, 2 * reach + 1] by key position - query position + reach. reach is the
// distance from which on all are one bucket.
struct tensor *op_relative_bias(struct context *context, const char *name, struct weight *table, int reach);

// The first `heads` heads of x, each `width` columns, divided by their lengths (Salton's cosine). In place: x is returned.
struct tensor *op_unit_heads(struct context *context, const char *name, struct tensor *x, int heads, int width);
// Each head times its matrix: weight is [heads * width, width], y_j = sum_i x_i w_ij. x are columns that nothing else reads.
struct tensor *op_head_products(struct context *context, const char *name, struct columns x, struct weight *weight);
// [x x ...]: x [rows, cols] -> [rows, copies * cols]
struct tensor *op_copies(struct context *context, const char *name, struct tensor *x, int copies);

// softmax(scale * query keys^T + bias) values for each span. keys.tensor NULL: keys and values lie in `store`. bias as
// op_relative_bias makes it, or NULL for none or that of `attention`. additive: v [heads, head_width] of scores
// v . tanh(query + key) (Bahdanau et al. 2015), or NULL.
struct tensor *op_attention(struct context *context, const char *name, struct columns query, struct columns keys,
                            struct columns values, const struct key_store *store, const struct span *spans, int span_count,
                            struct tensor *bias, struct weight *additive, const struct attention *attention);

// Turns the first `heads` heads of x, each 2 * half columns, by the angles of each row's position. In place: x is returned.
struct rotary {
  const float *table;  // from rotary_table
  int heads, half;
};
struct tensor *op_rotary(struct context *context, const char *name, struct tensor *x, const struct rotary *rotary);
// [rows, 2 * half] cosines and sines of positions * frequencies, times scale; lives as long as the pass. NULL on failure.
float *rotary_table(struct context *context, const int32_t *positions, const float *frequencies, float scale, int rows, int half);

// A layer of an LSTM over packed sequences, whose rows are the spans' queries: every row of x belongs to one. With two
// directions the second one begins at each sequence's end. [rows, directions * hidden]: the forward states, then the backward
// ones.
struct lstm_weights {
  struct weight *input, *recurrent;            // [4 * hidden, columns of x], [4 * hidden, hidden]: gates i, f, g, o
  struct weight *input_bias, *recurrent_bias;  // [4 * hidden]
};
struct tensor *op_lstm(struct context *context, const char *name, struct tensor *x, const struct lstm_weights *weights,
                       int directions, const struct span *sequences, int count);

// Several tensors of one shape, at least one, as one: their sum; with scores [count] and gain [1] gain * sum_k softmax(scores)_k
// x_k. One alone is returned itself.
struct tensor *op_mix(struct context *context, const char *name, struct tensor *const *parts, int count, struct weight *scores,
                      struct weight *gain);
// Side by side: [rows, all columns].
struct tensor *op_concatenate(struct context *context, const char *name, struct tensor *const *parts, int count);

// Rows of x. In backward all other rows get no gradient.
struct tensor *op_gather(struct context *context, const char *name, struct tensor *x, const int32_t *rows, int count);

// Output head and cross-entropy in one pass over chunks of rows; the logits are never stored as a whole. With recording on,
// gradients of scale * smoothed sum are made right away.
struct head_loss {
  double sum, plain_sum;
  int64_t count, correct;
};
bool op_head_loss(struct context *context, const char *name, struct tensor *x, struct weight *weight, struct weight *bias,
                  const int32_t *labels, float smoothing, float scale, struct head_loss *loss, float *losses);

// Mean over the columns of a group's cross-entropy down each column. targets[c] is the right row of column c, counted from the
// group's first; targets[0] -1: nothing is learnt from this group. Groups don't overlap. losses (may be NULL) is [count].
enum { GROUP_COLUMNS = 2 };  // the most
struct row_group {
  int first, count;
  int32_t targets[GROUP_COLUMNS];
};
bool op_group_loss(struct context *context, const char *name, struct tensor *logits, const struct row_group *groups, int count,
                   float scale, struct head_loss *loss, float *losses);
// The mean of each group's rows; targets don't count. Groups don't overlap, and none is empty.
struct tensor *op_mean(struct context *context, const char *name, struct tensor *x, const struct row_group *groups, int count);

// Cross-entropy of one logit a row, x being [rows, 1], against labels of 0 and 1. losses (may be NULL) is [rows].
bool op_binary_loss(struct context *context, const char *name, struct tensor *x, const int32_t *labels, float scale,
                    struct head_loss *loss, float *losses);

// Sum of (x[i] - values[i])^2, x being [rows, 1]; a value that is NaN is passed over. losses (may be NULL) is [rows].
bool op_squared_error(struct context *context, const char *name, struct tensor *x, const float *values, float scale,
                      struct head_loss *loss, float *losses);
