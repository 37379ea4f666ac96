#include "cpu/tile.h"

// Loops over registers must be gone before either compiler decides what lives in registers.
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 6")
#endif

enum { AHEAD = 12 };  // rows of b that are fetched early where they lie far apart

// rows, vecs and the steps given as constants are constants after inlining. ragged: b has only `width` columns too. turned: c is
// added at the end, when it has arrived. half: b is bf16.
INLINE void tile_run(const struct tile *tile, const int rows, const int vecs, const size_t a_row, const size_t a_step,
                     const size_t b_step, const bool ragged, const bool turned, const bool half) {
  vec sum[TILE_ROWS][TILE_VECS];
  const lane_mask tail = mask_first(tile->width - (vecs - 1) * LANES);
  float *restrict c = tile->c;
  UNROLL
  for (int r = 0; r < rows; r++) {
    UNROLL
    for (int v = 0; v < vecs; v++) {
      prefetch_write(c + r * tile->c_row + v * LANES);
      if (turned || !tile->from_c) sum[r][v] = vec_zero();
      else if (v < vecs - 1) sum[r][v] = vec_load(c + r * tile->c_row + v * LANES);
      else sum[r][v] = vec_load_mask(c + r * tile->c_row + v * LANES, tail);
    }
  }
  const float *restrict a = tile->a, *restrict b = tile->b;
  const uint16_t *restrict halves = (const uint16_t *)tile->b;
  for (int k = 0; k < tile->depth; k++) {
    vec line[TILE_VECS];
    UNROLL
    for (int v = 0; v < vecs; v++) {
      if (half) line[v] = vec_load_bf16(halves + v * LANES);
      else line[v] = ragged && v == vecs - 1 ? vec_load_mask(b + v * LANES, tail) : vec_load(b + v * LANES);
      if (turned) prefetch_read(b + AHEAD * b_step + v * LANES);
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
      vec x = vec_set(a[r * a_row]);
      UNROLL
      for (int v = 0; v < vecs; v++) sum[r][v] = vec_fma(x, line[v], sum[r][v]);
    }
    a += a_step;
    if (half) halves += b_step;
    else b += b_step;
  }
  UNROLL
  for (int v = 0; v < vecs; v++) {
    const lane_mask mask = v < vecs - 1 ? mask_first(LANES) : tail;
    vec bias = vec_zero();
    if (!turned && tile->bias) bias = vec_load_mask(tile->bias + v * LANES, mask);
    UNROLL
    for (int r = 0; r < rows; r++) {
      float *to = c + r * tile->c_row + v * LANES;
      vec value = sum[r][v];
      if (turned && tile->from_c) value = vec_add(vec_load_mask(to, mask), value);
      if (!turned && tile->bias) value = vec_add(value, bias);
      if (v < vecs - 1) vec_store(to, value);
      else vec_store_mask(to, value, mask);
    }
  }
}

// One function per number of rows and vectors, in a table [rows - 1][vecs - 1].
#define TILE_VARIANT(name, rows, vecs, a_row, a_step, b_step, ragged, turned, half)                \
  static void name##_##rows##_##vecs(const struct tile *tile) {                                    \
    if (vecs <= TILE_VECS) tile_run(tile, rows, vecs, a_row, a_step, b_step, ragged, turned, half); \
  }
#define TILE_VARIANTS_OF_ROWS(name, rows, ...)                                                     \
  TILE_VARIANT(name, rows, 1, __VA_ARGS__) TILE_WIDE(TILE_VARIANT(name, rows, 2, __VA_ARGS__)      \
  TILE_VARIANT(name, rows, 3, __VA_ARGS__) TILE_VARIANT(name, rows, 4, __VA_ARGS__))
#define TILE_TABLE_OF_ROWS(name, rows) {name##_##rows##_1 TILE_WIDE(, name##_##rows##_2, name##_##rows##_3, name##_##rows##_4)}
#if defined(SIMD_AVX512)
#define TILE_WIDE(...) __VA_ARGS__
#else
#define TILE_WIDE(...)
#endif
#define TILE_FUNCTIONS(name, ...)                                                                                     \
  TILE_VARIANTS_OF_ROWS(name, 1, __VA_ARGS__) TILE_VARIANTS_OF_ROWS(name, 2, __VA_ARGS__)                             \
  TILE_VARIANTS_OF_ROWS(name, 3, __VA_ARGS__) TILE_VARIANTS_OF_ROWS(name, 4, __VA_ARGS__)                             \
  TILE_VARIANTS_OF_ROWS(name, 5, __VA_ARGS__) TILE_VARIANTS_OF_ROWS(name, 6, __VA_ARGS__)                             \
  tile_table KERNEL_NAME(name) = {TILE_TABLE_OF_ROWS(name, 1), TILE_TABLE_OF_ROWS(name, 2), \
                                                            TILE_TABLE_OF_ROWS(name, 3), TILE_TABLE_OF_ROWS(name, 4), \
                                                            TILE_TABLE_OF_ROWS(name, 5), TILE_TABLE_OF_ROWS(name, 6)};

TILE_FUNCTIONS(panel_tiles, tile->a_row, 1, TILE_COLUMNS, false, false, false)
TILE_FUNCTIONS(forward_tiles, tile->a_row, 1, tile->b_step, false, false, false)
TILE_FUNCTIONS(forward_ragged_tiles, tile->a_row, 1, tile->b_step, true, false, false)
TILE_FUNCTIONS(turned_tiles, 1, tile->a_step, tile->b_step, false, true, false)
TILE_FUNCTIONS(turned_ragged_tiles, 1, tile->a_step, tile->b_step, true, true, false)
TILE_FUNCTIONS(half_tiles, tile->a_row, 1, tile->b_step, false, false, true)
