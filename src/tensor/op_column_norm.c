// Norms whose statistics run over rows: batch norm (Ioffe and Szegedy 2015), instance norm (Ulyanov et al. 2016) and group norm
// (Wu and He 2018), with sequences without padding for images. Equal to torch's BatchNorm1d, InstanceNorm1d and GroupNorm on
// [sequences, columns, tokens].
#include <math.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct column_norm_node {
  struct node node;
  struct tensor *x, *out;
  struct weight *gain, *bias;
  const float *mean, *variance;
  const struct span *spans;
  int span_count, groups;
  bool constant;
  struct norm norm;
};

static void backward(struct context *context, struct node *base) {
  struct column_norm_node *node = (struct column_norm_node *)base;
  if (!node->out->gradient) return;
  bool first;
  float *dx = tensor_gradient(context, node->x, &first);  // where nothing below x learns, the kernel still wants a place for it
  if (!dx) return;
  context->kernels->column_norm_gradient(dx, !first, node->gain->gradient, node->bias->gradient, node->out->gradient,
                                         node->x->data, node->mean, node->variance, node->gain->values, node->x->cols,
                                         node->spans, node->span_count, node->groups, node->constant, &node->norm);
  if (!node->x->wanted) tensor_gradient_release(context, node->x);
  tensor_gradient_release(context, node->out);
}

// running = 0.9 running + 0.1 of this batch, the variance unbiased. A row alone has no variance, and numbers that are not finite
// end the training: neither leaves a trace.
static void follow(const struct running_statistics *running, const float *mean, const float *variance, int rows) {
  static const float MOMENTUM = 0.1f;
  int columns = running->mean->rows;
  bool finite = rows > 1;
  for (int c = 0; finite && c < columns; c++) finite = isfinite(mean[c]) && isfinite(variance[c]);
  for (int c = 0; finite && c < columns; c++) {
    float unbiased = (float)((double)variance[c] * rows / (rows - 1.0));
    running->mean->values[c] = (1 - MOMENTUM) * running->mean->values[c] + MOMENTUM * mean[c];
    running->variance->values[c] = (1 - MOMENTUM) * running->variance->values[c] + MOMENTUM * unbiased;
  }
  if (finite) running->batches->values[0] += 1;
}

static const struct span *all_rows(struct context *context, int rows) {
  struct span *span = context_node(context, sizeof *span);
  if (span) *span = (struct span){.qn = rows};
  return span;
}

static bool take_statistics(struct context *context, struct column_norm_node *node, const struct running_statistics *running) {
  size_t numbers = (size_t)node->span_count * (size_t)node->groups;
  const struct tensor *x = node->x;
  if (node->constant) {
    node->mean = running->mean->values;
    node->variance = running->variance->values;
    return true;
  }
  float *mean = context_memory(context, numbers * sizeof *mean), *variance = context_memory(context, numbers * sizeof *variance);
  if (!mean || !variance) return false;
  context->kernels->column_statistics(mean, variance, x->data, x->cols, node->spans, node->span_count, node->groups);
  if (running->mean && context->recording && !context->arena.measuring) follow(running, mean, variance, x->rows);
  node->mean = mean;
  node->variance = variance;
  return true;
}

struct tensor *op_column_norm(struct context *context, const char *name, struct tensor *x, struct weight *gain,
                              struct weight *bias, const struct column_norm *norm) {
  if (!x) return NULL;
  bool batch = norm->running.mean != NULL;
  struct column_norm_node *recorded = tape_record(context, sizeof *recorded, backward, name), unrecorded = {0};
  struct column_norm_node *node = recorded ? recorded : &unrecorded;
  node->x = x;
  node->gain = gain;
  node->bias = bias;
  node->norm = norm->norm;
  node->groups = norm->groups;
  node->constant = batch && !(context->training && gain->trainable);
  node->spans = batch ? all_rows(context, x->rows) : norm->spans;
  node->span_count = batch ? 1 : norm->span_count;
  struct tensor *out = node->out = tensor_new(context, x->rows, x->cols);
  size_t mark = context->arena.low;
  if (!out || !take_statistics(context, node, &norm->running)) return NULL;
  out->wanted = x->wanted || gain->trainable;
  context->kernels->column_norm(out->data, x->data, node->mean, node->variance, gain->values, bias->values, x->cols, node->spans,
                                node->span_count, node->groups, &norm->norm);
  if (!recorded) context->arena.low = mark;
  context_report(context, name, out);
  return out;
}
