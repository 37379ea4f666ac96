// What attention and its gradient share: blocks of query rows against blocks of keys.
//
// Keys come in blocks of ATTENTION_KEYS from key 0 on, whatever a query sees of them; sums over keys run in sixteen lanes from
// block to block. So a row's bits depend on its own keys only, not on the rows beside it: a step over cached keys gives what
// the full pass gives.
#pragma once
#include <string.h>

#include "cpu/simd.h"
#include "cpu/simd_dropout.h"
#include "cpu/tile.h"
#include "tensor/kernels.h"

enum {
  ATTENTION_KEYS = 256,
  ATTENTION_ROWS = 48,
  ATTENTION_DEPTH = 256,  // of the head width at a time, when keys are turned
};

// One head of one span.
struct attention_head {
  const struct attention *attention;
  const struct span *span;
  int head, kv_head;
};

// Query i of the span sees the keys [first, end).
static inline void keys_seen(const struct attention *attention, const struct span *span, int i, int *first, int *end) {
  int position = span->pos + i;
  *first = attention->window > 0 && position - attention->window + 1 > 0 ? position - attention->window + 1 : 0;
  *end = attention->causal && position + 1 < span->kn ? position + 1 : span->kn;
}

// The first of the span's queries (up to `queries`) that sees a key: none before it does.
static inline int first_seeing(const struct attention *attention, const struct span *span, int key, int queries) {
  int i = attention->causal ? key - span->pos : 0;
  return i < 0 ? 0 : i < queries ? i : queries;
}

// The same among `queries` rows from the span's query `first_query` on: `queries` if none sees the key.
static inline int first_row_seeing(const struct attention_head *head, int key, int first_query, int queries) {
  int row = first_seeing(head->attention, head->span, key, first_query + queries) - first_query;
  return row < 0 ? 0 : row;
}

static inline void clear_rows(float *rows, size_t stride, int count, int width) {
  for (int i = 0; i < count; i++)
    for (int d = 0; d < width; d += LANES) vec_store_first(rows + i * stride + d, vec_zero(), width - d);
}

static inline int round_up_lanes(int n) { return (n + LANES - 1) & ~(LANES - 1); }

// scale * product + bias of sixteen keys from `key` on, for a query at `position`
INLINE vec finished_scores(const struct attention_head *head, vec products, int position, int key) {
  const struct attention *attention = head->attention;
  vec bias = vec_zero();
  if (attention->bias) {
    int reach = attention->bias_reach;
    const float *row = attention->bias + (size_t)head->head * (size_t)(2 * reach + 1) + reach;
    ivec distance = ivec_add(ivec_set((uint32_t)(key - position)), ivec_count());
    distance = ivec_max(ivec_min(distance, ivec_set((uint32_t)reach)), ivec_set((uint32_t)-reach));
    bias = vec_gather(row, distance);
  }
  return vec_fma(products, vec_set(attention->scale), bias);
}

// Up to TILE_COLUMNS rows of keys (or values), a depth of up to ATTENTION_DEPTH, turned: panel [depth][TILE_COLUMNS].
static inline void turn_rows(float *panel, const float *rows, size_t stride, int count, int depth) {
  for (int j = 0; j < count; j += LANES) {
    const float *from = rows + j * stride;
    int height = count - j < LANES ? count - j : LANES, d = 0;
    for (; d + LANES <= depth; d += LANES) transpose_rows(panel + d * TILE_COLUMNS + j, TILE_COLUMNS, from + d, stride, height);
    if (d == depth) continue;
    float corner[LANES * LANES], turned[LANES * LANES];
    for (int i = 0; i < LANES; i++)
      vec_store(corner + i * LANES, i < height ? vec_load_first(from + i * stride + d, depth - d) : vec_zero());
    transpose_rows(turned, LANES, corner, LANES, LANES);
    for (int i = 0; i < depth - d; i++) vec_store(panel + (d + i) * TILE_COLUMNS + j, vec_load(turned + i * LANES));
  }
}

// products[r, j] = sum over d of a[r, d] * b[j, d] for `queries` rows and the keys [block, block + count) of the span;
// what a row doesn't see behind its last key may be left out. A query's row of products is ATTENTION_KEYS long.
static inline void block_products(const struct attention_head *head, float *products, const float *a, size_t a_stride,
                                  int first_query, int queries, const float *b, size_t b_stride, int block, int count) {
  float panel[TILE_COLUMNS * ATTENTION_DEPTH];
  int width = head->attention->head_width;
  for (int j = 0; j < count; j += TILE_COLUMNS) {
    int keys = count - j < TILE_COLUMNS ? count - j : TILE_COLUMNS;
    int row = first_row_seeing(head, block + j, first_query, queries);
    if (row == queries) continue;
    for (int d = 0; d < width; d += ATTENTION_DEPTH) {
      int depth = width - d < ATTENTION_DEPTH ? width - d : ATTENTION_DEPTH;
      turn_rows(panel, b + j * b_stride + d, b_stride, keys, depth);
      struct tile tile = {.c_row = ATTENTION_KEYS, .a_row = a_stride, .b = panel, .depth = depth, .from_c = d > 0};
      for (int r = row, step, first, end; r < queries; r += step) {
        step = tile_rows_next(queries - r);
        keys_seen(head->attention, head->span, first_query + r + step - 1, &first, &end);
        tile.width = round_up_lanes(end - block - j < keys ? end - block - j : keys);
        tile.c = products + r * ATTENTION_KEYS + j;
        tile.a = a + r * a_stride + d;
        KERNEL_NAME(panel_tiles)[step - 1][tile.width / LANES - 1](&tile);
      }
    }
  }
}

// How long a head of a span takes, roughly, in nanoseconds, for `products` products of queries and keys.
static inline double attention_work(const struct attention *attention, const struct span *span, int products) {
  double cells = (double)span->qn * span->kn * (attention->causal && span->qn > 1 ? 0.6 : 1);
  if (attention->additive) cells *= 8;  // a tanh for each product
  return 40 + cells * (0.6 + products * attention->head_width / 45.0);
}
