// Additive scores v . tanh(query + key) (Bahdanau et al. 2015), where other attention has query . key: forward and backward of a
// block of query rows against a block of keys. A score is one chain over the head's width, whether keys are rows or pages.
#pragma once
#include "cpu/attention_block.h"
#include "cpu/simd_math.h"

static inline const float *additive_vector(const struct attention_head *head) {
  return head->attention->additive + (size_t)head->head * head->attention->head_width;
}

static inline void additive_scores(const struct attention_head *head, float *scores, const float *query, size_t query_stride,
                                   int first_query, int queries, const float *keys, size_t key_stride, int block, int count) {
  float panel[TILE_COLUMNS * ATTENTION_DEPTH];
  const float *v = additive_vector(head);
  int width = head->attention->head_width;
  for (int j = 0; j < count; j += LANES) {
    for (int first = 0; first < width; first += ATTENTION_DEPTH) {
      int depth = width - first < ATTENTION_DEPTH ? width - first : ATTENTION_DEPTH;
      turn_rows(panel, keys + j * key_stride + first, key_stride, count - j < LANES ? count - j : LANES, depth);
      for (int r = first_row_seeing(head, block + j, first_query, queries); r < queries; r++) {
        const float *q = query + r * query_stride + first;
        float *score = scores + r * ATTENTION_KEYS + j;
        vec sum = first ? vec_load(score) : vec_zero();
        for (int d = 0; d < depth; d++)
          sum = vec_fma(vec_set(v[first + d]), vec_tanh(vec_add(vec_set(q[d]), vec_load(panel + d * TILE_COLUMNS))), sum);
        vec_store(score, sum);
      }
    }
  }
}

// The scores before scale and bias, of keys that are rows.
static inline void block_scores(const struct attention_head *head, float *scores, const float *query, size_t query_stride,
                                int first_query, int queries, const float *keys, size_t key_stride, int block, int count) {
  if (head->attention->additive)
    additive_scores(head, scores, query, query_stride, first_query, queries, keys, key_stride, block, count);
  else
    block_products(head, scores, query, query_stride, first_query, queries, keys, key_stride, block, count);
}

// Adds to dquery, dkeys and dv (unless NULL) what dscores, 0 where a query doesn't see a key, mean for them.
static inline void additive_gradient(const struct attention_head *head, float *dquery, size_t dquery_stride, float *dkeys,
                                     size_t dkey_stride, float *dv, const float *dscores, const float *query, size_t query_stride,
                                     int first_query, int queries, const float *keys, size_t key_stride, int block, int count) {
  float panel[TILE_COLUMNS * ATTENTION_DEPTH];
  const float *v = additive_vector(head);
  int width = head->attention->head_width;
  for (int j = 0; j < count; j += LANES) {
    int lanes = count - j < LANES ? count - j : LANES, start = first_row_seeing(head, block + j, first_query, queries);
    for (int first = 0; first < width; first += ATTENTION_DEPTH) {
      int depth = width - first < ATTENTION_DEPTH ? width - first : ATTENTION_DEPTH;
      turn_rows(panel, keys + j * key_stride + first, key_stride, lanes, depth);
      for (int d = 0; d < depth; d++) {
        vec key = vec_load(panel + d * TILE_COLUMNS), factor = vec_set(v[first + d]), of_key = vec_zero(), of_v = vec_zero();
        for (int r = start; r < queries; r++) {
          vec t = vec_tanh(vec_add(vec_set(query[r * query_stride + first + d]), key)),
              ds = vec_load(dscores + r * ATTENTION_KEYS + j);
          vec g = vec_mul(vec_mul(ds, factor), vec_negative_fma(t, t, vec_set(1)));
          of_v = vec_fma(ds, t, of_v);
          of_key = vec_add(of_key, g);
          dquery[r * dquery_stride + first + d] += vec_sum(g);
        }
        if (dv) dv[first + d] += vec_sum(of_v);
        float each[LANES];
        vec_store(each, of_key);
        for (int i = 0; i < lanes; i++) dkeys[(j + i) * dkey_stride + first + d] += each[i];
      }
    }
  }
}
