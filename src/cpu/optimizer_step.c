// What the optimizer does with all the weights: streams of values, bound by memory.
#include <math.h>

#include "cpu/fast.h"
#include "cpu/work.h"

enum {
  TASK_ELEMENTS = 32768,
  SUMS = 512,            // partial sums of sum_squares
  SUM_ELEMENTS = 8192,   // at least so many elements in each
  RUN = 2048,            // added in f32 before they go into a double
};

struct sum_squares {
  const float *x;
  size_t n, each;
  double *sums;
};

static void sum_squares_task(void *data, size_t index, int worker) {
  const struct sum_squares *job = data;
  size_t end = size_min(job->n, (index + 1) * job->each);
  double sum = 0;
  for (size_t start = index * job->each; start < end; start += RUN) {
    size_t stop = size_min(end, start + RUN);
    vec total = vec_zero();
    for (size_t i = start; i < stop; i += LANES) {
      vec x = vec_load_first(job->x + i, (int)size_min(LANES, stop - i));
      total = vec_fma(x, x, total);
    }
    sum += vec_sum(total);
  }
  job->sums[index] = sum;
}

// How many elements a partial sum covers depends on n alone.
double KERNEL_NAME(sum_squares)(const float *x, size_t n) {
  double sums[SUMS], sum = 0;
  struct sum_squares job = {x, n, size_max(SUM_ELEMENTS, ceil_div(ceil_div(n, SUMS), RUN) * RUN), sums};
  size_t tasks = ceil_div(n, job.each);
  work_for(tasks, 0.15 * (double)n, sum_squares_task, &job);
  for (size_t i = 0; i < tasks; i++) sum += sums[i];
  return sum;
}

struct adamw {
  float *value, *gradient, *first, *second;
  size_t n;
  float scale, kept, step, beta1, beta2, epsilon, correction2;
};

static void adamw_task(void *data, size_t index, int worker) {
  const struct adamw *job = data;
  const vec scale = vec_set(job->scale), kept = vec_set(job->kept), step = vec_set(job->step), epsilon = vec_set(job->epsilon);
  const vec beta1 = vec_set(job->beta1), rest1 = vec_set(1 - job->beta1), beta2 = vec_set(job->beta2);
  const vec rest2 = vec_set(1 - job->beta2), correction2 = vec_set(job->correction2);
  size_t end = size_min(job->n, (index + 1) * TASK_ELEMENTS);
  for (size_t i = index * TASK_ELEMENTS; i < end; i += LANES) {
    lane_mask mask = mask_first((int)size_min(LANES, end - i));
    vec gradient = vec_mul(vec_load_mask(job->gradient + i, mask), scale);
    vec first = vec_fma(beta1, vec_load_mask(job->first + i, mask), vec_mul(rest1, gradient));
    vec second = vec_fma(beta2, vec_load_mask(job->second + i, mask), vec_mul(vec_mul(rest2, gradient), gradient));
    vec size = vec_add(vec_sqrt(vec_mul(second, correction2)), epsilon);
    vec value = vec_mul(vec_load_mask(job->value + i, mask), kept);
    vec_store_mask(job->value + i, vec_negative_fma(step, vec_div(first, size), value), mask);
    vec_store_mask(job->first + i, first, mask);
    vec_store_mask(job->second + i, second, mask);
    vec_store_mask(job->gradient + i, vec_zero(), mask);
  }
}

void KERNEL_NAME(adamw)(float *value, float *gradient, float *first, float *second, size_t n, float scale, float rate,
                        float decay, float beta1, float beta2, float epsilon, float correction1, float correction2) {
  struct adamw job = {value, gradient, first, second, n, scale, 1 - rate * decay, rate / correction1, beta1, beta2, epsilon,
                      1 / correction2};
  work_for(ceil_div(n, TASK_ELEMENTS), 1.0 * (double)n, adamw_task, &job);
}
