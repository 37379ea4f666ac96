#include "tensor/tape.h"

#include <string.h>

#include "base/random.h"
#include "tensor/profile.h"

static const size_t NODE_MEMORY = (size_t)256 << 20;

bool context_open(struct context *context, const struct kernels *kernels, size_t memory, struct error *error) {
  *context = (struct context){.kernels = kernels, .error = error};
  if (!arena_open(&context->arena, memory, error)) return false;
  if (arena_open(&context->nodes, NODE_MEMORY, error)) return true;
  arena_close(&context->arena);
  return false;
}

bool context_open_measuring(struct context *context, const struct kernels *kernels, struct error *error) {
  *context = (struct context){.kernels = kernels, .error = error};
  arena_measure(&context->arena);
  return arena_open(&context->nodes, NODE_MEMORY, error);
}

void context_close(struct context *context) {
  arena_close(&context->arena);
  arena_close(&context->nodes);
}

void context_begin(struct context *context, bool recording, bool training, uint64_t seed, uint64_t update) {
  arena_reset(&context->arena);
  context->nodes.low = 0;
  context->last = NULL;
  context->recording = recording;
  context->training = training;
  struct random_key key = random_key(seed, update);
  memcpy(context->dropout_key, key.word, sizeof context->dropout_key);
}

void *context_memory(struct context *context, size_t bytes) {
  return context_ok(context) ? arena_low(&context->arena, bytes, context->error) : NULL;
}

void *context_node(struct context *context, size_t bytes) {
  if (!context_ok(context)) return NULL;
  void *block = arena_low(&context->nodes, bytes, context->error);
  if (block) memset(block, 0, bytes);
  return block;
}

void context_report(struct context *context, const char *name, const struct tensor *tensor) {
  profile_done(name, PROFILE_FORWARD);
  if (context->probe && context_ok(context)) context->probe(context->probe_user, name, tensor);
}

void *tape_record(struct context *context, size_t size, void (*backward)(struct context *, struct node *), const char *name) {
  if (!context->recording) return NULL;
  struct node *node = context_node(context, size);
  if (!node) return NULL;
  *node = (struct node){.previous = context->last, .backward = backward, .name = name, .low = context->arena.low};
  context->last = node;
  return node;
}

void tape_backward(struct context *context) {
  for (struct node *node = context->last; node && context_ok(context); node = node->previous) {
    node->backward(context, node);
    profile_done(node->name, PROFILE_BACKWARD);
    context->arena.low = node->low;
  }
  context->last = NULL;
}

struct tensor *tensor_new(struct context *context, int rows, int cols) {
  struct tensor *tensor = context_node(context, sizeof *tensor);
  if (!tensor) return NULL;
  tensor->rows = rows;
  tensor->cols = cols;
  tensor->data = context_memory(context, (size_t)rows * (size_t)cols * sizeof *tensor->data);
  return tensor->data ? tensor : NULL;
}

static size_t size_of(const struct tensor *tensor) { return (size_t)tensor->rows * (size_t)tensor->cols * sizeof(float); }

float *tensor_gradient_fresh(struct context *context, struct tensor *tensor) {
  return context_ok(context) ? arena_high(&context->arena, size_of(tensor), context->error) : NULL;
}

float *tensor_gradient(struct context *context, struct tensor *tensor, bool *first) {
  *first = tensor->gradient == NULL;
  if (*first) tensor->gradient = tensor_gradient_fresh(context, tensor);
  return tensor->gradient;
}

void tensor_gradient_add(struct context *context, struct tensor *tensor, float *fresh) {
  if (!fresh) return;
  if (!tensor->gradient) {
    tensor->gradient = fresh;
    return;
  }
  context->kernels->add(tensor->gradient, fresh, (size_t)tensor->rows * (size_t)tensor->cols);
  arena_high_free(&context->arena, fresh);
}

void tensor_gradient_release(struct context *context, struct tensor *tensor) {
  if (!tensor->gradient) return;
  arena_high_free(&context->arena, tensor->gradient);
  tensor->gradient = NULL;
}

struct tensor *tensor_new_remade(struct context *context, int rows, int cols, struct node *node,
                                 void (*remake)(struct context *context, struct node *node)) {
  if (!node) return tensor_new(context, rows, cols);
  struct tensor *tensor = context_node(context, sizeof *tensor);
  if (!tensor) return NULL;
  *tensor = (struct tensor){.rows = rows, .cols = cols, .maker = node};
  node->remake = remake;
  tensor->data = tensor_gradient_fresh(context, tensor);
  return tensor->data ? tensor : NULL;
}

void tensor_forget(struct context *context, struct tensor *tensor) {
  if (!tensor->maker || !tensor->data || !context->recording) return;
  arena_high_free(&context->arena, tensor->data);
  tensor->data = NULL;
}

const float *tensor_values(struct context *context, struct tensor *tensor) {
  if (tensor->data) return tensor->data;
  tensor->data = tensor_gradient_fresh(context, tensor);
  if (tensor->data) tensor->maker->remake(context, tensor->maker);
  return tensor->data;
}
