// Norms over rows against PyTorch's BatchNorm1d, InstanceNorm1d and GroupNorm (tests/golden/make_norms.py): results, gradients,
// batch norm's buffers step by step and its evaluation; and that a sequence's bits don't depend on its neighbours.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "cpu/cpu.h"
#include "tensor/operations.h"
#include "tensor/tape.h"

enum { MOST = 8, ROWS_MOST = 64 };

struct setting {
  struct context context;
  struct error error;
  struct span spans[MOST];
  int span_count, rows, columns;
  float values[6][MOST], gradients[2][MOST];
  struct weight gain, bias, mean, variance, batches;
  struct column_norm norm;
};

static void read_floats(float *to, const cJSON *list, int count) {
  assert_int_equal(cJSON_GetArraySize(list), count);
  for (const cJSON *item = list->child; item; item = item->next) *to++ = (float)item->valuedouble;
}

static const cJSON *member(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  if (!item) fail_msg("norms.json lacks %s", name);
  return item;
}

static void near(const float *found, const cJSON *wanted, int count, const char *norm, const char *what) {
  float numbers[ROWS_MOST * MOST];
  read_floats(numbers, wanted, count);
  for (int i = 0; i < count; i++)
    if (fabsf(found[i] - numbers[i]) > 1e-5f * (1 + fabsf(numbers[i])))
      fail_msg("%s norm, %s[%d]: %.9g, PyTorch has %.9g", norm, what, i, found[i], numbers[i]);
}

static struct weight vector(float *values, float *gradient, int size) {
  return (struct weight){.rows = size, .cols = 1, .values = values, .gradient = gradient, .trainable = gradient != NULL};
}

static void start(struct setting *s, const cJSON *document, const cJSON *test, const char *kernels) {
  *s = (struct setting){.columns = member(document, "columns")->valueint};
  for (const cJSON *length = member(document, "lengths")->child; length; length = length->next) {
    s->spans[s->span_count++] = (struct span){.q0 = s->rows, .qn = length->valueint, .k0 = s->rows, .kn = length->valueint};
    s->rows += length->valueint;
  }
  assert_true(context_open(&s->context, cpu_kernels_named(kernels), (size_t)1 << 30, &s->error));
  read_floats(s->values[0], member(test, "gain"), s->columns);
  read_floats(s->values[1], member(test, "bias"), s->columns);
  for (int c = 0; c < s->columns; c++) s->values[3][c] = 1;
  s->gain = vector(s->values[0], s->gradients[0], s->columns);
  s->bias = vector(s->values[1], s->gradients[1], s->columns);
  s->mean = vector(s->values[2], NULL, s->columns);
  s->variance = vector(s->values[3], NULL, s->columns);
  s->batches = vector(s->values[4], NULL, 1);
  const char *name = member(test, "name")->valuestring;
  s->norm = (struct column_norm){.spans = s->spans,
                                 .span_count = s->span_count,
                                 .groups = strcmp(name, "group") == 0 ? member(document, "groups")->valueint : s->columns,
                                 .norm = {.epsilon = (float)member(document, "epsilon")->valuedouble}};
  if (strcmp(name, "batch") == 0) s->norm.running = (struct running_statistics){&s->mean, &s->variance, &s->batches};
}

static struct tensor *input(struct setting *s, const cJSON *step) {
  struct tensor *x = tensor_new(&s->context, s->rows, s->columns);
  read_floats(x->data, member(step, "x"), s->rows * s->columns);
  x->wanted = true;
  return x;
}

static void check_step(struct setting *s, const cJSON *step, const char *name) {
  int n = s->rows * s->columns;
  memset(s->gradients, 0, sizeof s->gradients);
  context_begin(&s->context, true, true, 1, 1);
  struct tensor *x = input(s, step), *y = op_column_norm(&s->context, name, x, &s->gain, &s->bias, &s->norm);
  near(y->data, member(step, "y"), n, name, "y");
  y->gradient = tensor_gradient_fresh(&s->context, y);
  read_floats(y->gradient, member(step, "dy"), n);
  tape_backward(&s->context);
  near(x->gradient, member(step, "dx"), n, name, "dx");
  near(s->gain.gradient, member(step, "dgain"), s->columns, name, "dgain");
  near(s->bias.gradient, member(step, "dbias"), s->columns, name, "dbias");
  if (!s->norm.running.mean) return;
  near(s->mean.values, member(step, "running_mean"), s->columns, name, "running mean");
  near(s->variance.values, member(step, "running_var"), s->columns, name, "running variance");
  assert_float_equal(s->batches.values[0], member(step, "batches")->valuedouble, 0);
}

// Each sequence by itself, as it was among the others.
static void check_alone(struct setting *s, const struct tensor *x, const struct tensor *y, const char *name) {
  for (int i = 0; i < s->span_count; i++) {
    size_t from = (size_t)s->spans[i].q0 * (size_t)s->columns;
    struct tensor *one = tensor_new(&s->context, s->spans[i].qn, s->columns);
    memcpy(one->data, x->data + from, (size_t)one->rows * (size_t)one->cols * sizeof(float));
    struct span span = {.qn = one->rows};
    struct column_norm norm = s->norm;
    norm.spans = &span;
    norm.span_count = 1;
    struct tensor *alone = op_column_norm(&s->context, name, one, &s->gain, &s->bias, &norm);
    assert_memory_equal(alone->data, y->data + from, (size_t)one->rows * (size_t)one->cols * sizeof(float));
  }
}

static void check_evaluation(struct setting *s, const cJSON *test, const cJSON *step, const char *name) {
  struct running_statistics before = s->norm.running;
  float kept[3] = {s->mean.values[0], s->variance.values[0], s->batches.values[0]};
  context_begin(&s->context, false, false, 1, 1);
  struct tensor *x = input(s, step), *y = op_column_norm(&s->context, name, x, &s->gain, &s->bias, &s->norm);
  if (before.mean)
    near(y->data, member(test, "evaluated"), s->rows * s->columns, name, "evaluated");
  else
    near(y->data, member(step, "y"), s->rows * s->columns, name, "evaluated");
  check_alone(s, x, y, name);
  assert_true(kept[0] == s->mean.values[0] && kept[1] == s->variance.values[0] && kept[2] == s->batches.values[0]);
}

static void equal_to_torch(void **state) {
  static const char *const sets[] = {"reference", "avx2", "avx512"};
  struct error error = {0};
  char path[4096];
  const char *root = getenv("QKV_SOURCE_ROOT");
  cJSON *document = json_read(file_join(path, root ? root : ".", "tests/golden/norms.json"), &error);
  if (!document) fail_msg("%s", error.message);
  for (size_t set = 0; set < sizeof sets / sizeof *sets; set++) {
    if (!cpu_kernels_named(sets[set])) continue;
    for (const cJSON *test = member(document, "cases")->child; test; test = test->next) {
      struct setting s;
      const char *name = member(test, "name")->valuestring;
      start(&s, document, test, sets[set]);
      const cJSON *step = member(test, "steps")->child;
      for (;; step = step->next) {
        check_step(&s, step, name);
        if (!step->next) break;
      }
      check_evaluation(&s, test, step, name);
      assert_int_equal(s.error.code, 0);
      context_close(&s.context);
    }
  }
  cJSON_Delete(document);
}

// A frozen batch norm neither follows a batch nor normalises by it, and one row has no variance to follow.
static void what_is_not_followed(void **state) {
  struct error error = {0};
  struct context context;
  float one[2] = {1, 1}, zero[2] = {0, 0}, gradients[2] = {0, 0}, mean[2] = {3, 4}, variance[2] = {1, 1}, batches[1] = {7};
  struct weight gain = vector(one, gradients, 2), bias = vector(zero, gradients, 2);
  struct weight means = vector(mean, NULL, 2), variances = vector(variance, NULL, 2), count = vector(batches, NULL, 1);
  struct column_norm norm = {.groups = 2, .running = {&means, &variances, &count}, .norm = {.epsilon = 0}};
  assert_true(context_open(&context, cpu_kernels_named("reference"), (size_t)1 << 30, &error));
  context_begin(&context, true, true, 1, 1);
  struct tensor *x = tensor_new(&context, 2, 2);
  memcpy(x->data, (float[]){3, 5, 7, 9}, 4 * sizeof(float));
  gain.trainable = false;
  const float *y = op_column_norm(&context, "frozen", x, &gain, &bias, &norm)->data;
  assert_true(y[0] == 0 && y[1] == 1 && y[2] == 4 && y[3] == 5);
  gain.trainable = true;
  x->rows = 1;
  y = op_column_norm(&context, "one row", x, &gain, &bias,
                     &(struct column_norm){.groups = 2, .running = norm.running, .norm = {.epsilon = 1}})
          ->data;
  assert_true(y[0] == 0 && y[1] == 0);
  assert_true(mean[0] == 3 && mean[1] == 4 && variance[0] == 1 && batches[0] == 7);
  x->rows = 2;
  x->data[0] = INFINITY;
  op_column_norm(&context, "not finite", x, &gain, &bias, &norm);
  assert_true(mean[0] == 3 && mean[1] == 4 && variance[0] == 1 && batches[0] == 7);
  context_close(&context);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(equal_to_torch), cmocka_unit_test(what_is_not_followed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
