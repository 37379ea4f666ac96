// The same as peak.c for products of bf16 numbers: pairs of them per lane.
#include "cpu/peak.h"

#include "cpu/simd.h"

enum { CHAINS = 12, PAIRS = 2 };

double peak_bf16(size_t rounds, float *sink) {
  __m512 sums[CHAINS];
  __m512bh x = (__m512bh)_mm512_set1_ps(sink[0]), y = (__m512bh)_mm512_set1_ps(sink[1]);
  for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_set1_ps((float)i);
  for (size_t round = 0; round < rounds; round++)
    for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_dpbf16_ps(sums[i], x, y);
  for (int i = 1; i < CHAINS; i++) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  sink[2] = _mm512_cvtss_f32(sums[0]);
  return 2.0 * LANES * PAIRS * CHAINS * (double)rounds;
}
