// Linear: x W^T + bias, an activation and dropout behind it.
//
// Backward needs the value before the activation, except with relu, whose derivative can be read off its result (a dropped
// element gets no gradient anyway). Where that is kept, the result can be made again from it. Where products are of bf16 and
// nothing is dropped, relu's result is kept as they round it, which is all that they and the derivative need.
#include <assert.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct linear_node {
  struct node node;
  struct tensor *x, *out;
  struct weight *weight, *bias;
  enum activation activation;
  struct dropout dropout;
  const float *before;  // [rows, outputs] before the activation, or NULL: backward reads the result
};

static void backward_activation(struct context *context, const struct linear_node *node) {
  if (node->activation == ACTIVATION_NONE && node->dropout.threshold == 0) return;
  const struct tensor *out = node->out;
  if (out->half)
    context->kernels->relu_gradient_half(out->gradient, out->half, (size_t)out->rows * (size_t)out->cols);
  else
    context->kernels->activate_gradient(out->gradient, out->gradient, node->before ? node->before : out->data, out->rows,
                                        out->cols, node->activation, &node->dropout);
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
  float *dw = node->weight->gradient, *db = node->bias ? node->bias->gradient : NULL;
  size_t mark = context->arena.low;
  const float *values = x->half ? NULL : tensor_values(context, node->x);
  float *scratch = context_memory(context, linear_gradient_scratch(out->rows, x->cols) * sizeof *scratch);
  if (!context_ok(context)) return;
  if (x->half)
    kernels->linear_gradient_half(dw, db, out->gradient, out->cols, x->half, x->cols, out->rows, out->cols, x->cols, scratch);
  else
    kernels->linear_gradient(dw, db, out->gradient, out->cols, values, x->cols, out->rows, out->cols, x->cols, scratch);
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

// The result, with `half`, and `before` where backward will want them.
static struct tensor *take(struct context *context, struct linear_node *node, int rows, int cols, enum activation activation,
                           const struct dropout *dropout, float **before) {
  size_t n = (size_t)rows * (size_t)cols;
  bool relu = activation == ACTIVATION_RELU, half = relu && !dropout->threshold && context->kernels->product_type == TYPE_BF16;
  *before = NULL;
  if (!node || activation == ACTIVATION_NONE || (relu && !half)) return tensor_new(context, rows, cols);
  if (!half) *before = context_memory(context, n * sizeof **before);
  uint16_t *halves = half ? context_memory(context, n * sizeof *halves) : NULL;
  struct tensor *out = tensor_new_remade(context, rows, cols, &node->node, half ? NULL : remake);
  if (out) out->half = halves;
  return out;
}

struct tensor *op_linear(struct context *context, const char *name, struct tensor *x, struct weight *weight, struct weight *bias,
                         enum activation activation, const struct dropout *dropout) {
  if (!x) return NULL;
  assert(x->cols == weight->cols);
  struct linear_node *node = tape_record(context, sizeof *node, backward, name);
  float *before;
  struct tensor *out = take(context, node, x->rows, weight->rows, activation, dropout, &before);
  if (!context_ok(context)) return NULL;
  out->wanted = x->wanted || weight->trainable || (bias && bias->trainable);
  out->disposable = activation == ACTIVATION_NONE && dropout->threshold == 0;
  const struct kernels *kernels = context->kernels;
  kernels->linear(out->data, out->cols, before, x->data, x->cols, out->rows, out->cols, x->cols, weight->packed,
                  bias ? bias->values : NULL, activation, false);
  if (dropout->threshold) kernels->activate(out->data, out->data, out->rows, out->cols, ACTIVATION_NONE, dropout);
  if (out->half) kernels->to_bf16(out->half, out->data, (size_t)out->rows * (size_t)out->cols);
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
