// Squared error of one column of numbers, for regression: sum of (x - value)^2 over the rows that have a value.
#include <math.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct squared_error_node {
  struct node node;
  struct tensor *x;
  const float *values;
  float scale;
};

static void backward(struct context *context, struct node *base) {
  struct squared_error_node *node = (struct squared_error_node *)base;
  struct tensor *x = node->x;
  float *fresh = x->wanted ? tensor_gradient_fresh(context, x) : NULL;
  if (!fresh) return;
  for (int i = 0; !context->arena.measuring && i < x->rows; i++)
    fresh[i] = isnan(node->values[i]) ? 0 : 2 * node->scale * (x->data[i] - node->values[i]);
  tensor_gradient_add(context, x, fresh);
}

bool op_squared_error(struct context *context, const char *name, struct tensor *x, const float *values, float scale,
                      struct head_loss *loss, float *losses) {
  if (!x) return false;
  struct squared_error_node *node = tape_record(context, sizeof *node, backward, name);
  if (node) *node = (struct squared_error_node){node->node, x, values, scale};
  for (int i = 0; !context->arena.measuring && i < x->rows; i++) {
    double error = isnan(values[i]) ? 0 : (double)x->data[i] - (double)values[i];
    loss->count += !isnan(values[i]);
    loss->sum += error * error;
    loss->plain_sum += error * error;
    if (losses) losses[i] = (float)(error * error);
  }
  return context_ok(context);
}
