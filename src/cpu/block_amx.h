// Blocks by AMX: 32 rows by 32 columns in four tiles of sums, or 16 rows by 64 columns where there are no more than 16 rows.
//
// A tile instruction adds up sixteen pairs by itself and then adds that to the sum, so an element's chain goes by sixteen pairs
// from the block's first on. Tiles are always whole: rows that are missing are computed with whatever stands there and not
// stored, pairs that are missing are zeros on both sides.
#pragma once
#include "cpu/amx_tiles.h"

enum { TILE = 16 };  // rows, columns, pairs

enum { BLOCK_ROWS = 2 * TILE };  // of most blocks

// How a gradient's dy lies: turned, a row of pairs for each column.
enum { LAID_COLUMN = GRADIENT_ROWS / 2, LAID_PAIR = 1, LAID_SIZE = PANEL * LAID_COLUMN };

// Sixteen columns (`there` of them) of up to 32 rows become sixteen rows of sixteen pairs, LAID_COLUMN apart.
static void turn_block(uint32_t *to, const float *from, size_t stride, int rows, int there) {
  const lane_mask mask = mask_first(there);
  uint32_t block[LANES * LANES];
  for (int q = 0; q < LANES; q++) {
    vec a = 2 * q < rows ? vec_load_mask(from + (size_t)(2 * q) * stride, mask) : vec_zero();
    vec b = 2 * q + 1 < rows ? vec_load_mask(from + (size_t)(2 * q + 1) * stride, mask) : vec_zero();
    _mm512_storeu_si512(block + q * LANES, pair_up(a, b));
  }
  transpose_block((float *)to, LAID_COLUMN, (const float *)block, LANES);
}

static void lay_rows(uint32_t *to, const float *from, size_t stride, int rows, int columns) {
  for (int j = 0; j < columns; j += LANES) turn_block(to + (size_t)j * LAID_COLUMN, from + j, stride, rows, columns - j);
}

static inline void blocks_begin(void) { tiles_configure(); }
static inline void blocks_end(void) { tiles_release(); }

static int block_rows_next(int left) { return left < 2 * TILE ? left : 2 * TILE; }

// Sums that don't fill their tiles in c are loaded from here and stored to here.
struct edge {
  float sums[2 * TILE * PANEL];
};

// from: sums of the block's columns from `column` on, `stride` from row to row.
static void edge_load(struct edge *edge, const struct block *block, const float *from, size_t stride, int rows, int column,
                      int columns) {
  int there = block->width - column < columns ? block->width - column : columns;
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < there; j += LANES)
      vec_store(edge->sums + r * PANEL + j, vec_load_first(from + (size_t)r * stride + column + j, there - j));
}

static void edge_store(const struct edge *edge, const struct block *block, int rows, int column, int columns) {
  int there = block->width - column < columns ? block->width - column : columns;
  for (int r = 0; r < rows; r++)
    for (int j = 0; j < there; j += LANES)
      vec_store_first(block->c + (size_t)r * block->c_row + column + j, vec_load(edge->sums + r * PANEL + j), there - j);
}

// The last pairs, fewer than sixteen, with zeros behind them. Its rows of `a` are those of the block, up to 32.
struct rest {
  uint32_t a[2 * TILE * TILE], b[TILE * PANEL];
};

static void rest_fill(struct rest *rest, const struct block *block, int rows, int pairs) {
  const uint32_t *a = block->a + block->pairs - pairs, *b = block->b + (size_t)(block->pairs - pairs) * PANEL;
  memset(rest, 0, sizeof *rest);
  for (int r = 0; r < rows; r++) memcpy(rest->a + r * TILE, a + (size_t)r * block->a_row, (size_t)pairs * sizeof *a);
  memcpy(rest->b, b, (size_t)pairs * PANEL * sizeof *b);
}

// Tiles 0 to 3: sums; 4, 5: rows; 6, 7: columns.
static void multiply_wide(const uint32_t *a, size_t a_row, const uint32_t *b) {
  const size_t panel = PANEL * sizeof *b, row = a_row * sizeof *a;
  tile_load(4, a, row);
  tile_load(6, b, panel);
  tile_multiply(0, 4, 6);
  tile_load(7, b + TILE, panel);
  tile_multiply(1, 4, 7);
  tile_load(5, a + TILE * a_row, row);
  tile_multiply(2, 5, 6);
  tile_multiply(3, 5, 7);
}

// The four sums: two tiles beside each other, and two more `others` values on. start NULL: zeros.
static inline void sums_begin(const float *start, size_t others, size_t row) {
  if (start) {
    tile_load(0, start, row);
    tile_load(1, start + TILE, row);
    tile_load(2, start + others, row);
    tile_load(3, start + others + TILE, row);
  } else {
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
  }
}

static inline void sums_end(float *c, size_t others, size_t row) {
  tile_store(0, c, row);
  tile_store(1, c + TILE, row);
  tile_store(2, c + others, row);
  tile_store(3, c + others + TILE, row);
}

static void block_wide(const struct block *block, const struct rest *rest, int rows, int column) {
  struct edge edge;
  bool whole = rows == 2 * TILE && block->width - column >= 2 * TILE;
  size_t stride = (whole ? block->c_row : PANEL) * sizeof(float);
  float *c = whole ? block->c + column : edge.sums;
  const float *start = block->from_c ? c : edge.sums;
  size_t start_row = block->from_c ? stride : 0;  // 0: the one row of the bias for all
  if (block->from_c && !whole) edge_load(&edge, block, block->c, block->c_row, rows, column, 2 * TILE);
  if (!block->from_c && block->bias) edge_load(&edge, block, block->bias, 0, 1, column, 2 * TILE);
  sums_begin(block->from_c || block->bias ? start : NULL, TILE * (start_row / sizeof(float)), start_row);
  int q = 0;
  for (; q + TILE <= block->pairs; q += TILE) multiply_wide(block->a + q, block->a_row, block->b + (size_t)q * PANEL + column);
  if (q < block->pairs) multiply_wide(rest->a, TILE, rest->b + column);
  sums_end(c, TILE * (stride / sizeof(float)), stride);
  if (!whole) edge_store(&edge, block, rows, column, 2 * TILE);
}

static void multiply_low(const uint32_t *a, size_t a_row, const uint32_t *b) {
  const size_t panel = PANEL * sizeof *b;
  tile_load(4, a, a_row * sizeof *a);
  tile_load(6, b, panel);
  tile_multiply(0, 4, 6);
  tile_load(7, b + TILE, panel);
  tile_multiply(1, 4, 7);
  tile_load(6, b + 2 * TILE, panel);
  tile_multiply(2, 4, 6);
  tile_load(7, b + 3 * TILE, panel);
  tile_multiply(3, 4, 7);
}

static void block_low(const struct block *block, const struct rest *rest, int rows) {
  struct edge edge;
  bool whole = rows == TILE && block->width == PANEL;
  size_t stride = (whole ? block->c_row : PANEL) * sizeof(float);
  float *c = whole ? block->c : edge.sums;
  const float *start = block->from_c ? c : edge.sums;
  size_t start_row = block->from_c ? stride : 0;
  if (block->from_c && !whole) edge_load(&edge, block, block->c, block->c_row, rows, 0, PANEL);
  if (!block->from_c && block->bias) edge_load(&edge, block, block->bias, 0, 1, 0, PANEL);
  sums_begin(block->from_c || block->bias ? start : NULL, 2 * TILE, start_row);
  int q = 0;
  for (; q + TILE <= block->pairs; q += TILE) multiply_low(block->a + q, block->a_row, block->b + (size_t)q * PANEL);
  if (q < block->pairs) multiply_low(rest->a, TILE, rest->b);
  sums_end(c, 2 * TILE, stride);
  if (!whole) edge_store(&edge, block, rows, 0, PANEL);
}

static void run_block(const struct block *block, int rows) {
  struct rest rest;
  if (block->pairs % TILE) rest_fill(&rest, block, rows, block->pairs % TILE);
  if (rows <= TILE) block_low(block, &rest, rows);
  else
    for (int column = 0; column < block->width; column += 2 * TILE) block_wide(block, &rest, rows, column);
}

static void run_laid_block(const struct block *block, int rows) { run_block(block, rows); }
