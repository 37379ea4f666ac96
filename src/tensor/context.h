// What running a model needs beside the model: work memory, the tape, dropout's key, the error. One per thread of control.
//
// Life of a step: context_begin, operations (each runs at once; with `recording` it also leaves a node on the tape),
// tape_backward, and the next context_begin forgets everything. Tensors are valid until then.
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "tensor/kernels.h"

struct node;

struct tensor {
  int rows, cols;
  float *data;      // [rows, cols]; NULL: forgotten (tape.h)
  uint16_t *half;   // data as bf16, which products read in backward instead (op_linear.c), or NULL
  float *gradient;  // NULL until backward first writes it
  bool wanted;      // something trainable lies below: backward passes through here
  bool disposable;  // its own operation doesn't read the values in backward: who reads them last may write over them
  struct node *maker;  // can make the values again (tape.h), or NULL
};

struct context {
  const struct kernels *kernels;
  struct error *error;           // sticky; operations do nothing once it is set
  struct arena arena;            // values that are kept (low end); gradients and what can be made again (high end)
  struct arena nodes;            // the tape and the tensors' descriptions
  struct node *last;             // the tape, newest first; NULL when not recording
  bool recording;
  bool training;                 // dropout is on; keys and values are not rounded as in a cache
  bool recompute;                // while recording, layers keep only their inputs and run once more in backward
  uint32_t dropout_key[2];       // of this update
  // Called after each operation with its name ("encoder.3.self.query_key_value") and result. May be NULL.
  void (*probe)(void *user, const char *name, const struct tensor *tensor);
  void *probe_user;
  // Attention weights are made only while this is set: called with [heads, qn, kn] of every span. attention_name limits it to
  // one operation ("decoder.3.cross.attention"): the weights of a long text take much memory. NULL: all operations.
  const char *attention_name;
  void (*probe_attention)(void *user, const char *name, const struct span *spans, int span_count, int heads,
                          const float *probabilities);
  const float *(*head_gain)(void *user, const char *name);  // per-head factors, or NULL
};

// How far work memory may grow, in bytes of address space (only what is touched becomes real): of most passes, and of those that
// take one long text whole.
static const size_t WORK_MEMORY = (size_t)1 << 36, WORK_MEMORY_OF_ONE_TEXT = (size_t)1 << 38;

// memory: one of the above, or another limit.
bool context_open(struct context *context, const struct kernels *kernels, size_t memory, struct error *error);
// Nothing is computed (kernels has to be a table that does nothing): context.arena.peak tells what a batch would need.
bool context_open_measuring(struct context *context, const struct kernels *kernels, struct error *error);
void context_close(struct context *context);
void context_begin(struct context *context, bool recording, bool training, uint64_t seed, uint64_t update);
static inline bool context_ok(const struct context *context) { return context->error->code == ERROR_NONE; }
// Work memory until the next context_begin; NULL when the context has failed. The first is for values, the second for small
// descriptions (zeroed).
void *context_memory(struct context *context, size_t bytes);
void *context_node(struct context *context, size_t bytes);
