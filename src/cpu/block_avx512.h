// Blocks by AVX512-BF16: up to 6 rows by 64 columns held in registers; the instruction multiplies a pair of one row with the
// pairs of sixteen columns. One chain per element over the pairs in order, wherever the depth or the rows are cut.
//
// A pair of a row is fetched by itself, so a gradient's dy needs no turning: it lies as a panel does, columns beside each other.
#pragma once

enum { TILE_ROWS = 6, TILE_VECS = PANEL / LANES };

enum { BLOCK_ROWS = TILE_ROWS };  // of most blocks

// How a gradient's dy lies: from column to column and from pair to pair.
enum { LAID_COLUMN = 1, LAID_PAIR = PANEL + LANES, LAID_SIZE = GRADIENT_ROWS / 2 * LAID_PAIR };

// Up to 32 rows of dy; what is missing in the last pair is 0.
static void lay_rows(uint32_t *to, const float *from, size_t stride, int rows, int columns) {
  for (int r = 0; r < rows; r += 2, to += LAID_PAIR)
    pair_rows(to, from + r * stride, r + 1 < rows ? from + (r + 1) * stride : NULL, columns);
}

static const lane_mask ALL = (lane_mask)0xFFFF;

static inline void blocks_begin(void) {}
static inline void blocks_end(void) {}

INLINE void tile_run(const struct block *block, const int rows, const int vecs, const size_t a_row, const size_t a_pair) {
  __m512 sum[TILE_ROWS][TILE_VECS];
  const lane_mask tail = mask_first(block->width - (vecs - 1) * LANES);
  const float *start = block->from_c ? block->c : block->bias;
  const size_t start_row = block->from_c ? block->c_row : 0;
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) prefetch_write(block->c + r * block->c_row + v * LANES);
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++)
      sum[r][v] = start ? vec_load_mask(start + r * start_row + v * LANES, v < vecs - 1 ? ALL : tail) : vec_zero();
  const uint32_t *a = block->a, *b = block->b;
  for (int q = 0; q < block->pairs; q++, a += a_pair, b += PANEL) {
    __m512bh line[TILE_VECS];
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) line[v] = (__m512bh)_mm512_loadu_si512(b + v * LANES);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
      __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[r * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < vecs; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, line[v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) vec_store_mask(block->c + r * block->c_row + v * LANES, sum[r][v], v < vecs - 1 ? ALL : tail);
}

typedef void tile_function(const struct block *block);
typedef tile_function *const tile_table[TILE_ROWS][TILE_VECS];

#define TILE(name, rows, vecs, a_row, a_pair) \
  static void name##_##rows##_##vecs(const struct block *block) { tile_run(block, rows, vecs, a_row, a_pair); }
#define TILES_OF(name, rows, ...) \
  TILE(name, rows, 1, __VA_ARGS__) TILE(name, rows, 2, __VA_ARGS__)                                                         \
  TILE(name, rows, 3, __VA_ARGS__) TILE(name, rows, 4, __VA_ARGS__)
#define ROW(name, rows) {name##_##rows##_1, name##_##rows##_2, name##_##rows##_3, name##_##rows##_4}
#define TILES(name, ...)                                                                                                    \
  TILES_OF(name, 1, __VA_ARGS__) TILES_OF(name, 2, __VA_ARGS__) TILES_OF(name, 3, __VA_ARGS__)                              \
  TILES_OF(name, 4, __VA_ARGS__) TILES_OF(name, 5, __VA_ARGS__) TILES_OF(name, 6, __VA_ARGS__)                              \
  static tile_table name = {ROW(name, 1), ROW(name, 2), ROW(name, 3), ROW(name, 4), ROW(name, 5), ROW(name, 6)};

TILES(row_tiles, block->a_row, 1)
TILES(laid_tiles, LAID_COLUMN, LAID_PAIR)

static void run_block(const struct block *block, int rows) { row_tiles[rows - 1][(block->width + LANES - 1) / LANES - 1](block); }
// The same where a is what lay_rows made.
static void run_laid_block(const struct block *block, int rows) {
  laid_tiles[rows - 1][(block->width + LANES - 1) / LANES - 1](block);
}

// How many of `left` rows the next block takes: 6, or halves of what is left rather than 6 and a thin rest.
static int block_rows_next(int left) {
  if (left <= TILE_ROWS) return left;
  return left < 2 * TILE_ROWS ? (left + 1) / 2 : TILE_ROWS;
}
