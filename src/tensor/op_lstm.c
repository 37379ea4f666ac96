// LSTM (Hochreiter and Schmidhuber 1997, with the forget gates of Gers et al. 2000), one layer in one or both directions, as
// torch.nn.LSTM over a PackedSequence computes it: gates i, f, g, o and a bias beside each of the two matrices.
//
// The inputs of all rows are multiplied at once. Then come the steps: step t takes the t-th row of every sequence that is so
// long, so the sequences stand in order of falling length ("slots"), and those of a step are the first of the step before.
// Only the states of the last step lie slot by slot, where the next product reads them; gates, cells and results stay row by
// row, and so the gradients of both matrices are one product each, too.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct steps {
  int count;         // the length of the longest sequence
  int slots;         // of the first step
  const int *sizes;  // [count] slots of each step
};

struct direction {
  struct lstm_weights weights;
  const int32_t *rows;   // [rows of x] of each step's slots, step after step
  int previous;          // see struct lstm_step
  int column;            // of the result
  float *gates, *cells;  // [rows, 4 * hidden], [rows, hidden]
};

struct lstm_node {
  struct node node;
  struct tensor *x, *out;
  struct steps steps;
  struct direction directions[2];
  int direction_count;
};

// ---- the steps ----

static int by_falling_length(const void *a, const void *b) {
  const struct span *x = a, *y = b;
  if (x->qn != y->qn) return x->qn < y->qn ? 1 : -1;
  return x->q0 < y->q0 ? -1 : x->q0 > y->q0;
}

static void list_rows(int32_t *rows, const struct span *sorted, const struct steps *steps, bool backwards) {
  for (int t = 0; t < steps->count; t++)
    for (int slot = 0; slot < steps->sizes[t]; slot++) *rows++ = sorted[slot].q0 + (backwards ? sorted[slot].qn - 1 - t : t);
}

// The steps, and the rows in which each direction takes them.
static bool plan(struct context *context, struct steps *steps, struct direction *directions, int direction_count,
                 const struct span *sequences, int count, int rows) {
  struct span *sorted = context_node(context, (size_t)count * sizeof *sorted);
  if (!sorted) return false;
  memcpy(sorted, sequences, (size_t)count * sizeof *sorted);
  qsort(sorted, (size_t)count, sizeof *sorted, by_falling_length);
  *steps = (struct steps){.count = count ? sorted[0].qn : 0};
  int covered = 0;
  for (int i = 0; i < count; i++) covered += sorted[i].qn;
  assert(covered == rows);
  int *sizes = context_node(context, (size_t)steps->count * sizeof *sizes), size = count;
  for (int t = 0; sizes && t < steps->count; t++) {
    while (sorted[size - 1].qn <= t) size--;
    sizes[t] = size;
  }
  steps->sizes = sizes;
  steps->slots = sizes && steps->count ? sizes[0] : 0;
  for (int d = 0; d < direction_count; d++) {
    int32_t *list = context_node(context, (size_t)covered * sizeof *list);
    if (!list) return false;
    list_rows(list, sorted, steps, d == 1);
    directions[d].rows = list;
  }
  return true;
}

static struct lstm_step step_at(const struct direction *direction, const int32_t *rows, const struct steps *steps, int t) {
  int columns = direction->weights.recurrent->cols;
  return (struct lstm_step){rows, steps->sizes[t], columns, t ? direction->previous : 0};
}

// ---- forward ----

static void run(struct context *context, const struct direction *direction, const struct steps *steps, const struct tensor *x,
                const struct tensor *out) {
  const struct kernels *kernels = context->kernels;
  const struct lstm_weights *weights = &direction->weights;
  int hidden = weights->recurrent->cols, width = 4 * hidden;
  size_t mark = context->arena.low;
  float *states = context_memory(context, (size_t)steps->slots * (size_t)hidden * sizeof *states);
  float *recurrent = context_memory(context, (size_t)steps->slots * (size_t)width * sizeof *recurrent);
  if (!context_ok(context)) return;
  kernels->linear(direction->gates, width, NULL, x->data, x->cols, x->rows, width, x->cols, weights->input->packed,
                  weights->input_bias->values, ACTIVATION_NONE, false);
  const int32_t *rows = direction->rows;
  for (int t = 0; t < steps->count; rows += steps->sizes[t++]) {
    struct lstm_step step = step_at(direction, rows, steps, t);
    if (t)
      kernels->linear(recurrent, width, NULL, states, hidden, step.count, width, hidden, weights->recurrent->packed,
                      weights->recurrent_bias->values, ACTIVATION_NONE, false);
    // Before the first step all states are 0, and of the product only the bias is left.
    kernels->lstm(states, out->data + direction->column, out->cols, direction->cells, direction->gates,
                  t ? recurrent : weights->recurrent_bias->values, t ? width : 0, &step);
  }
  context->arena.low = mark;
}

// ---- backward ----

static void run_back(struct context *context, const struct direction *direction, const struct steps *steps,
                     const struct tensor *out) {
  const struct kernels *kernels = context->kernels;
  int hidden = direction->weights.recurrent->cols, width = 4 * hidden;
  size_t mark = context->arena.low, size = (size_t)steps->slots * (size_t)hidden * sizeof(float);
  float *dstates = context_memory(context, size), *dcells = context_memory(context, size),
        *dgates = context_memory(context, 4 * size);
  if (!context_ok(context)) return;
  if (!context->arena.measuring) {
    memset(dstates, 0, size);
    memset(dcells, 0, size);
  }
  const int32_t *rows = direction->rows + out->rows;
  for (int t = steps->count - 1; t >= 0; t--) {
    rows -= steps->sizes[t];
    struct lstm_step step = step_at(direction, rows, steps, t);
    kernels->lstm_gradient(direction->gates, dcells, dstates, out->gradient + direction->column, out->cols, direction->cells,
                           &step);
    if (t == 0) break;
    kernels->gather(dgates, direction->gates, rows, step.count, width);
    kernels->linear(dstates, hidden, NULL, dgates, width, step.count, hidden, width,
                    direction->weights.recurrent->packed_transposed, NULL, ACTIVATION_NONE, false);
  }
  context->arena.low = mark;
}

static void learn(struct context *context, struct weight *weight, struct weight *bias, const float *dy, const float *x,
                  int rows) {
  size_t mark = context->arena.low;
  if (weight->gradient) {
    float *scratch = context_memory(context, linear_gradient_scratch(rows, weight->cols) * sizeof *scratch);
    if (!scratch) return;
    context->kernels->linear_gradient(weight->gradient, bias->gradient, dy, weight->rows, x, weight->cols, rows, weight->rows,
                                      weight->cols, scratch);
  } else if (bias->gradient && !context->arena.measuring) {
    weight_add_column_sums(bias, dy, rows);
  }
  context->arena.low = mark;
}

// The state that each row began with: that of its sequence's row before, or 0.
static void copy_states_before(float *before, const struct direction *direction, const struct steps *steps,
                               const struct tensor *out) {
  size_t hidden = (size_t)direction->weights.recurrent->cols;
  const int32_t *rows = direction->rows;
  for (int t = 0; t < steps->count; rows += steps->sizes[t++])
    for (int slot = 0; slot < steps->sizes[t]; slot++) {
      float *to = before + (size_t)rows[slot] * hidden;
      size_t from = (size_t)(rows[slot] + direction->previous) * (size_t)out->cols + (size_t)direction->column;
      if (t)
        memcpy(to, out->data + from, hidden * sizeof *to);
      else
        memset(to, 0, hidden * sizeof *to);
    }
}

static void learn_recurrent(struct context *context, const struct direction *direction, const struct steps *steps,
                            const struct tensor *out) {
  const struct lstm_weights *weights = &direction->weights;
  size_t mark = context->arena.low;
  float *before = context_memory(context, (size_t)out->rows * (size_t)weights->recurrent->cols * sizeof *before);
  if (!before) return;
  if (weights->recurrent->gradient && !context->arena.measuring) copy_states_before(before, direction, steps, out);
  learn(context, weights->recurrent, weights->recurrent_bias, direction->gates, before, out->rows);
  context->arena.low = mark;
}

static void learn_input(struct context *context, const struct direction *direction, struct tensor *x) {
  const struct weight *input = direction->weights.input;
  bool first;
  float *dx = x->wanted ? tensor_gradient(context, x, &first) : NULL;
  if (dx)
    context->kernels->linear(dx, x->cols, NULL, direction->gates, input->rows, x->rows, x->cols, input->rows,
                             input->packed_transposed, NULL, ACTIVATION_NONE, !first);
}

static void backward(struct context *context, struct node *base) {
  struct lstm_node *node = (struct lstm_node *)base;
  struct tensor *x = node->x, *out = node->out;
  if (!out->gradient) return;
  for (int d = 0; d < node->direction_count && context_ok(context); d++) {
    const struct direction *direction = &node->directions[d];
    run_back(context, direction, &node->steps, out);
    learn_recurrent(context, direction, &node->steps, out);
    learn(context, direction->weights.input, direction->weights.input_bias, direction->gates, x->data, x->rows);
    learn_input(context, direction, x);
  }
  tensor_gradient_release(context, out);
}

// ---- public ----

static bool learns(const struct lstm_weights *weights) {
  return weights->input->trainable || weights->recurrent->trainable || weights->input_bias->trainable ||
         weights->recurrent_bias->trainable;
}

struct tensor *op_lstm(struct context *context, const char *name, struct tensor *x, const struct lstm_weights *weights,
                       int directions, const struct span *sequences, int count) {
  if (!x) return NULL;
  assert(directions == 1 || directions == 2);
  assert(x->cols == weights->input->cols && weights->input->rows == 4 * weights->recurrent->cols);
  struct lstm_node *node = tape_record(context, sizeof *node, backward, name), plain = {.x = x};
  int hidden = weights->recurrent->cols;
  struct tensor *out = tensor_new(context, x->rows, directions * hidden);
  struct lstm_node *made = node ? node : &plain;
  if (!out || !plan(context, &made->steps, made->directions, directions, sequences, count, x->rows)) return NULL;
  out->wanted = x->wanted;
  size_t mark = context->arena.low, cells = (size_t)x->rows * (size_t)hidden * sizeof(float);
  for (int d = 0; d < directions && context_ok(context); d++) {
    struct direction *direction = &made->directions[d];
    direction->weights = weights[d];
    direction->previous = d ? 1 : -1;
    direction->column = d * hidden;
    direction->gates = context_memory(context, 4 * cells);
    direction->cells = context_memory(context, cells);
    if (!context_ok(context)) return NULL;
    run(context, direction, &made->steps, x, out);
    if (!node) context->arena.low = mark;
    out->wanted |= learns(&weights[d]);
  }
  if (!context_ok(context)) return NULL;
  if (node) {
    node->x = x;
    node->out = out;
    node->direction_count = directions;
  }
  context_report(context, name, out);
  return out;
}
