// Cross-entropy of yes and no from one logit: log(1 + exp(x)) - label * x.
#include <math.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct binary_loss_node {
  struct node node;
  struct tensor *x;
  const int32_t *labels;
  float scale;
};

static void backward(struct context *context, struct node *base) {
  struct binary_loss_node *node = (struct binary_loss_node *)base;
  struct tensor *x = node->x;
  float *fresh = x->wanted ? tensor_gradient_fresh(context, x) : NULL;
  if (!fresh) return;
  for (int i = 0; !context->arena.measuring && i < x->rows; i++)
    fresh[i] = (float)((double)node->scale * (1 / (1 + exp(-(double)x->data[i])) - node->labels[i]));
  tensor_gradient_add(context, x, fresh);
}

bool op_binary_loss(struct context *context, const char *name, struct tensor *x, const int32_t *labels, float scale,
                    struct head_loss *loss, float *losses) {
  if (!x) return false;
  struct binary_loss_node *node = tape_record(context, sizeof *node, backward, name);
  if (node) *node = (struct binary_loss_node){node->node, x, labels, scale};
  for (int i = 0; !context->arena.measuring && i < x->rows; i++) {
    double logit = (double)x->data[i], found = log1p(exp(-fabs(logit))) + fmax(logit, 0) - labels[i] * logit;
    loss->count++;
    loss->sum += found;
    loss->plain_sum += found;
    loss->correct += (logit > 0) == (labels[i] == 1);
    if (losses) losses[i] = (float)found;
  }
  return context_ok(context);
}
