// Whole models against PyTorch (tests/golden/<case>): hidden states, attention weights, logits, losses, every gradient and ten
// steps of training, with each kernel table that this processor can run; and the same again after saving and loading.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "golden_batch.h"
#include "golden_compare.h"
#include "hf/checkpoint.h"
#include "train/optimizer.h"

static void check_logits(struct context *context, const struct model *model, struct records *records) {
  context_begin(context, false, false, 0, 0);
  context->probe = compare_hidden;
  context->probe_attention = compare_attention;
  context->probe_user = records;
  const struct batch *batch = &records->batch->batch;
  struct tensor *encoded = batch->source.rows ? model_encode(context, model, &batch->source) : NULL;
  struct tensor *decoded = model_decode(context, model, batch, encoded);
  struct tensor *logits = model_logits(context, model, decoded, NULL, 0);
  assert_non_null(logits);
  const struct stored_tensor *expected = safetensors_find(records->golden, "logits");
  assert_int_equal(expected->count, (size_t)logits->rows * (size_t)logits->cols);
  compare("logits", logits->data, expected->data, expected->count, 1e-5);
  context->probe = NULL;
  context->probe_attention = NULL;
}

static void check_losses(struct context *context, struct model *model, struct records *records) {
  const struct batch *batch = &records->batch->batch;
  float losses[1024];
  struct loss loss = {0};
  struct loss_scale scale = {.scale = 1.0f / (float)batch->label_count};
  context_begin(context, true, false, 0, 0);
  assert_true(batch->target.rows <= 1024 && model_loss(context, model, batch, 0, scale, &loss, losses));
  assert_float_equal(loss.plain_sum / (double)loss.count, number(records->golden, "loss"), 2e-5);
  const float *log_probs = safetensors_find(records->golden, "token.log_probs")->data;
  for (int row = 0; row < batch->target.rows; row++) assert_float_equal(losses[row], -log_probs[row], 5e-5);
  check_gradients(model, records->golden, "grad/", 1);
  struct loss smoothed = {0};
  context_begin(context, true, false, 0, 0);
  assert_true(model_loss(context, model, batch, 0.1f, scale, &smoothed, NULL));
  assert_float_equal(smoothed.sum / (double)smoothed.count, number(records->golden, "loss.smoothed"), 2e-5);
  check_gradients(model, records->golden, "grad.smoothed/", 1);
}

// Over-fitting the batch: the loss and the norm of the gradient before each of ten steps.
static void check_steps(struct context *context, struct model *model, const struct records *records) {
  const struct batch *batch = &records->batch->batch;
  const struct stored_tensor *losses = safetensors_find(records->golden, "steps.losses");
  const float *norms = safetensors_find(records->golden, "steps.norms")->data;
  struct optimizer_options options = optimizer_defaults();
  options.weight_decay = 0.01;
  for (size_t step = 0; step < losses->count; step++) {
    struct loss loss = {0};
    double norm;
    context_begin(context, true, false, 0, 0);
    assert_true(model_loss(context, model, batch, 0, (struct loss_scale){1.0f / (float)batch->label_count, 0}, &loss, NULL));
    assert_true(optimizer_step(model, &options, (int64_t)step + 1, 1e-3, &norm, context->error));
    assert_float_equal(loss.sum / (double)loss.count, ((const float *)losses->data)[step], 2e-4);
    assert_float_equal(norm, norms[step], 1e-3 * norms[step] + 1e-3);
  }
}

struct golden_case {
  const char *name;
  bool gradients;
};

// Leaves the model, before it is trained, in `save_to` unless that is NULL.
static void check_directory(const char *path, const struct safetensors *golden, const struct golden_case *tested,
                            const struct kernels *kernels, const char *save_to) {
  struct error error = {0};
  struct checkpoint checkpoint;
  struct context context;
  struct golden_batch batch;
  if (!checkpoint_open(path, &checkpoint, &error)) fail_msg("%s", error.message);
  golden_batch_fill(&batch, golden);
  assert_true(model_prepare(checkpoint.model, kernels, tested->gradients, &error));
  assert_true(context_open(&context, kernels, (size_t)1 << 30, &error));
  struct records records = {golden, &batch, 0};
  check_logits(&context, checkpoint.model, &records);
  int encoder = checkpoint.arch.encoder.layers, decoder = checkpoint.arch.decoder.layers, crossed = encoder ? decoder : 0;
  assert_int_equal(records.compared, encoder + (encoder > 0) + decoder + 1 + encoder + decoder + crossed);
  struct checkpoint_saving saving = {.type = checkpoint.type, .config = checkpoint.config, .generation = &checkpoint.generation};
  if (save_to && !checkpoint_save(save_to, checkpoint.model, &saving, &error)) fail_msg("%s", error.message);
  if (tested->gradients) check_losses(&context, checkpoint.model, &records);
  if (tested->gradients) check_steps(&context, checkpoint.model, &records);
  assert_int_equal(error.code, 0);
  golden_batch_free(&batch);
  context_close(&context);
  checkpoint_close(&checkpoint);
}

static void check_case(const struct golden_case *tested, const struct kernels *kernels) {
  char path[4096], file[4200], saved[64], command[80];
  struct error error = {0};
  struct safetensors golden;
  snprintf(path, sizeof path, "%s/tests/golden/%s", getenv("QKV_SOURCE_ROOT"), tested->name);
  snprintf(file, sizeof file, "%s/golden.safetensors", path);
  if (!safetensors_open(&golden, file, &error)) fail_msg("%s", error.message);
  make_scratch(saved);
  print_message("%s with the %s kernels\n", tested->name, kernels->name);
  check_directory(path, &golden, tested, kernels, saved);
  check_directory(saved, &golden, tested, kernels, NULL);
  snprintf(command, sizeof command, "rm -r %s", saved);
  assert_int_equal(system(command), 0);
  safetensors_close(&golden);
}

static void test_golden(void **state) {
  static const struct golden_case cases[] = {{"marian", true},
                                             {"marian-knobs", true},
                                             {"marian-unshared", true},
                                             {"marian-untied", true},
                                             {"marian-one-head", true},
                                             {"marian-long", true},
                                             {"pegasus", true},
                                             {"pegasus-tanh", true},
                                             {"pegasus-silu", true},
                                             {"marian-sharded", false},
                                             {"marian-f16", false},
                                             {"marian-bf16", false},
                                             {"gpt2", true},
                                             {"gpt2-knobs", true},
                                             {"openai-gpt", true},
                                             {"llama", true},
                                             {"llama-knobs", true},
                                             {"llama-linear", true},
                                             {"llama-dynamic", true},
                                             {"llama-dynamic-beyond", true},
                                             {"llama-llama3", true},
                                             {"llama-yarn", true},
                                             {"llama-yarn-scaled", true}};
  const struct kernels *kernels = cpu_kernels_named(kernel_names[(intptr_t)*state]);
  if (!kernels) skip();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(&cases[i], kernels);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_golden, (void *)0),
                                     cmocka_unit_test_prestate(test_golden, (void *)1),
                                     cmocka_unit_test_prestate(test_golden, (void *)2)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
