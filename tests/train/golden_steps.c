#include "golden_steps.h"

#include <stdio.h>
#include <stdlib.h>

static const void *numbers(const struct golden *golden, const char *name) {
  const struct stored_tensor *tensor = safetensors_find(&golden->tensors, name);
  if (!tensor) fprintf(stderr, "golden.safetensors has no %s\n", name), abort();
  return tensor->data;
}

void golden_open(struct golden *golden, const char *name) {
  struct error error = {0};
  char directory[4096], path[4200];
  snprintf(directory, sizeof directory, "%s/tests/golden/%s", getenv("QKV_SOURCE_ROOT"), name);
  snprintf(path, sizeof path, "%s/golden.safetensors", directory);
  if (!checkpoint_open(directory, &golden->checkpoint, &error) || !safetensors_open(&golden->tensors, path, &error))
    fprintf(stderr, "%s\n", error.message), abort();
  const int32_t *sources = numbers(golden, "source.ids"), *source_offsets = numbers(golden, "source.offsets");
  const int32_t *labels = numbers(golden, "target.labels"), *target_offsets = numbers(golden, "target.offsets");
  golden->pair_count = safetensors_find(&golden->tensors, "source.offsets")->count - 1;
  for (size_t i = 0; i < golden->pair_count; i++)
    golden->pairs[i] = (struct sentence_pair){
      .source = sources + source_offsets[i], .source_count = (size_t)(source_offsets[i + 1] - source_offsets[i]),
      .target = labels + target_offsets[i], .target_count = (size_t)(target_offsets[i + 1] - target_offsets[i]), .number = i};
  golden->losses = numbers(golden, "steps.losses");
  golden->norms = numbers(golden, "steps.norms");
}

void golden_close(struct golden *golden) {
  safetensors_close(&golden->tensors);
  checkpoint_close(&golden->checkpoint);
}
