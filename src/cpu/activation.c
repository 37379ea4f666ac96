// Activations with dropout, and plain element-wise and row-copying kernels.
#include <string.h>

#include "cpu/fast.h"
#include "cpu/simd_dropout.h"
#include "cpu/simd_math.h"
#include "cpu/work.h"
#include "tensor/number.h"

enum { TASK_ELEMENTS = 16384 };

struct activate {
  float *y;
  const float *dy, *x;
  int rows, columns, rows_each;
  enum activation activation;
  const struct dropout *dropout;
  bool gated;
};

INLINE void activate_row(const struct activate *job, int row, const bool backward, const enum activation activation) {
  size_t start = (size_t)row * job->columns;
  for (int c = 0; c < job->columns; c += DROPOUT_COLUMNS) {
    vec factor[DROPOUT_VECS];
    row_factors(job->dropout, row, c / DROPOUT_COLUMNS, factor);
    for (int j = 0; j < DROPOUT_VECS; j++) {
      int left = job->columns - c - j * LANES;
      if (left <= 0) break;
      lane_mask mask = mask_first(left);
      size_t at = start + c + j * LANES;
      vec x = vec_load_mask(job->x + at, mask), y;
      if (backward) y = vec_mul(vec_mul(vec_load_mask(job->dy + at, mask), factor[j]), vec_activation_slope(x, activation));
      else y = vec_mul(vec_activation(x, activation), factor[j]);
      vec_store_mask(job->y + at, y, mask);
    }
  }
}

// Of [rows, 2 * columns]: the values, and behind them the numbers whose activation they are multiplied by.
INLINE void gate_row(const struct activate *job, int row, const bool backward, const enum activation activation) {
  size_t start = (size_t)row * job->columns;
  for (int c = 0; c < job->columns; c += DROPOUT_COLUMNS) {
    vec factor[DROPOUT_VECS];
    row_factors(job->dropout, row, c / DROPOUT_COLUMNS, factor);
    for (int j = 0; j < DROPOUT_VECS; j++) {
      int left = job->columns - c - j * LANES;
      if (left <= 0) break;
      lane_mask mask = mask_first(left);
      size_t at = start + c + j * LANES, wide = at + start;
      vec up = vec_load_mask(job->x + wide, mask), gate = vec_load_mask(job->x + wide + job->columns, mask);
      vec opened = vec_activation(gate, activation);
      if (!backward) {
        vec_store_mask(job->y + at, vec_mul(vec_mul(opened, up), factor[j]), mask);
        continue;
      }
      vec d = vec_mul(vec_load_mask(job->dy + at, mask), factor[j]);
      vec_store_mask(job->y + wide, vec_mul(d, opened), mask);
      vec_store_mask(job->y + wide + job->columns, vec_mul(vec_mul(d, up), vec_activation_slope(gate, activation)), mask);
    }
  }
}

INLINE void activate_rows(const struct activate *job, size_t index, const bool backward, const enum activation activation) {
  int first = (int)index * job->rows_each, end = first + job->rows_each < job->rows ? first + job->rows_each : job->rows;
  for (int row = first; row < end; row++) {
    if (job->gated) gate_row(job, row, backward, activation);
    else activate_row(job, row, backward, activation);
  }
}

INLINE void activate_block(const struct activate *job, size_t index, const bool backward) {
  switch (job->activation) {
    case ACTIVATION_NONE: activate_rows(job, index, backward, ACTIVATION_NONE); break;
    case ACTIVATION_RELU: activate_rows(job, index, backward, ACTIVATION_RELU); break;
    case ACTIVATION_GELU: activate_rows(job, index, backward, ACTIVATION_GELU); break;
    case ACTIVATION_GELU_TANH: activate_rows(job, index, backward, ACTIVATION_GELU_TANH); break;
    case ACTIVATION_SILU: activate_rows(job, index, backward, ACTIVATION_SILU); break;
    case ACTIVATION_TANH: activate_rows(job, index, backward, ACTIVATION_TANH); break;
  }
}

static void forward_task(void *data, size_t index, int worker) { activate_block(data, index, false); }
static void backward_task(void *data, size_t index, int worker) { activate_block(data, index, true); }

static void activate_all(struct activate *job, parallel_task *task) {
  if (job->rows <= 0 || job->columns <= 0) return;
  job->rows_each = (int)size_max(1, TASK_ELEMENTS / (size_t)job->columns);
  work_for(ceil_div((size_t)job->rows, (size_t)job->rows_each), 0.7 * job->rows * job->columns, task, job);
}

void KERNEL_NAME(activate)(float *y, const float *x, int rows, int columns, enum activation activation,
                           const struct dropout *dropout) {
  struct activate job = {.y = y, .x = x, .rows = rows, .columns = columns, .activation = activation, .dropout = dropout};
  activate_all(&job, forward_task);
}

void KERNEL_NAME(activate_gradient)(float *dx, const float *dy, const float *x, int rows, int columns, enum activation activation,
                                    const struct dropout *dropout) {
  struct activate job = {.y = dx, .dy = dy, .x = x, .rows = rows, .columns = columns, .activation = activation,
                         .dropout = dropout};
  activate_all(&job, backward_task);
}

void KERNEL_NAME(gate)(float *y, const float *x, int rows, int columns, enum activation activation,
                       const struct dropout *dropout) {
  struct activate job = {
    .y = y, .x = x, .rows = rows, .columns = columns, .activation = activation, .dropout = dropout, .gated = true};
  activate_all(&job, forward_task);
}

void KERNEL_NAME(gate_gradient)(float *dx, const float *dy, const float *x, int rows, int columns, enum activation activation,
                                const struct dropout *dropout) {
  struct activate job = {.y = dx, .dy = dy, .x = x, .rows = rows, .columns = columns, .activation = activation,
                         .dropout = dropout, .gated = true};
  activate_all(&job, backward_task);
}

struct addition {
  float *y;
  const float *x;
  size_t n;
};

static void add_task(void *data, size_t index, int worker) {
  const struct addition *job = data;
  size_t start = index * TASK_ELEMENTS, n = size_min(job->n - start, TASK_ELEMENTS), i = 0;
  float *y = job->y + start;
  const float *x = job->x + start;
  for (; i + LANES <= n; i += LANES) vec_store(y + i, vec_add(vec_load(y + i), vec_load(x + i)));
  if (i < n)
    vec_store_first(y + i, vec_add(vec_load_first(y + i, (int)(n - i)), vec_load_first(x + i, (int)(n - i))), (int)(n - i));
}

void KERNEL_NAME(add)(float *y, const float *x, size_t n) {
  struct addition job = {y, x, n};
  work_for(ceil_div(n, TASK_ELEMENTS), 0.3 * (double)n, add_task, &job);
}

struct rounding {
  float *x;
  size_t stride;
  int columns;
};

static void round_row(void *data, size_t row, int worker) {
  const struct rounding *job = data;
  float *x = job->x + row * job->stride;
  for (int c = 0; c < job->columns; c += LANES)
    vec_store_first(x + c, vec_round_bf16(vec_load_first(x + c, job->columns - c)), job->columns - c);
}

void KERNEL_NAME(round_bf16)(float *x, int stride, int rows, int columns) {
  struct rounding job = {x, (size_t)stride, columns};
  work_for((size_t)rows, 0.3 * rows * columns, round_row, &job);
}

struct rounding_to_bf16 {
  uint16_t *y;
  const float *x;
  size_t n;
};

static void to_bf16_task(void *data, size_t index, int worker) {
  const struct rounding_to_bf16 *job = data;
  size_t i = index * TASK_ELEMENTS, end = size_min(job->n, i + TASK_ELEMENTS);
  for (; i + LANES <= end; i += LANES) vec_store_bf16(job->y + i, vec_load(job->x + i));
  for (; i < end; i++) job->y[i] = number_to_bf16(job->x[i]);
}

void KERNEL_NAME(to_bf16)(uint16_t *y, const float *x, size_t n) {
  struct rounding_to_bf16 job = {y, x, n};
  work_for(ceil_div(n, TASK_ELEMENTS), 0.3 * (double)n, to_bf16_task, &job);
}

struct relu_half {
  float *dx;
  const uint16_t *y;
  size_t n;
};

static void relu_half_task(void *data, size_t index, int worker) {
  const struct relu_half *job = data;
  size_t i = index * TASK_ELEMENTS, end = size_min(job->n, i + TASK_ELEMENTS);
  for (; i + LANES <= end; i += LANES)
    vec_store(job->dx + i, vec_keep(vec_less(vec_zero(), vec_load_bf16(job->y + i)), vec_load(job->dx + i)));
  for (; i < end; i++)
    if (!(number_from_bf16(job->y[i]) > 0)) job->dx[i] = 0;
}

void KERNEL_NAME(relu_gradient_half)(float *dx, const uint16_t *y, size_t n) {
  struct relu_half job = {dx, y, n};
  work_for(ceil_div(n, TASK_ELEMENTS), 0.3 * (double)n, relu_half_task, &job);
}

struct row_copy {
  float *to;
  const float *from;
  const int32_t *rows;
  size_t count, columns, rows_each;
};

static void gather_task(void *data, size_t index, int worker) {
  const struct row_copy *job = data;
  size_t end = size_min((index + 1) * job->rows_each, job->count);
  for (size_t i = index * job->rows_each; i < end; i++)
    memcpy(job->to + i * job->columns, job->from + (size_t)job->rows[i] * job->columns, job->columns * sizeof *job->to);
}

static void scatter_task(void *data, size_t index, int worker) {
  const struct row_copy *job = data;
  size_t end = size_min((index + 1) * job->rows_each, job->count);
  for (size_t i = index * job->rows_each; i < end; i++)
    memcpy(job->to + (size_t)job->rows[i] * job->columns, job->from + i * job->columns, job->columns * sizeof *job->to);
}

static void clear_task(void *data, size_t index, int worker) {
  const struct row_copy *job = data;
  size_t first = index * job->rows_each, end = size_min(first + job->rows_each, job->count);
  memset(job->to + first * job->columns, 0, (end - first) * job->columns * sizeof *job->to);
}

static void copy_rows(struct row_copy *job, parallel_task *task) {
  if (job->count == 0 || job->columns == 0) return;
  job->rows_each = size_max(1, TASK_ELEMENTS / job->columns);
  work_for(ceil_div(job->count, job->rows_each), 0.2 * (double)(job->count * job->columns), task, job);
}

void KERNEL_NAME(gather)(float *y, const float *x, const int32_t *rows, int count, int columns) {
  copy_rows(&(struct row_copy){y, x, rows, (size_t)count, (size_t)columns, 0}, gather_task);
}

void KERNEL_NAME(scatter)(float *x, int x_rows, const float *y, const int32_t *rows, int count, int columns) {
  copy_rows(&(struct row_copy){x, NULL, NULL, (size_t)x_rows, (size_t)columns, 0}, clear_task);
  copy_rows(&(struct row_copy){x, y, rows, (size_t)count, (size_t)columns, 0}, scatter_task);
}
