// Products with weights in bf16: both factors are rounded to bf16, products are added up in f32. Compiled once for AVX512-BF16
// and once for AMX, which differ in how a block is multiplied (BF16_SET, src/cpu/meson.build); the packed weights are the same.
//
// Rows are rounded to pairs (cpu/bf16_pairs.h) a block at a time, just before they are used; all else stays f32.
//
// Exactness: an element's chain of sums depends on the depth and its cuts alone, not on the rows and columns beside it.
#include "cpu/bf16.h"
#include "cpu/bf16_pairs.h"
#include "cpu/epilogue.h"
#include "cpu/work.h"

enum {
  ROW_BLOCK = 96,      // a multiple of what any block takes
  ROWS_LEAST = 32,     // to a task, where there are that many
  PANELS_MOST = 16,
  DEPTH_BLOCK = 512,   // a multiple of 32
  ROW_PAIRS = DEPTH_BLOCK / 2 + LANES,  // from row to row of rounded x: no power of two, else rows share few sets of the cache
  // The weight's gradient: columns and panels per task, at most. A block adds up GRADIENT_ROWS rows before it goes back to dw.
  GRADIENT_COLUMNS = 64,
  GRADIENT_PANELS = 32,
  ROUND_ROWS = 64,  // even
};

_Static_assert((int)PANEL == (int)GRADIENT_UNIT && (int)GRADIENT_COLUMNS == (int)PANEL && GRADIENT_ROWS % 32 == 0,
               "how much scratch memory a gradient needs");

// c [rows, width] = (from_c: c, else bias unless NULL) + the sum over pairs q of a[r * a_row + q] times b[q * PANEL + j]. Rows of
// a may be read up to the next multiple of 32, and of b up to PANEL columns; what stands there doesn't matter.
struct block {
  float *c;
  size_t c_row;
  const uint32_t *a;
  size_t a_row;
  const uint32_t *b;
  const float *bias;
  int pairs, width;
  bool from_c;
};

#if defined(BF16_AMX)
#include "cpu/block_amx.h"
#else
#include "cpu/block_avx512.h"
#endif

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
  struct block block = {.c_row = linear->y_stride, .a_row = ROW_PAIRS, .pairs = (to - from + 1) / 2};
  block.b = linear->packed + ((size_t)panel * ceil_div((size_t)linear->depth, 2) + (size_t)(from / 2)) * PANEL;
  block.width = linear->columns - column < PANEL ? linear->columns - column : PANEL;
  block.from_c = linear->accumulate || from > 0;
  if (linear->bias) block.bias = linear->bias + column;
  // The bias is the block's.
  const struct epilogue epilogue = {linear->y, linear->y_stride, linear->pre, (size_t)linear->columns, NULL, linear->activation};
  bool finish = to == linear->depth && epilogue_needed(&epilogue);
  for (int r = row, count; r < row_end; r += count) {
    count = block_rows_next(row_end - r);
    block.c = linear->y + r * linear->y_stride + column;
    block.a = x + (size_t)(r - row) * ROW_PAIRS;
    run_block(&block, count);
    if (finish) epilogue_run(&epilogue, r, count, column, block.width);
  }
}

static void linear_task(void *data, size_t index, int worker) {
  const struct linear *linear = data;
  uint32_t x[ROW_BLOCK * ROW_PAIRS];
  int row = (int)(index % (size_t)linear->row_blocks) * linear->row_block;
  int row_end = row + linear->row_block < linear->rows ? row + linear->row_block : linear->rows;
  int panels = (linear->columns + PANEL - 1) / PANEL;
  int panel = (int)(index / (size_t)linear->row_blocks) * linear->panels_each;
  int panel_end = panel + linear->panels_each < panels ? panel + linear->panels_each : panels;
  blocks_begin();
  for (int from = 0, to; from < linear->depth; from = to) {
    to = linear->depth - from > DEPTH_BLOCK ? from + DEPTH_BLOCK : linear->depth;
    for (int r = row; r < row_end; r++)
      pair_row(x + (size_t)(r - row) * ROW_PAIRS, linear->x + r * linear->x_stride + from, to - from);
    for (int p = panel; p < panel_end; p++) linear_panel(linear, x, row, row_end, p, from, to);
  }
  blocks_end();
}

void BF16_NAME(linear)(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth,
                       const float *packed, const float *bias, enum activation activation, bool accumulate) {
  struct linear linear = {y, pre, x, bias, (const uint32_t *)packed, (size_t)y_stride, (size_t)x_stride, rows, columns, depth,
                          activation, accumulate, 0, 0, 0};
  if (rows <= 0 || columns <= 0) return;
  const bool alone = parallel_inside();
  size_t panels = ceil_div((size_t)columns, PANEL), most = alone ? panels : PANELS_MOST;
  size_t wanted = alone ? 1 : 4 * (size_t)parallel_threads();
  // x is rounded once per task: as many panels to a task as leave every thread a few tasks, all where a thread works for itself,
  // and fewer rows before fewer panels.
  linear.row_block = ROW_BLOCK;
  while (linear.row_block > ROWS_LEAST && ceil_div(panels, most) * ceil_div((size_t)rows, (size_t)linear.row_block) < wanted)
    linear.row_block -= ROWS_LEAST;
  if (rows < linear.row_block) linear.row_block = rows;
  linear.row_blocks = (int)ceil_div((size_t)rows, (size_t)linear.row_block);
  linear.panels_each = (int)size_max(1, size_min(panels * (size_t)linear.row_blocks / wanted, most));
  size_t groups = ceil_div(panels, (size_t)linear.panels_each);
  linear.panels_each = (int)ceil_div(panels, groups);
  work_for(groups * (size_t)linear.row_blocks, (double)rows * columns * depth / 80 + (double)columns * depth / 32, linear_task,
           &linear);
}

// ---- the weight's gradient ----
//
// dw is the product of dy turned and x, summed over rows: pairs are two rows of one column. x is paired first, into `scratch`, to
// panels as a weight's, and rounded where it is not yet; a task rounds its own columns of dy. As many rows at a time as
// linear_gradient_part says; where they are cut changes no bit.

struct gradient {
  float *dw, *db;
  const float *dy, *x;
  const uint16_t *half;      // instead of x, if not NULL
  size_t dy_stride, x_stride;
  int rows, columns, depth;  // rows: of this part
  uint32_t *x_pairs;         // [panels][panel_size]
  size_t panel_size;
  int chunks, column_blocks, columns_each, column_tasks, panels, panels_each;
};

// The row and the one behind it, if there is one, from column k on.
static void pair_panel(const struct gradient *gradient, uint32_t *to, int row, int k) {
  size_t at = (size_t)row * gradient->x_stride + (size_t)k, next = at + gradient->x_stride;
  int width = gradient->depth - k < PANEL ? gradient->depth - k : PANEL;
  bool paired = row + 1 < gradient->rows;
  if (gradient->half) pair_half_rows(to, gradient->half + at, paired ? gradient->half + next : NULL, width);
  else pair_rows(to, gradient->x + at, paired ? gradient->x + next : NULL, width);
}

static void pair_task(void *data, size_t index, int worker) {
  const struct gradient *gradient = data;
  int end = (int)(index + 1) * ROUND_ROWS < gradient->rows ? (int)(index + 1) * ROUND_ROWS : gradient->rows;
  for (int row = (int)index * ROUND_ROWS; row < end; row += 2) {
    uint32_t *to = gradient->x_pairs + (size_t)(row / 2) * PANEL;
    for (int k = 0; k < gradient->depth; k += PANEL, to += gradient->panel_size) pair_panel(gradient, to, row, k);
  }
}

// Up to PANEL columns.
static void bias_gradient(float *db, const float *dy, size_t dy_stride, int rows, int columns) {
  lane_mask mask[PANEL / LANES];
  vec sum[PANEL / LANES];
  for (int v = 0; v < PANEL / LANES; v++) {
    mask[v] = mask_first(columns - v * LANES < 0 ? 0 : columns - v * LANES);
    sum[v] = vec_load_mask(db + v * LANES, mask[v]);
  }
  for (int r = 0; r < rows; r++, dy += dy_stride)
    for (int v = 0; v < PANEL / LANES; v++) sum[v] = vec_add(sum[v], vec_load_mask(dy + v * LANES, mask[v]));
  for (int v = 0; v < PANEL / LANES; v++) vec_store_mask(db + v * LANES, sum[v], mask[v]);
}

// Rows that will be wanted soon are fetched while blocks are multiplied, some after each block: they lie so far apart that the
// processor doesn't see them coming.
struct fetching {
  const float *from;
  size_t stride;
  int width, row, rows, rows_each;
};

INLINE void fetch_row(const float *row, int n) {
  for (int j = 0; j < n; j += LANES) prefetch_read(row + j);
}

static void fetch_more(struct fetching *fetching) {
  int end = fetching->row + fetching->rows_each < fetching->rows ? fetching->row + fetching->rows_each : fetching->rows;
  for (; fetching->row < end; fetching->row++)
    fetch_row(fetching->from + (size_t)fetching->row * fetching->stride, fetching->width);
}

// A task goes from chunk to chunk of its columns, and from some columns to the next; dy of each is on its way while the one
// before is multiplied.
struct chunk {
  const float *dy;
  int column, columns, row, rows;
};

static struct chunk chunk_at(const struct gradient *gradient, int index) {
  struct chunk chunk = {.column = index / gradient->chunks * GRADIENT_COLUMNS, .row = index % gradient->chunks * GRADIENT_ROWS};
  chunk.columns = gradient->columns - chunk.column < GRADIENT_COLUMNS ? gradient->columns - chunk.column : GRADIENT_COLUMNS;
  chunk.rows = gradient->rows - chunk.row < GRADIENT_ROWS ? gradient->rows - chunk.row : GRADIENT_ROWS;
  chunk.dy = gradient->dy + (size_t)chunk.row * gradient->dy_stride + chunk.column;
  return chunk;
}

// One chunk of rows of dy for run_laid_block, and the sums of its columns where a bias wants them (db not NULL).
static void lay_chunk(uint32_t *to, float *db, const struct chunk *chunk, size_t stride) {
  for (int row = 0; row < chunk->rows; row += 2 * LANES) {
    const float *from = chunk->dy + (size_t)row * stride;
    int count = chunk->rows - row < 2 * LANES ? chunk->rows - row : 2 * LANES;
    for (int r = row + 2 * LANES; r < row + 4 * LANES && r < chunk->rows; r++)
      fetch_row(chunk->dy + (size_t)r * stride, chunk->columns);
    lay_rows(to + (size_t)(row / 2) * LAID_PAIR, from, stride, count, chunk->columns);
    if (db) bias_gradient(db, from, stride, count, chunk->columns);
  }
}

// dw [columns, a panel] += one chunk of rows
static void gradient_panel(const struct gradient *gradient, const uint32_t *dy, const struct chunk *chunk, int panel,
                           struct fetching *fetching) {
  int k = panel * PANEL;
  struct block block = {.c_row = (size_t)gradient->depth, .a_row = LAID_COLUMN, .pairs = (chunk->rows + 1) / 2, .from_c = true};
  block.b = gradient->x_pairs + (size_t)panel * gradient->panel_size + (size_t)(chunk->row / 2) * PANEL;
  block.width = gradient->depth - k < PANEL ? gradient->depth - k : PANEL;
  for (int j = 0, count; j < chunk->columns; j += count) {
    count = block_rows_next(chunk->columns - j);
    block.c = gradient->dw + (size_t)(chunk->column + j) * (size_t)gradient->depth + k;
    block.a = dy + (size_t)j * LAID_COLUMN;
    for (int r = count; r < count + BLOCK_ROWS && j + r < chunk->columns; r++) fetch_row(block.c + r * block.c_row, block.width);
    run_laid_block(&block, count);
    fetch_more(fetching);
  }
}

static void gradient_task(void *data, size_t index, int worker) {
  const struct gradient *gradient = data;
  uint32_t dy[LAID_SIZE];
  int first = (int)(index % (size_t)gradient->column_tasks) * gradient->columns_each;
  int end = first + gradient->columns_each < gradient->column_blocks ? first + gradient->columns_each : gradient->column_blocks;
  int panel = (int)(index / (size_t)gradient->column_tasks) * gradient->panels_each;
  int panel_end = panel + gradient->panels_each < gradient->panels ? panel + gradient->panels_each : gradient->panels;
  int blocks = (panel_end - panel) * (GRADIENT_COLUMNS / BLOCK_ROWS);
  blocks_begin();
  for (int i = first * gradient->chunks; i < end * gradient->chunks; i++) {
    struct chunk chunk = chunk_at(gradient, i);
    struct chunk next = i + 1 < end * gradient->chunks ? chunk_at(gradient, i + 1) : (struct chunk){0};
    struct fetching fetching = {.from = next.dy, .stride = gradient->dy_stride, .width = next.columns, .rows = next.rows,
                                .rows_each = (GRADIENT_ROWS + blocks - 1) / blocks};
    lay_chunk(dy, panel == 0 && gradient->db ? gradient->db + chunk.column : NULL, &chunk, gradient->dy_stride);
    for (int p = panel; p < panel_end; p++) gradient_panel(gradient, dy, &chunk, p, &fetching);
  }
  blocks_end();
}

// How the panels and the columns are shared out; returns how many tasks that makes. No sum depends on it.
static size_t share_out(struct gradient *gradient, int part) {
  gradient->panel_size = (size_t)part / 2 * PANEL;
  gradient->panels = (gradient->depth + PANEL - 1) / PANEL;
  gradient->column_blocks = (gradient->columns + GRADIENT_COLUMNS - 1) / GRADIENT_COLUMNS;
  gradient->panels_each = gradient->panels < GRADIENT_PANELS ? gradient->panels : GRADIENT_PANELS;
  size_t wanted = 4 * (size_t)parallel_threads();
  while (gradient->panels_each > 1 &&  // smaller tasks where they are too few
         ceil_div((size_t)gradient->panels, (size_t)gradient->panels_each) * (size_t)gradient->column_blocks < wanted)
    gradient->panels_each = (gradient->panels_each + 1) / 2;
  size_t panel_tasks = ceil_div((size_t)gradient->panels, (size_t)gradient->panels_each);
  gradient->columns_each = (int)size_max(1, panel_tasks * (size_t)gradient->column_blocks / wanted);
  gradient->column_tasks = (int)ceil_div((size_t)gradient->column_blocks, (size_t)gradient->columns_each);
  return panel_tasks * (size_t)gradient->column_tasks;
}

// x or half is NULL.
static void run_gradient(float *dw, float *db, const float *dy, int dy_stride, const float *x, const uint16_t *half, int x_stride,
                         int rows, int columns, int depth, float *scratch) {
  struct gradient gradient = {.dw = dw, .db = db, .dy_stride = (size_t)dy_stride, .x_stride = (size_t)x_stride,
                              .columns = columns, .depth = depth, .x_pairs = (uint32_t *)scratch};
  if (rows <= 0 || columns <= 0 || depth <= 0) return;
  int part = (int)linear_gradient_part(rows, depth);
  size_t tasks = share_out(&gradient, part);
  for (int row = 0; row < rows; row += part) {
    gradient.rows = rows - row < part ? rows - row : part;
    gradient.chunks = (gradient.rows + GRADIENT_ROWS - 1) / GRADIENT_ROWS;
    gradient.dy = dy + (size_t)row * gradient.dy_stride;
    if (half) gradient.half = half + (size_t)row * gradient.x_stride;
    else gradient.x = x + (size_t)row * gradient.x_stride;
    work_for(ceil_div((size_t)gradient.rows, ROUND_ROWS), 0.4 * gradient.rows * depth, pair_task, &gradient);
    work_for(tasks, (double)gradient.rows * columns * depth / 100, gradient_task, &gradient);
  }
}

void BF16_NAME(linear_gradient)(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride, int rows,
                                int columns, int depth, float *scratch) {
  run_gradient(dw, db, dy, dy_stride, x, NULL, x_stride, rows, columns, depth, scratch);
}

void BF16_NAME(linear_gradient_half)(float *dw, float *db, const float *dy, int dy_stride, const uint16_t *x, int x_stride,
                                     int rows, int columns, int depth, float *scratch) {
  run_gradient(dw, db, dy, dy_stride, NULL, x, x_stride, rows, columns, depth, scratch);
}
