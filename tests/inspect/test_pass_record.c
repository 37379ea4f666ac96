// A recorded pass: which matrices there are, that their rows are probabilities over what a query sees, and ids that no model has.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cpu/cpu.h"
#include "inspect/pass_record.h"

enum { VOCABULARY = 20, HEADS = 2, POSITIONS = 8 };

static struct model *make(void) {
  struct arch arch = {
    .family = FAMILY_ENCODER_DECODER, .hidden = 16, .source_vocab = VOCABULARY, .target_vocab = VOCABULARY,
    .encoder = {.layers = 1, .heads = HEADS, .kv_heads = HEADS, .ffn = 8},
    .decoder = {.layers = 2, .heads = HEADS, .kv_heads = HEADS, .ffn = 8},
    .norm_epsilon = 1e-5f, .residual = true, .positions = POSITIONS_SINUSOID, .max_positions = POSITIONS, .embedding_scale = 4,
    .activation = ACTIVATION_RELU, .attention_bias = true, .ffn_bias = true, .shared_embeddings = true, .tied_head = true,
    .pad_id = VOCABULARY - 1, .bos_id = -1, .decoder_start_id = VOCABULARY - 1};
  struct error error = {0};
  struct model *model = model_new(&arch, &error);
  assert_non_null(model);
  assert_true(model_initialise(model, 1, &error) && model_prepare(model, cpu_kernels(PRECISION_F32, &error), false, &error));
  return model;
}

static const int32_t source[] = {3, 5, 7, 9, 0}, target[] = {VOCABULARY - 1, 4, 6};

static struct pass_sides sides(void) {
  return (struct pass_sides){.source = source, .target = target, .source_count = 5, .target_count = 3};
}

static void expect_rows(const struct recorded *matrix, int rows, int columns, bool causal) {
  assert_non_null(matrix);
  assert_true(matrix->heads == HEADS && matrix->rows == rows && matrix->columns == columns);
  for (int head = 0; head < HEADS; head++) {
    for (int row = 0; row < rows; row++) {
      const float *weights = matrix->values + ((size_t)head * (size_t)rows + (size_t)row) * (size_t)columns;
      double sum = 0;
      for (int column = 0; column < columns; column++) {
        sum += weights[column];
        if (causal && column > row) assert_true(weights[column] == 0);
        else assert_true(weights[column] > 0);
      }
      assert_float_equal(sum, 1, 1e-5);
    }
  }
}

static void every_attention_of_a_pass_is_there(void **state) {
  struct model *model = make();
  struct pass_record record;
  struct pass_sides both = sides();
  struct error error = {0};
  assert_true(pass_record_run(&record, model, &both, PASS_WEIGHTS, &error));
  assert_int_equal(record.count, 5);
  expect_rows(pass_record_weights(&record, "encoder", 0), 5, 5, false);
  for (int layer = 0; layer < 2; layer++) {
    expect_rows(pass_record_weights(&record, "decoder", layer), 3, 3, true);
    expect_rows(pass_record_weights(&record, "cross", layer), 3, 5, false);
  }
  assert_null(pass_record_weights(&record, "cross", 2));
  const struct recorded *matrix = pass_record_weights(&record, "cross", 1);
  float *one = recorded_head(matrix, 1, &error), *mean = recorded_head(matrix, -1, &error);
  for (int i = 0; i < 15; i++) {
    assert_true(one[i] == matrix->values[15 + i]);
    assert_float_equal(mean[i], (matrix->values[i] + matrix->values[15 + i]) / 2, 1e-7);
  }
  free(one);
  free(mean);
  pass_record_free(&record);
  model_free(model);
}

static void expect_refused(const struct model *model, struct pass_sides wrong, const char *message) {
  struct pass_record record;
  struct error error = {0};
  assert_false(pass_record_run(&record, model, &wrong, PASS_WEIGHTS, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  if (!strstr(error.message, message)) fail_msg("\"%s\" says nothing of \"%s\"", error.message, message);
  assert_int_equal(record.count, 0);
}

static void ids_that_no_model_has_are_refused(void **state) {
  struct model *model = make();
  static const int32_t negative[] = {-1}, large[] = {1, VOCABULARY}, many[POSITIONS + 1];
  struct pass_sides wrong = sides();
  wrong.target = negative, wrong.target_count = 1;
  expect_refused(model, wrong, "the target's id at place 0 is -1");
  wrong = sides();
  wrong.source = large, wrong.source_count = 2;
  expect_refused(model, wrong, "the source's id at place 1 is 20");
  wrong.source = many, wrong.source_count = POSITIONS + 1;
  expect_refused(model, wrong, "has 9 tokens; the model has 8 positions");
  wrong.source_count = 0;
  expect_refused(model, wrong, "the source is empty");
  model_free(model);
}

static void memory_that_runs_out_is_an_error(void **state) {
  struct model *model = make();
  struct pass_sides both = sides();
  int failures = 0;
  for (bool done = false; !done; failures++) {
    struct pass_record record;
    struct error error = {0};
    memory_fail_after(failures);
    done = pass_record_run(&record, model, &both, PASS_WEIGHTS, &error);
    memory_fail_after(-1);
    assert_int_equal(error.code, done ? ERROR_NONE : ERROR_MEMORY);
    pass_record_free(&record);
  }
  assert_true(failures > 5);
  model_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_attention_of_a_pass_is_there),
                                     cmocka_unit_test(ids_that_no_model_has_are_refused),
                                     cmocka_unit_test(memory_that_runs_out_is_an_error)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
