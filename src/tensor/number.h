// f16 and bf16 as they lie in files: sizes, and conversion from and to f32.
#pragma once
#include <stdint.h>
#include <string.h>

#include "tensor/weight.h"

static inline size_t number_size(enum number_type type) { return type == TYPE_F32 ? 4 : 2; }

static inline float number_from_bits(uint32_t bits) {
  float value = 0;
  memcpy(&value, &bits, sizeof bits);
  return value;
}

static inline uint32_t number_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float number_from_bf16(uint16_t half) { return number_from_bits((uint32_t)half << 16); }

// Round to nearest, ties to even; NaN stays NaN.
static inline uint16_t number_to_bf16(float value) {
  uint32_t bits = number_bits(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline float number_from_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3FF;
  if (exponent == 31) return number_from_bits(sign | 0x7F800000 | fraction << 13);
  if (exponent) return number_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
  float small = (float)fraction * 0x1p-24f;  // zero and subnormal: exact in f32
  return sign ? -small : small;
}

static inline uint16_t number_to_f16(float value) {
  uint32_t bits = number_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return (uint16_t)(sign | 0x7E00);
  if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00);  // rounds to 65,536 or more: infinity
  if (magnitude < 0x38800000) {                                   // subnormal in f16: let the adder round
    float shifted = number_from_bits(magnitude) + 0.5f;
    return (uint16_t)(sign | (number_bits(shifted) - 0x3F000000));
  }
  uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return (uint16_t)(sign | (rounded - 0x38000000) >> 13);
}

static inline void number_read(float *out, const void *in, enum number_type type, size_t n) {
  if (type == TYPE_F32) {
    memcpy(out, in, n * sizeof *out);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    uint16_t half;
    memcpy(&half, (const char *)in + 2 * i, sizeof half);
    out[i] = type == TYPE_F16 ? number_from_f16(half) : number_from_bf16(half);
  }
}

static inline void number_write(void *out, const float *in, enum number_type type, size_t n) {
  if (type == TYPE_F32) {
    memcpy(out, in, n * sizeof *in);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    uint16_t half = type == TYPE_F16 ? number_to_f16(in[i]) : number_to_bf16(in[i]);
    memcpy((char *)out + 2 * i, &half, sizeof half);
  }
}
