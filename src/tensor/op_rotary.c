// Rotary positions (Su et al. 2021, section 3.2.2): pairs of columns of queries and keys turn by angles that grow with the
// position, so that their products depend on distances. The table of angles is made once per pass and serves all layers.
//
// A turn is undone by the opposite turn and nothing else asks for what was there before, so it happens in place, backward too.
#include "tensor/operations.h"
#include "tensor/tape.h"

struct rotary_node {
  struct node node;
  struct tensor *x;
  struct rotary rotary;
};

static void backward(struct context *context, struct node *base) {
  struct rotary_node *node = (struct rotary_node *)base;
  const struct rotary *rotary = &node->rotary;
  if (node->x->gradient)
    context->kernels->rotate(node->x->gradient, node->x->cols, rotary->table, node->x->rows, rotary->heads, rotary->half, true);
}

float *rotary_table(struct context *context, const int32_t *positions, const float *frequencies, float scale, int rows,
                    int half) {
  float *table = context_memory(context, (size_t)rows * 2 * (size_t)half * sizeof *table);
  if (table) context->kernels->rotary_table(table, positions, frequencies, scale, rows, half);
  return table;
}

struct tensor *op_rotary(struct context *context, const char *name, struct tensor *x, const struct rotary *rotary) {
  if (!x) return NULL;
  struct rotary_node *node = tape_record(context, sizeof *node, backward, name);
  if (!context_ok(context)) return NULL;
  context->kernels->rotate(x->data, x->cols, rotary->table, x->rows, rotary->heads, rotary->half, false);
  if (node) {
    node->x = x;
    node->rotary = *rotary;
  }
  context_report(context, name, x);
  return x;
}
