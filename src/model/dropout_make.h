// A dropout of the network, as the context says: off unless it trains. `site` tells it from all others of the model.
#pragma once
#include <math.h>

#include "tensor/context.h"

static inline struct dropout dropout_make(const struct context *context, float rate, uint32_t site, const uint64_t *row_keys) {
  struct dropout dropout = {0};
  if (!context->training || rate <= 0) return dropout;
  dropout.threshold = (uint32_t)lrintf(rate * 65536);
  dropout.scale = 65536.0f / (float)(65536 - dropout.threshold);
  dropout.key[0] = context->dropout_key[0];
  dropout.key[1] = context->dropout_key[1];
  dropout.site = site;
  dropout.row_keys = row_keys;
  return dropout;
}
