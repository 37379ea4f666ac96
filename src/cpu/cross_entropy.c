// What is done with rows of logits: loss and gradient, log-probabilities, the largest few.
#include <string.h>

#include "cpu/fast.h"
#include "cpu/simd_math.h"
#include "cpu/work.h"

enum { LARGEST_MOST = 64 };

// The largest value; NaN only by chance.
static float row_largest(const float *x, int columns) {
  vec a = vec_set(x[0]), b = a, c = a, d = a;
  int i = 0;
  for (; i + 4 * LANES <= columns; i += 4 * LANES) {
    a = vec_max(a, vec_load(x + i));
    b = vec_max(b, vec_load(x + i + LANES));
    c = vec_max(c, vec_load(x + i + 2 * LANES));
    d = vec_max(d, vec_load(x + i + 3 * LANES));
  }
  for (; i < columns; i += LANES) {
    lane_mask mask = mask_first(columns - i);
    a = vec_max(a, vec_select(mask, vec_load_mask(x + i, mask), a));
  }
  return vec_largest(vec_max(vec_max(a, b), vec_max(c, d)));
}

static int first_equal(const float *x, int columns, float value) {
  for (int i = 0; i < columns; i += LANES) {
    lane_mask mask = mask_first(columns - i);
    unsigned equal = mask_bits(mask_and(mask, vec_equal(vec_load_mask(x + i, mask), vec_set(value))));
    if (equal) return i + __builtin_ctz(equal);
  }
  return 0;
}

static float row_sum(const float *x, int columns) {
  vec a = vec_zero(), b = a, c = a, d = a;
  int i = 0;
  for (; i + 4 * LANES <= columns; i += 4 * LANES) {
    a = vec_add(a, vec_load(x + i));
    b = vec_add(b, vec_load(x + i + LANES));
    c = vec_add(c, vec_load(x + i + 2 * LANES));
    d = vec_add(d, vec_load(x + i + 3 * LANES));
  }
  for (; i < columns; i += LANES) a = vec_add(a, vec_load_first(x + i, columns - i));
  return vec_sum(vec_add(vec_add(a, b), vec_add(c, d)));
}

// Sum of exp(x - largest); unless `to` is NULL it receives the exponentials. It may be x.
INLINE float exponentials(float *to, const float *x, int columns, float largest) {
  vec total = vec_zero(), shift = vec_set(largest);
  int i = 0;
  for (; i + LANES <= columns; i += LANES) {
    vec e = vec_exp(vec_sub(vec_load(x + i), shift));
    if (to) vec_store(to + i, e);
    total = vec_add(total, e);
  }
  if (i < columns) {
    lane_mask mask = mask_first(columns - i);
    vec e = vec_keep(mask, vec_exp(vec_sub(vec_load_mask(x + i, mask), shift)));
    if (to) vec_store_mask(to + i, e, mask);
    total = vec_add(total, e);
  }
  return vec_sum(total);
}

struct cross_entropy {
  float *losses, *means;
  int32_t *best;
  float *logits;
  size_t stride;
  const int32_t *targets;
  int columns;
  float smoothing, scale;
};

// logits hold exp(x - largest), whose sum is `total`.
static void write_gradient(const struct cross_entropy *job, float *x, float total, int target) {
  vec factor = vec_set(job->scale / total), shift = vec_set(-job->scale * job->smoothing / (float)job->columns);
  for (int i = 0; i < job->columns; i += LANES) {
    lane_mask mask = mask_first(job->columns - i);
    vec_store_mask(x + i, vec_fma(vec_load_mask(x + i, mask), factor, shift), mask);
  }
  x[target] -= job->scale * (1 - job->smoothing);
}

static void cross_entropy_row(void *data, size_t row, int worker) {
  const struct cross_entropy *job = data;
  float *x = job->logits + row * job->stride;
  int target = job->targets[row];
  float largest = target >= 0 || job->best ? row_largest(x, job->columns) : 0;
  if (job->best) job->best[row] = first_equal(x, job->columns, largest);
  if (target < 0) {
    job->losses[row] = 0;
    if (job->means) job->means[row] = 0;
    if (job->scale != 0) memset(x, 0, (size_t)job->columns * sizeof *x);
    return;
  }
  float wanted = x[target], mean = job->means ? row_sum(x, job->columns) / (float)job->columns : 0;
  float total = job->scale != 0 ? exponentials(x, x, job->columns, largest) : exponentials(NULL, x, job->columns, largest);
  float log_total = log_one(total);
  job->losses[row] = log_total - (wanted - largest);
  if (job->means) job->means[row] = log_total - (mean - largest);
  if (job->scale != 0) write_gradient(job, x, total, target);
}

void KERNEL_NAME(cross_entropy)(float *losses, float *means, int32_t *best, float *logits, int stride, const int32_t *targets,
                                int rows, int columns, float smoothing, float scale) {
  struct cross_entropy job = {losses, means, best, logits, stride, targets, columns, smoothing, scale};
  work_for((size_t)rows, 1.2 * rows * columns, cross_entropy_row, &job);
}

struct log_softmax {
  float *logits;
  size_t stride;
  int columns;
};

static void log_softmax_row(void *data, size_t row, int worker) {
  const struct log_softmax *job = data;
  float *x = job->logits + row * job->stride;
  float largest = row_largest(x, job->columns);
  vec shift = vec_set(largest), log_total = vec_set(log_one(exponentials(NULL, x, job->columns, largest)));
  for (int i = 0; i < job->columns; i += LANES) {
    lane_mask mask = mask_first(job->columns - i);
    vec_store_mask(x + i, vec_sub(vec_sub(vec_load_mask(x + i, mask), shift), log_total), mask);
  }
}

void KERNEL_NAME(log_softmax)(float *logits, int stride, int rows, int columns) {
  struct log_softmax job = {logits, stride, columns};
  work_for((size_t)rows, 1.0 * rows * columns, log_softmax_row, &job);
}

struct softmax {
  float *logits;
  size_t stride;
  int columns;
  float factor;
};

static void softmax_row(void *data, size_t row, int worker) {
  const struct softmax *job = data;
  float *x = job->logits + row * job->stride;
  vec shift = vec_set(row_largest(x, job->columns)), factor = vec_set(job->factor);
  for (int i = 0; i < job->columns; i += LANES) {
    lane_mask mask = mask_first(job->columns - i);
    vec_store_mask(x + i, vec_mul(vec_sub(vec_load_mask(x + i, mask), shift), factor), mask);
  }
  vec inverse = vec_div(vec_set(1), vec_set(exponentials(x, x, job->columns, 0)));
  for (int i = 0; i < job->columns; i += LANES) {
    lane_mask mask = mask_first(job->columns - i);
    vec_store_mask(x + i, vec_mul(vec_load_mask(x + i, mask), inverse), mask);
  }
}

void KERNEL_NAME(softmax)(float *logits, int stride, int rows, int columns, float factor) {
  struct softmax job = {logits, stride, columns, factor};
  work_for((size_t)rows, 1.2 * rows * columns, softmax_row, &job);
}

struct largest {
  float *values;
  int32_t *indexes;
  float *log_sums;
  const float *x;
  size_t stride;
  int columns, count;
};

// Puts a value into its place among the n found so far (falling, equal values in order of their index).
static void insert(float *values, int32_t *indexes, int n, float value, int32_t index) {
  for (; n > 0 && value > values[n - 1]; n--) {
    values[n] = values[n - 1];
    indexes[n] = indexes[n - 1];
  }
  values[n] = value;
  indexes[n] = index;
}

// How many columns from the first on, in groups of four vectors, hold nothing above `least`.
static int nothing_above(const float *x, int columns, float least) {
  vec limit = vec_set(least);
  int i = 0;
  for (; i + 4 * LANES <= columns; i += 4 * LANES) {
    lane_mask a = mask_or(vec_less(limit, vec_load(x + i)), vec_less(limit, vec_load(x + i + LANES)));
    lane_mask b = mask_or(vec_less(limit, vec_load(x + i + 2 * LANES)), vec_less(limit, vec_load(x + i + 3 * LANES)));
    if (mask_any(mask_or(a, b))) break;
  }
  return i;
}

// The first `count` columns start the list; after that few values exceed the least of it, and vectors without one are skipped.
static void largest_row(void *data, size_t row, int worker) {
  const struct largest *job = data;
  const float *x = job->x + row * job->stride;
  float values[LARGEST_MOST + 1];
  int32_t indexes[LARGEST_MOST + 1];
  int count = job->count, i = 0;
  for (; i < count && i < job->columns; i++) insert(values, indexes, i, x[i], i);
  for (; i < job->columns; i += LANES) {
    i += nothing_above(x + i, job->columns - i, values[count - 1]);
    if (i >= job->columns) break;
    lane_mask mask = mask_first(job->columns - i);
    vec candidates = vec_load_mask(x + i, mask);
    unsigned above = mask_bits(mask_and(mask, vec_less(vec_set(values[count - 1]), candidates)));
    for (; above; above &= above - 1) {
      int column = i + __builtin_ctz(above);
      if (x[column] > values[count - 1]) insert(values, indexes, count - 1, x[column], column);
    }
  }
  memcpy(job->values + row * count, values, (size_t)count * sizeof *values);
  memcpy(job->indexes + row * count, indexes, (size_t)count * sizeof *indexes);
  if (job->log_sums) job->log_sums[row] = values[0] + log_one(exponentials(NULL, x, job->columns, values[0]));
}

void KERNEL_NAME(largest)(float *values, int32_t *indexes, float *log_sums, const float *x, int stride, int rows, int columns,
                          int count) {
  struct largest job = {values, indexes, log_sums, x, stride, columns, count};
  if (count <= 0) return;
  work_for((size_t)rows, (log_sums ? 1.0 : 0.15) * rows * columns, largest_row, &job);
}
