// The kernels that AVX512-BF16 replaces; all others stay those of AVX-512 in f32.
#pragma once
#include "tensor/kernels.h"

size_t packed_size_bf16(int rows, int cols);
void pack_bf16(float *packed, const float *values, int rows, int cols, bool transposed);
void linear_bf16(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth, const float *packed,
                 const float *bias, enum activation activation, bool accumulate);
void linear_gradient_bf16(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride, int rows, int columns, int depth,
                          float *scratch);
