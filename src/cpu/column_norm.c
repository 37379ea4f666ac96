// Norms whose statistics run down the rows: of a sequence (instance and group norm), or of all rows (batch norm).
//
// Sixteen columns at a time go down a span's rows; sums of PART rows are made by themselves and added in order, so that long sums
// stay exact enough. A column's chain depends on its span alone, whatever rows stand beside it. A task owns its columns in every
// span.
#include <string.h>

#include "cpu/fast.h"
#include "cpu/norm_root.h"
#include "cpu/work.h"

enum { PART = 64 };

struct job {
  float *y, *mean, *variance; // y: also dx
  float *dgain, *dbias;
  const float *x, *dy, *gain, *bias, *means, *variances;
  int columns, width; // width: columns of a group
  const struct span *spans;
  int span_count, groups;
  bool accumulate, constant;
  const struct norm *norm;
};

// Some groups of a span: sixteen of one column each, or a wider one.
struct unit {
  const struct span *span;
  size_t start; // of its first element in matrices
  int column, columns, group, groups;
  size_t statistics; // index of its first group's
};

static struct unit unit_of(const struct job *job, size_t index, int s) {
  struct unit unit = {.span = &job->spans[s]};
  unit.groups = job->width == 1 ? LANES : 1;
  unit.group = (int)index * unit.groups;
  if (unit.groups > job->groups - unit.group) unit.groups = job->groups - unit.group;
  unit.column = unit.group * job->width;
  unit.columns = unit.groups * job->width;
  unit.start = (size_t)unit.span->q0 * job->columns + unit.column;
  unit.statistics = (size_t)s * job->groups + unit.group;
  return unit;
}

static void run(const struct job *job, double nanoseconds, parallel_task *task) {
  size_t units = job->width == 1 ? ceil_div((size_t)job->groups, LANES) : (size_t)job->groups;
  double elements = 0;
  for (int s = 0; s < job->span_count; s++) elements += (double)job->spans[s].qn * job->columns;
  work_for(units, nanoseconds * elements, task, (void *)(uintptr_t)job);
}

// One number for each of sixteen columns of the unit.
static vec per_column(const struct job *job, const struct unit *unit, const float *of_groups) {
  return job->width == 1 ? vec_load_first(of_groups + unit->statistics, unit->groups) : vec_set(of_groups[unit->statistics]);
}

static vec deviations(const struct job *job, const struct unit *unit, const float *variances) {
  if (job->width > 1) return vec_set(norm_deviation(job->norm, variances[unit->statistics]));
  float each[LANES] = {0};
  for (int i = 0; i < unit->groups; i++) each[i] = norm_deviation(job->norm, variances[unit->statistics + i]);
  return vec_load(each);
}

// ---- statistics ----

// Sums of x, or of (x - centre)^2, of up to sixteen columns down a span's rows; the other lanes are 0.
static vec sum_down(const float *x, size_t stride, int rows, lane_mask mask, bool squares, vec centre) {
  vec total = vec_zero();
  for (int row = 0; row < rows;) {
    vec part = vec_zero();
    for (int end = row + PART < rows ? row + PART : rows; row < end; row++) {
      vec value = vec_load_mask(x + row * stride, mask);
      if (!squares) {
        part = vec_add(part, value);
        continue;
      }
      value = vec_sub(value, centre);
      part = vec_fma(value, value, part);
    }
    total = vec_add(total, part);
  }
  return vec_keep(mask, total);
}

static void mean_of(const struct job *job, const struct unit *unit, float *to, bool squares) {
  vec n = vec_set((float)unit->span->qn * (float)job->width), sum = vec_zero();
  float whole = 0;
  for (int c = 0; c < unit->columns; c += LANES) {
    vec centre = squares ? per_column(job, unit, job->mean) : vec_zero();
    lane_mask mask = mask_first(unit->columns - c);
    sum = sum_down(job->x + unit->start + c, (size_t)job->columns, unit->span->qn, mask, squares, centre);
    if (job->width > 1) whole += vec_sum(sum);
  }
  if (job->width > 1) sum = vec_set(whole);
  vec_store_first(to + unit->statistics, vec_div(sum, n), unit->groups);
}

static void statistics_task(void *data, size_t index, int worker) {
  const struct job *job = data;
  for (int s = 0; s < job->span_count; s++) {
    struct unit unit = unit_of(job, index, s);
    if (unit.span->qn <= 0) continue;
    mean_of(job, &unit, job->mean, false);
    mean_of(job, &unit, job->variance, true);
  }
}

void KERNEL_NAME(column_statistics)(float *mean, float *variance, const float *x, int columns, const struct span *spans,
                                    int span_count, int groups) {
  struct job job = {.mean = mean,
                    .variance = variance,
                    .x = x,
                    .columns = columns,
                    .width = columns / groups,
                    .spans = spans,
                    .span_count = span_count,
                    .groups = groups};
  run(&job, 0.3, statistics_task);
}

// ---- forward ----

INLINE vec normalised(const struct job *job, size_t at, lane_mask mask, vec centre, vec factor) {
  return vec_mul(vec_sub(vec_load_mask(job->x + at, mask), centre), factor);
}

static void norm_task(void *data, size_t index, int worker) {
  const struct job *job = data;
  for (int s = 0; s < job->span_count; s++) {
    struct unit unit = unit_of(job, index, s);
    vec factor = deviations(job, &unit, job->variances);
    for (int c = 0; c < unit.columns; c += LANES) {
      lane_mask mask = mask_first(unit.columns - c);
      vec centre = per_column(job, &unit, job->means);
      vec gain = vec_load_mask(job->gain + unit.column + c, mask), bias = vec_load_mask(job->bias + unit.column + c, mask);
      for (int row = 0; row < unit.span->qn; row++) {
        size_t at = unit.start + (size_t)row * job->columns + c;
        vec normed = normalised(job, at, mask, centre, factor);
        vec_store_mask(job->y + at, vec_fma(normed, gain, bias), mask);
      }
    }
  }
}

void KERNEL_NAME(column_norm)(float *y, const float *x, const float *mean, const float *variance, const float *gain,
                              const float *bias, int columns, const struct span *spans, int span_count, int groups,
                              const struct norm *norm) {
  struct job job = {.y = y,
                    .x = x,
                    .means = mean,
                    .variances = variance,
                    .gain = gain,
                    .bias = bias,
                    .columns = columns,
                    .width = columns / groups,
                    .spans = spans,
                    .span_count = span_count,
                    .groups = groups,
                    .norm = norm};
  run(&job, 0.2, norm_task);
}

// ---- gradient ----

// Sums down a span's rows of dy and dy * normed of up to sixteen columns, in parts as the statistics.
static void gradient_sums(const struct job *job, const struct unit *unit, int c, lane_mask mask, vec centre, vec factor,
                          vec *of_dy, vec *of_normed) {
  vec total = vec_zero(), total_normed = vec_zero();
  for (int row = 0; row < unit->span->qn;) {
    vec part = vec_zero(), part_normed = vec_zero();
    for (int end = row + PART < unit->span->qn ? row + PART : unit->span->qn; row < end; row++) {
      size_t at = unit->start + (size_t)row * job->columns + c;
      vec dy = vec_load_mask(job->dy + at, mask);
      vec normed = normalised(job, at, mask, centre, factor);
      part = vec_add(part, dy);
      part_normed = vec_fma(dy, normed, part_normed);
    }
    total = vec_add(total, part);
    total_normed = vec_add(total_normed, part_normed);
  }
  *of_dy = vec_keep(mask, total);
  *of_normed = vec_keep(mask, total_normed);
}

static void add_to(float *gradient, int column, vec sum, lane_mask mask) {
  if (gradient) vec_store_mask(gradient + column, vec_add(vec_load_mask(gradient + column, mask), sum), mask);
}

static void unit_gradient(const struct job *job, const struct unit *unit) {
  vec factor = deviations(job, unit, job->variances), mean_g = vec_zero(), mean_gx = vec_zero();
  float whole_g = 0, whole_gx = 0, strength[LANES] = {0};
  for (int c = 0; c < unit->columns; c += LANES) {
    lane_mask mask = mask_first(unit->columns - c);
    vec of_dy, of_normed, gain = vec_load_mask(job->gain + unit->column + c, mask);
    gradient_sums(job, unit, c, mask, per_column(job, unit, job->means), factor, &of_dy, &of_normed);
    add_to(job->dbias, unit->column + c, of_dy, mask);
    add_to(job->dgain, unit->column + c, of_normed, mask);
    mean_g = vec_mul(of_dy, gain);
    mean_gx = vec_mul(of_normed, gain);
    whole_g += vec_sum(mean_g);
    whole_gx += vec_sum(mean_gx);
  }
  if (job->width > 1) mean_g = vec_set(whole_g), mean_gx = vec_set(whole_gx);
  float each[LANES];
  vec_store(each, factor);
  for (int i = 0; i < LANES; i++)
    strength[i] = norm_variance_factor(job->norm, each[i]) / ((float)unit->span->qn * (float)job->width);
  mean_g = job->constant ? vec_zero() : vec_div(mean_g, vec_set((float)unit->span->qn * (float)job->width));
  mean_gx = job->constant ? vec_zero() : vec_mul(mean_gx, vec_load(strength));
  for (int c = 0; c < unit->columns; c += LANES) {
    lane_mask mask = mask_first(unit->columns - c);
    vec gain = vec_load_mask(job->gain + unit->column + c, mask), centre = per_column(job, unit, job->means);
    for (int row = 0; row < unit->span->qn; row++) {
      size_t at = unit->start + (size_t)row * job->columns + c;
      vec normed = normalised(job, at, mask, centre, factor);
      vec g = vec_sub(vec_mul(vec_load_mask(job->dy + at, mask), gain), mean_g);
      vec dx = vec_mul(vec_negative_fma(normed, mean_gx, g), factor);
      if (job->accumulate) dx = vec_add(vec_load_mask(job->y + at, mask), dx);
      vec_store_mask(job->y + at, dx, mask);
    }
  }
}

static void gradient_task(void *data, size_t index, int worker) {
  const struct job *job = data;
  for (int s = 0; s < job->span_count; s++) {
    struct unit unit = unit_of(job, index, s);
    if (unit.span->qn > 0) unit_gradient(job, &unit);
  }
}

void KERNEL_NAME(column_norm_gradient)(float *dx, bool dx_accumulate, float *dgain, float *dbias, const float *dy, const float *x,
                                       const float *mean, const float *variance, const float *gain, int columns,
                                       const struct span *spans, int span_count, int groups, bool constant,
                                       const struct norm *norm) {
  struct job job = {.y = dx,
                    .accumulate = dx_accumulate,
                    .dgain = dgain,
                    .dbias = dbias,
                    .dy = dy,
                    .x = x,
                    .means = mean,
                    .variances = variance,
                    .gain = gain,
                    .columns = columns,
                    .width = columns / groups,
                    .spans = spans,
                    .span_count = span_count,
                    .groups = groups,
                    .constant = constant,
                    .norm = norm};
  run(&job, 0.6, gradient_task);
}
