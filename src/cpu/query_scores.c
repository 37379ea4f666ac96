// What queries and keys become before their scores: vectors of length 1, and products with a matrix of each head.
//
// A result is one chain over a head's columns, a weight's gradient one over the rows in order; a task owns rows, or a head.
#include <math.h>

#include "cpu/fast.h"
#include "cpu/work.h"

enum { TASK_ROWS = 32, ROWS_TOGETHER = 4, VECS_TOGETHER = 4 };

struct job {
  float *y, *lengths, *dx, *dw;
  const float *x, *w, *dy, *given_lengths;
  size_t y_stride, x_stride, dx_stride, dy_stride;
  int rows, heads, width;
};

static void for_rows(const struct job *job, double nanoseconds, parallel_task *task) {
  work_for(ceil_div((size_t)job->rows, TASK_ROWS), nanoseconds, task, (void *)(uintptr_t)job);
}

static int last_row(const struct job *job, size_t index) { return (int)size_min((index + 1) * TASK_ROWS, (size_t)job->rows); }

// ---- vectors of length 1 ----

static void unit_task(void *data, size_t index, int worker) {
  const struct job *job = data;
  for (int row = (int)index * TASK_ROWS; row < last_row(job, index); row++)
    for (int head = 0; head < job->heads; head++) {
      float *x = job->y + row * job->y_stride + (size_t)head * job->width;
      float length = fmaxf(sqrtf(dot_product(x, x, job->width)), 1e-8f);
      for (int d = 0; d < job->width; d += LANES)
        vec_store_first(x + d, vec_div(vec_load_first(x + d, job->width - d), vec_set(length)), job->width - d);
      job->lengths[(size_t)row * job->heads + head] = length;
    }
}

void KERNEL_NAME(unit_heads)(float *x, int stride, float *lengths, int rows, int heads, int width) {
  struct job job = {.y = x, .y_stride = (size_t)stride, .lengths = lengths, .rows = rows, .heads = heads, .width = width};
  for_rows(&job, 0.3 * rows * heads * width, unit_task);
}

static void unit_gradient_task(void *data, size_t index, int worker) {
  const struct job *job = data;
  for (int row = (int)index * TASK_ROWS; row < last_row(job, index); row++)
    for (int head = 0; head < job->heads; head++) {
      const float *y = job->x + row * job->x_stride + (size_t)head * job->width;
      float *g = job->dx + row * job->dx_stride + (size_t)head * job->width;
      vec along = vec_set(dot_product(y, g, job->width)), length = vec_set(job->given_lengths[(size_t)row * job->heads + head]);
      for (int d = 0, left; d < job->width; d += LANES) {
        left = job->width - d;
        vec across = vec_negative_fma(vec_load_first(y + d, left), along, vec_load_first(g + d, left));
        vec_store_first(g + d, vec_div(across, length), left);
      }
    }
}

void KERNEL_NAME(unit_heads_gradient)(float *dx, int dx_stride, const float *y, int y_stride, const float *lengths, int rows,
                                      int heads, int width) {
  struct job job = {.dx = dx,
                    .dx_stride = (size_t)dx_stride,
                    .x = y,
                    .x_stride = (size_t)y_stride,
                    .given_lengths = lengths,
                    .rows = rows,
                    .heads = heads,
                    .width = width};
  for_rows(&job, 0.4 * rows * heads * width, unit_gradient_task);
}

// ---- a matrix for each head ----

static void row_product(float *y, const float *x, const float *w, int width) {
  for (int j = 0; j < width; j += VECS_TOGETHER * LANES) {
    vec sum[VECS_TOGETHER];
    for (int v = 0; v < VECS_TOGETHER; v++) sum[v] = vec_zero();
    const int vecs = width - j < VECS_TOGETHER * LANES ? (width - j + LANES - 1) / LANES : VECS_TOGETHER;
    for (int i = 0; i < width; i++) {
      vec factor = vec_set(x[i]);
      const float *row = w + (size_t)i * width + j;
      for (int v = 0; v < vecs; v++) sum[v] = vec_fma(factor, vec_load_first(row + v * LANES, width - j - v * LANES), sum[v]);
    }
    for (int v = 0; v < vecs; v++) vec_store_first(y + j + v * LANES, sum[v], width - j - v * LANES);
  }
}

static void products_task(void *data, size_t index, int worker) {
  const struct job *job = data;
  size_t width = (size_t)job->width;
  for (size_t head = 0; head < (size_t)job->heads; head++)
    for (int row = (int)index * TASK_ROWS; row < last_row(job, index); row++)
      row_product(job->y + row * job->y_stride + head * width, job->x + row * job->x_stride + head * width,
                  job->w + head * width * width, job->width);
}

void KERNEL_NAME(head_products)(float *y, int y_stride, const float *x, int x_stride, const float *w, int rows, int heads,
                                int width) {
  struct job job = {.y = y,
                    .y_stride = (size_t)y_stride,
                    .x = x,
                    .x_stride = (size_t)x_stride,
                    .w = w,
                    .rows = rows,
                    .heads = heads,
                    .width = width};
  for_rows(&job, 0.05 * rows * heads * width * width, products_task);
}

// dw[i] += x[row, i] * dy[row], some rows at a time, in order
static void add_to_weight(const struct job *job, float *dw, size_t column, int row, int rows) {
  int width = job->width;
  for (int i = 0; i < width; i++)
    for (int j = 0; j < width; j += LANES) {
      float *to = dw + (size_t)i * width + j;
      vec sum = vec_load_first(to, width - j);
      for (int r = row; r < row + rows; r++)
        sum = vec_fma(vec_set(job->x[r * job->x_stride + column + i]),
                      vec_load_first(job->dy + r * job->dy_stride + column + j, width - j), sum);
      vec_store_first(to, sum, width - j);
    }
}

static void products_gradient_task(void *data, size_t head, int worker) {
  const struct job *job = data;
  size_t width = (size_t)job->width, column = head * width;
  const float *w = job->w + head * width * width;
  for (int row = 0; row < job->rows; row++)
    for (size_t i = 0; i < width; i++)
      job->dx[row * job->dx_stride + column + i] =
          dot_product(job->dy + row * job->dy_stride + column, w + i * width, job->width);
  for (int row = 0; job->dw && row < job->rows; row += ROWS_TOGETHER)
    add_to_weight(job, job->dw + head * width * width, column, row, (int)size_min(ROWS_TOGETHER, (size_t)(job->rows - row)));
}

void KERNEL_NAME(head_products_gradient)(float *dx, int dx_stride, float *dw, const float *dy, int dy_stride, const float *x,
                                         int x_stride, const float *w, int rows, int heads, int width) {
  struct job job = {.dx = dx,
                    .dx_stride = (size_t)dx_stride,
                    .dw = dw,
                    .dy = dy,
                    .dy_stride = (size_t)dy_stride,
                    .x = x,
                    .x_stride = (size_t)x_stride,
                    .w = w,
                    .rows = rows,
                    .heads = heads,
                    .width = width};
  work_for((size_t)heads, 0.3 * rows * heads * width * width, products_gradient_task, &job);
}
