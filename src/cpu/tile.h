// The inner loop of every product: up to 6 rows by up to TILE_VECS vectors of columns held in registers while the depth runs.
//
//   c[r, j] = (from_c ? c[r, j] : 0) + sum over k in order of a[r * a_row + k * a_step] * b[k * b_step + j]
//
// One fused multiply-add per element and k, in order of k: the bits of an element don't depend on the rows and columns that
// stand beside it, nor on where the depth is cut (continue with from_c). AVX-512 has registers for 6 x 64, AVX2 for 6 x 16.
#pragma once
#include "cpu/simd.h"

enum {
  TILE_ROWS = 6,
#if defined(SIMD_AVX512)
  TILE_VECS = 4,
#else
  TILE_VECS = 1,
#endif
  TILE_COLUMNS = TILE_VECS * LANES,
};

struct tile {
  float *c;
  size_t c_row;
  const float *a;
  size_t a_row, a_step;
  const float *b;
  size_t b_step;
  int depth;
  int width;   // columns of c to write
  bool from_c;
};

// rows, vecs and the steps given as constants are constants after inlining. ragged: b has only `width` columns too.
INLINE void tile_run(const struct tile *tile, const int rows, const int vecs, const size_t a_row, const size_t a_step,
                     const size_t b_step, const bool ragged) {
  vec sum[TILE_ROWS][TILE_VECS];
  const int tail = tile->width - (vecs - 1) * LANES;
  const lane_mask tail_mask = mask_first(tail);
  float *restrict c = tile->c;
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
      if (!tile->from_c) sum[r][v] = vec_zero();
      else if (v < vecs - 1) sum[r][v] = vec_load(c + r * tile->c_row + v * LANES);
      else sum[r][v] = vec_load_mask(c + r * tile->c_row + v * LANES, tail_mask);
    }
  }
  const float *restrict a = tile->a, *restrict b = tile->b;
  for (int k = 0; k < tile->depth; k++) {
    vec line[TILE_VECS];
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
      line[v] = ragged && v == vecs - 1 ? vec_load_mask(b + v * LANES, tail_mask) : vec_load(b + v * LANES);
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      vec x = vec_set(a[r * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < vecs; v++) sum[r][v] = vec_fma(x, line[v], sum[r][v]);
    }
    a += a_step;
    b += b_step;
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
      if (v < vecs - 1) vec_store(c + r * tile->c_row + v * LANES, sum[r][v]);
      else vec_store_mask(c + r * tile->c_row + v * LANES, sum[r][v], tail_mask);
    }
  }
}

typedef void tile_function(const struct tile *tile);

// One function per number of rows and vectors, in a table [rows - 1][vecs - 1].
#define TILE_VARIANT(name, rows, vecs, a_row, a_step, b_step, ragged)                              \
  static void name##_##rows##_##vecs(const struct tile *tile) {                                    \
    if (vecs <= TILE_VECS) tile_run(tile, rows, vecs, a_row, a_step, b_step, ragged);              \
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
  static tile_function *const name[TILE_ROWS][TILE_VECS] = {TILE_TABLE_OF_ROWS(name, 1), TILE_TABLE_OF_ROWS(name, 2), \
                                                            TILE_TABLE_OF_ROWS(name, 3), TILE_TABLE_OF_ROWS(name, 4), \
                                                            TILE_TABLE_OF_ROWS(name, 5), TILE_TABLE_OF_ROWS(name, 6)};

// How many of `left` rows the next tile takes: 6, or halves of what is left rather than 6 and a thin rest.
static inline int tile_rows_next(int left) {
  if (left <= TILE_ROWS) return left;
  return left < 2 * TILE_ROWS ? (left + 1) / 2 : TILE_ROWS;
}

// Rows of any number, columns of any number: c [rows, columns] over b [depth, columns], tile after tile.
static inline void tile_product(tile_function *const functions[TILE_ROWS][TILE_VECS], struct tile tile, int rows, int columns) {
  float *c = tile.c;
  const float *a = tile.a, *b = tile.b;
  for (int j = 0; j < columns; j += TILE_COLUMNS) {
    tile.width = columns - j < TILE_COLUMNS ? columns - j : TILE_COLUMNS;
    tile.b = b + j;
    for (int r = 0, count; r < rows; r += count) {
      count = tile_rows_next(rows - r);
      tile.c = c + r * tile.c_row + j;
      tile.a = a + r * tile.a_row;
      functions[count - 1][(tile.width + LANES - 1) / LANES - 1](&tile);
    }
  }
}
