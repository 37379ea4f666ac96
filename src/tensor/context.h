// What running a model needs beside the model: work memory, the tape, dropout's key, the error. One per thread of control.
//
// Life of a step: context_begin, operations (each runs at once; with `recording` it also leaves a node on the tape),
// tape_backward, and the next context_begin forgets everything. Tensors are valid until then.
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "tensor/kernels.h"

struct tensor {
  int rows, cols;
  float *data;      // [rows, cols]
  float *gradient;  // NULL until backward first writes it
  bool wanted;      // something trainable lies below: backward passes through here
};

struct node;

struct context {
  const struct kernels *kernels;
  struct error *error;           // sticky; operations do nothing once it is set
  struct arena arena;
  struct node *last;             // the tape, newest first; NULL when not recording
  bool recording;
  bool training;                 // dropout is on
  uint32_t dropout_key[2];       // of this update
  // Called after each operation with its name ("encoder.3.self.query_key_value") and result. May be NULL.
  void (*probe)(void *user, const char *name, const struct tensor *tensor);
  void *probe_user;
  // Attention weights are made only while this is set: called with [heads, qn, kn] of every span.
  void (*probe_attention)(void *user, const char *name, const struct span *spans, int span_count, int heads, const float *probabilities);
  const float *(*head_gain)(void *user, const char *name);  // per-head factors, or NULL
};

bool context_open(struct context *context, const struct kernels *kernels, struct error *error);
void context_close(struct context *context);
void context_begin(struct context *context, bool recording, bool training, uint64_t seed, uint64_t update);
static inline bool context_ok(const struct context *context) { return context->error->code == ERROR_NONE; }
// Work memory until the next context_begin; NULL when the context has failed.
void *context_memory(struct context *context, size_t bytes);
