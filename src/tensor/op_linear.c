// Linear: x W^T + bias, an activation and dropout behind it.
//
// Backward needs the value before the activation, except with relu, whose derivative can be read off its result (a dropped
// element gets no gradient anyway). Where that is kept, the result can be made again from it.
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
  const float *values = tensor_values(context, node->x);
  float *scratch = context_memory(context, linear_gradient_scratch(out->rows, x->cols) * sizeof *scratch);
  if (!context_ok(context)) return;
  kernels->linear_gradient(node->weight->gradient, node->bias ? node->bias->gradient : NULL, out->gradient, out->cols, values,
                           x->cols, out->rows, out->cols, x->cols, scratch);
  context->arena.low = mark;
}

static void backward(struct context *context, struct node *base) {
  struct linear_node *node = (struct linear_node *)base;
  struct tensor *out = node->out;
  tensor_forget(context, out);
  if (!out->gradient) return;
  backward_activation(context, node);
  if (node->weight->gradient) backward_weight(context, node);
  else if (node->bias && node->bias->gradient && !context->arena.measuring)
    weight_add_column_sums(node->bias, out->gradient, out->rows);
  backward_input(context, node);
  tensor_gradient_release(context, out);
}

static void remake(struct context *context, struct node *base) {
  const struct linear_node *node = (struct linear_node *)base;
  context->kernels->activate(node->out->data, node->before, node->out->rows, node->out->cols, node->activation, &node->dropout);
}

// The result, and `before` where backward will want it.
static struct tensor *take(struct context *context, struct linear_node *node, int rows, int cols, enum activation activation,
                           float **before) {
  *before = NULL;
  if (!node || activation == ACTIVATION_NONE || activation == ACTIVATION_RELU) return tensor_new(context, rows, cols);
  *before = context_memory(context, (size_t)rows * (size_t)cols * sizeof **before);
  return tensor_new_remade(context, rows, cols, &node->node, remake);
}

struct tensor *op_linear(struct context *context, const char *name, struct tensor *x, struct weight *weight, struct weight *bias,
                         enum activation activation, const struct dropout *dropout) {
  if (!x) return NULL;
  assert(x->cols == weight->cols);
  struct linear_node *node = tape_record(context, sizeof *node, backward, name);
  float *before;
  struct tensor *out = take(context, node, x->rows, weight->rows, activation, &before);
  if (!context_ok(context)) return NULL;
  out->wanted = x->wanted || weight->trainable || (bias && bias->trainable);
  out->spent = activation == ACTIVATION_NONE && dropout->threshold == 0;
  const struct kernels *kernels = context->kernels;
  kernels->linear(out->data, out->cols, before, x->data, x->cols, out->rows, out->cols, x->cols, weight->packed,
                  bias ? bias->values : NULL, activation, false);
  if (dropout->threshold) kernels->activate(out->data, out->data, out->rows, out->cols, ACTIVATION_NONE, dropout);
  if (node) {
    node->x = x;
    node->out = out;
    node->weight = weight;
    node->bias = bias;
    node->activation = activation;
    node->dropout = *dropout;
    node->before = before ? before : out->data;
  }
  context_report(context, name, out);
  return out;
}
