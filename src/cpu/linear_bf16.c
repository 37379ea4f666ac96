// Products with weights in bf16 on processors with AVX512-BF16: both factors are rounded to bf16, products are added up in f32.
//
// A pair is two neighbours along the sum, side by side in 32 bits: the instruction multiplies a pair of one row with the pairs
// of sixteen columns. Weights are packed as [ceil(outputs / PANEL)][ceil(inputs / 2)][PANEL] pairs, half the size of f32, the
// odd one out paired with 0. Rows are rounded a block at a time, just before they are used; all else stays f32.
//
// Exactness as in linear.c: one chain per element over the pairs in order, wherever the depth or the rows are cut.
#include <immintrin.h>

#include "cpu/bf16.h"
#include "cpu/epilogue.h"
#include "cpu/work.h"

enum {
  TILE_ROWS = 6,
  TILE_VECS = 4,
  PANEL = TILE_VECS * LANES,
  ROW_BLOCK = 16 * TILE_ROWS,
  DEPTH_BLOCK = 1024,   // even
  // The weight's gradient: columns and panels per task, at most. A tile adds up GRADIENT_ROWS rows before it goes back to dw.
  GRADIENT_COLUMNS = 64,
  GRADIENT_PANELS = 32,
  ROUND_ROWS = 64,  // even
};

_Static_assert((int)PANEL == (int)GRADIENT_UNIT && GRADIENT_ROWS % 32 == 0, "how much scratch memory a gradient needs");

static const lane_mask ALL = (lane_mask)0xFFFF;

// ---- pairs ----

// The processor rounds to nearest even and reads denormals as zero.
INLINE __m512i pair_up(vec first, vec second) {
  __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first)), high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

// Pairs along a row: to[q] = (from[2 q], from[2 q + 1]) for all of n numbers.
static void pair_row(uint32_t *to, const float *from, int n) {
  int k = 0;
  for (; k + 2 * LANES <= n; k += 2 * LANES)
    _mm512_storeu_si512(to + k / 2, (__m512i)_mm512_cvtne2ps_pbh(vec_load(from + k + LANES), vec_load(from + k)));
  for (; k < n; k += LANES) {
    int pairs = (n - k + 1) / 2;
    _mm256_mask_storeu_epi32(to + k / 2, (__mmask8)(pairs >= 8 ? 0xFF : (1 << pairs) - 1), (__m256i)_mm512_cvtneps_pbh(vec_load_mask(from + k, mask_first(n - k))));
  }
}

// Pairs across two rows, column by column; a missing second row is 0. Writes whole vectors.
static void pair_rows(uint32_t *to, const float *first, const float *second, int n) {
  for (int j = 0; j < n; j += LANES) {
    lane_mask mask = mask_first(n - j);
    _mm512_storeu_si512(to + j, pair_up(vec_load_mask(first + j, mask), second ? vec_load_mask(second + j, mask) : vec_zero()));
  }
}

// ---- packing ----

size_t packed_size_bf16(int rows, int cols) { return ceil_div((size_t)rows, PANEL) * PANEL * ceil_div((size_t)cols, 2); }

struct pack {
  uint32_t *packed;
  const float *values;
  int outputs, inputs;
  bool transposed;
};

// values [outputs, inputs]: pairs along rows, which become columns of the panel.
static void pack_outputs(const struct pack *pack, uint32_t *panel, int output) {
  uint32_t row[DEPTH_BLOCK / 2];
  for (int j = 0; j < PANEL; j++) {
    bool there = output + j < pack->outputs;
    for (int from = 0; from < pack->inputs; from += DEPTH_BLOCK) {
      int n = pack->inputs - from < DEPTH_BLOCK ? pack->inputs - from : DEPTH_BLOCK;
      uint32_t *to = panel + (size_t)(from / 2) * PANEL + j;
      if (there) pair_row(row, pack->values + (size_t)(output + j) * pack->inputs + from, n);
      for (int q = 0; q < (n + 1) / 2; q++) to[(size_t)q * PANEL] = there ? row[q] : 0;
    }
  }
}

// values [inputs, outputs]: pairs across rows.
static void pack_turned(const struct pack *pack, uint32_t *panel, int output) {
  int width = pack->outputs - output < PANEL ? pack->outputs - output : PANEL;
  for (int k = 0; k < pack->inputs; k += 2, panel += PANEL) {
    const float *row = pack->values + (size_t)k * pack->outputs + output;
    pair_rows(panel, row, k + 1 < pack->inputs ? row + pack->outputs : NULL, width);
    for (int j = (width + LANES - 1) / LANES * LANES; j < PANEL; j += LANES) _mm512_storeu_si512(panel + j, _mm512_setzero_si512());
  }
}

static void pack_panel(void *data, size_t index, int worker) {
  const struct pack *pack = data;
  uint32_t *panel = pack->packed + index * PANEL * ceil_div((size_t)pack->inputs, 2);
  if (pack->transposed) pack_turned(pack, panel, (int)index * PANEL);
  else pack_outputs(pack, panel, (int)index * PANEL);
}

void pack_bf16(float *packed, const float *values, int rows, int cols, bool transposed) {
  struct pack pack = {(uint32_t *)packed, values, transposed ? cols : rows, transposed ? rows : cols, transposed};
  work_for(ceil_div((size_t)pack.outputs, PANEL), 0.3 * rows * cols, pack_panel, &pack);
}

// ---- the tile ----

// c [rows, width] = (from_c: c +) the sum over pairs q of a[r * a_row + q] times b[q * PANEL + j].
struct tile {
  float *c;
  size_t c_row;
  const uint32_t *a;
  size_t a_row;
  const uint32_t *b;
  int pairs, width;
  bool from_c;
};

INLINE void tile_run(const struct tile *tile, const int rows, const int vecs) {
  __m512 sum[TILE_ROWS][TILE_VECS];
  const lane_mask tail = mask_first(tile->width - (vecs - 1) * LANES);
#pragma GCC unroll 6
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++)
      sum[r][v] = tile->from_c ? vec_load_mask(tile->c + r * tile->c_row + v * LANES, v < vecs - 1 ? ALL : tail) : vec_zero();
  const uint32_t *a = tile->a, *b = tile->b;
  const size_t a_row = tile->a_row;
  for (int q = 0; q < tile->pairs; q++, a++, b += PANEL) {
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
    for (int v = 0; v < vecs; v++) vec_store_mask(tile->c + r * tile->c_row + v * LANES, sum[r][v], v < vecs - 1 ? ALL : tail);
}

typedef void tile_function(const struct tile *tile);

#define TILE(rows, vecs) \
  static void tile_##rows##_##vecs(const struct tile *tile) { tile_run(tile, rows, vecs); }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
#define ROW(rows) {tile_##rows##_1, tile_##rows##_2, tile_##rows##_3, tile_##rows##_4}
static tile_function *const tiles[TILE_ROWS][TILE_VECS] = {ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6)};

static void run_tile(const struct tile *tile, int rows) { tiles[rows - 1][(tile->width + LANES - 1) / LANES - 1](tile); }

// How many of `left` rows the next tile takes: 6, or halves of what is left rather than 6 and a thin rest.
static int rows_next(int left) {
  if (left <= TILE_ROWS) return left;
  return left < 2 * TILE_ROWS ? (left + 1) / 2 : TILE_ROWS;
}

// ---- linear ----

struct linear {
  float *y, *pre;
  const float *x, *bias;
  const uint32_t *packed;
  size_t y_stride, x_stride;
  int rows, columns, depth;
  enum activation activation;
  bool accumulate;
  int row_block, row_blocks, panels_each;
};

// One panel over the rows [row, row_end), whose pairs of the depth [from, to) are in x.
static void linear_panel(const struct linear *linear, const uint32_t *x, int row, int row_end, int panel, int from, int to) {
  int column = panel * PANEL;
  struct tile tile = {.c_row = linear->y_stride, .a_row = DEPTH_BLOCK / 2, .pairs = (to - from + 1) / 2};
  tile.b = linear->packed + ((size_t)panel * ceil_div((size_t)linear->depth, 2) + (size_t)(from / 2)) * PANEL;
  tile.width = linear->columns - column < PANEL ? linear->columns - column : PANEL;
  tile.from_c = linear->accumulate || from > 0;
  const struct epilogue epilogue = {linear->y, linear->y_stride, linear->pre, (size_t)linear->columns, linear->bias, linear->activation};
  bool finish = to == linear->depth && epilogue_needed(&epilogue);
  for (int r = row, count; r < row_end; r += count) {
    count = rows_next(row_end - r);
    tile.c = linear->y + r * linear->y_stride + column;
    tile.a = x + (size_t)(r - row) * (DEPTH_BLOCK / 2);
    run_tile(&tile, count);
    if (finish) epilogue_run(&epilogue, r, count, column, tile.width);
  }
}

static void linear_task(void *data, size_t index, int worker) {
  const struct linear *linear = data;
  uint32_t x[ROW_BLOCK * (DEPTH_BLOCK / 2)];
  int row = (int)(index % (size_t)linear->row_blocks) * linear->row_block;
  int row_end = row + linear->row_block < linear->rows ? row + linear->row_block : linear->rows;
  int panels = (linear->columns + PANEL - 1) / PANEL;
  int panel = (int)(index / (size_t)linear->row_blocks) * linear->panels_each;
  int panel_end = panel + linear->panels_each < panels ? panel + linear->panels_each : panels;
  for (int from = 0, to; from < linear->depth; from = to) {
    to = linear->depth - from > DEPTH_BLOCK ? from + DEPTH_BLOCK : linear->depth;
    for (int r = row; r < row_end; r++) pair_row(x + (size_t)(r - row) * (DEPTH_BLOCK / 2), linear->x + r * linear->x_stride + from, to - from);
    for (int p = panel; p < panel_end; p++) linear_panel(linear, x, row, row_end, p, from, to);
  }
}

void linear_bf16(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth, const float *packed,
                 const float *bias, enum activation activation, bool accumulate) {
  struct linear linear = {y, pre, x, bias, (const uint32_t *)packed, (size_t)y_stride, (size_t)x_stride, rows, columns, depth, activation,
                          accumulate, 0, 0, 0};
  if (rows <= 0 || columns <= 0) return;
  size_t panels = ceil_div((size_t)columns, PANEL), wanted = 4 * (size_t)parallel_threads();
  linear.row_block = rows < ROW_BLOCK ? rows : ROW_BLOCK;
  linear.row_blocks = (int)ceil_div((size_t)rows, (size_t)linear.row_block);
  // x is rounded once per task: as many panels to a task as leave every thread a few tasks.
  linear.panels_each = (int)size_max(1, size_min(panels * (size_t)linear.row_blocks / wanted, 16));
  size_t groups = ceil_div(panels, (size_t)linear.panels_each);
  linear.panels_each = (int)ceil_div(panels, groups);
  work_for(groups * (size_t)linear.row_blocks, (double)rows * columns * depth / 80 + (double)columns * depth / 32, linear_task, &linear);
}

// ---- the weight's gradient ----
//
// dw is the product of dy turned and x, summed over rows: pairs are two rows of one column. x is rounded first, into `scratch`, to
// panels as a weight's; a task turns and rounds its own columns of dy. As many rows at a time as linear_gradient_part says; where
// they are cut changes no bit.

struct gradient {
  float *dw, *db;
  const float *dy, *x;
  size_t dy_stride, x_stride;
  int rows, columns, depth;  // rows: of this part
  uint32_t *x_pairs;         // [panels][panel_size]
  size_t panel_size;
  int column_blocks, panels, panels_each;
};

// A row that will be wanted soon: rows lie so far apart that the processor doesn't see them coming.
INLINE void fetch_row(const float *row, int n) {
  for (int j = 0; j < n; j += LANES) prefetch_read(row + j);
}

static void round_task(void *data, size_t index, int worker) {
  const struct gradient *gradient = data;
  int end = (int)(index + 1) * ROUND_ROWS < gradient->rows ? (int)(index + 1) * ROUND_ROWS : gradient->rows;
  for (int row = (int)index * ROUND_ROWS; row < end; row += 2) {
    const float *from = gradient->x + (size_t)row * gradient->x_stride, *next = row + 1 < gradient->rows ? from + gradient->x_stride : NULL;
    uint32_t *to = gradient->x_pairs + (size_t)(row / 2) * PANEL;
    for (int k = 0; k < gradient->depth; k += PANEL, to += gradient->panel_size)
      pair_rows(to, from + k, next ? next + k : NULL, gradient->depth - k < PANEL ? gradient->depth - k : PANEL);
  }
}

static void bias_gradient(float *db, const float *dy, size_t dy_stride, int rows, int columns) {
  for (int j = 0; j < columns; j += LANES) {
    lane_mask mask = mask_first(columns - j);
    vec sum = vec_load_mask(db + j, mask);
    for (int r = 0; r < rows; r++) sum = vec_add(sum, vec_load_mask(dy + j + (size_t)r * dy_stride, mask));
    vec_store_mask(db + j, sum, mask);
  }
}

// Sixteen columns (`there` of them) of up to 32 rows become sixteen rows of sixteen pairs, GRADIENT_ROWS / 2 apart.
static void turn_block(uint32_t *to, const float *from, size_t stride, int rows, int there) {
  const lane_mask mask = mask_first(there);
  uint32_t block[LANES * LANES];
  for (int q = 0; q < LANES; q++) {
    vec a = 2 * q < rows ? vec_load_mask(from + (size_t)(2 * q) * stride, mask) : vec_zero();
    vec b = 2 * q + 1 < rows ? vec_load_mask(from + (size_t)(2 * q + 1) * stride, mask) : vec_zero();
    _mm512_storeu_si512(block + q * LANES, pair_up(a, b));
  }
  transpose_block((float *)to, GRADIENT_ROWS / 2, (const float *)block, LANES);
}

static void turn_columns(uint32_t *to, const float *from, size_t stride, int rows, int columns) {
  for (int row = 0; row < rows; row += 2 * LANES, from += 2 * LANES * stride) {
    for (int r = 0; r < 2 * LANES; r++) fetch_row(from + (size_t)(r + 2 * LANES) * stride, columns);
    for (int j = 0; j < columns; j += LANES)
      turn_block(to + (size_t)j * (GRADIENT_ROWS / 2) + row / 2, from + j, stride, rows - row, columns - j);
  }
}

// dw [columns, a panel] += one chunk of rows
static void gradient_panel(const struct gradient *gradient, const uint32_t *dy, int column, int columns, int panel, int row, int rows) {
  int k = panel * PANEL;
  struct tile tile = {.c_row = (size_t)gradient->depth, .a_row = GRADIENT_ROWS / 2, .pairs = (rows + 1) / 2, .from_c = true};
  tile.b = gradient->x_pairs + (size_t)panel * gradient->panel_size + (size_t)(row / 2) * PANEL;
  tile.width = gradient->depth - k < PANEL ? gradient->depth - k : PANEL;
  for (int j = 0, count; j < columns; j += count) {
    count = rows_next(columns - j);
    tile.c = gradient->dw + (size_t)(column + j) * (size_t)gradient->depth + k;
    tile.a = dy + (size_t)j * (GRADIENT_ROWS / 2);
    run_tile(&tile, count);
  }
}

static void gradient_task(void *data, size_t index, int worker) {
  const struct gradient *gradient = data;
  uint32_t dy[GRADIENT_COLUMNS * (GRADIENT_ROWS / 2)];
  int column = (int)(index % (size_t)gradient->column_blocks) * GRADIENT_COLUMNS;
  int columns = gradient->columns - column < GRADIENT_COLUMNS ? gradient->columns - column : GRADIENT_COLUMNS;
  int panel = (int)(index / (size_t)gradient->column_blocks) * gradient->panels_each;
  int panel_end = panel + gradient->panels_each < gradient->panels ? panel + gradient->panels_each : gradient->panels;
  for (int row = 0; row < gradient->rows; row += GRADIENT_ROWS) {
    int rows = gradient->rows - row < GRADIENT_ROWS ? gradient->rows - row : GRADIENT_ROWS;
    const float *from = gradient->dy + (size_t)row * gradient->dy_stride + column;
    turn_columns(dy, from, gradient->dy_stride, rows, columns);
    if (panel == 0 && gradient->db) bias_gradient(gradient->db + column, from, gradient->dy_stride, rows, columns);
    for (int p = panel; p < panel_end; p++) gradient_panel(gradient, dy, column, columns, p, row, rows);
  }
}

void linear_gradient_bf16(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride, int rows, int columns, int depth,
                          float *scratch) {
  struct gradient gradient = {.dw = dw, .db = db, .dy_stride = (size_t)dy_stride, .x_stride = (size_t)x_stride, .columns = columns,
                              .depth = depth, .x_pairs = (uint32_t *)scratch, .panels_each = GRADIENT_PANELS};
  if (rows <= 0 || columns <= 0 || depth <= 0) return;
  int part = (int)linear_gradient_part(rows, depth);
  gradient.panel_size = (size_t)part / 2 * PANEL;
  gradient.panels = (depth + PANEL - 1) / PANEL;
  gradient.column_blocks = (columns + GRADIENT_COLUMNS - 1) / GRADIENT_COLUMNS;
  if (gradient.panels_each > gradient.panels) gradient.panels_each = gradient.panels;
  while (gradient.panels_each > 1 &&  // smaller tasks where they are too few; no sum depends on it
         ceil_div((size_t)gradient.panels, (size_t)gradient.panels_each) * (size_t)gradient.column_blocks < 4 * (size_t)parallel_threads())
    gradient.panels_each = (gradient.panels_each + 1) / 2;
  size_t tasks = ceil_div((size_t)gradient.panels, (size_t)gradient.panels_each) * (size_t)gradient.column_blocks;
  for (int row = 0; row < rows; row += part) {
    gradient.rows = rows - row < part ? rows - row : part;
    gradient.dy = dy + (size_t)row * gradient.dy_stride;
    gradient.x = x + (size_t)row * gradient.x_stride;
    work_for(ceil_div((size_t)gradient.rows, ROUND_ROWS), 0.4 * gradient.rows * depth, round_task, &gradient);
    work_for(tasks, (double)gradient.rows * columns * depth / 100, gradient_task, &gradient);
  }
}
