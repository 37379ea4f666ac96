// Rounding f32 to pairs of bf16: two neighbours along a product's sum, side by side in 32 bits, the first in the lower half.
//
// The processor rounds to nearest even and reads denormals as zero.
#pragma once
#include <immintrin.h>

#include "cpu/simd.h"

enum { PANEL = 4 * LANES };  // columns of a packed weight that lie side by side

INLINE __m512i pair_up(vec first, vec second) {
  const __m512i order = _mm512_add_epi32(_mm512_set1_epi32(0x100000),
                                         _mm512_mullo_epi32(_mm512_set1_epi32(0x10001), ivec_count()));
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(second, first));  // 0, 16, 1, 17, ...
}

// Pairs along a row: to[q] = (from[2 q], from[2 q + 1]) for all of n numbers.
static inline void pair_row(uint32_t *to, const float *from, int n) {
  int k = 0;
  for (; k + 2 * LANES <= n; k += 2 * LANES)
    _mm512_storeu_si512(to + k / 2, (__m512i)_mm512_cvtne2ps_pbh(vec_load(from + k + LANES), vec_load(from + k)));
  for (; k < n; k += LANES) {
    int pairs = (n - k + 1) / 2;
    _mm256_mask_storeu_epi32(to + k / 2, (__mmask8)(pairs >= 8 ? 0xFF : (1 << pairs) - 1),
                             (__m256i)_mm512_cvtneps_pbh(vec_load_mask(from + k, mask_first(n - k))));
  }
}

// Pairs across two rows of bf16, as pair_rows.
static inline void pair_half_rows(uint32_t *to, const uint16_t *first, const uint16_t *second, int n) {
  for (int j = 0; j < n; j += LANES) {
    lane_mask mask = mask_first(n - j);
    __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, first + j));
    __m512i high = second ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, second + j)) : _mm512_setzero_si512();
    _mm512_storeu_si512(to + j, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
}

// Pairs across two rows, column by column; a missing second row is 0. Writes whole vectors.
static inline void pair_rows(uint32_t *to, const float *first, const float *second, int n) {
  for (int j = 0; j < n; j += LANES) {
    lane_mask mask = mask_first(n - j);
    _mm512_storeu_si512(to + j, pair_up(vec_load_mask(first + j, mask), second ? vec_load_mask(second + j, mask) : vec_zero()));
  }
}
