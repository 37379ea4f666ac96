// Attention over spans, forward, without ever holding more than ATTENTION_ROWS x ATTENTION_KEYS scores.
//
// For a block of query rows, key block after key block: scores, then the softmax so far (a row's largest score, its sum in
// sixteen lanes, and its result scaled down when a larger score turns up), then the values' weighted sum in order of keys.
#include <math.h>
#include <string.h>

#include "cpu/attention_block.h"
#include "cpu/attention_additive.h"
#include "cpu/attention_pages.h"
#include "cpu/fast.h"
#include "cpu/simd_math.h"
#include "cpu/work.h"

struct forward {
  float *out;
  size_t out_stride;
  float *log_sum, *probabilities;
  const float *query;
  size_t query_stride;
  const struct attention_keys *keys;
  const struct span *spans;
  int span_count;
  const struct attention *attention;
  int row_blocks;             // of the longest span
  size_t items, items_each;
};

// A block of query rows of one head.
struct rows {
  struct attention_head head;
  struct paged_head paged;    // where the span has pages
  int first, count;           // queries of the span
  float *out;                 // of this head's columns at the first row
  const float *query;
  float *probabilities;       // [count, kn] or NULL
  float scores[ATTENTION_ROWS * ATTENTION_KEYS];
  float largest[ATTENTION_ROWS];
  float sums[ATTENTION_ROWS * LANES];
  float inverse[ATTENTION_ROWS], log_sum[ATTENTION_ROWS];
};

// Few rows are not worth a tile, which starts one page at a time.
static bool are_few(const struct rows *rows) { return rows->count <= 2; }

static void page_products(const struct forward *job, struct rows *rows, int block, int count) {
  const struct paged_head *head = &rows->paged;
  const bool half = head->store->type == TYPE_BF16;
  for (int r = 0; r < rows->count && are_few(rows); r++) {
    float *products = rows->scores + r * ATTENTION_KEYS;
    const float *query = rows->query + r * job->query_stride;
    if (half) row_products(head, products, query, block, count, true);
    else row_products(head, products, query, block, count, false);
  }
  for (int j = 0; j < count && !are_few(rows); j += KEY_PAGE) {
    struct tile tile = {.c = rows->scores + j, .c_row = ATTENTION_KEYS, .a = rows->query, .a_row = job->query_stride, .a_step = 1,
                        .b = page_keys(head, block + j), .b_step = KEY_PAGE, .depth = job->attention->head_width};
    tile_product(half ? KERNEL_NAME(half_tiles) : KERNEL_NAME(forward_tiles), tile, rows->count, LANES);
  }
}

static void additive_page_scores(const struct forward *job, struct rows *rows, int block, int count) {
  const struct paged_head *head = &rows->paged;
  const float *v = additive_vector(&rows->head);
  for (int j = 0; j < count; j += KEY_PAGE) {
    const void *page = page_keys(head, block + j);
    for (int r = 0; r < rows->count; r++) {
      const float *query = rows->query + r * job->query_stride;
      vec sum = vec_zero();
      for (int d = 0; d < job->attention->head_width; d++) {
        vec key = load_number(page, (size_t)d * KEY_PAGE, head->store->type == TYPE_BF16);
        sum = vec_fma(vec_set(v[d]), vec_tanh(vec_add(vec_set(query[d]), key)), sum);
      }
      vec_store(rows->scores + r * ATTENTION_KEYS + j, sum);
    }
  }
}

static void page_scores(const struct forward *job, struct rows *rows, int block, int count) {
  if (job->attention->additive) additive_page_scores(job, rows, block, count);
  else page_products(job, rows, block, count);
}

static void zero_lanes(float *row, int from, int to) {
  for (; from < to; from += LANES) vec_store(row + from, vec_zero());
}

// What a row has so far, when a larger score turns up.
static vec shrink_row(const struct forward *job, const struct rows *rows, int r, vec factor, vec sum) {
  float *out = rows->out + r * job->out_stride;
  int width = job->attention->head_width;
  for (int d = 0; d < width; d += LANES) vec_store_first(out + d, vec_mul(vec_load_first(out + d, width - d), factor), width - d);
  return vec_mul(sum, factor);
}

// Scores of one row become weights relative to the largest score so far; all of the block's `padded` columns are set.
static void soften_row(const struct forward *job, struct rows *rows, int r, int block, int count, int padded) {
  const struct attention *attention = job->attention;
  int i = rows->first + r, position = rows->head.span->pos + i, first, end;
  float *scores = rows->scores + r * ATTENTION_KEYS;
  keys_seen(attention, rows->head.span, i, &first, &end);
  first = first > block ? first - block : 0;
  end = end < block + count ? end - block : count;
  if (first >= end) {
    zero_lanes(scores, 0, padded);
    return;
  }
  int start = first & ~(LANES - 1);
  vec top = vec_set(-INFINITY);
  for (int j = start; j < end; j += LANES) {
    vec score = finished_scores(&rows->head, vec_load(scores + j), position, block + j);
    vec_store(scores + j, score);
    top = vec_max(top, vec_select(mask_between(first - j, end - j), score, top));
    if (rows->probabilities)
      vec_store_first(rows->probabilities + (size_t)r * rows->head.span->kn + block + j, score, rows->head.span->kn - block - j);
  }
  float before = rows->largest[r], largest = vec_largest(vec_max(vec_set(before), top));
  vec sum = vec_load(rows->sums + r * LANES);
  if (largest != before) {
    rows->largest[r] = largest;
    if (before > -INFINITY) sum = shrink_row(job, rows, r, vec_exp(vec_set(before - largest)), sum);
  }
  vec shift = vec_set(largest), factor[DROPOUT_VECS];
  const struct dropout *dropout = &attention->dropout;
  zero_lanes(scores, 0, start);
  for (int j = start; j < end; j += LANES) {
    vec weight = vec_keep(mask_between(first - j, end - j), vec_exp(vec_sub(vec_load(scores + j), shift)));
    sum = vec_add(sum, weight);
    if (drops(dropout)) {
      if (j == start || j % DROPOUT_COLUMNS == 0)
        dropout_factors(dropout, dropout->site + (uint32_t)rows->head.head, dropout->row_keys[rows->head.span->q0 + i],
                        (block + j) / DROPOUT_COLUMNS, factor);
      weight = vec_mul(weight, factor[j % DROPOUT_COLUMNS / LANES]);
    }
    vec_store(scores + j, weight);
  }
  zero_lanes(scores, round_up_lanes(end), padded);
  vec_store(rows->sums + r * LANES, sum);
}

// `tile` holds the rows' part and is as deep as there are keys from `key` on, which begins a page.
static void page_tiles(const struct forward *job, const struct rows *rows, struct tile tile, int key, int count) {
  const struct paged_head *head = &rows->paged;
  const bool half = head->store->type == TYPE_BF16;
  const int width = job->attention->head_width, end = key + tile.depth;
  float *out = tile.c;
  tile.b_step = (size_t)head->store->value_width;
  for (; key < end; key += KEY_PAGE, tile.a += KEY_PAGE, tile.from_c = true) {
    const void *values = page_values(head, key);
    tile.depth = end - key < KEY_PAGE ? end - key : KEY_PAGE;
    for (int d = 0; d < width; d += TILE_COLUMNS) {
      tile.c = out + d;
      tile.b = (const float *)((const char *)values + (size_t)d * number_size(head->store->type));
      tile_product(half ? KERNEL_NAME(half_tiles) : KERNEL_NAME(forward_tiles), tile, count,
                   width - d < TILE_COLUMNS ? width - d : TILE_COLUMNS);
    }
  }
}

static void add_row_values(const struct forward *job, const struct rows *rows, int r, int block, int count, bool fresh) {
  int width = job->attention->head_width, first, end;
  float *out = rows->out + r * job->out_stride;
  keys_seen(job->attention, rows->head.span, rows->first + r, &first, &end);
  first = first > block ? first - block : 0;
  end = end < block + count ? end - block : count;
  const float *weights = rows->scores + r * ATTENTION_KEYS + first;
  if (first >= end && fresh) clear_rows(out, job->out_stride, 1, width);
  if (first >= end) return;
  const struct paged_head *head = &rows->paged;
  if (head->store->type == TYPE_BF16) row_values(head, out, weights, block + first, block + end, width, fresh, true);
  else row_values(head, out, weights, block + first, block + end, width, fresh, false);
}

// out = or += weights * values, in order of keys
static void add_values(const struct forward *job, struct rows *rows, int block, int count, bool fresh) {
  int width = job->attention->head_width;
  if (rows->head.span->pages && are_few(rows)) {
    for (int r = 0; r < rows->count; r++) add_row_values(job, rows, r, block, count, fresh);
    return;
  }
  for (int r = 0, step; r < rows->count; r += step) {
    step = tile_rows_next(rows->count - r);
    int first, end, unused;
    keys_seen(job->attention, rows->head.span, rows->first + r, &first, &unused);
    keys_seen(job->attention, rows->head.span, rows->first + r + step - 1, &unused, &end);
    first = first > block ? (first - block) & ~(LANES - 1) : 0;
    end = end < block + count ? end - block : count;
    struct tile tile = {.c = rows->out + r * job->out_stride,
                        .c_row = job->out_stride,
                        .a = rows->scores + r * ATTENTION_KEYS + first,
                        .a_row = ATTENTION_KEYS,
                        .a_step = 1,
                        .depth = end - first,
                        .from_c = !fresh};
    if (first >= end) {
      if (fresh) clear_rows(tile.c, job->out_stride, step, width);
      continue;
    }
    if (!rows->head.span->pages) {
      tile.b_step = (size_t)job->keys->value_stride;
      tile.b =
          job->keys->values + (size_t)(rows->head.span->k0 + block + first) * tile.b_step + (size_t)rows->head.kv_head * width;
      tile_product(width % LANES ? KERNEL_NAME(forward_ragged_tiles) : KERNEL_NAME(forward_tiles), tile, step, width);
      continue;
    }
    page_tiles(job, rows, tile, block + first, step);
  }
}

// What was stored were scores; a row's probabilities are known once its sum is.
static void finish_probabilities(const struct rows *rows, int r, float largest, float inverse) {
  int kn = rows->head.span->kn, first, end;
  float *row = rows->probabilities + (size_t)r * kn;
  keys_seen(rows->head.attention, rows->head.span, rows->first + r, &first, &end);
  for (int j = 0; j < kn; j += LANES) {
    lane_mask mask = mask_first(kn - j);
    vec p = vec_mul(vec_exp(vec_sub(vec_load_mask(row + j, mask), vec_set(largest))), vec_set(inverse));
    vec_store_mask(row + j, vec_keep(mask_between(first - j, end - j), p), mask);
  }
}

static void finish_sums(struct rows *rows) {
  float total[ATTENTION_ROWS] = {0};
  for (int r = 0; r < rows->count; r++) total[r] = vec_sum(vec_load(rows->sums + r * LANES));
  for (int r = 0; r < rows->count; r += LANES) {  // a row that sees nothing comes to 0
    vec sum = vec_load(total + r);
    lane_mask nothing = vec_equal(sum, vec_zero());
    vec_store(rows->inverse + r, vec_select(nothing, vec_zero(), vec_div(vec_set(1), sum)));
    vec_store(rows->log_sum + r, vec_select(nothing, vec_set(-INFINITY), vec_add(vec_load(rows->largest + r), vec_log(sum))));
  }
}

static void finish_row(const struct forward *job, struct rows *rows, int r) {
  int width = job->attention->head_width, head = rows->head.head;
  vec factor = vec_set(job->attention->gain ? rows->inverse[r] * job->attention->gain[head] : rows->inverse[r]);
  float *out = rows->out + r * job->out_stride;
  for (int d = 0; d < width; d += LANES)  // + 0 makes -0 to 0: whether masked keys were passed over can't be seen
    vec_store_first(out + d, vec_fma(vec_load_first(out + d, width - d), factor, vec_zero()), width - d);
  if (job->log_sum)
    job->log_sum[(size_t)(rows->head.span->q0 + rows->first + r) * job->attention->heads + head] = rows->log_sum[r];
  if (rows->probabilities) finish_probabilities(rows, r, rows->largest[r], rows->inverse[r]);
}

static void attend(const struct forward *job, struct rows *rows) {
  const struct attention_head *head = &rows->head;
  int width = job->attention->head_width, first, end, unused;
  for (int r = 0; r < rows->count; r++) {
    rows->largest[r] = -INFINITY;
    vec_store(rows->sums + r * LANES, vec_zero());
  }
  keys_seen(job->attention, head->span, rows->first, &first, &unused);
  keys_seen(job->attention, head->span, rows->first + rows->count - 1, &unused, &end);
  if (first >= end) clear_rows(rows->out, job->out_stride, rows->count, width);
  first = first / ATTENTION_KEYS * ATTENTION_KEYS;
  for (int block = first; block < end; block += ATTENTION_KEYS) {
    int count = end - block < ATTENTION_KEYS ? end - block : ATTENTION_KEYS;
    if (head->span->pages) page_scores(job, rows, block, count);
    else {
      size_t stride = (size_t)job->keys->key_stride;
      const float *keys = job->keys->keys + (size_t)(head->span->k0 + block) * stride + (size_t)head->kv_head * width;
      block_scores(head, rows->scores, rows->query, job->query_stride, rows->first, rows->count, keys, stride, block, count);
    }
    for (int r = 0; r < rows->count; r++) soften_row(job, rows, r, block, count, round_up_lanes(count));
    add_values(job, rows, block, count, block == first);
  }
  finish_sums(rows);
  for (int r = 0; r < rows->count; r++) finish_row(job, rows, r);
}

static float *probabilities_of(const struct forward *job, const struct rows *rows) {
  float *place = job->probabilities;
  for (const struct span *span = job->spans; span < rows->head.span; span++)
    place += (size_t)job->attention->heads * span->qn * span->kn;
  return place + ((size_t)rows->head.head * rows->head.span->qn + rows->first) * rows->head.span->kn;
}

static void attention_item(const struct forward *job, size_t item) {
  const struct attention *attention = job->attention;
  struct rows rows;
  rows.head.attention = attention;
  rows.head.head = (int)(item % attention->heads);
  rows.head.kv_head = rows.head.head / (attention->heads / attention->kv_heads);
  item /= attention->heads;
  rows.first = (int)(item % job->row_blocks) * ATTENTION_ROWS;
  rows.head.span = &job->spans[item / job->row_blocks];
  rows.paged = (struct paged_head){job->keys->store, rows.head.span->pages, rows.head.kv_head};
  rows.count = rows.head.span->qn - rows.first < ATTENTION_ROWS ? rows.head.span->qn - rows.first : ATTENTION_ROWS;
  if (rows.count <= 0) return;
  size_t row = (size_t)(rows.head.span->q0 + rows.first), column = (size_t)rows.head.head * attention->head_width;
  rows.out = job->out + row * job->out_stride + column;
  rows.query = job->query + row * job->query_stride + column;
  rows.probabilities = job->probabilities ? probabilities_of(job, &rows) : NULL;
  attend(job, &rows);
}

static void attention_task(void *data, size_t index, int worker) {
  const struct forward *job = data;
  size_t end = size_min((index + 1) * job->items_each, job->items);
  for (size_t item = index * job->items_each; item < end; item++) attention_item(job, item);
}

void KERNEL_NAME(attention)(float *out, int out_stride, float *log_sum, float *probabilities, const float *query,
                            int query_stride, const struct attention_keys *keys, const struct span *spans, int span_count,
                            const struct attention *attention) {
  int longest = 0;
  double work = 0;
  for (int s = 0; s < span_count; s++) {
    longest = spans[s].qn > longest ? spans[s].qn : longest;
    work += attention->heads * attention_work(attention, &spans[s], 2);
  }
  if (longest == 0) return;
  struct forward job = {out, (size_t)out_stride, log_sum, probabilities, query, (size_t)query_stride, keys, spans, span_count,
                        attention, (int)ceil_div((size_t)longest, ATTENTION_ROWS), 0, 0};
  job.items = (size_t)span_count * job.row_blocks * attention->heads;
  job.items_each = work_grain(job.items, work);
  work_for(ceil_div(job.items, job.items_each), work, attention_task, &job);
}

struct storing {
  struct key_store *store;
  const int32_t *slots;
  const float *keys, *values;
  size_t key_stride, value_stride;
  int rows;
};

// One row of one head, whose keys begin at `keys`, KEY_PAGE apart, and whose values at `values`, in whole vectors.
static void store_halves(uint16_t *keys, uint16_t *values, const float *key, const float *value, int width) {
  uint16_t halves[LANES];
  for (int d = 0; d < width; d += LANES) {
    vec_store_bf16(halves, vec_load_first(key + d, width - d));
    for (int i = 0; i < LANES && d + i < width; i++) keys[(d + i) * KEY_PAGE] = halves[i];
    vec_store_bf16(values + d, vec_load_first(value + d, width - d));
  }
}

static void store_floats(float *keys, float *values, const float *key, const float *value, int width) {
  for (int d = 0; d < width; d++) keys[d * KEY_PAGE] = key[d];
  memcpy(values, value, (size_t)width * sizeof *value);
}

// All rows of one key/value head: nobody else writes into its part of the pages.
static void store_task(void *data, size_t index, int worker) {
  const struct storing *job = data;
  const struct key_store *store = job->store;
  const int width = store->head_width;
  for (int row = 0; row < job->rows; row++) {
    size_t part = (size_t)(job->slots[row] / KEY_PAGE) * store->kv_heads + index, slot = (size_t)(job->slots[row] % KEY_PAGE);
    size_t key_at = part * width * KEY_PAGE + slot, value_at = (part * KEY_PAGE + slot) * store->value_width;
    const float *key = job->keys + row * job->key_stride + index * width,
                *value = job->values + row * job->value_stride + index * width;
    if (store->type == TYPE_BF16)
      store_halves((uint16_t *)store->keys + key_at, (uint16_t *)store->values + value_at, key, value, width);
    else
      store_floats((float *)store->keys + key_at, (float *)store->values + value_at, key, value, width);
  }
}

void KERNEL_NAME(store_keys)(struct key_store *store, const int32_t *slots, const float *keys, int key_stride,
                             const float *values, int value_stride, int rows) {
  struct storing job = {store, slots, keys, values, (size_t)key_stride, (size_t)value_stride, rows};
  work_for((size_t)store->kv_heads, 1.0 * rows * store->kv_heads * store->head_width, store_task, &job);
}
