// Reference kernels of norms down the rows, and of what queries and keys become before their scores.
#include <math.h>

#include "base/parallel.h"
#include "cpu/reference.h"

// ---- what queries and keys become before their scores ----

struct unit_job {
  float *x, *lengths;
  size_t stride;
  int heads, width;
};

static void unit_row(void *data, size_t row, int worker) {
  const struct unit_job *job = data;
  for (int head = 0; head < job->heads; head++) {
    float *x = job->x + row * job->stride + (size_t)(head * job->width);
    double squares = 0;
    for (int d = 0; d < job->width; d++) squares += (double)x[d] * x[d];
    double length = fmax(sqrt(squares), 1e-8);
    for (int d = 0; d < job->width; d++) x[d] = (float)(x[d] / length);
    job->lengths[row * (size_t)job->heads + (size_t)head] = (float)length;
  }
}

void reference_unit_heads(float *x, int stride, float *lengths, int rows, int heads, int width) {
  struct unit_job job = {x, lengths, (size_t)stride, heads, width};
  parallel_for((size_t)rows, unit_row, &job);
}

void reference_unit_heads_gradient(float *dx, int dx_stride, const float *y, int y_stride, const float *lengths, int rows,
                                   int heads, int width) {
  for (int row = 0; row < rows; row++)
    for (int head = 0; head < heads; head++) {
      float *g = dx + (size_t)row * (size_t)dx_stride + (size_t)(head * width);
      const float *unit = y + (size_t)row * (size_t)y_stride + (size_t)(head * width);
      double length = lengths[(size_t)row * (size_t)heads + (size_t)head], along = 0;
      for (int d = 0; d < width; d++) along += (double)unit[d] * g[d];
      for (int d = 0; d < width; d++) g[d] = (float)((g[d] - unit[d] * along) / length);
    }
}

struct head_products_job {
  float *y, *dx, *dw;
  const float *x, *w, *dy;
  size_t y_stride, x_stride, dx_stride;
  int rows, heads, width;
};

static void head_products_row(void *data, size_t row, int worker) {
  const struct head_products_job *job = data;
  size_t width = (size_t)job->width;
  for (size_t head = 0; head < (size_t)job->heads; head++) {
    float *y = job->y + row * job->y_stride + head * width;
    const float *x = job->x + row * job->x_stride + head * width, *w = job->w + head * width * width;
    for (size_t j = 0; j < width; j++) y[j] = 0;
    for (size_t i = 0; i < width; i++)
      for (size_t j = 0; j < width; j++) y[j] += x[i] * w[i * width + j];
  }
}

void reference_head_products(float *y, int y_stride, const float *x, int x_stride, const float *w, int rows, int heads,
                             int width) {
  struct head_products_job job =
      {.y = y, .x = x, .w = w, .y_stride = (size_t)y_stride, .x_stride = (size_t)x_stride, .heads = heads, .width = width};
  parallel_for((size_t)rows, head_products_row, &job);
}

static void head_products_gradient_task(void *data, size_t head, int worker) {
  const struct head_products_job *job = data;
  size_t width = (size_t)job->width;
  const float *w = job->w + head * width * width;
  for (size_t row = 0; row < (size_t)job->rows; row++) {
    const float *x = job->x + row * job->x_stride + head * width, *dy = job->dy + row * job->y_stride + head * width;
    float *dx = job->dx + row * job->dx_stride + head * width, *dw = job->dw ? job->dw + head * width * width : NULL;
    for (size_t i = 0; i < width; i++) {
      double sum = 0;
      for (size_t j = 0; j < width; j++) sum += (double)dy[j] * w[i * width + j];
      dx[i] = (float)sum;
      for (size_t j = 0; dw && j < width; j++) dw[i * width + j] += x[i] * dy[j];
    }
  }
}

void reference_head_products_gradient(float *dx, int dx_stride, float *dw, const float *dy, int dy_stride, const float *x,
                                      int x_stride, const float *w, int rows, int heads, int width) {
  struct head_products_job job = {.dx = dx,
                                  .dw = dw,
                                  .dy = dy,
                                  .x = x,
                                  .w = w,
                                  .dx_stride = (size_t)dx_stride,
                                  .y_stride = (size_t)dy_stride,
                                  .x_stride = (size_t)x_stride,
                                  .rows = rows,
                                  .heads = heads,
                                  .width = width};
  parallel_for((size_t)heads, head_products_gradient_task, &job);
}

// ---- norms down the rows ----

void reference_column_statistics(float *mean, float *variance, const float *x, int columns, const struct span *spans,
                                 int span_count, int groups) {
  int width = columns / groups;
  for (int s = 0; s < span_count; s++) {
    const float *rows = x + (size_t)spans[s].q0 * (size_t)columns;
    double n = (double)spans[s].qn * width;
    for (int group = 0; group < groups; group++) {
      double sum = 0, squares = 0;
      for (int row = 0; row < spans[s].qn; row++)
        for (int c = group * width; c < (group + 1) * width; c++) sum += rows[(size_t)row * (size_t)columns + (size_t)c];
      for (int row = 0; row < spans[s].qn; row++)
        for (int c = group * width; c < (group + 1) * width; c++) {
          double difference = rows[(size_t)row * (size_t)columns + (size_t)c] - sum / n;
          squares += difference * difference;
        }
      mean[s * groups + group] = (float)(sum / n);
      variance[s * groups + group] = (float)(squares / n);
    }
  }
}

void reference_column_norm(float *y, const float *x, const float *mean, const float *variance, const float *gain,
                           const float *bias, int columns, const struct span *spans, int span_count, int groups,
                           const struct norm *norm) {
  for (int s = 0; s < span_count; s++)
    for (int row = spans[s].q0; row < spans[s].q0 + spans[s].qn; row++)
      for (int c = 0; c < columns; c++) {
        int group = s * groups + c / (columns / groups);
        size_t at = (size_t)row * (size_t)columns + (size_t)c;
        y[at] = (float)((x[at] - (double)mean[group]) * reference_deviation(norm, variance[group]) * gain[c] + bias[c]);
      }
}

void reference_column_norm_gradient(float *dx, bool dx_accumulate, float *dgain, float *dbias, const float *dy, const float *x,
                                    const float *mean, const float *variance, const float *gain, int columns,
                                    const struct span *spans, int span_count, int groups, bool constant,
                                    const struct norm *norm) {
  int width = columns / groups;
  for (int s = 0; s < span_count; s++)
    for (int group = 0; group < groups; group++) {
      double centre = mean[s * groups + group], deviation = reference_deviation(norm, variance[s * groups + group]), mean_g = 0,
             mean_gx = 0;
      size_t start = (size_t)spans[s].q0 * (size_t)columns, end = start + (size_t)spans[s].qn * (size_t)columns;
      for (int c = group * width; c < (group + 1) * width; c++)
        for (size_t at = start + (size_t)c; at < end; at += (size_t)columns) {
          double normed = (x[at] - centre) * deviation, g = (double)dy[at] * gain[c];
          mean_g += g;
          mean_gx += g * normed;
          if (dgain) dgain[c] += (float)(dy[at] * normed);
          if (dbias) dbias[c] += dy[at];
        }
      mean_g = constant ? 0 : mean_g / ((double)spans[s].qn * width);
      mean_gx = constant ? 0 : mean_gx / ((double)spans[s].qn * width) * reference_variance_factor(norm, deviation);
      for (int c = group * width; c < (group + 1) * width; c++)
        for (size_t at = start + (size_t)c; at < end; at += (size_t)columns) {
          double g = ((double)dy[at] * gain[c] - mean_g - (x[at] - centre) * deviation * mean_gx) * deviation;
          dx[at] = dx_accumulate ? dx[at] + (float)g : (float)g;
        }
    }
}
