// Where epsilon stands in a norm: under the root of the variance, or added to the root.
#pragma once
#include <math.h>

#include "tensor/kernels.h"

// What a difference from the mean is multiplied by.
static inline float norm_deviation(const struct norm *norm, float variance) {
  return norm->epsilon_outside ? 1 / (sqrtf(variance) + norm->epsilon) : 1 / sqrtf(variance + norm->epsilon);
}

// (root + epsilon) / root: where epsilon stands outside, so much larger is the part of a gradient that goes through the variance.
static inline float norm_variance_factor(const struct norm *norm, float deviation) {
  float rest = 1 - norm->epsilon * deviation;
  return !norm->epsilon_outside ? 1 : rest > 0 ? 1 / rest : 0;
}
