// Attention over spans. Nothing of size rows x keys is kept: backward computes the weights again from the log-sums.
#include <assert.h>
#include <string.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct attention_node {
  struct node node;
  struct columns query, keys, values;
  struct tensor *bias;
  struct weight *additive;
  const struct span *spans;
  int span_count;
  struct attention attention;
  float *log_sum;
  struct tensor *out;
};

static struct attention_keys key_rows(struct columns keys, struct columns values) {
  return (struct attention_keys){.keys = keys.tensor->data + keys.column, .key_stride = keys.tensor->cols,
                                 .values = values.tensor->data + values.column, .value_stride = values.tensor->cols};
}

// Query, keys and values are slices of one, two or three tensors that nothing else reads, so their gradients are set here.
static float *slice_gradient(struct context *context, struct columns slice) {
  if (!slice.tensor->gradient) slice.tensor->gradient = tensor_gradient_fresh(context, slice.tensor);
  return slice.tensor->gradient ? slice.tensor->gradient + slice.column : NULL;
}

// Every layer adds to the one bias.
static float *bias_gradient(struct context *context, struct tensor *bias) {
  bool first;
  float *gradient = bias && bias->wanted ? tensor_gradient(context, bias, &first) : NULL;
  if (gradient && first && !context->arena.measuring)
    memset(gradient, 0, (size_t)bias->rows * (size_t)bias->cols * sizeof *gradient);
  return gradient;
}

static void backward(struct context *context, struct node *base) {
  struct attention_node *node = (struct attention_node *)base;
  if (!node->out->gradient) return;
  float *dquery = slice_gradient(context, node->query);
  float *dkeys = slice_gradient(context, node->keys);
  float *dvalues = slice_gradient(context, node->values);
  float *dbias = bias_gradient(context, node->bias);
  if (!dquery || !dkeys || !dvalues || !context_ok(context)) return;
  struct attention_keys keys = key_rows(node->keys, node->values);
  const struct tensor *query = node->query.tensor;
  context->kernels->attention_gradient(dquery, query->cols, dkeys, keys.key_stride, dvalues, keys.value_stride, dbias, NULL,
                                       node->additive ? node->additive->gradient : NULL, node->out->gradient, node->out->cols,
                                       node->out->data, node->out->cols, node->log_sum, query->data + node->query.column,
                                       query->cols, &keys, node->spans, node->span_count, &node->attention);
  tensor_gradient_release(context, node->out);
}

static bool is_watched(const struct context *context, const char *name) {
  return context->probe_attention && (!context->attention_name || strcmp(context->attention_name, name) == 0);
}

static float *take_probabilities(struct context *context, const struct span *spans, int span_count, int heads) {
  size_t cells = 0;
  for (int i = 0; i < span_count; i++) cells += (size_t)spans[i].qn * (size_t)spans[i].kn;
  return context_memory(context, cells * (size_t)heads * sizeof(float));
}

struct tensor *op_attention(struct context *context, const char *name, struct columns query, struct columns keys,
                            struct columns values, const struct key_store *store, const struct span *spans, int span_count,
                            struct tensor *bias, struct weight *additive, const struct attention *given) {
  struct attention completed = *given;
  const struct attention *attention = &completed;
  if (bias) {
    completed.bias = bias->data;
    completed.bias_reach = (bias->cols - 1) / 2;
  }
  if (additive) completed.additive = additive->values;
  if (!query.tensor || (!store && (!keys.tensor || !values.tensor))) return NULL;
  assert(store == NULL || !context->recording);
  struct attention_node *node = tape_record(context, sizeof *node, backward, name);
  int rows = query.tensor->rows;
  struct tensor *out = tensor_new(context, rows, attention->heads * attention->head_width);
  if (!out) return NULL;
  out->wanted = query.tensor->wanted || (keys.tensor && keys.tensor->wanted) || (values.tensor && values.tensor->wanted) ||
                (bias && bias->wanted) || (additive && additive->trainable);
  float *log_sum = node ? context_memory(context, (size_t)rows * (size_t)attention->heads * sizeof *log_sum) : NULL;
  size_t mark = context->arena.low;
  float *probabilities = is_watched(context, name) ? take_probabilities(context, spans, span_count, attention->heads) : NULL;
  if (!context_ok(context)) return NULL;
  struct attention_keys source = store ? (struct attention_keys){.store = store} : key_rows(keys, values);
  context->kernels->attention(out->data, out->cols, log_sum, probabilities, query.tensor->data + query.column, query.tensor->cols,
                              &source, spans, span_count, attention);
  if (probabilities) {
    context->probe_attention(context->probe_user, name, spans, span_count, attention->heads, probabilities);
    context->arena.low = mark;
  }
  if (node) {
    node->query = query;
    node->keys = keys;
    node->values = values;
    node->bias = bias;
    node->additive = additive;
    node->spans = spans;
    node->span_count = span_count;
    node->attention = *attention;
    node->log_sum = log_sum;
    node->out = out;
  }
  context_report(context, name, out);
  return out;
}
