// Learning rates against their formulas, averages, options read, checked and written, and what is chosen for them.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "train/average.h"
#include "train/recipe.h"
#include "train/schedule.h"
#include "train/train_options.h"

static char folder[] = "/tmp/qkv-settings-XXXXXX";

static void near(double got, double wanted) {
  if (fabs(got - wanted) > 1e-12 * fabs(wanted) + 1e-300) fail_msg("%.17g, wanted %.17g", got, wanted);
}

static void every_schedule_follows_its_formula(void **state) {
  for (int64_t step = 1; step <= 1000; step++) {
    double now = (double)step, rise = 0.01 * now / 100, after = (now - 100) / 900;
    struct schedule schedule = {SCHEDULE_INVERSE_SQRT, 0.01, 100, 1000};
    // Vaswani et al. 2017, equation 3, scaled so that its peak is 0.01.
    near(schedule_rate(&schedule, step), 0.01 * sqrt(100) * fmin(1 / sqrt(now), now * pow(100, -1.5)));
    schedule.kind = SCHEDULE_CONSTANT;
    near(schedule_rate(&schedule, step), step < 100 ? rise : 0.01);
    schedule.kind = SCHEDULE_LINEAR;
    near(schedule_rate(&schedule, step), step < 100 ? rise : 0.01 * (1 - after));
    schedule.kind = SCHEDULE_COSINE;
    double wanted = step < 100 ? rise : step == 1000 ? 0 : 0.005 * (1 + cos(3.14159265358979323846 * after));
    if (fabs(schedule_rate(&schedule, step) - wanted) > 1e-15) fail_msg("cosine, step %d", (int)step);
  }
  struct schedule none = {SCHEDULE_INVERSE_SQRT, 0.01, 0, 0};
  near(schedule_rate(&none, 4), 0.005);
  enum schedule_kind kind;
  for (int i = 0; i < SCHEDULE_KINDS; i++)
    assert_true(schedule_find(&kind, schedule_name((enum schedule_kind)i)) && kind == (enum schedule_kind)i);
  assert_false(schedule_find(&kind, "noam?"));
}

static struct model *small_model(struct error *error) {
  struct arch arch = {.layout = "marian", .family = FAMILY_ENCODER_DECODER, .hidden = 8, .source_vocab = 11, .target_vocab = 11,
                      .encoder = {1, 2, 2, 16}, .decoder = {1, 2, 2, 16}, .norm_epsilon = 1e-5f, .residual = true,
                      .positions = POSITIONS_SINUSOID, .max_positions = 16, .embedding_scale = 1, .activation = ACTIVATION_RELU,
                      .attention_bias = true, .ffn_bias = true, .head_bias = true, .shared_embeddings = true, .tied_head = true,
                      .bos_id = -1, .eos_id = 0, .pad_id = 10, .unk_id = 1, .decoder_start_id = 10, .forced_eos_id = 0};
  struct model *model = model_new(&arch, error);
  if (!model || !model_initialise(model, 3, error) || !model_prepare(model, cpu_kernels(PRECISION_F32, error), true, error))
    fail_msg("%s", error->message);
  return model;
}

static void set_all(struct model *model, float value) {
  for (int i = 0; i < model->weight_count; i++)
    for (size_t k = 0; model->weights[i].trainable && k < weight_size(&model->weights[i]); k++)
      model->weights[i].values[k] = value;
}

static void expect_average(struct average *average, struct model *model, float wanted) {
  average_apply(average, model);
  for (int i = 0; i < model->weight_count; i++)
    for (size_t k = 0; model->weights[i].trainable && k < weight_size(&model->weights[i]); k++)
      if (model->weights[i].values[k] != wanted) fail_msg("%g, wanted %g", (double)model->weights[i].values[k], (double)wanted);
}

static void averages_of_the_last_and_of_the_best(void **state) {
  struct error error = {0};
  struct model *model = small_model(&error);
  struct average last, best, none;
  size_t size = average_size(model);
  assert_true(average_open(&last, 3, false, size, folder, &error) && average_open(&best, 3, true, size, folder, &error));
  assert_true(average_open(&none, 0, true, size, folder, &error));
  static const double scores[] = {5, 9, 1, 7, 8};
  for (int i = 0; i < 5; i++) {
    set_all(model, (float)(1 << i));
    average_keep(&last, model, i + 1, scores[i]);
    average_keep(&best, model, i + 1, scores[i]);
    average_keep(&none, model, i + 1, scores[i]);
    if (i == 1) expect_average(&best, model, 1.5f);
  }
  expect_average(&last, model, (4 + 8 + 16) / 3.0f);
  expect_average(&best, model, (2 + 8 + 16) / 3.0f);
  assert_int_equal(none.count, 0);
  average_close(&last);
  average_close(&best);
  average_close(&none);
  model_free(model);
}

static const char *const files[] = {"a", "b"};

static struct qkv_train_options with_text(void) {
  struct qkv_train_options options = train_options_default();
  options.task = "translation";
  options.train = (struct qkv_strings){(const char **)(uintptr_t)files, 2};
  return options;
}

static void expect_refused(const struct qkv_train_options *options, const char *part) {
  struct error error = {0};
  assert_false(train_options_check(options, true, &error));
  if (error.code != ERROR_USAGE || !strstr(error.message, part)) fail_msg("\"%s\" lacks \"%s\"", error.message, part);
}

static void options_that_cannot_be(void **state) {
  struct error error = {0};
  struct qkv_train_options options = with_text();
  assert_true(train_options_check(&options, true, &error));
  options.dropout = 1.5;
  expect_refused(&options, "--dropout is 1.5; wanted 0 to 0.99");
  options = with_text();
  options.size = "huge";
  expect_refused(&options, "--size is \"huge\"; wanted one of: blackboard tiny small base large");
  options.size = "tiny small";
  expect_refused(&options, "--size");
  options = with_text();
  options.from = "model";
  options.hidden = 64;
  expect_refused(&options, "--from and --hidden contradict each other");
  options = with_text();
  options.tokenizer = "there";
  options.vocab_size = 100;
  expect_refused(&options, "--tokenizer and --vocab-size contradict each other");
  options = with_text();
  options.average = 0;
  options.average_of = "last";
  expect_refused(&options, "--average 0");
  options = with_text();
  options.hidden = 65;
  options.heads = 4;
  expect_refused(&options, "--hidden 65");
  options.heads = -1;
  options.family = "gpt5";
  expect_refused(&options, "--family is \"gpt5\"; with --task translation wanted one of: marian pegasus");
  options = with_text();
  options.norm = "none";
  options.norm_epsilon = 1e-3;
  expect_refused(&options, "--norm none leaves nothing that --norm-epsilon could be of");
  options.norm_epsilon = -1;
  options.norm_epsilon_place = "outside";
  expect_refused(&options, "--norm none leaves nothing that --norm-epsilon-place could be of");
  options = with_text();
  options.metric = "bleu chrf";
  expect_refused(&options, "--metric");
  options = train_options_default();
  expect_refused(&options, "--task is missing");
  options.task = "dance";
  expect_refused(&options, "--task is \"dance\"; wanted one of: translation lm");
  options.task = "translation";
  expect_refused(&options, "--train is missing");
}

static void what_is_written_is_read_again(void **state) {
  struct error error = {0};
  struct qkv_train_options options = with_text(), again = train_options_default();
  struct buffer said = {0};
  options.max_time = 90.5;
  options.seed = 9007199254740991;
  recipe_decide(&options, 29000, &said);
  recipe_decide_steps(&options, 29000, 58, &said);
  char path[100];
  snprintf(path, sizeof path, "%s/training.json", folder);
  assert_true(train_options_write(&options, path, &error));
  cJSON *owner = NULL;
  struct train_option_lists lists = {0};
  again.config = path;
  again.learning_rate = 0.25;  // what is given stays
  assert_true(train_options_read(&again, &owner, &lists, &error));
  assert_true(again.learning_rate == 0.25 && again.max_time == 90.5 && again.seed == 9007199254740991);
  again.learning_rate = options.learning_rate;
  cJSON *first = train_options_json(&options, &error), *second = train_options_json(&again, &error);
  assert_true(cJSON_Compare(first, second, true));
  cJSON_Delete(first);
  cJSON_Delete(second);
  cJSON_Delete(owner);
  train_options_free_lists(&lists);
  buffer_free(&said);
}

static void a_bad_file_of_options(void **state) {
  static const char *const bad[][2] = {
    {"{\"dropout\": \"much\"}", "\"dropout\" should be a number"}, {"{\"dropout\": 2}", "\"dropout\" is 2"},
    {"{\"max_steps\": 1.5}", "an integer"},                        {"{\"train\": [1]}", "a list of file names"},
    {"{\"size\": 3}", "\"size\" should be a text"},                {"{\"size\": ", "training.json"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char path[100];
    snprintf(path, sizeof path, "%s/training.json", folder);
    FILE *file = fopen(path, "w");
    fputs(bad[i][0], file);
    fclose(file);
    struct error error = {0};
    struct qkv_train_options options = train_options_default();
    options.config = path;
    cJSON *owner = NULL;
    struct train_option_lists lists = {0};
    assert_false(train_options_read(&options, &owner, &lists, &error));
    if (!strstr(error.message, bad[i][1])) fail_msg("\"%s\" lacks \"%s\"", error.message, bad[i][1]);
    cJSON_Delete(owner);
    train_options_free_lists(&lists);
  }
}

static void more_text_gets_a_larger_model(void **state) {
  static const uint64_t pairs[] = {1000, 29000, 116000, 1000000, 50000000};
  static const char *const wanted[] = {"tiny", "tiny", "small", "base", "base"};
  for (int i = 0; i < 5; i++) {
    struct qkv_train_options options = with_text();
    struct buffer said = {0};
    struct error error = {0};
    recipe_decide(&options, pairs[i], &said);
    recipe_decide_steps(&options, pairs[i], 100, &said);
    assert_string_equal(options.size, wanted[i]);
    assert_true(train_options_check(&options, true, &error));
    assert_non_null(strstr(buffer_string(&said), "sentence pairs"));
    assert_true(options.max_steps > 0 && options.valid_every >= 50 && options.learning_rate > 0 && options.vocab_size > 0);
    buffer_free(&said);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_schedule_follows_its_formula),
    cmocka_unit_test(averages_of_the_last_and_of_the_best),
    cmocka_unit_test(options_that_cannot_be),
    cmocka_unit_test(what_is_written_is_read_again),
    cmocka_unit_test(a_bad_file_of_options),
    cmocka_unit_test(more_text_gets_a_larger_model),
  };
  if (!mkdtemp(folder)) return 1;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  char path[100];
  snprintf(path, sizeof path, "%s/training.json", folder);
  unlink(path);
  rmdir(folder);
  return failed;
}
