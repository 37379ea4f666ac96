// The batch and the ten optimizer steps that PyTorch made of a golden checkpoint.
#pragma once
#include "data/translation_batch.h"
#include "hf/checkpoint.h"

struct golden {
  struct checkpoint checkpoint;
  struct safetensors tensors;
  struct sentence_pair pairs[16];
  size_t pair_count;
  const float *losses, *norms;  // [10]
};

enum { GOLDEN_STEPS = 10 };

void golden_open(struct golden *golden, const char *name);
void golden_close(struct golden *golden);
