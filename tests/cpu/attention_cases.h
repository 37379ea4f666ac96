#pragma once
#include "cases.h"

enum { SPANS = 24, ATTENTION_SHAPES = 22 };

struct setting {
  struct attention attention;
  struct attention_keys keys;
  struct span spans[SPANS];
  int span_count, rows, key_rows, query_stride, key_stride, value_stride;
  size_t cells;  // of all probabilities
  float *query;
};

extern const struct shape attention_shapes[ATTENTION_SHAPES];

struct setting attention_setting(const struct shape *shape);
struct key_store attention_store(const struct kernels *kernels, enum number_type type, const struct setting *setting,
                                 struct span *spans, int32_t *pages, int32_t *slots);

kernel_case attention_case, attention_gradient_case, attention_pages_case, attention_half_pages_case, store_keys_case,
    store_half_keys_case;
