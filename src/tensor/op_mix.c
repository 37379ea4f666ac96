// Several tensors of one shape as one: their sum, or a learnt mix gain * sum_k softmax(scores)_k x_k (Peters et al. 2018, "Deep
// contextualized word representations", equation 1); or side by side. Beside the products that read the result all of this is
// little work.
#include <math.h>
#include <string.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct mix_node {
  struct node node;
  struct tensor **parts;
  int count;
  struct weight *scores, *gain;
  const float *shares;  // [count] softmax of the scores, or all 1
  struct tensor *out;
};

static size_t size_of(const struct tensor *tensor) { return (size_t)tensor->rows * (size_t)tensor->cols; }

static bool wanted(struct tensor *const *parts, int count) {
  for (int k = 0; k < count; k++)
    if (parts[k]->wanted) return true;
  return false;
}

static struct tensor **copy_parts(struct context *context, struct tensor *const *parts, int count) {
  struct tensor **copy = context_node(context, (size_t)count * sizeof(struct tensor *));
  if (copy) memcpy(copy, parts, (size_t)count * sizeof(struct tensor *));
  return copy;
}

// ---- mixing ----

static const float *make_shares(struct context *context, const struct weight *scores, int count) {
  float *shares = context_node(context, (size_t)count * sizeof *shares), largest = -INFINITY, sum = 0;
  for (int k = 0; shares && k < count; k++) shares[k] = 1;
  if (!shares || !scores || context->arena.measuring) return shares;
  for (int k = 0; k < count; k++) largest = scores->values[k] > largest ? scores->values[k] : largest;
  for (int k = 0; k < count; k++) sum += shares[k] = (float)exp((double)(scores->values[k] - largest));
  for (int k = 0; k < count; k++) shares[k] /= sum;
  return shares;
}

static float factor_of(const struct mix_node *node) { return node->gain ? node->gain->values[0] : 1; }

static void mix(const struct mix_node *node) {
  const float factor = factor_of(node);
  float *out = node->out->data;
  for (size_t i = 0; i < size_of(node->out); i++) {
    float sum = 0;
    for (int k = 0; k < node->count; k++) sum += node->shares[k] * node->parts[k]->data[i];
    out[i] = factor * sum;
  }
}

static double product(const float *a, const float *b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

// How the result changes with each share, dots [count]; from it the gradients of gain and scores.
static void learn_shares(const struct mix_node *node, float *dots) {
  double mean = 0;
  for (int k = 0; k < node->count; k++) {
    dots[k] = (float)product(node->out->gradient, node->parts[k]->data, size_of(node->out));
    mean += (double)node->shares[k] * (double)dots[k];
  }
  if (node->gain->gradient) node->gain->gradient[0] += (float)mean;
  for (int k = 0; node->scores->gradient && k < node->count; k++)
    node->scores->gradient[k] += (float)((double)factor_of(node) * (double)node->shares[k] * ((double)dots[k] - mean));
}

static void mix_backward(struct context *context, struct node *base) {
  struct mix_node *node = (struct mix_node *)base;
  struct tensor *out = node->out;
  if (!out->gradient) return;
  float *dots = context_node(context, (size_t)node->count * sizeof *dots);
  if (dots && node->scores && !context->arena.measuring) learn_shares(node, dots);
  for (int k = 0; k < node->count && context_ok(context); k++) {
    struct tensor *part = node->parts[k];
    bool first;
    float *gradient = part->wanted ? tensor_gradient(context, part, &first) : NULL;
    if (!gradient || context->arena.measuring) continue;
    const float factor = factor_of(node) * node->shares[k];
    for (size_t i = 0; i < size_of(out); i++) gradient[i] = (first ? 0 : gradient[i]) + factor * out->gradient[i];
  }
  tensor_gradient_release(context, out);
}

struct tensor *op_mix(struct context *context, const char *name, struct tensor *const *parts, int count, struct weight *scores,
                      struct weight *gain) {
  if (count == 1 && !scores) return parts[0];
  struct mix_node *node = tape_record(context, sizeof *node, mix_backward, name), plain = {0};
  struct mix_node *made = node ? node : &plain;
  made->out = tensor_new(context, parts[0]->rows, parts[0]->cols);
  made->parts = copy_parts(context, parts, count);
  made->shares = make_shares(context, scores, count);
  if (!context_ok(context)) return NULL;
  made->count = count;
  made->scores = scores;
  made->gain = gain;
  made->out->wanted = wanted(parts, count) || (scores && scores->trainable) || (gain && gain->trainable);
  if (!context->arena.measuring) mix(made);
  context_report(context, name, made->out);
  return made->out;
}

// ---- side by side ----

struct concatenate_node {
  struct node node;
  struct tensor **parts;
  int count;
  struct tensor *out;
};

static void concatenate_backward(struct context *context, struct node *base) {
  struct concatenate_node *node = (struct concatenate_node *)base;
  struct tensor *out = node->out;
  if (!out->gradient) return;
  const float *from = out->gradient;
  for (int k = 0; k < node->count && context_ok(context); from += node->parts[k++]->cols) {
    struct tensor *part = node->parts[k];
    bool first;
    float *gradient = part->wanted ? tensor_gradient(context, part, &first) : NULL;
    if (!gradient || context->arena.measuring) continue;
    for (int row = 0; row < part->rows; row++)
      for (int c = 0; c < part->cols; c++) {
        size_t at = (size_t)row * (size_t)part->cols + (size_t)c;
        gradient[at] = (first ? 0 : gradient[at]) + from[(size_t)row * (size_t)out->cols + (size_t)c];
      }
  }
  tensor_gradient_release(context, out);
}

static void concatenate(const struct tensor *out, struct tensor *const *parts, int count) {
  float *to = out->data;
  for (int k = 0; k < count; to += parts[k++]->cols)
    for (int row = 0; row < out->rows; row++)
      memcpy(to + (size_t)row * (size_t)out->cols, parts[k]->data + (size_t)row * (size_t)parts[k]->cols,
             (size_t)parts[k]->cols * sizeof *to);
}

struct tensor *op_concatenate(struct context *context, const char *name, struct tensor *const *parts, int count) {
  struct concatenate_node *node = tape_record(context, sizeof *node, concatenate_backward, name);
  int cols = 0;
  for (int k = 0; k < count; k++) cols += parts[k]->cols;
  struct tensor *out = tensor_new(context, parts[0]->rows, cols);
  if (!out) return NULL;
  out->wanted = wanted(parts, count);
  if (!context->arena.measuring) concatenate(out, parts, count);
  if (node) {
    node->parts = copy_parts(context, parts, count);
    node->count = count;
    node->out = out;
  }
  context_report(context, name, out);
  return context_ok(context) ? out : NULL;
}
