// Blocks by AVX512-BF16: up to 6 rows by 64 columns held in registers; the instruction multiplies a pair of one row with the pairs
// of sixteen columns. One chain per element over the pairs in order, wherever the depth or the rows are cut.
#pragma once

enum { TILE_ROWS = 6, TILE_VECS = PANEL / LANES };

static const lane_mask ALL = (lane_mask)0xFFFF;

static inline void blocks_begin(void) {}
static inline void blocks_end(void) {}

INLINE void tile_run(const struct block *block, const int rows, const int vecs) {
  __m512 sum[TILE_ROWS][TILE_VECS];
  const lane_mask tail = mask_first(block->width - (vecs - 1) * LANES);
  const float *start = block->from_c ? block->c : block->bias;
  const size_t start_row = block->from_c ? block->c_row : 0;
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++)
      sum[r][v] = start ? vec_load_mask(start + r * start_row + v * LANES, v < vecs - 1 ? ALL : tail) : vec_zero();
  const uint32_t *a = block->a, *b = block->b;
  const size_t a_row = block->a_row;
  for (int q = 0; q < block->pairs; q++, a++, b += PANEL) {
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

#define TILE(rows, vecs) \
  static void tile_##rows##_##vecs(const struct block *block) { tile_run(block, rows, vecs); }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#define ROW(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3, tile_##rows##_4}
static tile_function *const tiles[TILE_ROWS][TILE_VECS] = {ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6)};

static void run_block(const struct block *block, int rows) { tiles[rows - 1][(block->width + LANES - 1) / LANES - 1](block); }

// How many of `left` rows the next block takes: 6, or halves of what is left rather than 6 and a thin rest.
static int block_rows_next(int left) {
  if (left <= TILE_ROWS) return left;
  return left < 2 * TILE_ROWS ? (left + 1) / 2 : TILE_ROWS;
}
