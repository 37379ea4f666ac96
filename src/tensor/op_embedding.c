// Embedding: rows of tables, scaled and added. Backward adds into the tables' gradients by column range, rows in order.
#include "tensor/operations.h"
#include "tensor/tape.h"

struct embedding_node {
  struct node node;
  struct embedding_tables tables;
  const int32_t *ids, *positions, *types;
  struct tensor *out;
  struct dropout dropout;
};

// The padding id's row gets no gradient from this side, as in PyTorch (nn.Embedding, padding_idx).
static const int32_t *without_padding(struct context *context, const struct embedding_node *node) {
  int rows = node->out->rows;
  int32_t *ids = context_node(context, (size_t)rows * sizeof *ids);
  for (int i = 0; ids && i < rows; i++) ids[i] = node->ids[i] == node->tables.padding ? -1 : node->ids[i];
  return ids;
}

static void add_to_table(struct context *context, const struct embedding_node *node, struct weight *table, const int32_t *ids,
                         float scale) {
  if (!table || !table->trainable || !table->gradient) return;
  context->kernels->embed_gradient(table->gradient, ids, scale, node->out->gradient, node->out->rows, node->out->cols,
                                   &node->dropout);
}

static void backward(struct context *context, struct node *base) {
  struct embedding_node *node = (struct embedding_node *)base;
  if (!node->out->gradient) return;
  const int32_t *ids = without_padding(context, node);
  if (!ids) return;
  add_to_table(context, node, node->tables.table, ids, node->tables.scale);
  add_to_table(context, node, node->tables.positions, node->positions, 1);
  add_to_table(context, node, node->tables.types, node->types, 1);
  tensor_gradient_release(context, node->out);
}

struct tensor *op_embedding(struct context *context, const char *name, const struct embedding_tables *tables, const int32_t *ids,
                            const int32_t *positions, const int32_t *types, int rows, int cols, const struct dropout *dropout) {
  struct embedding_node *node = tape_record(context, sizeof *node, backward, name);
  struct tensor *out = tensor_new(context, rows, cols);
  if (!out) return NULL;
  out->wanted = tables->table->trainable || (tables->positions && tables->positions->trainable) ||
                (tables->types && tables->types->trainable);
  context->kernels->embed(out->data, tables->table, ids, tables->scale, tables->positions, positions, tables->types, types, rows,
                          cols, dropout);
  if (node) {
    node->tables = *tables;
    node->ids = ids;
    node->positions = positions;
    node->types = types;
    node->out = out;
    node->dropout = *dropout;
  }
  context_report(context, name, out);
  return out;
}
