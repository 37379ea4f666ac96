// Updates against PyTorch, accumulation against the big batch, and the same bits for any number of threads.
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
#include "golden_steps.h"
#include "train/average.h"
#include "train/update.h"

static const char *const cases[] = {"marian",      "marian-knobs", "marian-unshared", "marian-untied", "marian-one-head",
                                    "marian-long", "pegasus",      "pegasus-tanh",    "pegasus-silu"};

struct run {
  struct golden golden;
  struct context context;
  struct error error;
  struct translation_batch batch;
  struct optimizer_options options;
};

static void zero_padding_row(struct model *model, struct error *error) {
  struct weight *embedding = model->decoder.embedding;
  assert_true(embedding->zero_row >= 0 && weight_own_values(embedding, error));
  memset(embedding->values + (size_t)embedding->zero_row * (size_t)embedding->cols, 0, (size_t)embedding->cols * sizeof(float));
}

static void start_from(struct run *run, const char *name, bool zero_padding) {
  memset(run, 0, sizeof *run);
  golden_open(&run->golden, name);
  if (zero_padding) zero_padding_row(run->golden.checkpoint.model, &run->error);
  const struct kernels *kernels = cpu_kernels(PRECISION_F32, &run->error);
  assert_non_null(kernels);
  assert_true(context_open(&run->context, kernels, (size_t)1 << 32, &run->error));
  assert_true(model_prepare(run->golden.checkpoint.model, kernels, true, &run->error));
  run->options = optimizer_defaults();
  run->options.weight_decay = 0.01;
}

static void start(struct run *run, const char *name) { start_from(run, name, false); }

static void finish(struct run *run) {
  translation_batch_free(&run->batch);
  context_close(&run->context);
  golden_close(&run->golden);
}

// One update of pairs [0, count), `group` pairs in a micro-batch.
static void update(struct run *run, struct update *update, int64_t step, size_t group, double smoothing, double rate) {
  struct golden *golden = &run->golden;
  int start_id = golden->checkpoint.arch.decoder_start_id;
  int64_t labels = 0, targets[TARGET_HEADS] = {0};
  for (size_t i = 0; i < golden->pair_count; i++) labels += (int64_t)golden->pairs[i].target_count;
  targets[0] = labels;
  update_begin(update, &run->context, golden->checkpoint.model, step, 7, smoothing, targets);
  for (size_t i = 0; i < golden->pair_count; i += group) {
    size_t left = golden->pair_count - i;
    assert_true(translation_batch_fill(&run->batch, golden->pairs + i, left < group ? left : group, start_id, &run->error));
    assert_true(update_add(update, &run->batch.batch));
  }
  assert_int_equal(update->loss.count, labels);
  if (!update_end(update, &run->options, rate)) fail_msg("%s", run->error.message);
}

static void no_dropout(struct run *run) {
  struct arch *arch = &run->golden.checkpoint.model->arch;
  arch->dropout = arch->embedding_dropout = arch->attention_dropout = arch->activation_dropout = 0;
}

static void ten_steps_as_pytorch(void **state) {
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    struct run run;
    start(&run, cases[c]);
    no_dropout(&run);
    for (int step = 0; step < GOLDEN_STEPS; step++) {
      struct update result;
      update(&run, &result, step + 1, 100, 0, 1e-3);
      double loss = result.loss.plain_sum / (double)result.loss.count, wanted = run.golden.losses[step];
      if (fabs(loss - wanted) > 1e-4 * wanted || fabs(result.norm - run.golden.norms[step]) > 1e-3 * run.golden.norms[step])
        fail_msg("%s, step %d: loss %.7g norm %.7g; PyTorch has %.7g and %.7g", cases[c], step, loss, result.norm, wanted,
                 run.golden.norms[step]);
    }
    finish(&run);
  }
}

static float *weights_after(const char *name, int steps, size_t group, double dropout, int threads, size_t *size) {
  struct run run;
  parallel_set_threads(threads);
  start(&run, name);
  struct arch *arch = &run.golden.checkpoint.model->arch;
  arch->dropout = arch->embedding_dropout = arch->attention_dropout = arch->activation_dropout = (float)dropout;
  for (int step = 0; step < steps; step++) {
    struct update result;
    update(&run, &result, step + 1, group, 0.1, 1e-3);
  }
  *size = average_size(run.golden.checkpoint.model);
  float *copy = malloc(*size * sizeof *copy);
  average_copy_out(copy, run.golden.checkpoint.model);
  finish(&run);
  parallel_set_threads(0);
  return copy;
}

// With dropout, whose bits belong to samples and not to batches. Compared are gradients, by the scale of the weight's largest:
// after an AdamW step tiny gradients of any sign would count as much as large ones.
static float *gradients_of(const char *name, size_t group, size_t *size) {
  struct run run;
  start(&run, name);
  struct model *model = run.golden.checkpoint.model;
  model->arch.dropout = model->arch.embedding_dropout = model->arch.attention_dropout = model->arch.activation_dropout = 0.1f;
  int64_t targets[TARGET_HEADS] = {0};
  for (size_t i = 0; i < run.golden.pair_count; i++) targets[0] += (int64_t)run.golden.pairs[i].target_count;
  struct update result;
  update_begin(&result, &run.context, model, 1, 7, 0.1, targets);
  for (size_t i = 0; i < run.golden.pair_count; i += group) {
    size_t left = run.golden.pair_count - i;
    assert_true(translation_batch_fill(&run.batch, run.golden.pairs + i, left < group ? left : group,
                                       run.golden.checkpoint.arch.decoder_start_id, &run.error));
    assert_true(update_add(&result, &run.batch.batch));
  }
  *size = average_size(model);
  float *copy = malloc(*size * sizeof *copy), *to = copy;
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    if (!weight->trainable) continue;
    memcpy(to, weight->gradient, weight_size(weight) * sizeof *to);
    to += weight_size(weight);
  }
  finish(&run);
  return copy;
}

static void accumulating_is_the_big_batch(void **state) {
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    size_t size;
    float *big = gradients_of(cases[c], 100, &size), *small = gradients_of(cases[c], 1, &size);
    float *middle = gradients_of(cases[c], 3, &size);
    double largest = 0;
    for (size_t i = 0; i < size; i++) largest = fmax(largest, fabs(big[i]));
    for (size_t i = 0; i < size; i++)
      if (fabs(big[i] - small[i]) > 1e-5 * largest || fabs(big[i] - middle[i]) > 1e-5 * largest)
        fail_msg("%s, value %zu: %.8g at once, %.8g one by one", cases[c], i, big[i], small[i]);
    free(big);
    free(small);
    free(middle);
  }
}

static void any_number_of_threads_gives_the_same_bits(void **state) {
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    size_t size;
    float *one = weights_after(cases[c], 4, 2, 0.1, 1, &size);
    for (int threads = 2; threads <= 3; threads++) {
      float *more = weights_after(cases[c], 4, 2, 0.1, threads, &size);
      assert_memory_equal(one, more, size * sizeof *one);
      free(more);
    }
    float *other = weights_after(cases[c], 4, 2, 0.2, 1, &size);
    assert_memory_not_equal(one, other, size * sizeof *one);
    free(other);
    free(one);
  }
}

static void numbers_that_are_not_finite_stop_the_update(void **state) {
  struct run run;
  start(&run, "marian");
  struct model *model = run.golden.checkpoint.model;
  struct weight *weight = model_weight(model, "encoder.1.feed_forward.up.weight");
  if (!weight) weight = model_weight(model, "encoder.1.up.weight");
  assert_non_null(weight);
  weight->values[3] = NAN;
  model_repack(model);
  for (size_t i = 0; i < run.golden.pair_count; i++) run.golden.pairs[i].line = place_of(0, 11 + i);
  assert_true(translation_batch_fill(&run.batch, run.golden.pairs, run.golden.pair_count,
                                     run.golden.checkpoint.arch.decoder_start_id, &run.error));
  struct update result;
  const char *paths[] = {"train.en"};
  int64_t targets[TARGET_HEADS] = {run.batch.batch.label_count};
  update_begin(&result, &run.context, model, 5, 7, 0, targets);
  result.paths = paths;
  assert_false(update_add(&result, &run.batch.batch));
  assert_int_equal(run.error.code, ERROR_NUMERIC);
  if (!strstr(run.error.message, "update 5") || !strstr(run.error.message, "encoder.1") ||
      !strstr(run.error.message, "train.en:12"))
    fail_msg("%s", run.error.message);
  finish(&run);
}

static void padding_row_stays_zero(void **state) {
  struct run run;
  start_from(&run, "marian", true);
  const struct weight *embedding = run.golden.checkpoint.model->decoder.embedding;
  struct update result;
  for (int step = 1; step <= 3; step++) update(&run, &result, step, 100, 0.1, 1e-2);
  for (int i = 0; i < embedding->cols; i++)
    assert_true(embedding->values[(size_t)embedding->zero_row * (size_t)embedding->cols + (size_t)i] == 0);
  finish(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(ten_steps_as_pytorch),
    cmocka_unit_test(accumulating_is_the_big_batch),
    cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
    cmocka_unit_test(numbers_that_are_not_finite_stop_the_update),
    cmocka_unit_test(padding_row_stays_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
