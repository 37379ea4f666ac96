#pragma once
#include <math.h>

#include "tensor/kernels.h"

void kernels_fill_reference(struct kernels *kernels);

// What a difference from the mean is multiplied by.
static inline double reference_deviation(const struct norm *norm, double variance) {
  return norm->epsilon_outside ? 1 / (sqrt(variance) + norm->epsilon) : 1 / sqrt(variance + norm->epsilon);
}

// (root + epsilon) / root: where epsilon stands outside, so much larger is the part of a gradient that goes through the variance.
static inline double reference_variance_factor(const struct norm *norm, double deviation) {
  double rest = 1 - norm->epsilon * deviation;
  return !norm->epsilon_outside ? 1 : rest > 0 ? 1 / rest : 0;
}

// The kernels of reference_columns.c.
void reference_unit_heads(float *x, int stride, float *lengths, int rows, int heads, int width);
void reference_unit_heads_gradient(float *dx, int dx_stride, const float *y, int y_stride, const float *lengths, int rows,
                                   int heads, int width);
void reference_head_products(float *y, int y_stride, const float *x, int x_stride, const float *w, int rows, int heads,
                             int width);
void reference_head_products_gradient(float *dx, int dx_stride, float *dw, const float *dy, int dy_stride, const float *x,
                                      int x_stride, const float *w, int rows, int heads, int width);
void reference_column_statistics(float *mean, float *variance, const float *x, int columns, const struct span *spans,
                                 int span_count, int groups);
void reference_column_norm(float *y, const float *x, const float *mean, const float *variance, const float *gain,
                           const float *bias, int columns, const struct span *spans, int span_count, int groups,
                           const struct norm *norm);
void reference_column_norm_gradient(float *dx, bool dx_accumulate, float *dgain, float *dbias, const float *dy, const float *x,
                                    const float *mean, const float *variance, const float *gain, int columns,
                                    const struct span *spans, int span_count, int groups, bool constant, const struct norm *norm);
