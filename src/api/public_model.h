// A model directory that was opened. The files are mapped at once; what costs time (packing the weights, reading the
// tokenizer) is done when first needed, once, under the lock, so that several threads may share the model.
//
// Invariant: `prepared` and `tokenizer` only change under the lock, and only once.
#pragma once
#include <pthread.h>

#include "hf/checkpoint.h"
#include "qkv.h"
#include "text/tokenizer.h"

struct qkv_model {
  char *directory;
  const struct kernels *kernels;
  char path[192];  // how qkv_model_path says it
  struct checkpoint checkpoint;
  pthread_mutex_t lock;
  bool prepared;
  struct tokenizer *tokenizer;
};

// The model, ready to run. NULL and error set on failure.
const struct model *public_model_ready(struct qkv_model *model, struct error *error);
const struct tokenizer *public_model_tokenizer(struct qkv_model *model, struct error *error);
