// The inner loop of every product: up to 6 rows by up to TILE_VECS vectors of columns held in registers while the depth runs.
//
//   c[r, j] = (from_c ? c[r, j] : 0) + sum over k in order of a[r * a_row + k * a_step] * b[k * b_step + j],
//             + bias[j] unless NULL
//
// One fused multiply-add per element and k, in order of k: the bits of an element don't depend on the rows and columns that
// stand beside it, nor on where the depth is cut (continue with from_c). Only the turned tiles, which serve gradients, add the
// finished sum to c instead of starting from c. AVX-512 has registers for 6 x 64, AVX2 for 6 x 16.
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
  const float *bias;
  int depth;
  int width;   // columns of c to write
  bool from_c;
};

typedef void tile_function(const struct tile *tile);
typedef tile_function *const tile_table[TILE_ROWS][TILE_VECS];  // [rows - 1][vectors - 1]

// panel: b is packed, TILE_COLUMNS apart; a's rows are continuous. forward: any b, a's rows are continuous. turned: any b, a's
// columns are continuous (sums over the rows of a matrix). ragged: b has only `width` columns; otherwise whole vectors of it are
// read. half: as forward, b is bf16 (uint16_t, b_step apart).
extern tile_table KERNEL_NAME(panel_tiles), KERNEL_NAME(half_tiles), KERNEL_NAME(forward_tiles),
  KERNEL_NAME(forward_ragged_tiles), KERNEL_NAME(turned_tiles), KERNEL_NAME(turned_ragged_tiles);

// How many of `left` rows the next tile takes: 6, or halves of what is left rather than 6 and a thin rest.
static inline int tile_rows_next(int left) {
  if (left <= TILE_ROWS) return left;
  return left < 2 * TILE_ROWS ? (left + 1) / 2 : TILE_ROWS;
}

// Rows of any number, columns of any number: c [rows, columns] over b [depth, columns], tile after tile.
static inline void tile_product(const tile_table functions, struct tile tile, int rows, int columns) {
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
