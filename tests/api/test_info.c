// qkv_model_info against what running and training really make.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "hf/checkpoint.h"
#include "qkv.h"

static const char *golden;

static double made(const struct model *model, const struct kernels *kernels) {
  double numbers = 0;
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    float *const arrays[] = {weight->values, weight->gradient, weight->first, weight->second};
    for (int a = 0; a < 4; a++) numbers += arrays[a] ? (double)weight_size(weight) : 0;
    if (weight->packed) numbers += (double)kernels->packed_size(weight->rows, weight->cols);
    if (weight->packed_transposed) numbers += (double)kernels->packed_size(weight->cols, weight->rows);
  }
  return numbers * sizeof(float);
}

static void memory_is_what_is_made(void **state) {
  static const char *const cases[] = {"marian",           "marian-untied", "marian-bf16",    "pegasus",
                                      "bert-pretraining", "albert-span",   "roberta-masked", "mpnet-masked"};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", golden, cases[i]);
    struct qkv_context *context = qkv_context_new();
    struct qkv_model *model = qkv_model_open(context, path, "f32");
    assert_non_null(model);
    struct qkv_info *info = qkv_model_info(context, model);
    assert_non_null(info);
    struct error error = {0};
    const struct kernels *kernels = cpu_kernels(PRECISION_F32, &error);
    for (int training = 0; training < 2; training++) {
      struct checkpoint checkpoint;
      assert_true(checkpoint_open(path, &checkpoint, &error));
      assert_true(model_prepare(checkpoint.model, kernels, training, &error));
      assert_true(qkv_info_number(info, training ? "memory.train" : "memory.run") == made(checkpoint.model, kernels));
      checkpoint_close(&checkpoint);
    }
    assert_true(qkv_info_number(info, "no such fact") != qkv_info_number(info, "no such fact"));
    qkv_info_free(info);
    qkv_model_free(model);
    qkv_context_free(context);
  }
}

int main(int count, char **words) {
  if (count != 2) return 2;
  golden = words[1];
  const struct CMUnitTest tests[] = {cmocka_unit_test(memory_is_what_is_made)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
