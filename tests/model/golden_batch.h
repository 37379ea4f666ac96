// The batch of a golden file (tests/golden/<case>/golden.safetensors) as a struct batch.
#pragma once
#include <stdlib.h>

#include "hf/safetensors.h"
#include "model/batch.h"

struct golden_batch {
  struct batch batch;
  int32_t *positions[2];
  struct span *spans[2], *cross;
};

static inline void golden_side(struct golden_batch *golden, int side, const struct safetensors *file, const char *ids,
                               const char *offsets, struct batch_side *out) {
  const struct stored_tensor *tokens = safetensors_find(file, ids), *starts = safetensors_find(file, offsets);
  if (!tokens) return;  // a model without this side
  const int32_t *start = starts->data;
  int sequences = (int)starts->count - 1;
  golden->positions[side] = calloc(tokens->count, sizeof(int32_t));
  golden->spans[side] = calloc((size_t)sequences, sizeof(struct span));
  for (int s = 0; s < sequences; s++) {
    int length = start[s + 1] - start[s];
    golden->spans[side][s] = (struct span){.q0 = start[s], .qn = length, .k0 = start[s], .kn = length};
    for (int i = 0; i < length; i++) golden->positions[side][start[s] + i] = i;
  }
  *out = (struct batch_side){.rows = (int)tokens->count,
                             .ids = tokens->data,
                             .positions = golden->positions[side],
                             .spans = golden->spans[side],
                             .span_count = sequences};
}

static inline void golden_batch_fill(struct golden_batch *golden, const struct safetensors *file) {
  struct batch *batch = &golden->batch;
  *golden = (struct golden_batch){0};
  golden_side(golden, 0, file, "source.ids", "source.offsets", &batch->source);
  golden_side(golden, 1, file, "target.inputs", "target.offsets", &batch->target);
  golden->cross = calloc((size_t)batch->target.span_count, sizeof *golden->cross);
  for (int s = 0; s < batch->source.span_count; s++) {
    const struct span *source = &batch->source.spans[s], *target = &batch->target.spans[s];
    golden->cross[s] = (struct span){.q0 = target->q0, .qn = target->qn, .k0 = source->q0, .kn = source->qn};
  }
  batch->cross = golden->cross;
  batch->cross_count = batch->source.span_count;
  batch->sequences = batch->target.span_count;
  batch->labels = safetensors_find(file, "target.labels")->data;
  batch->label_count = batch->target.rows;
}

static inline void golden_batch_free(struct golden_batch *golden) {
  for (int side = 0; side < 2; side++) {
    free(golden->positions[side]);
    free(golden->spans[side]);
  }
  free(golden->cross);
}
