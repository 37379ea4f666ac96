// Linear: x W^T + bias, an activation and dropout behind it.
//
// Backward needs the value before the activation, except with relu, whose derivative can be read off its result (a dropped
// element gets no gradient anyway).
#include <assert.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct linear_node {
  struct node node;
  struct tensor *x, *out;
  struct weight *weight, *bias;
  enum activation activation;
  struct dropout dropout;
  const float *before;  // [rows, outputs] before the activation (relu: after it)
};

static void backward_activation(struct context *context, const struct linear_node *node) {
  if (node->activation == ACTIVATION_NONE && node->dropout.threshold == 0) return;
  float *gradient = node->out->gradient;
  context->kernels->activate_gradient(gradient, gradient, node->before, node->out->rows, node->out->cols, node->activation,
                                      &node->dropout);
}

static void backward_input(struct context *context, const struct linear_node *node) {
  if (!node->x->wanted) return;
  bool first;
  float *dx = tensor_gradient(context, node->x, &first);
  if (!dx) return;
  context->kernels->linear(dx, node->x->cols, NULL, node->out->gradient, node->out->cols, node->out->rows, node->weight->cols,
                           node->weight->rows, node->weight->packed_transposed, NULL, ACTIVATION_NONE, !first);
}

static void backward_weight(struct context *context, const struct linear_node *node) {
  const struct kernels *kernels = context->kernels;
  const struct tensor *out = node->out, *x = node->x;
  size_t mark = context->arena.low;
  float *scratch = context_memory(context, linear_gradient_scratch(out->rows, x->cols) * sizeof *scratch);
  if (!context_ok(context)) return;
  kernels->linear_gradient(node->weight->gradient, node->bias ? node->bias->gradient : NULL, out->gradient, out->cols, x->data,
                           x->cols, out->rows, out->cols, x->cols, scratch);
  context->arena.low = mark;
}

static void backward(struct context *context, struct node *base) {
  struct linear_node *node = (struct linear_node *)base;
  struct tensor *out = node->out;
  if (!out->gradient) return;
  backward_activation(context, node);
  if (node->weight->gradient) backward_weight(context, node);
  else if (node->bias && node->bias->gradient && !context->arena.measuring)
    weight_add_column_sums(node->bias, out->gradient, out->rows);
  backward_input(context, node);
  tensor_gradient_release(context, out);
}

// Runs the product so that `before` is kept where backward will want it.
static const float *run(struct context *context, struct tensor *out, const struct tensor *x, const struct weight *weight,
                        const float *bias, enum activation activation, const struct dropout *dropout, bool keep) {
  const struct kernels *kernels = context->kernels;
  bool separate = keep && activation != ACTIVATION_NONE && activation != ACTIVATION_RELU;
  float *before = separate ? context_memory(context, (size_t)out->rows * (size_t)out->cols * sizeof *before) : NULL;
  if (separate && !before) return NULL;
  kernels->linear(out->data, out->cols, before, x->data, x->cols, out->rows, out->cols, x->cols, weight->packed, bias, activation,
                  false);
  if (dropout->threshold) kernels->activate(out->data, out->data, out->rows, out->cols, ACTIVATION_NONE, dropout);
  return separate ? before : out->data;
}

struct tensor *op_linear(struct context *context, const char *name, struct tensor *x, struct weight *weight, struct weight *bias,
                         enum activation activation, const struct dropout *dropout) {
  if (!x) return NULL;
  assert(x->cols == weight->cols);
  struct linear_node *node = tape_record(context, sizeof *node, backward, name);
  struct tensor *out = tensor_new(context, x->rows, weight->rows);
  if (!out) return NULL;
  out->wanted = x->wanted || weight->trainable || (bias && bias->trainable);
  const float *before = run(context, out, x, weight, bias ? bias->values : NULL, activation, dropout, node != NULL);
  if (!before) return NULL;
  if (node) {
    node->x = x;
    node->out = out;
    node->weight = weight;
    node->bias = bias;
    node->activation = activation;
    node->dropout = *dropout;
    node->before = before;
  }
  context_report(context, name, out);
  return out;
}
