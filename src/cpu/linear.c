// Products with weights. A weight is packed into panels of PANEL outputs, [ceil(outputs / PANEL)][inputs][PANEL], padded with
// zeros, so that the inner loop reads it as one stream.
//
// Work is cut into blocks of rows times groups of panels. The depth is cut where a panel would leave the level-2 cache: the
// sums then rest in y and are taken up again, which changes no bit. Few rows use every thread through the panels.
#include <string.h>

#include "cpu/epilogue.h"
#include "cpu/fast.h"
#include "cpu/tile.h"
#include "cpu/work.h"

enum {
  PANEL = TILE_COLUMNS,
  ROW_BLOCK = 16 * TILE_ROWS,
  DEPTH_BLOCK = 768,
  // The weight's gradient: rows per chunk; outputs and inputs per task, at most.
  GRADIENT_CHUNK = 128,
  GRADIENT_COLUMNS = 96,
  GRADIENT_DEPTH = 512,
};

size_t KERNEL_NAME(packed_size)(int rows, int cols) { return ceil_div((size_t)rows, PANEL) * PANEL * (size_t)cols; }

struct pack {
  float *packed;
  const float *values;
  int outputs, inputs;
  bool transposed;
};

// Sixteen outputs of a panel at a time, by blocks of 16 x 16.
static void pack_lanes(const struct pack *pack, float *panel, int output) {
  int outputs = pack->outputs - output < LANES ? pack->outputs - output : LANES;
  for (int k = 0; k < pack->inputs; k += LANES) {
    int inputs = pack->inputs - k < LANES ? pack->inputs - k : LANES;
    const float *from = pack->values + (size_t)output * pack->inputs + k;
    if (outputs == LANES && inputs == LANES) {
      transpose_block(panel + (size_t)k * PANEL, PANEL, from, pack->inputs);
      continue;
    }
    for (int i = 0; i < inputs; i++)
      for (int j = 0; j < LANES; j++) panel[(size_t)(k + i) * PANEL + j] = j < outputs ? from[(size_t)j * pack->inputs + i] : 0;
  }
}

static void pack_transposed_lanes(const struct pack *pack, float *panel, int output) {
  int outputs = pack->outputs - output;
  for (int k = 0; k < pack->inputs; k++) {
    const float *from = pack->values + (size_t)k * pack->outputs + output;
    vec_store(panel + (size_t)k * PANEL, outputs > 0 ? vec_load_first(from, outputs) : vec_zero());
  }
}

static void pack_panel(void *data, size_t index, int worker) {
  const struct pack *pack = data;
  float *panel = pack->packed + index * PANEL * (size_t)pack->inputs;
  for (int j = 0; j < PANEL; j += LANES) {
    int output = (int)index * PANEL + j;
    if (pack->transposed) pack_transposed_lanes(pack, panel + j, output);
    else if (output < pack->outputs) pack_lanes(pack, panel + j, output);
    else
      for (int k = 0; k < pack->inputs; k++) vec_store(panel + j + (size_t)k * PANEL, vec_zero());
  }
}

void KERNEL_NAME(pack)(float *packed, const float *values, int rows, int cols, bool transposed) {
  struct pack pack = {packed, values, transposed ? cols : rows, transposed ? rows : cols, transposed};
  work_for(ceil_div((size_t)pack.outputs, PANEL), 0.3 * rows * cols, pack_panel, &pack);
}

struct linear {
  float *y, *pre;
  const float *x, *packed, *bias;
  size_t y_stride, x_stride;
  int rows, columns, depth;
  enum activation activation;
  bool accumulate;
  int row_block, row_blocks, panels_each;
};

static void linear_panel(const struct linear *linear, int row, int row_end, int panel, int from, int to) {
  int column = panel * PANEL;
  struct tile tile = {.c_row = linear->y_stride, .a_row = linear->x_stride, .depth = to - from};
  tile.b = linear->packed + ((size_t)panel * linear->depth + from) * PANEL;
  tile.width = linear->columns - column < PANEL ? linear->columns - column : PANEL;
  tile.from_c = linear->accumulate || from > 0;
  int vecs = (tile.width + LANES - 1) / LANES;
  if (to == linear->depth && linear->bias) tile.bias = linear->bias + column;
  // The bias is the tile's.
  const struct epilogue epilogue = {linear->y, linear->y_stride, linear->pre, linear->columns, NULL, linear->activation};
  bool finish = to == linear->depth && epilogue_needed(&epilogue);
  for (int count; row < row_end; row += count) {
    count = tile_rows_next(row_end - row);
    tile.c = linear->y + row * linear->y_stride + column;
    tile.a = linear->x + row * linear->x_stride + from;
    KERNEL_NAME(panel_tiles)[count - 1][vecs - 1](&tile);
    if (finish) epilogue_run(&epilogue, row, count, column, tile.width);
  }
}

static void linear_task(void *data, size_t index, int worker) {
  const struct linear *linear = data;
  int row = (int)(index % linear->row_blocks) * linear->row_block;
  int row_end = row + linear->row_block < linear->rows ? row + linear->row_block : linear->rows;
  int panels = (linear->columns + PANEL - 1) / PANEL;
  int panel = (int)(index / linear->row_blocks) * linear->panels_each;
  int panel_end = panel + linear->panels_each < panels ? panel + linear->panels_each : panels;
  for (int from = 0, to; from < linear->depth; from = to) {
    to = linear->depth - from > DEPTH_BLOCK ? from + DEPTH_BLOCK : linear->depth;
    for (int p = panel; p < panel_end; p++) linear_panel(linear, row, row_end, p, from, to);
  }
}

void KERNEL_NAME(linear)(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth,
                         const float *packed, const float *bias, enum activation activation, bool accumulate) {
  struct linear linear = {y, pre, x, packed, bias, y_stride, x_stride, rows, columns, depth, activation, accumulate};
  if (rows <= 0 || columns <= 0) return;
  size_t panels = ceil_div((size_t)columns, PANEL), wanted = 4 * (size_t)parallel_threads();
  linear.row_block = rows < ROW_BLOCK ? rows : ROW_BLOCK;
  linear.row_blocks = (int)ceil_div((size_t)rows, (size_t)linear.row_block);
  // As many panels to a task as leave every thread a few tasks: x is read once per task.
  linear.panels_each = (int)size_max(1, size_min(panels * linear.row_blocks / wanted, 512 / TILE_COLUMNS));
  size_t groups = ceil_div(panels, (size_t)linear.panels_each);
  linear.panels_each = (int)ceil_div(panels, groups);
  work_for(groups * linear.row_blocks, (rows / 55.0 + 1 / 32.0) * columns * depth, linear_task, &linear);
}

// ---- the weight's gradient ----

struct gradient {
  float *dw, *db;
  const float *dy, *x;
  size_t dy_stride, x_stride;
  int rows, columns, depth;
  int column_block, column_blocks, depth_block;
};

// dy is read six columns at a time: side by side the rows don't share few sets of the caches, nor is each another page.
static void copy_columns(float *to, int to_stride, const float *from, size_t from_stride, int rows, int columns) {
  for (int r = 0; r < rows; r++, to += to_stride, from += from_stride) {
    int c = 0;
    for (int line = 0; line < columns; line += LANES) prefetch_read(from + 16 * from_stride + line);
    for (; c + LANES <= columns; c += LANES) vec_store(to + c, vec_load(from + c));
    if (c < columns) vec_store(to + c, vec_load_first(from + c, columns - c));
  }
}

static void bias_gradient(float *db, const float *dy, int dy_stride, int rows, int columns) {
  for (int j = 0; j < columns; j += LANES) {
    lane_mask mask = mask_first(columns - j);
    vec sum = vec_load_mask(db + j, mask);
    for (int r = 0; r < rows; r++) sum = vec_add(sum, vec_load(dy + j + r * dy_stride));
    vec_store_mask(db + j, sum, mask);
  }
}

// One block of dw; the rows come in chunks of a constant size, whose sums are added to dw one after the other.
static void gradient_task(void *data, size_t index, int worker) {
  const struct gradient *gradient = data;
  float dy[GRADIENT_CHUNK * GRADIENT_COLUMNS];
  int column = (int)(index % gradient->column_blocks) * gradient->column_block;
  int columns = gradient->columns - column < gradient->column_block ? gradient->columns - column : gradient->column_block;
  int k = (int)(index / gradient->column_blocks) * gradient->depth_block;
  int width = gradient->depth - k < gradient->depth_block ? gradient->depth - k : gradient->depth_block;
  struct tile tile = {
      .c_row = gradient->depth, .a_row = 1, .a_step = GRADIENT_COLUMNS, .b_step = gradient->x_stride, .from_c = true};
  for (int row = 0; row < gradient->rows; row += GRADIENT_CHUNK) {
    int rows = gradient->rows - row < GRADIENT_CHUNK ? gradient->rows - row : GRADIENT_CHUNK;
    copy_columns(dy, GRADIENT_COLUMNS, gradient->dy + row * gradient->dy_stride + column, gradient->dy_stride, rows, columns);
    if (k == 0 && gradient->db) bias_gradient(gradient->db + column, dy, GRADIENT_COLUMNS, rows, columns);
    tile.a = dy;
    tile.b = gradient->x + row * gradient->x_stride + k;
    tile.c = gradient->dw + (size_t)column * gradient->depth + k;
    tile.depth = rows;
    tile_product(width % LANES ? KERNEL_NAME(turned_ragged_tiles) : KERNEL_NAME(turned_tiles), tile, columns, width);
  }
}

void KERNEL_NAME(linear_gradient)(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride, int rows,
                                  int columns, int depth, float *scratch) {
  struct gradient gradient = {dw, db, dy, x, dy_stride, x_stride, rows, columns, depth, GRADIENT_COLUMNS, 0, GRADIENT_DEPTH};
  size_t wanted = 3 * (size_t)parallel_threads(), depth_blocks, column_blocks;
  for (;;) {  // smaller tasks where they are too few; no sum depends on it
    depth_blocks = ceil_div((size_t)depth, (size_t)gradient.depth_block);
    column_blocks = ceil_div((size_t)columns, (size_t)gradient.column_block);
    if (depth_blocks * column_blocks >= wanted) break;
    if (gradient.depth_block > 128) gradient.depth_block /= 2;
    else if (gradient.column_block > 2 * TILE_ROWS) gradient.column_block /= 2;
    else break;
  }
  gradient.column_blocks = (int)column_blocks;
  work_for(depth_blocks * column_blocks, (double)rows * columns * depth / 40, gradient_task, &gradient);
}
