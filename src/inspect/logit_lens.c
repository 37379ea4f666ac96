#include "inspect/logit_lens.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/operations.h"
#include "tensor/tape.h"

enum { SHOWN = 5, ROWS_AT_ONCE = 64 };

struct lens {
  struct buffer *out;
  struct word_list *words;
  const struct model *model;
  const struct stack *stack;
  const int32_t *inputs;
  struct context context;
  struct error *error;
  float *largest, *log_probs;           // [tokens, SHOWN] of the words that are shown
  float *cosines, *entropies;           // [tokens]
  int32_t *ids;                         // [tokens, SHOWN]
  float *scratch;                       // [hidden]
  const struct page_chosen *kept;
  float *logits;                        // [kept, vocabulary]
};

// States between the layers of a pre-norm model have not been normalised yet; the last one has.
static struct tensor *as_last(struct lens *lens, struct tensor *state, bool last) {
  const struct arch *arch = &lens->model->arch;
  const struct norm_weights *norm = &lens->stack->final_norm;
  if (last || arch->norm_place == NORM_POST || !norm->gain) return state;
  struct span all = {.qn = state->rows};
  return model_norm(&lens->context, lens->model, "lens", NULL, state, NULL, norm, &all, 1, &(struct dropout){0});
}

static float cosine(const float *a, const float *b, int n) {
  double product = 0, first = 0, second = 0;
  for (int i = 0; i < n; i++) {
    product += (double)a[i] * b[i];
    first += (double)a[i] * a[i];
    second += (double)b[i] * b[i];
  }
  return first > 0 && second > 0 ? (float)(product / sqrt(first * second)) : 0;
}

struct measuring {
  const struct tensor *log_probs, *probabilities;
  float *entropies;
};

static void measure_row(void *data, size_t row, int worker) {
  const struct measuring *measuring = data;
  size_t columns = (size_t)measuring->log_probs->cols;
  const float *log_probs = measuring->log_probs->data + row * columns,
              *probabilities = measuring->probabilities->data + row * columns;
  double entropy = 0;
  for (size_t i = 0; i < columns; i++) entropy -= (double)probabilities[i] * log_probs[i];
  measuring->entropies[row] = (float)(entropy / log(2));
}

// Of the wanted tokens those whose logits these are, from token `row` on.
static void keep_logits(struct lens *lens, const struct tensor *logits, int row) {
  size_t columns = (size_t)logits->cols;
  for (int i = 0; i < lens->kept->count; i++) {
    int at = lens->kept->items[i] - row;
    if (at >= 0 && at < logits->rows)
      memcpy(lens->logits + (size_t)i * columns, logits->data + (size_t)at * columns, columns * sizeof *logits->data);
  }
}

static void look(struct lens *lens, const struct recorded *state, int row, int rows, bool last) {
  struct context *context = &lens->context;
  const struct kernels *kernels = context->kernels;
  context_begin(context, false, false, 0, 0);
  struct tensor *part = tensor_new(context, rows, state->columns);
  if (!part) return;
  memcpy(part->data, state->values + (size_t)row * (size_t)state->columns,
         (size_t)rows * (size_t)state->columns * sizeof *part->data);
  for (int i = 0; i < rows; i++)
    lens->cosines[row + i] = lens->stack->embedding->cols != state->columns
                               ? 0
                               : cosine(part->data + (size_t)i * (size_t)state->columns,
                                        weight_row(lens->stack->embedding, lens->inputs[row + i], lens->scratch), state->columns);
  struct tensor *logits = model_logits(context, lens->model, as_last(lens, part, last), NULL, 0);
  struct tensor *probabilities = logits ? tensor_new(context, logits->rows, logits->cols) : NULL;
  if (!probabilities) return;
  float *top = lens->largest + (size_t)row * SHOWN;
  int32_t *ids = lens->ids + (size_t)row * SHOWN;
  if (last) keep_logits(lens, logits, row);
  int shown = logits->cols < SHOWN ? logits->cols : SHOWN;
  kernels->largest(top, ids, NULL, logits->data, logits->cols, rows, logits->cols, SHOWN);
  memcpy(probabilities->data, logits->data, (size_t)rows * (size_t)logits->cols * sizeof *logits->data);
  kernels->softmax(probabilities->data, logits->cols, rows, logits->cols, 1);
  kernels->log_softmax(logits->data, logits->cols, rows, logits->cols);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < shown; j++)
      lens->log_probs[(row + i) * SHOWN + j] = logits->data[(size_t)i * (size_t)logits->cols + (size_t)ids[i * SHOWN + j]];
  parallel_for((size_t)rows, measure_row, &(struct measuring){logits, probabilities, lens->entropies + row});
}

static void write_floats(struct buffer *out, const char *key, const float *values, int count) {
  buffer_format(out, "\"%s\":[", key);
  for (int i = 0; i < count; i++) {
    if (i) buffer_char(out, ',');
    json_write_decimal(out, values[i], 4);
  }
  buffer_char(out, ']');
}

static void write_layer(struct lens *lens, int tokens, int shown) {
  struct buffer *out = lens->out;
  buffer_text(out, "{\"ids\":[");
  for (int i = 0; i < tokens; i++) {
    buffer_text(out, i ? ",[" : "[");
    for (int j = 0; j < shown; j++) {
      int32_t id = lens->ids[i * SHOWN + j];
      word_list_add(lens->words, id, lens->error);
      buffer_format(out, "%s%d", j ? "," : "", id);
    }
    buffer_char(out, ']');
  }
  buffer_text(out, "],\"probabilities\":[");
  for (int i = 0; i < tokens; i++) {
    buffer_text(out, i ? ",[" : "[");
    for (int j = 0; j < shown; j++) {
      if (j) buffer_char(out, ',');
      json_write_number(out, (float)exp(lens->log_probs[i * SHOWN + j]));
    }
    buffer_char(out, ']');
  }
  buffer_text(out, "],");
  write_floats(out, "entropy", lens->entropies, tokens);
  buffer_char(out, ',');
  write_floats(out, "cosine", lens->cosines, tokens);
  buffer_char(out, '}');
}

static void write_states(struct lens *lens, const struct pass_record *record, const char *stack, int tokens) {
  int at_once = arch_norm_spans_rows(&lens->model->arch) ? tokens : ROWS_AT_ONCE;
  int layers = lens->stack->arch->layers, vocabulary = lens->model->head.vocabulary.weight->rows;
  buffer_text(lens->out, ",\"lens\":[");
  for (int layer = 0; layer <= layers && context_ok(&lens->context); layer++) {
    char name[48];
    snprintf(name, sizeof name, "%s.hidden.%d", stack, layer);
    const struct recorded *state = pass_record_find(record, name);
    if (!state) continue;
    for (int row = 0; row < tokens; row += at_once)
      look(lens, state, row, tokens - row < at_once ? tokens - row : at_once, layer == layers);
    if (layer) buffer_char(lens->out, ',');
    write_layer(lens, tokens, vocabulary < SHOWN ? vocabulary : SHOWN);
  }
  buffer_char(lens->out, ']');
}

bool logit_lens_write(struct buffer *out, struct word_list *words, const struct model *model, const struct pass_record *record,
                      const char *stack, int tokens, const int32_t *ids, const struct page_chosen *kept, float *logits,
                      struct error *error) {
  struct lens lens = {.out = out, .words = words, .model = model, .error = error, .inputs = ids, .kept = kept, .logits = logits,
                      .stack = strcmp(stack, "encoder") == 0 ? &model->encoder : &model->decoder};
  lens.largest = memory_new(error, (size_t)tokens * SHOWN, sizeof *lens.largest);
  lens.log_probs = memory_new(error, (size_t)tokens * SHOWN, sizeof *lens.log_probs);
  lens.ids = memory_new(error, (size_t)tokens * SHOWN, sizeof *lens.ids);
  lens.cosines = memory_new(error, (size_t)tokens, sizeof *lens.cosines);
  lens.entropies = memory_new(error, (size_t)tokens, sizeof *lens.entropies);
  lens.scratch = memory_new(error, (size_t)lens.stack->embedding->cols, sizeof *lens.scratch);
  if (error->code == ERROR_NONE && context_open(&lens.context, model->kernels, WORK_MEMORY, error)) {
    write_states(&lens, record, stack, tokens);
    context_close(&lens.context);
  }
  free(lens.largest);
  free(lens.log_probs);
  free(lens.ids);
  free(lens.cosines);
  free(lens.entropies);
  free(lens.scratch);
  return error->code == ERROR_NONE;
}
