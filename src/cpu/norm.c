// Residual sums with layer or root-mean-square norm, and their gradients.
//
// A row's sums run in sixteen lanes and end in the fixed tree. The gradients of gain and bias are sums over rows: each chunk of
// rows adds its own, and the chunks are added in order; how rows are cut into chunks depends on rows and columns alone.
#include <math.h>
#include <string.h>

#include "cpu/fast.h"
#include "cpu/norm_root.h"
#include "cpu/simd_dropout.h"
#include "cpu/work.h"

enum {
  TASK_ELEMENTS = 8192,
  PARTIALS = 1 << 16,    // floats of partial sums on the caller's stack
  CHUNKS = 64,
  CHUNK_ROWS = 32,       // at least
};

struct forward {
  float *y, *sum, *mean, *deviation;
  const float *x, *f, *gain, *bias;
  int rows, columns, rows_each;
  const struct norm *norm;
  const struct dropout *dropout;
};

// sum = x + dropout(f), with the lanes' totals
static vec add_residual(const struct forward *job, int row) {
  size_t start = (size_t)row * job->columns;
  vec total = vec_zero();
  for (int c = 0; c < job->columns; c += DROPOUT_COLUMNS) {
    vec factor[DROPOUT_VECS];
    row_factors(job->dropout, row, c / DROPOUT_COLUMNS, factor);
    for (int j = 0; j < DROPOUT_VECS; j++) {
      int left = job->columns - c - j * LANES;
      if (left <= 0) break;
      lane_mask mask = mask_first(left);
      size_t at = start + c + j * LANES;
      vec sum = vec_fma(vec_load_mask(job->f + at, mask), factor[j], vec_load_mask(job->x + at, mask));
      vec_store_mask(job->sum + at, sum, mask);
      total = vec_add(total, sum);
    }
  }
  return total;
}

static vec lane_totals(const float *x, int columns) {
  vec total = vec_zero();
  for (int c = 0; c < columns; c += LANES) total = vec_add(total, vec_load_first(x + c, columns - c));
  return total;
}

static float variance_of(const float *x, int columns, float mean) {
  vec total = vec_zero(), centre = vec_set(mean);
  for (int c = 0; c < columns; c += LANES) {
    lane_mask mask = mask_first(columns - c);
    vec difference = vec_keep(mask, vec_sub(vec_load_mask(x + c, mask), centre));
    total = vec_fma(difference, difference, total);
  }
  return vec_sum(total) / (float)columns;
}

static void normalise(float *y, const float *x, float mean, float deviation, const float *gain, const float *bias, int columns) {
  vec centre = vec_set(mean), factor = vec_set(deviation);
  for (int c = 0; c < columns; c += LANES) {
    lane_mask mask = mask_first(columns - c);
    vec normed = vec_mul(vec_sub(vec_load_mask(x + c, mask), centre), factor);
    vec shift = bias ? vec_load_mask(bias + c, mask) : vec_zero();
    vec_store_mask(y + c, vec_fma(normed, vec_load_mask(gain + c, mask), shift), mask);
  }
}

static void forward_row(const struct forward *job, int row) {
  size_t start = (size_t)row * job->columns;
  const float *input = job->f ? job->sum + start : job->x + start;
  bool centred = !job->norm || !job->norm->rms;
  vec totals = job->f ? add_residual(job, row) : job->y && centred ? lane_totals(input, job->columns) : vec_zero();
  if (!job->y) return;
  float mean = centred ? vec_sum(totals) / (float)job->columns : 0;
  float deviation = norm_deviation(job->norm, variance_of(input, job->columns, mean));
  normalise(job->y + start, input, mean, deviation, job->gain, job->bias, job->columns);
  if (job->mean) job->mean[row] = mean;
  if (job->deviation) job->deviation[row] = deviation;
}

static void forward_task(void *data, size_t index, int worker) {
  const struct forward *job = data;
  int first = (int)index * job->rows_each, end = first + job->rows_each < job->rows ? first + job->rows_each : job->rows;
  for (int row = first; row < end; row++) forward_row(job, row);
}

void KERNEL_NAME(residual_norm)(float *y, float *sum, float *mean, float *deviation, const float *x, const float *f,
                                const float *gain, const float *bias, int rows, int columns, const struct norm *norm,
                                const struct dropout *dropout) {
  struct forward job = {y, sum, mean, deviation, x, f, gain, bias, rows, columns, 1, norm, dropout};
  if (rows <= 0 || columns <= 0) return;
  job.rows_each = (int)size_max(1, TASK_ELEMENTS / (size_t)columns);
  work_for(ceil_div((size_t)rows, (size_t)job.rows_each), 0.4 * rows * columns, forward_task, &job);
}

struct backward {
  float *dx;
  bool dx_accumulate;
  float *df, *partials;  // partials: [chunks][gain, bias][padded]
  const float *dy, *dresidual, *sum, *mean, *deviation, *gain;
  int rows, columns, padded, chunk_rows;
  const struct norm *norm;
  bool rms;
  const struct dropout *dropout;
};

// Adds this row's part of dgain and dbias and returns the two means that the norm's gradient needs.
static void gradient_means(const struct backward *job, int row, float *partial, float *mean_g, float *mean_gx) {
  size_t start = (size_t)row * job->columns;
  vec centre = vec_set(job->mean && !job->rms ? job->mean[row] : 0), factor = vec_set(job->deviation[row]);
  vec total_g = vec_zero(), total_gx = vec_zero();
  for (int c = 0; c < job->columns; c += LANES) {
    lane_mask mask = mask_first(job->columns - c);
    vec dy = vec_load_mask(job->dy + start + c, mask);
    vec normed = vec_mul(vec_sub(vec_load_mask(job->sum + start + c, mask), centre), factor);
    vec g = vec_mul(dy, vec_load_mask(job->gain + c, mask));
    total_g = vec_add(total_g, g);
    total_gx = vec_fma(g, normed, total_gx);
    if (!partial) continue;
    vec_store(partial + c, vec_fma(dy, normed, vec_load(partial + c)));
    vec_store(partial + job->padded + c, vec_add(dy, vec_load(partial + job->padded + c)));
  }
  *mean_g = job->rms ? 0 : vec_sum(total_g) / (float)job->columns;
  *mean_gx = vec_sum(total_gx) / (float)job->columns * norm_variance_factor(job->norm, job->deviation[row]);
}

static void backward_row(const struct backward *job, int row, float *partial) {
  size_t start = (size_t)row * job->columns;
  float mean_g = 0, mean_gx = 0;
  if (job->dy) gradient_means(job, row, partial, &mean_g, &mean_gx);
  vec centre = vec_set(job->dy && job->mean && !job->rms ? job->mean[row] : 0),
      factor = vec_set(job->dy ? job->deviation[row] : 0);
  for (int c = 0; c < job->columns; c += DROPOUT_COLUMNS) {
    vec drop[DROPOUT_VECS];
    if (job->df) row_factors(job->dropout, row, c / DROPOUT_COLUMNS, drop);
    for (int j = 0; j < DROPOUT_VECS; j++) {
      int column = c + j * LANES;
      if (column >= job->columns) break;
      lane_mask mask = mask_first(job->columns - column);
      size_t at = start + column;
      vec dsum = vec_zero();
      if (job->dy) {
        vec normed = vec_mul(vec_sub(vec_load_mask(job->sum + at, mask), centre), factor);
        vec g = vec_mul(vec_load_mask(job->dy + at, mask), vec_load_mask(job->gain + column, mask));
        dsum = vec_mul(vec_negative_fma(normed, vec_set(mean_gx), vec_sub(g, vec_set(mean_g))), factor);
      }
      if (job->dresidual) dsum = vec_add(dsum, vec_load_mask(job->dresidual + at, mask));
      if (job->df) vec_store_mask(job->df + at, vec_mul(dsum, drop[j]), mask);
      if (job->dx_accumulate) dsum = vec_add(vec_load_mask(job->dx + at, mask), dsum);
      vec_store_mask(job->dx + at, dsum, mask);
    }
  }
}

static void backward_task(void *data, size_t index, int worker) {
  const struct backward *job = data;
  float *partial = job->partials ? job->partials + index * 2 * job->padded : NULL;
  if (partial) memset(partial, 0, 2 * (size_t)job->padded * sizeof *partial);
  int first = (int)index * job->chunk_rows, end = first + job->chunk_rows < job->rows ? first + job->chunk_rows : job->rows;
  for (int row = first; row < end; row++) backward_row(job, row, partial);
}

static void add_partials(float *gradient, const float *partials, size_t chunks, size_t step, int columns) {
  for (int c = 0; c < columns; c += LANES) {
    vec sum = vec_load_first(gradient + c, columns - c);
    for (size_t i = 0; i < chunks; i++) sum = vec_add(sum, vec_load(partials + i * step + c));
    vec_store_first(gradient + c, sum, columns - c);
  }
}

void KERNEL_NAME(residual_norm_gradient)(float *dx, bool dx_accumulate, float *df, float *dgain, float *dbias, const float *dy,
                                         const float *dresidual, const float *sum, const float *mean, const float *deviation,
                                         const float *gain, int rows, int columns, const struct norm *norm,
                                         const struct dropout *dropout) {
  if (rows <= 0 || columns <= 0) return;
  float partials[PARTIALS];
  int padded = (columns + LANES - 1) / LANES * LANES;
  bool sums = dy && (dgain || dbias);
  struct backward job = {dx, dx_accumulate, df, sums ? partials : NULL, dy, dresidual, sum, mean, deviation, gain, rows, columns,
                         padded, 1, norm, norm && norm->rms, dropout};
  size_t chunks = size_min(ceil_div((size_t)rows, CHUNK_ROWS), size_min(CHUNKS, size_max(1, PARTIALS / (2 * (size_t)padded))));
  job.chunk_rows = (int)ceil_div((size_t)rows, chunks);
  chunks = ceil_div((size_t)rows, (size_t)job.chunk_rows);
  work_for(chunks, 0.6 * rows * columns, backward_task, &job);
  if (sums && dgain) add_partials(dgain, partials, chunks, 2 * (size_t)padded, columns);
  if (sums && dbias) add_partials(dbias, partials + padded, chunks, 2 * (size_t)padded, columns);
}
