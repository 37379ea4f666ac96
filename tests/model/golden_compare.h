// Comparing a pass and its gradients with the numbers of a golden file.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "golden_batch.h"
#include "hf/checkpoint.h"

static const char *const kernel_names[] = {"reference", "avx2", "avx512"};

struct records {
  const struct safetensors *golden;
  const struct golden_batch *batch;
  int compared;
};

static inline void compare(const char *what, const float *found, const float *expected, size_t n, double tolerance) {
  double largest = 0;
  for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(expected[i]));
  for (size_t i = 0; i < n; i++)
    if (!(fabs(found[i] - expected[i]) <= tolerance * (largest + 0.05)))
      fail_msg("%s[%zu]: found %.8g, PyTorch has %.8g (largest %.3g)", what, i, found[i], expected[i], largest);
}

static inline void compare_hidden(void *user, const char *name, const struct tensor *tensor) {
  struct records *records = user;
  const struct stored_tensor *expected = strstr(name, ".hidden.") ? safetensors_find(records->golden, name) : NULL;
  if (!expected) return;
  assert_int_equal(expected->count, (size_t)tensor->rows * (size_t)tensor->cols);
  compare(name, tensor->data, expected->data, expected->count, 1e-5);
  records->compared++;
}

// The golden attention is that of sequence 1; records come span after span, [heads, queries, keys] each.
static inline void compare_attention(void *user, const char *name, const struct span *spans, int span_count, int heads,
                                     const float *probabilities) {
  struct records *records = user;
  int layer;
  char stack[16], kind[16], key[64];
  assert_int_equal(sscanf(name, "%15[^.].%d.%15[^.]", stack, &layer, kind), 3);
  if (strcmp(kind, "cross") == 0) snprintf(key, sizeof key, "cross_attention.%d", layer);
  else snprintf(key, sizeof key, "%s_attention.%d", stack, layer);
  const struct stored_tensor *expected = safetensors_find(records->golden, key);
  if (!expected) return;
  const float *at = probabilities + (size_t)heads * (size_t)spans[0].qn * (size_t)spans[0].kn;
  assert_true(span_count > 1);
  assert_int_equal(expected->count, (size_t)heads * (size_t)spans[1].qn * (size_t)spans[1].kn);
  compare(key, at, expected->data, expected->count, 1e-5);
  records->compared++;
}

static inline float number(const struct safetensors *golden, const char *name) {
  return *(const float *)safetensors_find(golden, name)->data;
}

// A new folder, in memory where there is such a place: hundreds of small files are written and synced.
static inline void make_scratch(char out[64]) {
  snprintf(out, 64, "%s/qkv-golden-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  assert_non_null(mkdtemp(out));
}

// The gradients under the checkpoint's own names: a saved "model" whose values are the gradients.
static inline void check_gradients(struct model *model, const struct safetensors *golden, const char *prefix, double count) {
  char directory[64], path[128];
  struct error error = {0};
  struct safetensors saved;
  make_scratch(directory);
  for (int w = 0; w < model->weight_count; w++) {
    struct weight *weight = &model->weights[w];
    float *values = weight->values;
    weight->values = weight->gradient ? weight->gradient : values;
    weight->gradient = weight->gradient ? values : NULL;
  }
  struct checkpoint_saving saving = {.type = TYPE_F32};
  if (!checkpoint_save(directory, model, &saving, &error) || !safetensors_open_directory(&saved, directory, &error))
    fail_msg("%s", error.message);
  int compared = 0;
  for (size_t i = 0; i < golden->count; i++) {
    const struct stored_tensor *expected = &golden->tensors[i];
    if (strncmp(expected->name, prefix, strlen(prefix)) != 0) continue;
    const struct stored_tensor *found = safetensors_find(&saved, expected->name + strlen(prefix));
    if (!found) fail_msg("no gradient for %s", expected->name);
    assert_int_equal(found->count, expected->count);
    compare(expected->name, found->data, expected->data, expected->count, 2e-5);
    compared++;
  }
  assert_true(compared >= 3);
  safetensors_close(&saved);
  for (int w = 0; w < model->weight_count; w++) {
    struct weight *weight = &model->weights[w];
    if (!weight->gradient) continue;
    float *gradient = weight->values;
    weight->values = weight->gradient;
    weight->gradient = gradient;
    memset(gradient, 0, weight_size(weight) * sizeof *gradient);
  }
  const char *files[] = {"config.json", "generation_config.json", "model.safetensors"};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s/%s", directory, files[i]);
    unlink(path);
  }
  rmdir(directory);
}
