// Rotary positions: the angles of a batch's rows, and turning the heads by them. Elements are single chains of plain products
// and sums, the same in every instruction set.
#include "cpu/fast.h"
#include "cpu/turn.h"
#include "cpu/work.h"

struct rotary_table {
  float *table;
  const int32_t *positions;
  const float *frequencies;
  float scale;
  int half;
  size_t rows, rows_each;
};

static void table_task(void *data, size_t index, int worker) {
  const struct rotary_table *job = data;
  size_t end = size_min((index + 1) * job->rows_each, job->rows);
  for (size_t row = index * job->rows_each; row < end; row++) {
    float *cosines = job->table + row * 2 * (size_t)job->half, *sines = cosines + job->half;
    float position = (float)job->positions[row];
    for (int i = 0; i < job->half; i++) turn_of(&cosines[i], &sines[i], position * job->frequencies[i], job->scale);
  }
}

void KERNEL_NAME(rotary_table)(float *table, const int32_t *positions, const float *frequencies, float scale, int rows,
                               int half) {
  double nanoseconds = 8.0 * rows * half;
  if (rows <= 0) return;
  struct rotary_table job = {table, positions, frequencies, scale, half, (size_t)rows, work_grain((size_t)rows, nanoseconds)};
  work_for(ceil_div(job.rows, job.rows_each), nanoseconds, table_task, &job);
}

struct rotate {
  float *x;
  const float *table;
  int stride, heads, half;
  size_t rows, rows_each;
  bool backward;
};

INLINE void turn_head(float *x, const float *table, int half, const bool backward) {
  for (int i = 0; i < half; i += LANES) {
    int left = half - i;
    vec first = vec_load_first(x + i, left), second = vec_load_first(x + half + i, left);
    vec cosine = vec_load_first(table + i, left), sine = vec_load_first(table + half + i, left);
    vec a = vec_mul(first, cosine), b = vec_mul(second, cosine), across = vec_mul(second, sine), back = vec_mul(first, sine);
    vec_store_first(x + i, backward ? vec_add(a, across) : vec_sub(a, across), left);
    vec_store_first(x + half + i, backward ? vec_sub(b, back) : vec_add(b, back), left);
  }
}

static void rotate_task(void *data, size_t index, int worker) {
  const struct rotate *job = data;
  size_t end = size_min((index + 1) * job->rows_each, job->rows);
  for (size_t row = index * job->rows_each; row < end; row++) {
    float *x = job->x + row * (size_t)job->stride;
    const float *table = job->table + row * 2 * (size_t)job->half;
    for (int head = 0; head < job->heads; head++, x += 2 * job->half) {
      if (job->backward) turn_head(x, table, job->half, true);
      else turn_head(x, table, job->half, false);
    }
  }
}

void KERNEL_NAME(rotate)(float *x, int stride, const float *table, int rows, int heads, int half, bool backward) {
  double nanoseconds = 0.4 * rows * heads * half;
  if (rows <= 0) return;
  struct rotate job = {x, table, stride, heads, half, (size_t)rows, work_grain((size_t)rows, nanoseconds), backward};
  work_for(ceil_div(job.rows, job.rows_each), nanoseconds, rotate_task, &job);
}
