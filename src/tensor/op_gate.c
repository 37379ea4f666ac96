// Gated units: one half of the columns multiplied by the activation of the other half (Shazeer 2020, section 2), then dropout.
#include "tensor/operations.h"
#include "tensor/tape.h"

struct gate_node {
  struct node node;
  struct tensor *x, *out;
  enum activation activation;
  struct dropout dropout;
};

static void backward(struct context *context, struct node *base) {
  struct gate_node *node = (struct gate_node *)base;
  struct tensor *out = node->out;
  tensor_forget(context, out);
  if (!out->gradient) return;
  float *dx = node->x->wanted ? tensor_gradient_fresh(context, node->x) : NULL;
  if (dx)
    context->kernels->gate_gradient(dx, out->gradient, node->x->data, out->rows, out->cols, node->activation, &node->dropout);
  tensor_gradient_add(context, node->x, dx);
  tensor_gradient_release(context, out);
}

static void remake(struct context *context, struct node *base) {
  const struct gate_node *node = (struct gate_node *)base;
  const struct tensor *out = node->out;
  context->kernels->gate(out->data, node->x->data, out->rows, out->cols, node->activation, &node->dropout);
}

struct tensor *op_gate(struct context *context, const char *name, struct tensor *x, enum activation activation,
                       const struct dropout *dropout) {
  if (!x) return NULL;
  struct gate_node *node = tape_record(context, sizeof *node, backward, name);
  struct tensor *out = tensor_new_remade(context, x->rows, x->cols / 2, node ? &node->node : NULL, remake);
  if (!out) return NULL;
  out->wanted = x->wanted;
  context->kernels->gate(out->data, x->data, out->rows, out->cols, activation, dropout);
  if (node) {
    node->x = x;
    node->out = out;
    node->activation = activation;
    node->dropout = *dropout;
  }
  context_report(context, name, out);
  return out;
}
