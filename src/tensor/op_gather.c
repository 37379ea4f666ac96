// Gather: some rows of a tensor, so that what follows (the vocabulary product above all) is paid for these rows alone.
#include "tensor/operations.h"
#include "tensor/tape.h"

struct gather_node {
  struct node node;
  struct tensor *x, *out;
  const int32_t *rows;
};

static void backward(struct context *context, struct node *base) {
  struct gather_node *node = (struct gather_node *)base;
  if (!node->out->gradient) return;
  float *fresh = node->x->wanted ? tensor_gradient_fresh(context, node->x) : NULL;
  if (fresh) {
    context->kernels->scatter(fresh, node->x->rows, node->out->gradient, node->rows, node->out->rows, node->out->cols);
    tensor_gradient_add(context, node->x, fresh);
  }
  tensor_gradient_release(context, node->out);
}

struct tensor *op_gather(struct context *context, const char *name, struct tensor *x, const int32_t *rows, int count) {
  if (!x) return NULL;
  struct gather_node *node = tape_record(context, sizeof *node, backward, name);
  struct tensor *out = tensor_new(context, count, x->cols);
  if (!out) return NULL;
  out->wanted = x->wanted;
  context->kernels->gather(out->data, x->data, rows, count, x->cols);
  if (node) {
    node->x = x;
    node->out = out;
    node->rows = rows;
  }
  context_report(context, name, out);
  return out;
}
