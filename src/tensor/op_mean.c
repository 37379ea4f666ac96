// Mean: each group of rows, one after the other, becomes one row. Sums run from the first row to the last.
#include <string.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct mean_node {
  struct node node;
  struct tensor *x, *out;
  const struct row_group *groups;
};

static void add(float *to, const float *from, float factor, int cols) {
  for (int c = 0; c < cols; c++) to[c] += factor * from[c];
}

static void backward(struct context *context, struct node *base) {
  struct mean_node *node = (struct mean_node *)base;
  struct tensor *x = node->x;
  if (!node->out->gradient) return;
  float *fresh = x->wanted ? tensor_gradient_fresh(context, x) : NULL;
  if (fresh) {
    size_t cols = (size_t)x->cols;
    if (!context->arena.measuring) memset(fresh, 0, (size_t)x->rows * cols * sizeof *fresh);
    for (int g = 0; !context->arena.measuring && g < node->out->rows; g++) {
      const struct row_group *group = &node->groups[g];
      for (int row = group->first; row < group->first + group->count; row++)
        add(fresh + (size_t)row * cols, node->out->gradient + (size_t)g * cols, 1 / (float)group->count, x->cols);
    }
    tensor_gradient_add(context, x, fresh);
  }
  tensor_gradient_release(context, node->out);
}

struct tensor *op_mean(struct context *context, const char *name, struct tensor *x, const struct row_group *groups, int count) {
  if (!x) return NULL;
  struct mean_node *node = tape_record(context, sizeof *node, backward, name);
  struct tensor *out = tensor_new(context, count, x->cols);
  if (!out) return NULL;
  out->wanted = x->wanted;
  size_t cols = (size_t)x->cols;
  if (!context->arena.measuring) memset(out->data, 0, (size_t)count * cols * sizeof *out->data);
  for (int g = 0; !context->arena.measuring && g < count; g++) {
    float *to = out->data + (size_t)g * cols;
    for (int row = groups[g].first; row < groups[g].first + groups[g].count; row++)
      add(to, x->data + (size_t)row * cols, 1, x->cols);
    for (int c = 0; c < x->cols; c++) to[c] /= (float)groups[g].count;
  }
  if (node) *node = (struct mean_node){node->node, x, out, groups};
  context_report(context, name, out);
  return out;
}
