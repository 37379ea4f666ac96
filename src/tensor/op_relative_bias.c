// Learnt biases of attention by distance, in T5's buckets (Raffel et al. 2020, section 2.1): half of them for keys behind the
// query; of each half the first half are one distance each, the rest grow logarithmically up to the largest distance.
#include <math.h>
#include <string.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct relative_node {
  struct node node;
  struct weight *table;
  struct tensor *out;
  int reach;
};

// distance: key position - query position. In f32, in transformers' order of operations.
static int bucket_of(int distance, int buckets, int reach) {
  int half = buckets / 2, exact = half / 2, from = distance > 0 ? half : 0, far = distance < 0 ? -distance : distance;
  if (far < exact) return from + far;
  float grown = logf((float)far / (float)exact) / (float)log((double)reach / exact) * (float)(half - exact);
  int bucket = exact + (int)grown;
  return from + (bucket < half ? bucket : half - 1);
}

static void backward(struct context *context, struct node *base) {
  struct relative_node *node = (struct relative_node *)base;
  struct tensor *out = node->out;
  if (!out->gradient) return;
  float *to = node->table->gradient;
  int heads = out->rows, buckets = node->table->rows;
  for (int head = 0; to && !context->arena.measuring && head < heads; head++)
    for (int i = 0; i < out->cols; i++)
      to[(size_t)bucket_of(i - node->reach, buckets, node->reach) * (size_t)heads + (size_t)head] +=
        out->gradient[(size_t)head * (size_t)out->cols + (size_t)i];
  tensor_gradient_release(context, out);
}

struct tensor *op_relative_bias(struct context *context, const char *name, struct weight *table, int reach) {
  struct relative_node *node = tape_record(context, sizeof *node, backward, name);
  int heads = table->cols;
  struct tensor *out = tensor_new(context, heads, 2 * reach + 1);
  float *row = context_memory(context, (size_t)heads * sizeof *row);
  if (!out || !row) return NULL;
  out->wanted = table->trainable;
  for (int i = 0; !context->arena.measuring && i < out->cols; i++) {
    const float *values = weight_row(table, bucket_of(i - reach, table->rows, reach), row);
    for (int head = 0; head < heads; head++) out->data[(size_t)head * (size_t)out->cols + (size_t)i] = values[head];
  }
  if (node) *node = (struct relative_node){node->node, table, out, reach};
  context_report(context, name, out);
  return out;
}
