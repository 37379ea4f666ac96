// Dropout by itself, where no neighbouring operation can do it on the way.
#include "tensor/operations.h"
#include "tensor/tape.h"

struct dropout_node {
  struct node node;
  struct tensor *x, *out;
  struct dropout dropout;
};

static void backward(struct context *context, struct node *base) {
  struct dropout_node *node = (struct dropout_node *)base;
  struct tensor *out = node->out;
  if (!out->gradient) return;
  if (node->x->wanted) {
    context->kernels->activate_gradient(out->gradient, out->gradient, out->gradient, out->rows, out->cols, ACTIVATION_NONE,
                                        &node->dropout);
    tensor_gradient_add(context, node->x, out->gradient);
    out->gradient = NULL;
    return;
  }
  tensor_gradient_release(context, out);
}

struct tensor *op_dropout(struct context *context, const char *name, struct tensor *x, const struct dropout *dropout) {
  if (!x || dropout->threshold == 0) return x;
  struct dropout_node *node = tape_record(context, sizeof *node, backward, name);
  struct tensor *out = tensor_new(context, x->rows, x->cols);
  if (!out) return NULL;
  out->wanted = x->wanted;
  context->kernels->activate(out->data, x->data, x->rows, x->cols, ACTIVATION_NONE, dropout);
  if (node) {
    node->x = x;
    node->out = out;
    node->dropout = *dropout;
  }
  context_report(context, name, out);
  return out;
}
