// What follows a product while its tile is still in the level-1 cache: bias, the copy before the activation, the activation.
#pragma once
#include "cpu/simd_math.h"
#include "tensor/kernels.h"

struct epilogue {
  float *y;
  size_t y_stride;
  float *pre;         // NULL: nobody wants it
  size_t pre_stride;
  const float *bias;  // NULL: none
  enum activation activation;
};

static inline bool epilogue_needed(const struct epilogue *epilogue) {
  return epilogue->bias || epilogue->pre || epilogue->activation != ACTIVATION_NONE;
}

INLINE void epilogue_rows(const struct epilogue *epilogue, int row, int rows, int column, int width, enum activation activation) {
  for (int r = row; r < row + rows; r++) {
    float *y = epilogue->y + r * epilogue->y_stride + column;
    float *pre = epilogue->pre ? epilogue->pre + r * epilogue->pre_stride + column : NULL;
    for (int j = 0; j < width; j += LANES) {
      lane_mask mask = mask_first(width - j);
      vec value = vec_load_mask(y + j, mask);
      if (epilogue->bias) value = vec_add(value, vec_load_mask(epilogue->bias + column + j, mask));
      if (pre) vec_store_mask(pre + j, value, mask);
      vec_store_mask(y + j, vec_activation(value, activation), mask);
    }
  }
}

static inline void epilogue_run(const struct epilogue *epilogue, int row, int rows, int column, int width) {
  switch (epilogue->activation) {
    case ACTIVATION_NONE: epilogue_rows(epilogue, row, rows, column, width, ACTIVATION_NONE); break;
    case ACTIVATION_RELU: epilogue_rows(epilogue, row, rows, column, width, ACTIVATION_RELU); break;
    case ACTIVATION_GELU: epilogue_rows(epilogue, row, rows, column, width, ACTIVATION_GELU); break;
    case ACTIVATION_GELU_TANH: epilogue_rows(epilogue, row, rows, column, width, ACTIVATION_GELU_TANH); break;
    case ACTIVATION_SILU: epilogue_rows(epilogue, row, rows, column, width, ACTIVATION_SILU); break;
    case ACTIVATION_TANH: epilogue_rows(epilogue, row, rows, column, width, ACTIVATION_TANH); break;
  }
}
