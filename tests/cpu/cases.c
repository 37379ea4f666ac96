// The slots other than attention. A case allocates what depends on the table (packed weights) last.
#include <math.h>
#include <string.h>

#include "attention_cases.h"
#include "tensor/number.h"

static const struct shape product_shapes[] = {
    {1, 1, 1, 0},      {1, 64, 64, 1},    {2, 5, 16, 2},     {3, 16, 5, 3},       {4, 63, 63, 4},
    {5, 65, 64, 5},    {6, 100, 65, 6},   {7, 64, 257, 7},   {8, 257, 100, 8},    {9, 17, 31, 9},
    {10, 128, 48, 10}, {11, 33, 800, 1},  {12, 70, 769, 0},  {13, 130, 1600, 12}, {97, 200, 70, 2},
    {200, 96, 33, 3},  {257, 49, 129, 4}, {600, 10, 17, 16}, {1, 300, 900, 1},    {33, 600, 40, 13},
};

// variant: the activation in the lower three bits (modulo 6), then wider strides, no bias
static void linear_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  enum activation activation = (enum activation)(s->variant % 8 % 6);
  int y_stride = s->columns + (s->variant & 8 ? 3 : 0), x_stride = s->depth + (s->variant & 8 ? 5 : 0);
  float tolerance = 1e-6f * (8 + sqrtf((float)s->depth));
  float *x = case_floats((size_t)(s->rows * x_stride)), *w = case_floats((size_t)(s->columns * s->depth));
  float *bias = case_floats((size_t)s->columns);
  float *y = case_output(outputs, (size_t)(s->rows * y_stride), tolerance);
  float *pre = case_output(outputs, (size_t)(s->rows * s->columns), tolerance);
  float *packed = case_floats(kernels->packed_size(s->columns, s->depth));
  kernels->pack(packed, w, s->columns, s->depth, false);
  kernels->linear(y, y_stride, pre, x, x_stride, s->rows, s->columns, s->depth, packed, s->variant & 16 ? NULL : bias, activation,
                  false);
}

// The input's gradient: the other orientation of the same weight, added to what is there.
static void linear_transposed_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  float tolerance = 1e-6f * (8 + sqrtf((float)s->depth));
  float *dy = case_floats((size_t)(s->rows * s->depth)), *w = case_floats((size_t)(s->columns * s->depth));
  float *dx = case_output(outputs, (size_t)(s->rows * s->columns), tolerance);
  float *packed = case_floats(kernels->packed_size(s->columns, s->depth));
  kernels->pack(packed, w, s->depth, s->columns, true);
  kernels->linear(dx, s->columns, NULL, dy, s->depth, s->rows, s->columns, s->depth, packed, NULL, ACTIVATION_NONE, true);
}

static void linear_gradient_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int dy_stride = s->columns + (s->variant & 8 ? 3 : 0), x_stride = s->depth + (s->variant & 8 ? 5 : 0);
  float tolerance = 1e-6f * (8 + sqrtf((float)s->rows));
  float *dy = case_floats((size_t)(s->rows * dy_stride)), *x = case_floats((size_t)(s->rows * x_stride));
  float *dw = case_output(outputs, (size_t)(s->columns * s->depth), tolerance),
        *db = case_output(outputs, (size_t)s->columns, tolerance);
  kernels->linear_gradient(dw, s->variant & 16 ? NULL : db, dy, dy_stride, x, x_stride, s->rows, s->columns, s->depth,
                           case_floats(linear_gradient_scratch(s->rows, s->depth)));
}

static const struct shape row_shapes[] = {
    {1, 1, 0, 0},      {1, 5, 0, 1},     {2, 16, 0, 2},     {3, 63, 0, 3},    {4, 64, 0, 4},   {5, 65, 0, 5},
    {6, 100, 0, 6},    {7, 257, 0, 7},   {8, 128, 0, 8},    {9, 129, 0, 9},   {13, 17, 0, 10}, {70, 512, 0, 11},
    {200, 130, 0, 12}, {331, 48, 0, 13}, {40, 1024, 0, 14}, {64, 300, 0, 15},
};

// variant: the activation, then dropout
static void activate_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns);
  float *x = case_floats(n), *y = case_output(outputs, n, 2e-6f);
  for (size_t i = 0; i < n; i++) x[i] *= i % 7 == 0 ? 30 : 4;
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->activate(y, x, s->rows, s->columns, (enum activation)(s->variant % 8 % 6), &dropout);
}

static void activate_gradient_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns);
  float *x = case_floats(n), *dy = case_floats(n), *dx = case_output(outputs, n, 2e-6f);
  for (size_t i = 0; i < n; i++) x[i] *= i % 7 == 0 ? 30 : 4;
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->activate_gradient(dx, dy, x, s->rows, s->columns, (enum activation)(s->variant % 8 % 6), &dropout);
}

static void widen_gates(float *x, const struct shape *s) {
  for (int i = 0; i < 2 * s->rows * s->columns; i++)
    if (i % (2 * s->columns) >= s->columns) x[i] *= i % 7 == 0 ? 30 : 4;
}

static void gate_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns);
  float *x = case_floats(2 * n), *y = case_output(outputs, n, 3e-6f);
  widen_gates(x, s);
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->gate(y, x, s->rows, s->columns, (enum activation)(s->variant % 8 % 6), &dropout);
}

static void gate_gradient_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns);
  float *x = case_floats(2 * n), *dy = case_floats(n), *dx = case_output(outputs, 2 * n, 3e-6f);
  widen_gates(x, s);
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->gate_gradient(dx, dy, x, s->rows, s->columns, (enum activation)(s->variant % 8 % 6), &dropout);
}

// Every second row belongs to the step, in falling order. variant: 1 the first step, 2 one recurrent row for all
static struct lstm_step lstm_rows(const struct shape *s) {
  int32_t *rows = case_ints((size_t)s->rows, 0, 1);
  for (int i = 0; i < s->rows; i++) rows[i] = 2 * (s->rows - i) - 1;
  return (struct lstm_step){rows, s->rows, s->columns, s->variant & 1 ? 0 : s->variant & 2 ? -1 : 1};
}

static void lstm_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t rows = 2 * (size_t)s->rows + 1, n = (size_t)s->columns;
  int stride = s->columns + (s->variant & 4 ? 3 : 0);
  struct lstm_step step = lstm_rows(s);
  float *recurrent = case_floats((size_t)s->rows * 4 * n);
  float *hidden = case_output(outputs, (size_t)s->rows * n, 3e-6f), *out = case_output(outputs, rows * (size_t)stride, 3e-6f);
  float *cells = case_output(outputs, rows * n, 3e-6f), *gates = case_output(outputs, rows * 4 * n, 3e-6f);
  for (size_t i = 0; i < rows * 4 * n; i++) gates[i] *= i % 7 == 0 ? 30 : 4;
  kernels->lstm(hidden, out, stride, cells, gates, recurrent, s->variant & 2 ? 0 : 4 * s->columns, &step);
}

static void lstm_gradient_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t rows = 2 * (size_t)s->rows + 1, n = (size_t)s->columns;
  int stride = s->columns + (s->variant & 4 ? 3 : 0);
  struct lstm_step step = lstm_rows(s);
  float *dhidden = case_floats((size_t)s->rows * n), *dout = case_floats(rows * (size_t)stride), *cells = case_floats(rows * n);
  float *dcells = case_output(outputs, (size_t)s->rows * n, 3e-6f), *gates = case_output(outputs, rows * 4 * n, 3e-6f);
  kernels->lstm_gradient(gates, dcells, dhidden, dout, stride, cells, &step);
}

// columns are half a head
static void rotary_table_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int32_t *positions = case_ints((size_t)s->rows, 0, 100000);
  float *frequencies = case_floats((size_t)s->columns), *table = case_output(outputs, (size_t)(2 * s->rows * s->columns), 0);
  kernels->rotary_table(table, positions, frequencies, 1.25f, s->rows, s->columns);
}

// variant: heads less 1 in the lower three bits, then backward
static void rotate_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int heads = 1 + s->variant % 8, stride = heads * 2 * s->columns + 5;
  float *table = case_floats((size_t)(2 * s->rows * s->columns)), *x = case_output(outputs, (size_t)(s->rows * stride), 0);
  kernels->rotate(x, stride, table, s->rows, heads, s->columns, s->variant & 8);
}

// variant: root mean square, no bias, no residual, dropout
static void residual_norm_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns);
  struct norm norm = {1e-5f, s->variant & 1, s->variant & 2};
  float *x = case_floats(n), *f = case_floats(n), *gain = case_floats((size_t)s->columns),
        *bias = case_floats((size_t)s->columns);
  float *y = case_output(outputs, n, s->columns < 16 ? 1e-4f : 1e-5f), *sum = case_output(outputs, n, 1e-6f);
  float *mean = case_output(outputs, (size_t)s->rows, 1e-6f), *deviation = case_output(outputs, (size_t)s->rows, 1e-5f);
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->residual_norm(y, sum, mean, deviation, x, s->variant & 4 ? NULL : f, gain, s->variant & 2 ? NULL : bias, s->rows,
                         s->columns, &norm, &dropout);
}

static void residual_only_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns);
  float *x = case_floats(n), *f = case_floats(n), *sum = case_output(outputs, n, 1e-6f);
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->residual_norm(NULL, sum, NULL, NULL, x, f, NULL, NULL, s->rows, s->columns, NULL, &dropout);
}

// variant: root mean square; dx adds or dx is dresidual; no dy; dropout
static void residual_norm_gradient_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns), columns = (size_t)s->columns;
  struct norm norm = {1e-5f, s->variant & 1, s->variant & 2};
  float *dy = case_floats(n), *dresidual = case_floats(n), *sum = case_floats(n), *gain = case_floats(columns);
  float *mean = case_floats((size_t)s->rows), *deviation = case_floats((size_t)s->rows);
  float tolerance = 1e-5f, over_rows = 1e-6f * (8 + sqrtf((float)s->rows));
  float *dx = case_output(outputs, n, tolerance), *df = case_output(outputs, n, tolerance);
  float *dgain = case_output(outputs, columns, over_rows), *dbias = case_output(outputs, columns, over_rows);
  if (norm.rms) memset(mean, 0, (size_t)s->rows * sizeof *mean);
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  bool accumulate = s->variant & 2;
  kernels->residual_norm_gradient(dx, accumulate, df, dgain, dbias, s->variant & 4 ? NULL : dy, accumulate ? dresidual : dx, sum,
                                  mean, deviation, gain, s->rows, s->columns, &norm, &dropout);
}

enum { SCORE_HEADS = 3 };

static void unit_heads_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int stride = SCORE_HEADS * s->columns + s->variant % 4;
  float *x = case_output(outputs, (size_t)(s->rows * stride), 1e-5f),
        *lengths = case_output(outputs, (size_t)(s->rows * SCORE_HEADS), 1e-5f);
  float *dx = case_output(outputs, (size_t)(s->rows * stride), 1e-4f);
  for (int d = 0; d < s->columns; d++) x[d] = 0;  // a vector without a length
  kernels->unit_heads(x, stride, lengths, s->rows, SCORE_HEADS, s->columns);
  for (int i = 0; i < s->rows * SCORE_HEADS; i++) lengths[i] += 0.1f;
  kernels->unit_heads_gradient(dx, stride, x, stride, lengths, s->rows, SCORE_HEADS, s->columns);
}

static const struct shape head_shapes[] = {{1, 1, 0, 0},   {3, 5, 0, 1},   {7, 16, 0, 0},
                                           {65, 20, 0, 1}, {33, 64, 0, 0}, {9, 100, 0, 1}};

static void head_products_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int stride = SCORE_HEADS * s->columns + 5 * (s->variant & 1);
  size_t n = (size_t)(s->rows * stride), weights = (size_t)(SCORE_HEADS * s->columns * s->columns);
  float *x = case_floats(n), *dy = case_floats(n), *w = case_floats(weights);
  float *y = case_output(outputs, n, 1e-5f), *dx = case_output(outputs, n, 1e-5f), *dw = case_output(outputs, weights, 1e-5f);
  kernels->head_products(y, stride, x, stride, w, s->rows, SCORE_HEADS, s->columns);
  kernels->head_products_gradient(dx, stride, dw, dy, stride, x, stride, w, s->rows, SCORE_HEADS, s->columns);
}

enum { COLUMN_SPANS = 3 };

// Spans of falling length over all rows; variant: a group for each column, epsilon outside, adds, constant
static int column_spans(struct span *spans, const struct shape *s) {
  int count = 0;
  for (int row = 0; row < s->rows && count < COLUMN_SPANS; count++) {
    int left = s->rows - row, length = count + 1 < COLUMN_SPANS ? (left + 1) / 2 : left;
    spans[count] = (struct span){.q0 = row, .qn = length};
    row += length;
  }
  return count;
}

static int column_groups(const struct shape *s) {
  int groups = s->variant & 1 ? s->columns : 3;
  while (s->columns % groups) groups--;
  return groups;
}

static void column_norm_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns), columns = (size_t)s->columns;
  struct span spans[COLUMN_SPANS];
  int count = column_spans(spans, s), groups = column_groups(s);
  struct norm norm = {.epsilon = 1e-2f, .epsilon_outside = s->variant & 2};
  float *x = case_floats(n), *gain = case_floats(columns), *bias = case_floats(columns);
  float *mean = case_output(outputs, (size_t)(count * groups), 1e-5f),
        *variance = case_output(outputs, (size_t)(count * groups), 1e-5f);
  float *y = case_output(outputs, n, 1e-4f);
  kernels->column_statistics(mean, variance, x, s->columns, spans, count, groups);
  kernels->column_norm(y, x, mean, variance, gain, bias, s->columns, spans, count, groups, &norm);
}

static void column_norm_gradient_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)(s->rows * s->columns), columns = (size_t)s->columns;
  struct span spans[COLUMN_SPANS];
  int count = column_spans(spans, s), groups = column_groups(s);
  struct norm norm = {.epsilon = 1e-2f, .epsilon_outside = s->variant & 2};
  float *x = case_floats(n), *dy = case_floats(n), *gain = case_floats(columns);
  float *mean = case_floats((size_t)(count * groups)), *variance = case_floats((size_t)(count * groups));
  for (int i = 0; i < count * groups; i++) variance[i] = 0.1f + fabsf(variance[i]);
  float *dx = case_output(outputs, n, 1e-4f), *dgain = case_output(outputs, columns, 1e-4f),
        *dbias = case_output(outputs, columns, 1e-4f);
  kernels->column_norm_gradient(dx, s->variant & 4, dgain, dbias, dy, x, mean, variance, gain, s->columns, spans, count, groups,
                                s->variant & 8, &norm);
}

static struct weight table_of(const float *values, int rows, int columns, enum number_type type) {
  return (struct weight){.rows = rows, .cols = columns, .part_count = 1, .parts = {{rows, values, type, false}}};
}

// variant: f32 (mapped), then positions, types, dropout
static void embed_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t columns = (size_t)s->columns;
  enum { WORDS = 37, POSITIONS = 23 };
  uint16_t *halves = (uint16_t *)(void *)case_floats(POSITIONS * columns);
  for (size_t i = 0; i < POSITIONS * columns; i++) halves[i] = (uint16_t)(0x3C00 + i % 1000);  // f16 or bf16 between 0 and 2
  struct weight words = table_of(case_floats(WORDS * columns), WORDS, s->columns, TYPE_F32);
  struct weight positions = table_of((float *)(void *)halves, POSITIONS, s->columns, s->variant & 1 ? TYPE_F16 : TYPE_BF16);
  struct weight types = table_of(case_floats(2 * columns), 2, s->columns, TYPE_F32);
  int32_t *ids = case_ints((size_t)s->rows, 0, WORDS), *places = case_ints((size_t)s->rows, 0, POSITIONS);
  int32_t *kinds = case_ints((size_t)s->rows, 0, 2);
  float *out = case_output(outputs, (size_t)s->rows * columns, 2e-6f);
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->embed(out, &words, ids, 11.3f, s->variant & 2 ? &positions : NULL, places, s->variant & 4 ? &types : NULL, kinds,
                 s->rows, s->columns, &dropout);
}

static void embed_gradient_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  enum { WORDS = 11 };
  float *dout = case_floats((size_t)(s->rows * s->columns));
  int32_t *ids = case_ints((size_t)s->rows, -1, WORDS);
  float *dtable = case_output(outputs, (size_t)(WORDS * s->columns), 1e-5f);
  struct dropout dropout = case_dropout(s->variant & 8, s->rows);
  kernels->embed_gradient(dtable, ids, 2.5f, dout, s->rows, s->columns, &dropout);
}

static const struct shape logit_shapes[] = {
    {1, 1, 0, 0},  {2, 5, 0, 1},    {3, 16, 0, 2},    {4, 63, 0, 3},   {5, 64, 0, 4},
    {6, 65, 0, 5}, {7, 1000, 0, 6}, {3, 10007, 0, 7}, {70, 257, 0, 3},
};

// variant: smoothing; no gradient; wider stride and no means
static void cross_entropy_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int stride = s->columns + (s->variant & 4 ? 7 : 0);
  int32_t *targets = case_ints((size_t)s->rows, -1, s->columns), *best = case_ints((size_t)s->rows, 0, 1);
  float *losses = case_output(outputs, (size_t)s->rows, 3e-6f), *means = case_output(outputs, (size_t)s->rows, 3e-6f);
  float *logits = case_output(outputs, (size_t)(s->rows * stride), 2e-6f);
  for (int i = 0; i < s->rows * stride; i++) logits[i] *= i % 5 == 0 ? 20 : 3;
  kernels->cross_entropy(losses, s->variant & 4 ? NULL : means, best, logits, stride, targets, s->rows, s->columns,
                         s->variant & 1 ? 0.1f : 0, s->variant & 2 ? 0 : 3.5f);
  case_int_output(outputs, best, (size_t)s->rows);
}

static void log_softmax_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int stride = s->columns + s->variant;
  float *logits = case_output(outputs, (size_t)(s->rows * stride), 3e-6f);
  for (int i = 0; i < s->rows * stride; i++) logits[i] *= i % 5 == 0 ? 20 : 3;
  kernels->log_softmax(logits, stride, s->rows, s->columns);
}

// variant: factor
static void softmax_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  static const float factors[] = {1, 0.5f, 2, 1.25f, 100, 1e-3f, 1e6f, 1};
  int stride = s->columns + s->variant;
  float *logits = case_output(outputs, (size_t)(s->rows * stride), 3e-6f);
  for (int i = 0; i < s->rows * stride; i++) logits[i] *= i % 5 == 0 ? 20 : 3;
  if (s->columns > 3) logits[1] = -1e30f;
  kernels->softmax(logits, stride, s->rows, s->columns, factors[s->variant]);
}

// variant: how many (coarse values: many ties); minus infinities
static void largest_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  static const int counts[] = {1, 2, 3, 5, 16, 17, 64, 10};
  int stride = s->columns + 2, count = counts[s->variant] < s->columns ? counts[s->variant] : s->columns;
  float *x = case_floats((size_t)(s->rows * stride)), *values = case_output(outputs, (size_t)(s->rows * count), 0);
  for (int i = 0; i < s->rows * stride; i++) x[i] = s->variant == 3 && i % 60 > 2 ? -INFINITY : roundf(x[i] * 50);
  int32_t *indexes = case_ints((size_t)(s->rows * count), 0, 1);
  float *log_sums = case_output(outputs, (size_t)s->rows, 1e-5f);
  kernels->largest(values, indexes, log_sums, x, stride, s->rows, s->columns, count);
  case_int_output(outputs, indexes, (size_t)(s->rows * count));
}

static const struct shape flat_shapes[] = {
  {1, 1, 0, 0}, {1, 15, 0, 0}, {1, 16, 0, 0}, {1, 33, 0, 0}, {1, 5000, 0, 0}, {1, 100003, 0, 0},
};

static void sum_squares_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  float *x = case_floats((size_t)s->columns), *sum = case_output(outputs, 1, 2e-6f);
  *sum = (float)kernels->sum_squares(x, (size_t)s->columns);
}

static void adamw_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)s->columns;
  float *value = case_output(outputs, n, 1e-6f), *gradient = case_output(outputs, n, 0);
  float *first = case_output(outputs, n, 1e-6f), *second = case_output(outputs, n, 1e-6f);
  for (size_t i = 0; i < n; i++) second[i] = fabsf(second[i]);
  kernels->adamw(value, gradient, first, second, n, 0.7f, 1e-3f, 0.01f, 0.9f, 0.98f, 1e-8f, 0.5f, 0.25f);
}

static void add_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  float *x = case_floats((size_t)s->columns), *y = case_output(outputs, (size_t)s->columns, 0);
  kernels->add(y, x, (size_t)s->columns);
}

// Ties on both sides, infinity and what rounds to it.
static const float odd_numbers[] = {0x1.01p0f, 0x1.03p0f, -0x1.01p0f, 3.4e38f, -INFINITY, 0, 0x1.010002p0f};

// A stride that leaves columns alone.
static void round_bf16_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  float *x = case_output(outputs, (size_t)(s->rows * s->columns), 0);
  memcpy(x, case_floats((size_t)(s->rows * s->columns)), (size_t)(s->rows * s->columns) * sizeof *x);
  for (int i = 0; i < s->rows * s->columns; i += 3) x[i] = odd_numbers[(size_t)i / 3 % (sizeof odd_numbers / sizeof *odd_numbers)];
  kernels->round_bf16(x, s->columns, s->rows, s->columns - s->columns / 3);
}

static void to_bf16_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)s->columns;
  float *x = case_floats(n), *y = case_output(outputs, n, 0);
  uint16_t *halves = (uint16_t *)case_floats((n + 1) / 2);
  for (size_t i = 0; i < n; i += 3) x[i] = odd_numbers[i / 3 % (sizeof odd_numbers / sizeof *odd_numbers)];
  kernels->to_bf16(halves, x, n);
  for (size_t i = 0; i < n; i++) y[i] = number_from_bf16(halves[i]);
}

static void relu_gradient_half_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  size_t n = (size_t)s->columns;
  float *x = case_floats(n), *dx = case_output(outputs, n, 0);
  uint16_t *y = (uint16_t *)case_floats((n + 1) / 2);
  for (size_t i = 0; i < n; i++) y[i] = number_to_bf16(x[i] > 0 ? x[i] : 0);
  kernels->relu_gradient_half(dx, y, n);
}

static void gather_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  float *x = case_floats((size_t)(50 * s->columns)), *y = case_output(outputs, (size_t)(s->rows * s->columns), 0);
  kernels->gather(y, x, case_ints((size_t)s->rows, 0, 50), s->rows, s->columns);
}

static void scatter_case(const struct kernels *kernels, const struct shape *s, struct outputs *outputs) {
  int x_rows = 2 * s->rows + 3;
  float *y = case_floats((size_t)(s->rows * s->columns)), *x = case_output(outputs, (size_t)(x_rows * s->columns), 0);
  int32_t *rows = case_ints((size_t)s->rows, 0, 2);
  for (int i = 0; i < s->rows; i++) rows[i] += 2 * i;
  kernels->scatter(x, x_rows, y, rows, s->rows, s->columns);
}

#define COUNT(array) (int)(sizeof array / sizeof *array)
#define CASE(name, shapes) {#name, name##_case, shapes, COUNT(shapes)}
const struct slot_case slot_cases[] = {
  CASE(linear, product_shapes),
  CASE(linear_transposed, product_shapes),
  CASE(linear_gradient, product_shapes),
  CASE(activate, row_shapes),
  CASE(activate_gradient, row_shapes),
  CASE(gate, row_shapes),
  CASE(gate_gradient, row_shapes),
  CASE(lstm, row_shapes),
  CASE(lstm_gradient, row_shapes),
  CASE(rotary_table, row_shapes),
  CASE(rotate, row_shapes),
  CASE(residual_norm, row_shapes),
  CASE(residual_only, row_shapes),
  CASE(residual_norm_gradient, row_shapes),
  CASE(unit_heads, row_shapes),
  CASE(head_products, head_shapes),
  CASE(column_norm, row_shapes),
  CASE(column_norm_gradient, row_shapes),
  CASE(embed, row_shapes),
  CASE(embed_gradient, row_shapes),
  CASE(cross_entropy, logit_shapes),
  CASE(log_softmax, logit_shapes),
  CASE(softmax, logit_shapes),
  CASE(largest, logit_shapes),
  CASE(sum_squares, flat_shapes),
  CASE(adamw, flat_shapes),
  CASE(add, flat_shapes),
  CASE(round_bf16, row_shapes),
  CASE(to_bf16, flat_shapes),
  CASE(relu_gradient_half, flat_shapes),
  CASE(gather, row_shapes),
  CASE(scatter, row_shapes),
  {"attention", attention_case, attention_shapes, ATTENTION_SHAPES},
  {"attention_pages", attention_pages_case, attention_shapes, ATTENTION_SHAPES},
  {"attention_gradient", attention_gradient_case, attention_shapes, ATTENTION_SHAPES},
  {"attention_half_pages", attention_half_pages_case, attention_shapes, ATTENTION_SHAPES},
  {"store_keys", store_keys_case, attention_shapes, ATTENTION_SHAPES},
  {"store_half_keys", store_half_keys_case, attention_shapes, ATTENTION_SHAPES},
};
const int slot_case_count = COUNT(slot_cases);
