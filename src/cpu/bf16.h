// The kernels that a processor with bf16 instructions replaces; all others stay those of AVX-512 in f32. Packed weights are the
// same for all, the products come in sets: avx512_bf16, amx (and amx_emulated in tests).
#pragma once
#include "tensor/kernels.h"

size_t packed_size_bf16(int rows, int cols);
void pack_bf16(float *packed, const float *values, int rows, int cols, bool transposed);

#define BF16_JOIN_(name, set) name##_##set
#define BF16_JOIN(name, set) BF16_JOIN_(name, set)
#define BF16_NAME(name) BF16_JOIN(name, BF16_SET)  // BF16_SET: of the file that is being compiled

#define BF16_KERNELS(set) \
  void linear_##set(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth, \
                    const float *packed, const float *bias, enum activation activation, bool accumulate); \
  void linear_gradient_##set(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride, int rows, \
                             int columns, int depth, float *scratch); \
  void linear_gradient_half_##set(float *dw, float *db, const float *dy, int dy_stride, const uint16_t *x, int x_stride, \
                                  int rows, int columns, int depth, float *scratch);
BF16_KERNELS(avx512_bf16)
BF16_KERNELS(amx)
BF16_KERNELS(amx_emulated)
#undef BF16_KERNELS

// Whether this process may use AMX: the processor has it and the operating system grants it, which is asked for here.
bool amx_granted(void);
// Whether the products of both tables, on a few odd shapes, agree within what the order of sums explains.
enum agreement { PRODUCTS_AGREE, PRODUCTS_DIFFER, PRODUCTS_UNCHECKED };  // UNCHECKED: there was no memory for it
enum agreement compare_products(const struct kernels *a, const struct kernels *b);
