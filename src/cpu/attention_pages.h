// Products with keys and values in pages, f32 or bf16 (tensor/span.h): one row against several pages at once, blocks of rows
// against one after the other. The chains of sums are those over rows of a matrix: over the head's width in order, over keys in
// order.
#pragma once
#include "cpu/simd.h"
#include "cpu/tile.h"
#include "tensor/kernels.h"
#include "tensor/number.h"

// One key/value head of one span.
struct paged_head {
  const struct key_store *store;
  const int32_t *pages;
  int kv_head;
};

static inline const void *page_part(const struct paged_head *head, const void *base, int key, int width) {
  size_t page = (size_t)head->pages[key / KEY_PAGE] * (size_t)head->store->kv_heads + (size_t)head->kv_head;
  return (const char *)base + page * KEY_PAGE * (size_t)width * number_size(head->store->type);
}
static inline const void *page_keys(const struct paged_head *head, int key) {
  return page_part(head, head->store->keys, key, head->store->head_width);
}
static inline const void *page_values(const struct paged_head *head, int key) {
  return page_part(head, head->store->values, key, head->store->value_width);
}

INLINE vec load_number(const void *from, size_t i, const bool half) {
  return half ? vec_load_bf16((const uint16_t *)from + i) : vec_load((const float *)from + i);
}

// One row against `count` pages side by side: one alone would wait for its own chain of additions.
INLINE void pages_product(float *products, const float *query, const void *const pages[4], const int count, int width,
                          const bool half) {
  vec sum[4] = {vec_zero(), vec_zero(), vec_zero(), vec_zero()};
  for (int i = 0; i < width; i++) {
    vec q = vec_set(query[i]);
    for (int p = 0; p < count; p++) sum[p] = vec_fma(q, load_number(pages[p], (size_t)i * KEY_PAGE, half), sum[p]);
  }
  for (int p = 0; p < count; p++) vec_store(products + p * LANES, sum[p]);
}

// Values that will be wanted once their weights are known.
INLINE void fetch_values(const struct paged_head *head, int key, int count) {
  enum { LINE = 64 };
  const char *values = page_values(head, key);
  size_t row = (size_t)head->store->value_width * number_size(head->store->type);
  size_t bytes = (size_t)(count < KEY_PAGE ? count : KEY_PAGE) * row;
  for (size_t at = 0; at < bytes; at += LINE) prefetch_read(values + at);
}

INLINE void row_products(const struct paged_head *head, float *products, const float *query, int block, int count,
                         const bool half) {
  int width = head->store->head_width;
  for (int j = 0, n; j < count; j += n * KEY_PAGE) {
    const void *pages[4] = {NULL};
    for (n = 0; n < 4 && j + n * KEY_PAGE < count; n++) {
      pages[n] = page_keys(head, block + j + n * KEY_PAGE);
      fetch_values(head, block + j + n * KEY_PAGE, count - j - n * KEY_PAGE);
    }
    if (n == 4) pages_product(products + j, query, pages, 4, width, half);
    else if (n == 3) pages_product(products + j, query, pages, 3, width, half);
    else if (n == 2) pages_product(products + j, query, pages, 2, width, half);
    else pages_product(products + j, query, pages, 1, width, half);
  }
}

// `vecs` vectors of out from column d on.
INLINE void columns_of_values(const struct paged_head *head, float *out, const float *weights, int first, int end, int d,
                              int width, bool fresh, const int vecs, const bool half) {
  const size_t step = (size_t)head->store->value_width;
  vec sum[4];
  for (int v = 0; v < vecs; v++) sum[v] = fresh ? vec_zero() : vec_load_first(out + d + v * LANES, width - d - v * LANES);
  for (int key = first, last; key < end; key = last) {
    last = (key / KEY_PAGE + 1) * KEY_PAGE < end ? (key / KEY_PAGE + 1) * KEY_PAGE : end;
    const void *page = page_values(head, key);
    size_t at = (size_t)(key % KEY_PAGE) * step + (size_t)d;
    for (int k = key; k < last; k++, at += step) {
      vec weight = vec_set(weights[k - first]);
      for (int v = 0; v < vecs; v++) sum[v] = vec_fma(weight, load_number(page, at + (size_t)v * LANES, half), sum[v]);
    }
  }
  for (int v = 0; v < vecs; v++) vec_store_first(out + d + v * LANES, sum[v], width - d - v * LANES);
}

// out = or += the sum over the keys [first, end) of weights[key - first] * value
INLINE void row_values(const struct paged_head *head, float *out, const float *weights, int first, int end, int width, bool fresh,
                       const bool half) {
  int d = 0;
  for (; width - d > 3 * LANES; d += 4 * LANES) columns_of_values(head, out, weights, first, end, d, width, fresh, 4, half);
  for (; width - d > LANES; d += 2 * LANES) columns_of_values(head, out, weights, first, end, d, width, fresh, 2, half);
  if (d < width) columns_of_values(head, out, weights, first, end, d, width, fresh, 1, half);
}
