// Residual connection and norm: sum = x + dropout(f), y = norm(sum). Post-norm layers use y alone, pre-norm layers both;
// one operation serves both, and each row is read once.
//
// For backward only the sum is kept, in f's place where that is free: the norm can be made again from it.
#include "tensor/operations.h"
#include "tensor/tape.h"

struct residual_norm_node {
  struct node node;
  struct tensor *x, *f, *sum, *out;
  struct weight *gain, *bias;
  float *mean, *deviation;
  struct norm norm;
  struct dropout dropout;
};

// The gradient of sum reaches x as it is, and f through dropout. When sum is x itself (no f), the part that came to x
// through other ways is already in x's gradient.
static void backward(struct context *context, struct node *base) {
  struct residual_norm_node *node = (struct residual_norm_node *)base;
  if (node->gain) tensor_forget(context, node->out);
  const float *dy = node->gain ? node->out->gradient : NULL;
  const float *dresidual = node->f ? node->sum->gradient : NULL;
  if (!dy && !dresidual) return;
  bool first = true, f_first = true;
  float *df = NULL;
  float *dx = tensor_gradient(context, node->x, &first);  // where nothing below x learns, the kernel still wants a place for it
  if (node->f && node->f->wanted) df = tensor_gradient(context, node->f, &f_first);
  if (!context_ok(context)) return;
  context->kernels->residual_norm_gradient(dx, !first, df, node->gain ? node->gain->gradient : NULL,
                                           node->bias ? node->bias->gradient : NULL, dy, dresidual, node->sum->data, node->mean,
                                           node->deviation, node->gain ? node->gain->values : NULL, node->sum->rows,
                                           node->sum->cols, &node->norm, &node->dropout);
  if (!node->x->wanted) tensor_gradient_release(context, node->x);
  if (node->gain) tensor_gradient_release(context, node->out);
  if (node->f) tensor_gradient_release(context, node->sum);
}

static void remake(struct context *context, struct node *base) {
  const struct residual_norm_node *node = (struct residual_norm_node *)base;
  context->kernels->residual_norm(node->out->data, node->sum->data, NULL, NULL, node->sum->data, NULL, node->gain->values,
                                  node->bias ? node->bias->values : NULL, node->out->rows, node->out->cols, &node->norm, NULL);
}

static struct tensor *take_sum(struct context *context, const struct tensor *x, const struct tensor *f) {
  if (!f->disposable) return tensor_new(context, x->rows, x->cols);
  struct tensor *sum = context_node(context, sizeof *sum);
  if (sum) *sum = (struct tensor){.rows = f->rows, .cols = f->cols, .data = f->data};
  return sum;
}

static bool take_statistics(struct context *context, struct residual_norm_node *node, int rows) {
  node->mean = context_memory(context, (size_t)rows * sizeof *node->mean);
  node->deviation = context_memory(context, (size_t)rows * sizeof *node->deviation);
  return node->deviation != NULL;
}

struct tensor *op_residual_norm(struct context *context, const char *name, struct tensor **sum_out, struct tensor *x,
                                struct tensor *f, struct weight *gain, struct weight *bias, const struct norm *norm,
                                const struct dropout *dropout) {
  if (!x) return NULL;
  struct residual_norm_node *node = tape_record(context, sizeof *node, backward, name);
  struct tensor *sum = f ? take_sum(context, x, f) : x;
  struct tensor *out = gain ? tensor_new_remade(context, x->rows, x->cols, node ? &node->node : NULL, remake) : sum;
  if (!sum || !out || (node && !take_statistics(context, node, x->rows))) return NULL;
  bool wanted = x->wanted || (f && f->wanted);
  if (f) sum->wanted = wanted;
  if (gain) out->wanted = wanted || gain->trainable;
  context->kernels->residual_norm(gain ? out->data : NULL, sum->data, node ? node->mean : NULL, node ? node->deviation : NULL,
                                  x->data, f ? f->data : NULL, gain ? gain->values : NULL, bias ? bias->values : NULL, x->rows,
                                  x->cols, norm, dropout);
  if (node) {
    node->x = x;
    node->f = f;
    node->sum = sum;
    node->out = out;
    node->gain = gain;
    node->bias = bias;
    node->norm = *norm;
    node->dropout = *dropout;
  }
  if (sum_out) *sum_out = sum;
  context_report(context, name, out);
  return out;
}
