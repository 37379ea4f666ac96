// Two layers of an LSTM in both directions against PyTorch (tests/golden/lstm): results and every gradient, with each kernel
// table of this processor; and a sequence alone, among others, and with any number of threads, to the bit.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/parallel.h"
#include "cpu/cpu.h"
#include "hf/safetensors.h"
#include "tensor/operations.h"
#include "tensor/tape.h"

enum { LAYERS = 2, DIRECTIONS = 2, PARTS = 4, SEQUENCES = 16 };

static const char *const part_names[PARTS] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};

struct network {
  struct weight weights[LAYERS][DIRECTIONS][PARTS];
  struct lstm_weights layers[LAYERS][DIRECTIONS];
};

static const struct stored_tensor *stored(const struct safetensors *golden, const char *prefix, const char *part, int layer,
                                          int direction) {
  char name[64];
  snprintf(name, sizeof name, "%s%s_l%d%s", prefix, part, layer, direction ? "_reverse" : "");
  const struct stored_tensor *tensor = safetensors_find(golden, name);
  if (!tensor) fail_msg("the golden file has no %s", name);
  return tensor;
}

static void open_golden(struct safetensors *golden, struct error *error) {
  char path[4096];
  snprintf(path, sizeof path, "%s/tests/golden/lstm/golden.safetensors", getenv("QKV_SOURCE_ROOT"));
  if (!safetensors_open(golden, path, error)) fail_msg("%s", error->message);
}

static void open_network(struct network *network, const struct safetensors *golden, const struct kernels *kernels,
                         struct error *error) {
  memset(network, 0, sizeof *network);
  for (int layer = 0; layer < LAYERS; layer++)
    for (int d = 0; d < DIRECTIONS; d++) {
      struct weight *weights = network->weights[layer][d];
      for (int part = 0; part < PARTS; part++) {
        const struct stored_tensor *tensor = stored(golden, "", part_names[part], layer, d);
        struct weight *weight = &weights[part];
        weight->rows = (int)tensor->shape[0];
        weight->cols = tensor->dimensions == 2 ? (int)tensor->shape[1] : 1;
        weight->part_count = 1;
        weight->parts[0] = (struct weight_part){.rows = weight->rows, .stored = tensor->data};
        weight->trainable = true;
        weight->zero_row = -1;
        assert_true(weight_start_training(weight, error) && weight_own_values(weight, error));
        if (part < 2) assert_true(weight_pack(weight, kernels, true, error));
      }
      network->layers[layer][d] = (struct lstm_weights){&weights[0], &weights[1], &weights[2], &weights[3]};
    }
}

static void close_network(struct network *network) {
  for (int layer = 0; layer < LAYERS; layer++)
    for (int d = 0; d < DIRECTIONS; d++)
      for (int part = 0; part < PARTS; part++) weight_free(&network->weights[layer][d][part]);
}

static int read_spans(struct span *spans, const struct safetensors *golden) {
  const struct stored_tensor *tensor = safetensors_find(golden, "offsets");
  const int32_t *offsets = (const int32_t *)tensor->data;
  int count = (int)tensor->count - 1;
  for (int i = 0; i < count; i++) spans[i] = (struct span){.q0 = offsets[i], .qn = offsets[i + 1] - offsets[i]};
  return count;
}

static struct tensor *run(struct context *context, const struct network *network, struct tensor *x, const struct span *spans,
                          int count) {
  for (int layer = 0; layer < LAYERS; layer++) x = op_lstm(context, "lstm", x, network->layers[layer], DIRECTIONS, spans, count);
  return x;
}

static struct tensor *input(struct context *context, const float *data, int rows, int cols) {
  struct tensor *x = tensor_new(context, rows, cols);
  memcpy(x->data, data, (size_t)rows * (size_t)cols * sizeof *data);
  x->wanted = true;
  return x;
}

static void compare(const char *what, const float *found, const struct stored_tensor *wanted) {
  const float *numbers = (const float *)wanted->data;
  for (size_t i = 0; i < wanted->count; i++)
    if (!(fabsf(found[i] - numbers[i]) <= 2e-5f * (1 + fabsf(numbers[i]))))
      fail_msg("%s: %s[%zu] is %.8g, PyTorch has %.8g", what, wanted->name, i, found[i], numbers[i]);
}

static void check_golden(const struct kernels *kernels) {
  struct error error = {0};
  struct safetensors golden;
  struct network network;
  struct context context;
  struct span spans[SEQUENCES];
  open_golden(&golden, &error);
  open_network(&network, &golden, kernels, &error);
  assert_true(context_open(&context, kernels, (size_t)1 << 26, &error));
  int count = read_spans(spans, &golden);
  const struct stored_tensor *x = safetensors_find(&golden, "x"), *dy = safetensors_find(&golden, "dy");
  context_begin(&context, true, true, 0, 0);
  struct tensor *in = input(&context, (const float *)x->data, (int)x->shape[0], (int)x->shape[1]);
  struct tensor *out = run(&context, &network, in, spans, count);
  compare(kernels->name, out->data, safetensors_find(&golden, "y"));
  out->gradient = tensor_gradient_fresh(&context, out);
  memcpy(out->gradient, dy->data, dy->count * sizeof *out->gradient);
  tape_backward(&context);
  compare(kernels->name, in->gradient, safetensors_find(&golden, "dx"));
  for (int layer = 0; layer < LAYERS; layer++)
    for (int d = 0; d < DIRECTIONS; d++)
      for (int part = 0; part < PARTS; part++)
        compare(kernels->name, network.weights[layer][d][part].gradient, stored(&golden, "grad/", part_names[part], layer, d));
  context_begin(&context, false, false, 0, 0);  // without a tape the same numbers
  in = input(&context, (const float *)x->data, (int)x->shape[0], (int)x->shape[1]);
  compare(kernels->name, run(&context, &network, in, spans, count)->data, safetensors_find(&golden, "y"));
  assert_int_equal(error.code, 0);
  context_close(&context);
  close_network(&network);
  safetensors_close(&golden);
}

static void test_golden(void **state) {
  static const char *const names[] = {"reference", "avx2", "avx512"};
  const struct kernels *kernels = cpu_kernels_named(names[(intptr_t)*state]);
  if (!kernels) skip();
  check_golden(kernels);
}

// Each sequence by itself, and the backward direction with another number of threads.
static void check_bits(const char *name) {
  const struct kernels *kernels = cpu_kernels_named(name);
  struct error error = {0};
  struct safetensors golden;
  struct network network;
  struct context context;
  struct span spans[SEQUENCES];
  if (!kernels) return;
  open_golden(&golden, &error);
  open_network(&network, &golden, kernels, &error);
  assert_true(context_open(&context, kernels, (size_t)1 << 26, &error));
  int count = read_spans(spans, &golden);
  const struct stored_tensor *x = safetensors_find(&golden, "x");
  int cols = (int)x->shape[1];
  float all[64 * 16];
  parallel_set_threads(3);
  context_begin(&context, false, false, 0, 0);
  struct tensor *out = run(&context, &network, input(&context, (const float *)x->data, (int)x->shape[0], cols), spans, count);
  assert_true((size_t)out->rows * (size_t)out->cols * sizeof *all <= sizeof all);
  memcpy(all, out->data, (size_t)out->rows * (size_t)out->cols * sizeof *all);
  parallel_set_threads(1);
  for (int i = 0; i < count; i++) {
    struct span alone = {.qn = spans[i].qn};
    context_begin(&context, false, false, 0, 0);
    out = run(&context, &network, input(&context, (const float *)x->data + spans[i].q0 * cols, alone.qn, cols), &alone, 1);
    if (memcmp(out->data, all + spans[i].q0 * out->cols, (size_t)alone.qn * (size_t)out->cols * sizeof *all) != 0)
      fail_msg("%s kernels in %s: sequence %d alone is not what it is among others", kernels->name, kernels->dtype, i);
  }
  context_close(&context);
  close_network(&network);
  safetensors_close(&golden);
}

static void test_bits(void **state) {
  static const char *const names[] = {"reference", "avx2", "avx512", "avx512-bf16", "amx-bf16"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_bits(names[i]);
  parallel_set_threads(0);
}

// What the forecast counts is what a pass takes.
static void test_memory(void **state) {
  struct error error = {0};
  struct safetensors golden;
  struct network network;
  struct span spans[SEQUENCES];
  size_t peaks[2];
  const struct kernels *kernels = cpu_kernels_named("reference");
  open_golden(&golden, &error);
  open_network(&network, &golden, kernels, &error);
  int count = read_spans(spans, &golden);
  const struct stored_tensor *x = safetensors_find(&golden, "x");
  for (int measuring = 0; measuring < 2; measuring++) {
    struct context context;
    assert_true(measuring ? context_open_measuring(&context, cpu_kernels_measuring(TYPE_F32), &error)
                          : context_open(&context, kernels, (size_t)1 << 26, &error));
    context_begin(&context, true, true, 0, 0);
    struct tensor *in = tensor_new(&context, (int)x->shape[0], (int)x->shape[1]);
    in->wanted = true;
    if (!measuring) memcpy(in->data, x->data, x->count * sizeof(float));
    struct tensor *out = run(&context, &network, in, spans, count);
    out->gradient = tensor_gradient_fresh(&context, out);
    if (!measuring) memset(out->gradient, 0, (size_t)out->rows * (size_t)out->cols * sizeof(float));
    tape_backward(&context);
    peaks[measuring] = context.arena.peak;
    context_close(&context);
  }
  assert_int_equal(error.code, 0);
  assert_int_equal(peaks[0], peaks[1]);
  close_network(&network);
  safetensors_close(&golden);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_golden, (void *)0),
                                     cmocka_unit_test_prestate(test_golden, (void *)1),
                                     cmocka_unit_test_prestate(test_golden, (void *)2), cmocka_unit_test(test_bits),
                                     cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests_name("lstm", tests, NULL, NULL);
}
