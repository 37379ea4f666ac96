// What queries and keys become before attention multiplies them: vectors of length 1 (cosine), or queries times a matrix of each
// head (Luong et al. 2015, "general"). And rows side by side with themselves, where attention has no weights of its own.
#include <string.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

// ---- vectors of length 1 ----

struct unit_node {
  struct node node;
  struct tensor *x;
  float *lengths;
  int heads, width;
};

// What comes back from attention is the gradient of the unit vectors, in the place where that of the vectors belongs.
static void unit_backward(struct context *context, struct node *base) {
  struct unit_node *node = (struct unit_node *)base;
  struct tensor *x = node->x;
  if (x->gradient)
    context->kernels->unit_heads_gradient(x->gradient, x->cols, x->data, x->cols, node->lengths, x->rows, node->heads,
                                          node->width);
}

struct tensor *op_unit_heads(struct context *context, const char *name, struct tensor *x, int heads, int width) {
  if (!x) return NULL;
  struct unit_node *node = tape_record(context, sizeof *node, unit_backward, name);
  size_t mark = context->arena.low;
  float *lengths = context_memory(context, (size_t)x->rows * (size_t)heads * sizeof *lengths);
  if (!lengths) return NULL;
  context->kernels->unit_heads(x->data, x->cols, lengths, x->rows, heads, width);
  if (node)
    *node = (struct unit_node){node->node, x, lengths, heads, width};
  else
    context->arena.low = mark;
  context_report(context, name, x);
  return x;
}

// ---- a matrix for each head ----

struct products_node {
  struct node node;
  struct columns x;
  struct weight *weight;
  struct tensor *out;
  int heads;
};

static void products_backward(struct context *context, struct node *base) {
  struct products_node *node = (struct products_node *)base;
  struct tensor *x = node->x.tensor, *out = node->out;
  if (!out->gradient) return;
  if (!x->gradient) x->gradient = tensor_gradient_fresh(context, x);
  if (!x->gradient) return;
  context->kernels->head_products_gradient(x->gradient + node->x.column, x->cols, node->weight->gradient, out->gradient,
                                           out->cols, x->data + node->x.column, x->cols, node->weight->values, out->rows,
                                           node->heads, node->weight->cols);
  tensor_gradient_release(context, out);
}

struct tensor *op_head_products(struct context *context, const char *name, struct columns x, struct weight *weight) {
  if (!x.tensor) return NULL;
  struct products_node *node = tape_record(context, sizeof *node, products_backward, name);
  int width = weight->cols, heads = weight->rows / width;
  struct tensor *out = tensor_new(context, x.tensor->rows, heads * width);
  if (!out) return NULL;
  out->wanted = x.tensor->wanted || weight->trainable;
  context->kernels->head_products(out->data, out->cols, x.tensor->data + x.column, x.tensor->cols, weight->values, out->rows,
                                  heads, width);
  if (node) *node = (struct products_node){node->node, x, weight, out, heads};
  context_report(context, name, out);
  return out;
}

// ---- rows beside themselves ----

struct copies_node {
  struct node node;
  struct tensor *x, *out;
};

static void copies_backward(struct context *context, struct node *base) {
  struct copies_node *node = (struct copies_node *)base;
  struct tensor *x = node->x, *out = node->out;
  if (!out->gradient) return;
  if (x->wanted) {
    bool first;
    float *dx = tensor_gradient(context, x, &first);
    if (!dx) return;
    for (size_t row = 0; !context->arena.measuring && row < (size_t)x->rows; row++) {
      float *to = dx + row * (size_t)x->cols;
      if (first) memset(to, 0, (size_t)x->cols * sizeof *to);
      for (size_t copy = 0; copy < (size_t)out->cols; copy += (size_t)x->cols)
        context->kernels->add(to, out->gradient + row * (size_t)out->cols + copy, (size_t)x->cols);
    }
  }
  tensor_gradient_release(context, out);
}

struct tensor *op_copies(struct context *context, const char *name, struct tensor *x, int copies) {
  if (!x) return NULL;
  struct copies_node *node = tape_record(context, sizeof *node, copies_backward, name);
  struct tensor *out = tensor_new(context, x->rows, copies * x->cols);
  if (!out) return NULL;
  out->wanted = x->wanted;
  for (size_t i = 0; !context->arena.measuring && i < (size_t)x->rows * (size_t)copies; i++)
    memcpy(out->data + i * (size_t)x->cols, x->data + i / (size_t)copies * (size_t)x->cols, (size_t)x->cols * sizeof *out->data);
  if (node) *node = (struct copies_node){node->node, x, out};
  context_report(context, name, out);
  return out;
}
