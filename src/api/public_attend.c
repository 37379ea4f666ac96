// Attention by hand: plain loops in double precision over matrices that the caller gives, each intermediate kept as a step.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "base/memory.h"

enum { LONGEST_NAME = 48, LARGEST = 1 << 14 };  // rows or columns: products of three stay small enough to compute by hand

struct table {
  double *values;
  size_t rows, columns;
};

struct attend {
  const struct qkv_attend_input *input;
  struct error *error;
  struct qkv_attend_steps *steps;
  struct qkv_attend_step *items;
  size_t capacity, heads;
};

static double *cell(const struct table *table, size_t row, size_t column) {
  return &table->values[row * table->columns + column];
}

static struct table table_new(struct attend *attend, size_t rows, size_t columns) {
  return (struct table){memory_new(attend->error, rows * columns, sizeof(double)), rows, columns};
}

static struct table table_of(struct attend *attend, const struct qkv_array *array) {
  struct table table = table_new(attend, array->shape[0], array->shape[1]);
  for (size_t i = 0; table.values && i < table.rows * table.columns; i++) table.values[i] = array->data[i];
  return table;
}

// ---- checking ----

static bool check_matrix(const char *name, const struct qkv_array *array, size_t rows, struct error *error) {
  if (!array) return error_set(error, ERROR_USAGE, "the matrix %s is missing", name);
  if (array->dimensions != 2 || !array->shape[0] || !array->shape[1])
    return error_set(error, ERROR_USAGE, "%s has to be a matrix with rows and columns", name);
  if (array->shape[0] > LARGEST || array->shape[1] > LARGEST)
    return error_set(error, ERROR_USAGE, "%s is [%zu, %zu]; attention by hand takes up to %d rows and columns", name,
                     array->shape[0], array->shape[1], LARGEST);
  for (size_t i = 0; i < array->shape[0] * array->shape[1]; i++)
    if (!isfinite(array->data[i]))
      return error_set(error, ERROR_USAGE, "%s holds a value that is no finite number, in row %zu", name,
                       i / array->shape[1] + 1);
  if (rows && array->shape[0] != rows)
    return error_set(error, ERROR_USAGE, "%s is [%zu, %zu]; it needs %zu rows, one for each column of what it multiplies", name,
                     array->shape[0], array->shape[1], rows);
  return true;
}

static bool check_heads(const char *name, const struct qkv_array *array, size_t heads, struct error *error) {
  return array->shape[1] % heads == 0 ||
         error_set(error, ERROR_USAGE, "%s has %zu columns, which %zu heads cannot share evenly", name, array->shape[1], heads);
}

static bool check(struct attend *attend) {
  const struct qkv_attend_input *input = attend->input;
  struct error *error = attend->error;
  if (!check_matrix("x", input->x, 0, error)) return false;
  size_t width = input->x->shape[1];
  if (input->heads < 0 || input->heads > LARGEST)
    return error_set(error, ERROR_USAGE, "%lld heads cannot be", (long long)input->heads);
  attend->heads = input->heads ? (size_t)input->heads : 1;
  if (input->other && (!check_matrix("the other text", input->other, 0, error) || input->other->shape[1] != width))
    return error_set(error, ERROR_USAGE, "the other text has %zu columns and x has %zu; both hold vectors of one width",
                     input->other->shape[1], width);
  if (!check_matrix("wq", input->wq, width, error) || !check_matrix("wk", input->wk, width, error) ||
      !check_matrix("wv", input->wv, width, error) || !check_heads("wq", input->wq, attend->heads, error) ||
      !check_heads("wv", input->wv, attend->heads, error))
    return false;
  if (input->wk->shape[1] != input->wq->shape[1])
    return error_set(error, ERROR_USAGE,
                     "wq has %zu columns and wk has %zu; queries and keys need one width, for they are multiplied",
                     input->wq->shape[1], input->wk->shape[1]);
  if (input->wo && !check_matrix("wo", input->wo, input->wv->shape[1], error)) return false;
  if (input->causal && input->other)
    return error_set(error, ERROR_USAGE, "causal attention looks at the text itself, not at another one");
  if (!isfinite(input->scale)) return error_set(error, ERROR_USAGE, "the scale is not a finite number");
  return true;
}

// ---- steps ----

__attribute__((format(printf, 6, 7))) static void keep(struct attend *attend, const struct table *table, const char *formula,
                                                       bool of_tokens, bool over_tokens, const char *format, ...) {
  char *name = memory_new(attend->error, LONGEST_NAME, 1);
  float *data = memory_new(attend->error, table->rows * table->columns, sizeof *data);
  if (!table->values || !name || !data ||
      !memory_grow(attend->error, &attend->items, &attend->capacity, attend->steps->count + 1, sizeof *attend->items)) {
    free(name);
    free(data);
    return;
  }
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, LONGEST_NAME, format, arguments);
  va_end(arguments);
  for (size_t i = 0; i < table->rows * table->columns; i++) data[i] = (float)table->values[i];
  attend->items[attend->steps->count++] = (struct qkv_attend_step){
    .name = name, .formula = formula, .of_tokens = of_tokens, .over_tokens = over_tokens,
    .array = {.data = data, .shape = {table->rows, table->columns}, .dimensions = 2}};
  attend->steps->items = attend->items;
}

static struct table multiply(struct attend *attend, const struct table *a, const struct qkv_array *b) {
  struct table out = table_new(attend, a->rows, b->shape[1]);
  for (size_t i = 0; out.values && a->values && i < out.rows; i++)
    for (size_t j = 0; j < out.columns; j++)
      for (size_t k = 0; k < a->columns; k++) *cell(&out, i, j) += *cell(a, i, k) * b->data[k * b->shape[1] + j];
  return out;
}

static void softmax_row(double *row, size_t count) {
  double top = row[0], sum = 0;
  for (size_t i = 1; i < count; i++) top = fmax(top, row[i]);
  for (size_t i = 0; i < count; i++) sum += row[i] = exp(row[i] - top);
  for (size_t i = 0; i < count; i++) row[i] /= sum;
}

// One head, into its columns of `mixed`.
static void run_head(struct attend *attend, size_t head, const struct table *queries, const struct table *keys,
                     const struct table *values, struct table *mixed) {
  size_t width = queries->columns / attend->heads, value_width = values->columns / attend->heads;
  double scale = attend->input->scale != 0 ? attend->input->scale : 1 / sqrt((double)width);
  struct table scores = table_new(attend, queries->rows, keys->rows);
  if (!scores.values) return;
  for (size_t q = 0; q < scores.rows; q++)
    for (size_t k = 0; k < scores.columns; k++)
      for (size_t i = head * width; i < (head + 1) * width; i++) *cell(&scores, q, k) += *cell(queries, q, i) * *cell(keys, k, i);
  keep(attend, &scores, "Q K^T", true, true, "products of head %zu", head);
  for (size_t i = 0; i < scores.rows * scores.columns; i++) scores.values[i] *= scale;
  keep(attend, &scores, attend->input->scale != 0 ? "S = scale Q K^T" : "S = Q K^T / sqrt(d)", true, true,
       "scaled products of head %zu", head);
  for (size_t q = 0; attend->input->causal && q < scores.rows; q++)
    for (size_t k = q + 1; k < scores.columns; k++) *cell(&scores, q, k) = -INFINITY;
  if (attend->input->causal)
    keep(attend, &scores, "S with -inf for later tokens", true, true, "masked products of head %zu", head);
  for (size_t q = 0; q < scores.rows; q++) softmax_row(cell(&scores, q, 0), scores.columns);
  keep(attend, &scores, "A = softmax(S)", true, true, "weights of head %zu", head);
  for (size_t q = 0; q < scores.rows; q++)
    for (size_t k = 0; k < scores.columns; k++)
      for (size_t i = 0; i < value_width; i++)
        *cell(mixed, q, head * value_width + i) += *cell(&scores, q, k) * *cell(values, k, head * value_width + i);
  free(scores.values);
}

static void run(struct attend *attend) {
  const struct qkv_attend_input *input = attend->input;
  struct table x = table_of(attend, input->x), other = table_of(attend, input->other ? input->other : input->x);
  struct table queries = multiply(attend, &x, input->wq), keys = multiply(attend, &other, input->wk),
               values = multiply(attend, &other, input->wv);
  struct table mixed = table_new(attend, x.rows, input->wv->shape[1]);
  keep(attend, &x, "X", true, false, "vectors");
  if (input->other) keep(attend, &other, "Y", true, false, "vectors that are looked at");
  keep(attend, &queries, "Q = X W_Q", true, false, "queries");
  keep(attend, &keys, input->other ? "K = Y W_K" : "K = X W_K", true, false, "keys");
  keep(attend, &values, input->other ? "V = Y W_V" : "V = X W_V", true, false, "values");
  for (size_t head = 0; head < attend->heads && attend->error->code == ERROR_NONE; head++)
    run_head(attend, head, &queries, &keys, &values, &mixed);
  keep(attend, &mixed, attend->heads > 1 ? "Z = [A_0 V_0, A_1 V_1, ...]" : "Z = A V", true, false, "mixed values");
  struct table out = {0};
  if (input->wo && attend->error->code == ERROR_NONE) {
    out = multiply(attend, &mixed, input->wo);
    keep(attend, &out, "O = Z W_O", true, false, "output");
  }
  struct table *tables[] = {&x, &other, &queries, &keys, &values, &mixed, &out};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) free(tables[i]->values);
}

struct qkv_attend_steps *qkv_attend(struct qkv_context *context, const struct qkv_attend_input *input) {
  struct attend attend = {.input = input, .error = public_begin(context)};
  attend.steps = memory_new(attend.error, 1, sizeof *attend.steps);
  if (attend.steps && check(&attend)) run(&attend);
  if (attend.error->code == ERROR_NONE) return attend.steps;
  qkv_attend_steps_free(attend.steps);
  return NULL;
}

void qkv_attend_steps_free(struct qkv_attend_steps *steps) {
  if (!steps) return;
  for (size_t i = 0; i < steps->count; i++) {
    free((char *)steps->items[i].name);
    free(steps->items[i].array.data);
  }
  free((struct qkv_attend_step *)steps->items);
  free(steps);
}
