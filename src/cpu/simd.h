// Sixteen lanes of f32, whatever the processor has: one AVX-512 register or two AVX2 registers. The kernels are written
// against this header and compiled once per instruction set; SIMD_AVX512 or SIMD_AVX2 says which (src/cpu/meson.build).
//
// Lanes 0..15 always mean columns c..c+15, so both widths do the same operations per element. Sums over lanes use one fixed
// tree (i + 8, i + 4, i + 2, i + 1). Operand order matters where it is written down: x86 min and max return their second
// operand when one is not a number, and NaN has to survive so that a broken run is noticed.
#pragma once
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define SIMD_JOIN_(a, b) a##b
#define SIMD_JOIN(a, b) SIMD_JOIN_(a, b)
#define KERNEL_NAME(name) SIMD_JOIN(name, SIMD_SUFFIX)

enum { LANES = 16 };

#if defined(SIMD_AVX512)

#define SIMD_SUFFIX _avx512
typedef __m512 vec;
typedef __m512i ivec;
typedef __mmask16 lane_mask;

INLINE vec vec_zero(void) { return _mm512_setzero_ps(); }
INLINE vec vec_set(float x) { return _mm512_set1_ps(x); }
INLINE vec vec_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void vec_store(float *p, vec a) { _mm512_storeu_ps(p, a); }
INLINE void vec_stream(float *p, vec a) { _mm512_stream_ps(p, a); }
INLINE vec vec_add(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec vec_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
INLINE vec vec_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
INLINE vec vec_div(vec a, vec b) { return _mm512_div_ps(a, b); }
INLINE vec vec_sqrt(vec a) { return _mm512_sqrt_ps(a); }
INLINE vec vec_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }         // a * b + c
INLINE vec vec_negative_fma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a * b
INLINE vec vec_min(vec a, vec b) { return _mm512_min_ps(a, b); }
INLINE vec vec_max(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec vec_round(vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE float vec_first(vec a) { return _mm512_cvtss_f32(a); }

INLINE lane_mask mask_first(int n) { return n >= LANES ? (lane_mask)0xFFFF : (lane_mask)((1u << n) - 1); }  // lanes below n
INLINE lane_mask mask_between(int first, int end) {  // lanes first .. end - 1; both may lie outside
  return mask_first(end < 0 ? 0 : end) & (lane_mask)~mask_first(first < 0 ? 0 : first);
}
INLINE lane_mask mask_and(lane_mask a, lane_mask b) { return a & b; }
INLINE lane_mask mask_or(lane_mask a, lane_mask b) { return a | b; }
INLINE bool mask_any(lane_mask m) { return m != 0; }
INLINE unsigned mask_bits(lane_mask m) { return m; }
INLINE lane_mask vec_less(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
INLINE lane_mask vec_equal(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
INLINE vec vec_select(lane_mask m, vec yes, vec no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vec vec_keep(lane_mask m, vec a) { return _mm512_maskz_mov_ps(m, a); }  // 0 elsewhere
INLINE vec vec_load_mask(const float *p, lane_mask m) { return _mm512_maskz_loadu_ps(m, p); }
INLINE void vec_store_mask(float *p, vec a, lane_mask m) { _mm512_mask_storeu_ps(p, m, a); }

INLINE ivec ivec_set(uint32_t x) { return _mm512_set1_epi32((int)x); }
INLINE ivec ivec_count(void) { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
INLINE ivec ivec_add(ivec a, ivec b) { return _mm512_add_epi32(a, b); }
INLINE ivec ivec_sub(ivec a, ivec b) { return _mm512_sub_epi32(a, b); }
INLINE ivec ivec_and(ivec a, ivec b) { return _mm512_and_si512(a, b); }
INLINE ivec ivec_or(ivec a, ivec b) { return _mm512_or_si512(a, b); }
INLINE ivec ivec_xor(ivec a, ivec b) { return _mm512_xor_si512(a, b); }
#define ivec_left(a, bits) _mm512_slli_epi32(a, bits)
#define ivec_right(a, bits) _mm512_srli_epi32(a, bits)
INLINE lane_mask ivec_greater(ivec a, ivec b) { return _mm512_cmpgt_epi32_mask(a, b); }  // signed
INLINE ivec ivec_min(ivec a, ivec b) { return _mm512_min_epi32(a, b); }
INLINE ivec ivec_max(ivec a, ivec b) { return _mm512_max_epi32(a, b); }
INLINE vec vec_bits(ivec a) { return _mm512_castsi512_ps(a); }
INLINE ivec ivec_bits(vec a) { return _mm512_castps_si512(a); }
INLINE ivec vec_to_int(vec a) { return _mm512_cvtps_epi32(a); }
INLINE vec vec_from_int(ivec a) { return _mm512_cvtepi32_ps(a); }
INLINE vec vec_gather(const float *p, ivec index) { return _mm512_i32gather_ps(index, p, 4); }
INLINE ivec ivec_load_halves(const uint16_t *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)); }
// What fits into 16 bits.
INLINE void ivec_store_halves(uint16_t *p, ivec a) { _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(a)); }

// Both halves of the 64-bit products of unsigned lanes.
INLINE void ivec_multiply_wide(ivec a, ivec b, ivec *high, ivec *low) {
  ivec even = _mm512_mul_epu32(a, b), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), b);
  *low = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  *high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}

INLINE __m256 vec_add_halves(vec a) { return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)); }
INLINE __m256 vec_max_halves(vec a) { return _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)); }

// dst[j * dst_stride + i] = src[i * src_stride + j] for i, j below 16; rows of src from `rows` on are taken for zeros.
INLINE void transpose_rows(float *dst, size_t dst_stride, const float *src, size_t src_stride, int rows) {
  static const float none[16];
  __m512 a[16], b[16];
  for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_ps(i < rows ? src + i * src_stride : none);
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // a[i + q]: column q of every quarter, rows i .. i + 3
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b[i]), _mm512_castps_pd(b[i + 2])));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b[i]), _mm512_castps_pd(b[i + 2])));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b[i + 1]), _mm512_castps_pd(b[i + 3])));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b[i + 1]), _mm512_castps_pd(b[i + 3])));
  }
  for (int q = 0; q < 4; q++) {
    __m512 low02 = _mm512_shuffle_f32x4(a[q], a[q + 4], 0x88), low13 = _mm512_shuffle_f32x4(a[q], a[q + 4], 0xDD);
    __m512 high02 = _mm512_shuffle_f32x4(a[q + 8], a[q + 12], 0x88), high13 = _mm512_shuffle_f32x4(a[q + 8], a[q + 12], 0xDD);
    _mm512_storeu_ps(dst + (q + 0) * dst_stride, _mm512_shuffle_f32x4(low02, high02, 0x88));
    _mm512_storeu_ps(dst + (q + 8) * dst_stride, _mm512_shuffle_f32x4(low02, high02, 0xDD));
    _mm512_storeu_ps(dst + (q + 4) * dst_stride, _mm512_shuffle_f32x4(low13, high13, 0x88));
    _mm512_storeu_ps(dst + (q + 12) * dst_stride, _mm512_shuffle_f32x4(low13, high13, 0xDD));
  }
}

#elif defined(SIMD_AVX2)

#define SIMD_SUFFIX _avx2
typedef struct {
  __m256 a, b;
} vec;
typedef struct {
  __m256i a, b;
} ivec;
typedef ivec lane_mask;  // all ones in chosen lanes

#define SIMD_PAIR(type, operation, x, y) ((type){operation(x.a, y.a), operation(x.b, y.b)})
#define SIMD_EACH(type, operation, x) ((type){operation(x.a), operation(x.b)})
INLINE vec vec_zero(void) { return (vec){_mm256_setzero_ps(), _mm256_setzero_ps()}; }
INLINE vec vec_set(float x) { return (vec){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE vec vec_load(const float *p) { return (vec){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE void vec_store(float *p, vec x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
INLINE void vec_stream(float *p, vec x) {
  _mm256_stream_ps(p, x.a);
  _mm256_stream_ps(p + 8, x.b);
}
INLINE vec vec_add(vec x, vec y) { return SIMD_PAIR(vec, _mm256_add_ps, x, y); }
INLINE vec vec_sub(vec x, vec y) { return SIMD_PAIR(vec, _mm256_sub_ps, x, y); }
INLINE vec vec_mul(vec x, vec y) { return SIMD_PAIR(vec, _mm256_mul_ps, x, y); }
INLINE vec vec_div(vec x, vec y) { return SIMD_PAIR(vec, _mm256_div_ps, x, y); }
INLINE vec vec_sqrt(vec x) { return SIMD_EACH(vec, _mm256_sqrt_ps, x); }
INLINE vec vec_fma(vec x, vec y, vec z) { return (vec){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
INLINE vec vec_negative_fma(vec x, vec y, vec z) {
  return (vec){_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)};
}
INLINE vec vec_min(vec x, vec y) { return SIMD_PAIR(vec, _mm256_min_ps, x, y); }
INLINE vec vec_max(vec x, vec y) { return SIMD_PAIR(vec, _mm256_max_ps, x, y); }
INLINE vec vec_round(vec x) {
  return (vec){_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
               _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
INLINE float vec_first(vec x) { return _mm256_cvtss_f32(x.a); }

INLINE ivec ivec_set(uint32_t x) { return (ivec){_mm256_set1_epi32((int)x), _mm256_set1_epi32((int)x)}; }
INLINE ivec ivec_count(void) {
  return (ivec){_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
}
INLINE ivec ivec_add(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_add_epi32, x, y); }
INLINE ivec ivec_sub(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_sub_epi32, x, y); }
INLINE ivec ivec_and(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_and_si256, x, y); }
INLINE ivec ivec_or(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_or_si256, x, y); }
INLINE ivec ivec_xor(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_xor_si256, x, y); }
#define ivec_left(x, bits) ((ivec){_mm256_slli_epi32((x).a, bits), _mm256_slli_epi32((x).b, bits)})
#define ivec_right(x, bits) ((ivec){_mm256_srli_epi32((x).a, bits), _mm256_srli_epi32((x).b, bits)})
INLINE lane_mask ivec_greater(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_cmpgt_epi32, x, y); }  // signed
INLINE ivec ivec_min(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_min_epi32, x, y); }
INLINE ivec ivec_max(ivec x, ivec y) { return SIMD_PAIR(ivec, _mm256_max_epi32, x, y); }
INLINE vec vec_bits(ivec x) { return SIMD_EACH(vec, _mm256_castsi256_ps, x); }
INLINE ivec ivec_bits(vec x) { return SIMD_EACH(ivec, _mm256_castps_si256, x); }
INLINE ivec vec_to_int(vec x) { return SIMD_EACH(ivec, _mm256_cvtps_epi32, x); }
INLINE vec vec_from_int(ivec x) { return SIMD_EACH(vec, _mm256_cvtepi32_ps, x); }
INLINE vec vec_gather(const float *p, ivec index) {
  return (vec){_mm256_i32gather_ps(p, index.a, 4), _mm256_i32gather_ps(p, index.b, 4)};
}

INLINE ivec ivec_load_halves(const uint16_t *p) {
  return (ivec){_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)),
                _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
INLINE void ivec_store_halves(uint16_t *p, ivec x) {
  _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(_mm256_packus_epi32(x.a, x.b), 0xD8));
}

INLINE lane_mask mask_first(int n) { return ivec_greater(ivec_set((uint32_t)n), ivec_count()); }  // lanes below n
INLINE lane_mask mask_between(int first, int end) {  // lanes first .. end - 1; both may lie outside
  return ivec_and(mask_first(end), ivec_greater(ivec_count(), ivec_set((uint32_t)(first - 1))));
}
INLINE lane_mask mask_and(lane_mask x, lane_mask y) { return ivec_and(x, y); }
INLINE lane_mask mask_or(lane_mask x, lane_mask y) { return ivec_or(x, y); }
INLINE unsigned mask_bits(lane_mask m) {
  return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(m.a)) | (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(m.b)) << 8;
}
INLINE bool mask_any(lane_mask m) { return mask_bits(m) != 0; }
INLINE lane_mask vec_less(vec x, vec y) {
  return ivec_bits((vec){_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)});
}
INLINE lane_mask vec_equal(vec x, vec y) {
  return ivec_bits((vec){_mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ)});
}
INLINE vec vec_select(lane_mask m, vec yes, vec no) {
  return (vec){_mm256_blendv_ps(no.a, yes.a, _mm256_castsi256_ps(m.a)), _mm256_blendv_ps(no.b, yes.b, _mm256_castsi256_ps(m.b))};
}
INLINE vec vec_keep(lane_mask m, vec x) { return vec_bits(ivec_and(m, ivec_bits(x))); }  // 0 elsewhere
INLINE vec vec_load_mask(const float *p, lane_mask m) {
  return (vec){_mm256_maskload_ps(p, m.a), _mm256_maskload_ps(p + 8, m.b)};
}
INLINE void vec_store_mask(float *p, vec x, lane_mask m) {
  _mm256_maskstore_ps(p, m.a, x.a);
  _mm256_maskstore_ps(p + 8, m.b, x.b);
}

INLINE void half_multiply_wide(__m256i a, __m256i b, __m256i *high, __m256i *low) {
  __m256i even = _mm256_mul_epu32(a, b), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
  *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
  *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}
// Both halves of the 64-bit products of unsigned lanes. b is the same in all lanes.
INLINE void ivec_multiply_wide(ivec x, ivec y, ivec *high, ivec *low) {
  half_multiply_wide(x.a, y.a, &high->a, &low->a);
  half_multiply_wide(x.b, y.b, &high->b, &low->b);
}

INLINE __m256 vec_add_halves(vec x) { return _mm256_add_ps(x.a, x.b); }
INLINE __m256 vec_max_halves(vec x) { return _mm256_max_ps(x.a, x.b); }

INLINE void transpose_quarter(float *dst, size_t dst_stride, const float *src, size_t src_stride, int rows) {
  static const float none[8];
  __m256 a[8], b[8];
  for (int i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(i < rows ? src + i * src_stride : none);
  for (int i = 0; i < 8; i += 2) {
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
    a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
  }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(dst + i * dst_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
    _mm256_storeu_ps(dst + (i + 4) * dst_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
  }
}
// dst[j * dst_stride + i] = src[i * src_stride + j] for i, j below 16; rows of src from `rows` on are taken for zeros.
INLINE void transpose_rows(float *dst, size_t dst_stride, const float *src, size_t src_stride, int rows) {
  for (int i = 0; i < 16; i += 8)
    for (int j = 0; j < 16; j += 8)
      transpose_quarter(dst + j * dst_stride + i, dst_stride, src + i * src_stride + j, src_stride, rows - i);
}

#else
#error "define SIMD_AVX2 or SIMD_AVX512"
#endif

INLINE void transpose_block(float *dst, size_t dst_stride, const float *src, size_t src_stride) {
  transpose_rows(dst, dst_stride, src, src_stride, LANES);
}

INLINE void prefetch_read(const void *p) { __builtin_prefetch(p, 0, 3); }
INLINE void prefetch_write(const void *p) { __builtin_prefetch(p, 1, 3); }

// Partial vectors: the first n lanes (n may exceed 16), the others are 0 when loaded and left alone when stored.
INLINE vec vec_load_first(const float *p, int n) { return n >= LANES ? vec_load(p) : vec_load_mask(p, mask_first(n)); }
INLINE void vec_store_first(float *p, vec a, int n) {
  if (n >= LANES) vec_store(p, a);
  else vec_store_mask(p, a, mask_first(n));
}

// bf16: the upper half of an f32, rounded to nearest, ties to even; NaN stays NaN (number_to_bf16).
INLINE ivec bf16_halves(vec x) {
  ivec bits = ivec_bits(x), odd = ivec_and(ivec_right(bits, 16), ivec_set(1));
  ivec rounded = ivec_right(ivec_add(bits, ivec_add(odd, ivec_set(0x7FFF))), 16);
  ivec broken = ivec_or(ivec_right(bits, 16), ivec_set(0x40));
  lane_mask numbers = vec_equal(x, x);
  return ivec_bits(vec_select(numbers, vec_bits(rounded), vec_bits(broken)));
}
INLINE vec vec_load_bf16(const uint16_t *p) { return vec_bits(ivec_left(ivec_load_halves(p), 16)); }
INLINE void vec_store_bf16(uint16_t *p, vec x) { ivec_store_halves(p, bf16_halves(x)); }
INLINE vec vec_round_bf16(vec x) { return vec_bits(ivec_left(bf16_halves(x), 16)); }

INLINE float vec_sum(vec a) {
  __m256 eight = vec_add_halves(a);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE float dot_product(const float *a, const float *b, int n) {
  vec sum = vec_zero();
  for (int i = 0; i < n; i += LANES) sum = vec_fma(vec_load_first(a + i, n - i), vec_load_first(b + i, n - i), sum);
  return vec_sum(sum);
}

INLINE float vec_largest(vec a) {
  __m256 eight = vec_max_halves(a);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
