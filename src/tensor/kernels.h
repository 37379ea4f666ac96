// The kernel table: what a backend has to provide. Filled with reference C first, then overridden by what the processor
// has (src/cpu/cpu.c). Outputs come first; matrices are row-major f32 with a leading dimension (`_stride`, in elements)
// where a column slice of a wider matrix may be passed. Kernels use parallel_for themselves, never allocate and never fail.
//
// Exactness: each output element is one chain of operations whose order depends on the model's shapes alone, not on how
// many rows stand beside it nor on the number of threads.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/span.h"
#include "tensor/weight.h"

enum activation { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_SILU, ACTIVATION_TANH };

// Dropout as a function: the element in column c of row r is kept iff 16 bits drawn for (key, row_keys[r], site, c) reach
// the threshold; kept values are multiplied by `scale`. Nothing is stored: backward draws the same bits again.
struct dropout {
  uint32_t threshold;        // rate * 65536; 0: no dropout, and the other fields are not read
  float scale;               // 65536 / (65536 - threshold)
  uint32_t key[2];           // from (seed, update)
  uint32_t site;             // which dropout of the network this is
  const uint64_t *row_keys;  // per row: sample and position
};

struct attention {
  int heads, kv_heads, head_width;
  bool causal;
  int window;                // keys further back than this many positions are masked; 0: no limit
  float scale;
  const float *bias;         // [heads, 2 * bias_reach + 1] by clipped key position - query position, or NULL (relative, ALiBi)
  int bias_reach;
  const float *additive;     // [heads, head_width] v: scores are v . tanh(query + key) instead of query . key; or NULL
  const float *gain;         // [heads]: multiplies each head's result (to switch heads off), or NULL
  struct dropout dropout;    // row_keys by query row; the column is the key's position, the site is site + head
};

// Keys and values: rows of matrices, or pages of a store (span.pages says which).
struct attention_keys {
  const float *keys, *values;
  int key_stride, value_stride;
  const struct key_store *store;
};

struct norm {
  float epsilon;
  bool rms;              // root mean square without centring
  bool epsilon_outside;  // added to the root of the variance, not to the variance
};

// One step of an LSTM over several sequences: the sequence in slot s takes its row rows[s].
struct lstm_step {
  const int32_t *rows;
  int count, columns;
  int previous;  // from a row to that of the step before: -1, or 1 where the last row comes first; 0: there was none
};

enum { GRADIENT_ROWS = 256, GRADIENT_UNIT = 64, GRADIENT_FLOATS = 2 << 20 };

// How many rows linear_gradient takes at a time: as many as fit into GRADIENT_FLOATS in half precision, in units of
// GRADIENT_ROWS.
static inline size_t linear_gradient_part(int rows, int depth) {
  const size_t unit = GRADIENT_UNIT, width = ((size_t)depth + unit - 1) / unit * unit;
  size_t fit = 2 * GRADIENT_FLOATS / width / GRADIENT_ROWS, all = ((size_t)rows + GRADIENT_ROWS - 1) / GRADIENT_ROWS;
  return GRADIENT_ROWS * (fit < 1 ? 1 : fit < all ? fit : all);
}

// Memory that linear_gradient is handed to work in, in floats: x of one part in half precision, its width rounded up to
// GRADIENT_UNIT. The same for all tables, so that the memory forecast holds for each; who doesn't need it leaves it untouched.
static inline size_t linear_gradient_scratch(int rows, int depth) {
  const size_t unit = GRADIENT_UNIT, width = ((size_t)depth + unit - 1) / unit * unit;
  return linear_gradient_part(rows, depth) / 2 * width;
}

#define KERNEL_TABLE(KERNEL)                                                                                               \
  /* Weights in the layout that `linear` wants: values [rows, cols] -> packed. transposed packs the other orientation. */   \
  KERNEL(size_t, packed_size, (int rows, int cols))                                                                         \
  KERNEL(void, pack, (float *packed, const float *values, int rows, int cols, bool transposed))                             \
  /* y[r, n] = activation(pre[r, n] = sum_k x[r, k] W[n, k] + bias[n]); bias and pre may be NULL. W is [columns, depth],     \
     packed. accumulate adds to y instead (then no bias, activation or pre). */                                             \
  KERNEL(void, linear, (float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth, \
                        const float *packed, const float *bias, enum activation activation, bool accumulate))               \
  /* dw[n, k] += sum_r dy[r, n] x[r, k]; db[n] += sum_r dy[r, n] unless NULL. scratch: linear_gradient_scratch floats */    \
  KERNEL(void, linear_gradient, (float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride,        \
                                 int rows, int columns, int depth, float *scratch))                                        \
  /* The same of x rounded to bf16. Fast only where products are of bf16 (product_type). */                                  \
  KERNEL(void, linear_gradient_half, (float *dw, float *db, const float *dy, int dy_stride, const uint16_t *x,              \
                                      int x_stride, int rows, int columns, int depth, float *scratch))                     \
  /* y = dropout(activation(x)), elements of [rows, columns]; backward: dx = dy * dropout * activation'(x) */              \
  KERNEL(void, activate, (float *y, const float *x, int rows, int columns, enum activation activation,                     \
                          const struct dropout *dropout))                                                                  \
  KERNEL(void, activate_gradient, (float *dx, const float *dy, const float *x, int rows, int columns,                      \
                                   enum activation activation, const struct dropout *dropout))                             \
  /* y = dropout(up * activation(gate)), x [rows, 2 * columns] being up | gate; backward the same way round */              \
  KERNEL(void, gate, (float *y, const float *x, int rows, int columns, enum activation activation,                         \
                      const struct dropout *dropout))                                                                      \
  KERNEL(void, gate_gradient, (float *dx, const float *dy, const float *x, int rows, int columns,                          \
                               enum activation activation, const struct dropout *dropout))                                 \
  /* gates [rows, 4 * columns], i | f | g | o, gets recurrent [count, 4 * columns] (by slot; stride 0: one row for all)     \
     added and becomes sigmoid, sigmoid, tanh, sigmoid of itself; cells[row] = f * cells[row + previous] + i * g;           \
     out[row] = hidden[slot] = o * tanh(cells[row]). */                                                                    \
  KERNEL(void, lstm, (float *hidden, float *out, int out_stride, float *cells, float *gates, const float *recurrent,        \
                      int recurrent_stride, const struct lstm_step *step))                                                 \
  /* gates become the gradient of what they were before their functions, from dout[row] + dhidden[slot] and dcells[slot],   \
     which becomes the gradient of the cells before. */                                                                    \
  KERNEL(void, lstm_gradient, (float *gates, float *dcells, const float *dhidden, const float *dout, int dout_stride,       \
                               const float *cells, const struct lstm_step *step))                                          \
  /* table[r] = scale * (cos | sin) of positions[r] * frequencies[0 .. half - 1], the angle rounded to f32 */              \
  KERNEL(void, rotary_table, (float *table, const int32_t *positions, const float *frequencies, float scale, int rows,     \
                              int half))                                                                                   \
  /* In place: the first and the second half of each head turn by table's angles; backward: the other way.                 \
     x [rows, heads * 2 * half] */                                                                                         \
  KERNEL(void, rotate, (float *x, int stride, const float *table, int rows, int heads, int half, bool backward))           \
  /* In place: each of the first `heads` heads of a row is divided by its length (at least 1e-8), which lengths [rows, heads]  \
     receives; backward, y being the result: dx becomes (dx - y (y . dx)) / length. */                                      \
  KERNEL(void, unit_heads, (float *x, int stride, float *lengths, int rows, int heads, int width))                          \
  KERNEL(void, unit_heads_gradient, (float *dx, int dx_stride, const float *y, int y_stride, const float *lengths, int rows, \
                                     int heads, int width))                                                                \
  /* y[r, h, j] = sum_i x[r, h, i] w[h, i, j]; backward: sets dx, dw += unless NULL */                                      \
  KERNEL(void, head_products, (float *y, int y_stride, const float *x, int x_stride, const float *w, int rows, int heads,   \
                               int width))                                                                                 \
  KERNEL(void, head_products_gradient, (float *dx, int dx_stride, float *dw, const float *dy, int dy_stride, const float *x, \
                                        int x_stride, const float *w, int rows, int heads, int width))                     \
  /* sum = x + dropout(f); y = norm(sum) * gain + bias. f NULL: sum is x and is not written. y NULL: no norm.              \
     mean and deviation [rows] receive the statistics (1 / sqrt(variance + epsilon)) unless NULL. */                       \
  KERNEL(void, residual_norm, (float *y, float *sum, float *mean, float *deviation, const float *x, const float *f,         \
                               const float *gain, const float *bias, int rows, int columns, const struct norm *norm,        \
                               const struct dropout *dropout))                                                             \
  /* dsum[r] = (dy through the norm; 0 if dy NULL) + dresidual (or NULL); dx = or += dsum; df = dropout(dsum) unless NULL;  \
     dgain, dbias += unless NULL. sum is the norm's input. dx may be dresidual. */                                         \
  KERNEL(void, residual_norm_gradient, (float *dx, bool dx_accumulate, float *df, float *dgain, float *dbias,              \
                                        const float *dy, const float *dresidual, const float *sum, const float *mean,       \
                                        const float *deviation, const float *gain, int rows, int columns,                  \
                                        const struct norm *norm, const struct dropout *dropout))                           \
  /* Down the rows of each span, [q0, q0 + qn), and over each of `groups` groups of neighbouring columns: mean and variance    \
     (biased), [span_count, groups] */                                                                                      \
  KERNEL(void, column_statistics, (float *mean, float *variance, const float *x, int columns, const struct span *spans,     \
                                   int span_count, int groups))                                                            \
  /* y = (x - mean) * norm_deviation(variance) * gain + bias, with statistics as above */                                   \
  KERNEL(void, column_norm, (float *y, const float *x, const float *mean, const float *variance, const float *gain,         \
                             const float *bias, int columns, const struct span *spans, int span_count, int groups,         \
                             const struct norm *norm))                                                                     \
  /* dx = or +=; dgain, dbias += unless NULL. constant: the statistics are not those of x and pass no gradient on */        \
  KERNEL(void, column_norm_gradient, (float *dx, bool dx_accumulate, float *dgain, float *dbias, const float *dy,           \
                                      const float *x, const float *mean, const float *variance, const float *gain,         \
                                      int columns, const struct span *spans, int span_count, int groups, bool constant,    \
                                      const struct norm *norm))                                                            \
  /* out [rows, heads * head_width]; log_sum [rows, heads] and probabilities may be NULL. probabilities receives, span      \
     after span, [heads, qn, kn]; dropout is not part of them. */                                                          \
  KERNEL(void, attention, (float *out, int out_stride, float *log_sum, float *probabilities, const float *query,           \
                           int query_stride, const struct attention_keys *keys, const struct span *spans, int span_count,  \
                           const struct attention *attention))                                                             \
  /* Sets dquery, dkeys and dvalues (each row of them that a span covers; no key row may belong to two spans).              \
     dbias, dgain and dadditive += unless NULL. */                                                                             \
  KERNEL(void, attention_gradient, (float *dquery, int dquery_stride, float *dkeys, int dkey_stride, float *dvalues,       \
                                    int dvalue_stride, float *dbias, float *dgain, float *dadditive, const float *dout,    \
                                    int dout_stride,                                                                       \
                                    const float *out, int out_stride, const float *log_sum, const float *query,            \
                                    int query_stride, const struct attention_keys *keys, const struct span *spans,         \
                                    int span_count, const struct attention *attention))                                    \
  /* Copies rows of keys and values into pages: row r goes to slot slots[r] % KEY_PAGE of page slots[r] / KEY_PAGE. Rounds  \
     to the store's type. */                                                                                               \
  KERNEL(void, store_keys, (struct key_store *store, const int32_t *slots, const float *keys, int key_stride,              \
                            const float *values, int value_stride, int rows))                                              \
  /* In place: every number to the nearest bf16 */                                                                        \
  KERNEL(void, round_bf16, (float *x, int stride, int rows, int columns))                                                   \
  /* y[i] = x[i] as bf16; and relu's gradient told from such y: dx[i] = 0 where y[i] is not above 0 */                     \
  KERNEL(void, to_bf16, (uint16_t *y, const float *x, size_t n))                                                            \
  KERNEL(void, relu_gradient_half, (float *dx, const uint16_t *y, size_t n))                                                \
  /* out[r] = dropout(scale * table[ids[r]] + position_table[positions[r]] + type_table[types[r]]); tables may be NULL */   \
  KERNEL(void, embed, (float *out, const struct weight *table, const int32_t *ids, float scale,                             \
                       const struct weight *position_table, const int32_t *positions, const struct weight *type_table,      \
                       const int32_t *types, int rows, int columns, const struct dropout *dropout))                        \
  /* dtable[ids[r]] += scale * dropout(dout[r]), rows in order; a negative id is passed over */                            \
  KERNEL(void, embed_gradient, (float *dtable, const int32_t *ids, float scale, const float *dout, int rows, int columns,  \
                                const struct dropout *dropout))                                                            \
  /* Per row: losses[r] = -log p[target]; means[r] (may be NULL) = mean over v of -log p[v]. Unless scale is 0, logits      \
     become the gradient of scale * ((1 - smoothing) * losses[r] + smoothing * means[r]). A target of -1 gives 0, 0 and a   \
     gradient of 0. best (may be NULL) receives the most probable id, ties to the lower one. */                            \
  KERNEL(void, cross_entropy, (float *losses, float *means, int32_t *best, float *logits, int stride,                      \
                               const int32_t *targets, int rows, int columns, float smoothing, float scale))               \
  /* In place: logits become log-probabilities */                                                                          \
  KERNEL(void, log_softmax, (float *logits, int stride, int rows, int columns))                                            \
  /* In place: logits * factor become probabilities; factor > 0 */                                                        \
  KERNEL(void, softmax, (float *logits, int stride, int rows, int columns, float factor))                                  \
  /* Per row the `count` (at most 64) largest values in falling order, ties to the lower index; indexes [rows, count].      \
     log_sums [rows], unless NULL: the logarithm of the sum of exp over the row. */                                         \
  KERNEL(void, largest, (float *values, int32_t *indexes, float *log_sums, const float *x, int stride, int rows,            \
                         int columns, int count))                                                                          \
  KERNEL(double, sum_squares, (const float *x, size_t n))                                                                  \
  /* AdamW (Loshchilov and Hutter 2019, algorithm 2), clears the gradient: value *= 1 - rate * decay; value -= rate *        \
     (first / correction1) / (sqrt(second / correction2) + epsilon), with the gradient multiplied by `scale` first. */      \
  KERNEL(void, adamw, (float *value, float *gradient, float *first, float *second, size_t n, float scale, float rate,      \
                       float decay, float beta1, float beta2, float epsilon, float correction1, float correction2))        \
  KERNEL(void, add, (float *y, const float *x, size_t n)) /* y += x */                                                      \
  /* y[i] = x[rows[i]]; and back: x[rows[i]] = y[i], all other rows of x (x_rows of them) become 0 */                       \
  KERNEL(void, gather, (float *y, const float *x, const int32_t *rows, int count, int columns))                             \
  KERNEL(void, scatter, (float *x, int x_rows, const float *y, const int32_t *rows, int count, int columns))

struct kernels {
  const char *name;   // "reference", "avx2", "avx512", "amx"
  const char *dtype;  // "f32", or "bf16": in which products with weights round their factors
  enum number_type product_type;  // F32 or BF16, as dtype says; factors may be kept in it, since it is what they are rounded to
  enum number_type cache_type;  // in which decoders keep keys and values for what follows: F32 or BF16
#define KERNEL(result, name, arguments) result(*name) arguments;
  KERNEL_TABLE(KERNEL)
#undef KERNEL
};
