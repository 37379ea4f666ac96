// qkv_forward against transformers: logits, hidden states and attention of every golden translator, whole and cached; and the
// calls that it has to refuse.
//   test_forward GOLDEN_FOLDER
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hf/safetensors.h"
#include "qkv.h"

static const char *folder;
static const char *const cases[] = {"marian", "marian-knobs", "marian-unshared", "marian-untied", "marian-one-head", "marian-long",
                                    "marian-sharded", "marian-f16", "marian-bf16", "pegasus", "pegasus-tanh", "pegasus-silu"};

struct golden {
  struct safetensors file;
  struct qkv_context *context;
  struct qkv_model *model;
  const int32_t *source, *target, *source_offsets, *target_offsets;
  int sequences;
};

static const struct stored_tensor *tensor(const struct golden *golden, const char *name) {
  const struct stored_tensor *found = safetensors_find(&golden->file, name);
  if (!found) fail_msg("the golden file has no %s", name);
  return found;
}

static void open_golden(struct golden *golden, const char *name) {
  char path[4096];
  struct error error = {0};
  snprintf(path, sizeof path, "%s/%s/golden.safetensors", folder, name);
  if (!safetensors_open(&golden->file, path, &error)) fail_msg("%s", error.message);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  golden->context = qkv_context_new();
  golden->model = qkv_model_open(golden->context, path, "f32");
  if (!golden->model) fail_msg("%s", qkv_message(golden->context));
  golden->source = tensor(golden, "source.ids")->data;
  golden->target = tensor(golden, "target.inputs")->data;
  golden->source_offsets = tensor(golden, "source.offsets")->data;
  golden->target_offsets = tensor(golden, "target.offsets")->data;
  golden->sequences = (int)tensor(golden, "source.offsets")->shape[0] - 1;
}

static void close_golden(struct golden *golden) {
  qkv_model_free(golden->model);
  qkv_context_free(golden->context);
  safetensors_close(&golden->file);
}

static struct qkv_forward_options sequence(const struct golden *golden, int i) {
  return (struct qkv_forward_options){
    .ids = golden->source + golden->source_offsets[i], .id_count = (size_t)(golden->source_offsets[i + 1] - golden->source_offsets[i]),
    .decoder_ids = golden->target + golden->target_offsets[i], .decoder_id_count = (size_t)(golden->target_offsets[i + 1] - golden->target_offsets[i])};
}

static struct qkv_array *forward(const struct golden *golden, const struct qkv_forward_options *options) {
  struct qkv_array *array = qkv_forward(golden->context, golden->model, options);
  if (!array) fail_msg("%s", qkv_message(golden->context));
  return array;
}

// The pass gives the golden numbers, and to the bit the same ones when the decoder goes token by token.
static void compare(const struct golden *golden, struct qkv_forward_options options, const char *name, const float *wanted, size_t count) {
  struct qkv_array *array = forward(golden, &options);
  size_t size = 1;
  for (int i = 0; i < array->dimensions; i++) size *= array->shape[i];
  assert_int_equal(size, count);
  float largest = 0;
  for (size_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(wanted[i]));
  for (size_t i = 0; i < count; i++)
    if (!(fabsf(array->data[i] - wanted[i]) <= 2e-5f * (1 + largest)))
      fail_msg("%s: number %zu is %.9g; wanted %.9g", name, i, array->data[i], wanted[i]);
  options.cached = true;
  struct qkv_array *cached = forward(golden, &options);
  if (memcmp(array->data, cached->data, count * sizeof(float)) != 0) fail_msg("%s: other bits when cached", name);
  qkv_array_free(cached);
  qkv_array_free(array);
}

static void compare_rows(const struct golden *golden, const char *name, const char *want, const char *stack, int64_t layer, const int32_t *offsets) {
  const struct stored_tensor *wanted = tensor(golden, name);
  size_t columns = (size_t)wanted->shape[1];
  for (int i = 0; i < golden->sequences; i++) {
    struct qkv_forward_options options = sequence(golden, i);
    options.want = want;
    options.stack = stack;
    options.layer = layer;
    compare(golden, options, name, (const float *)wanted->data + (size_t)offsets[i] * columns, (size_t)(offsets[i + 1] - offsets[i]) * columns);
  }
}

static void test_golden(void **state) {
  const char *name = *state;
  struct golden golden;
  open_golden(&golden, name);
  compare_rows(&golden, "logits", "logits", NULL, -1, golden.target_offsets);
  int compared = 0;
  for (size_t i = 0; i < golden.file.count; i++) {
    const struct stored_tensor *stored = &golden.file.tensors[i];
    int layer;
    struct qkv_forward_options options = sequence(&golden, 1);
    if (sscanf(stored->name, "encoder.hidden.%d", &layer) == 1) compare_rows(&golden, stored->name, "hidden", "encoder", layer, golden.source_offsets);
    else if (sscanf(stored->name, "decoder.hidden.%d", &layer) == 1) compare_rows(&golden, stored->name, "hidden", NULL, layer, golden.target_offsets);
    else if (sscanf(stored->name, "encoder_attention.%d", &layer) == 1) options.want = "attention", options.stack = "encoder";
    else if (sscanf(stored->name, "decoder_attention.%d", &layer) == 1) options.want = "attention";
    else if (sscanf(stored->name, "cross_attention.%d", &layer) == 1) options.want = "cross-attention";
    else continue;
    compared++;
    options.layer = layer;
    if (options.want) compare(&golden, options, stored->name, stored->data, stored->count);
  }
  assert_true(compared >= 7);
  close_golden(&golden);
}

// Hidden tokens at the ends are as if they were not there, except that positions go on counting.
static void test_attention_mask(void **state) {
  (void)state;
  struct golden golden;
  open_golden(&golden, "marian");
  struct qkv_forward_options options = sequence(&golden, 1);
  int32_t padded[10] = {0}, mask[10] = {0};
  for (size_t i = 0; i < options.id_count; i++) padded[i] = options.ids[i], mask[i] = 1;
  struct qkv_array *plain = forward(&golden, &options);
  options.ids = padded;
  options.attention_mask = mask;
  options.id_count = 10;
  for (int cached = 0; cached < 2; cached++) {
    options.cached = cached;
    struct qkv_array *masked = forward(&golden, &options);
    assert_int_equal(memcmp(plain->data, masked->data, plain->shape[0] * plain->shape[1] * sizeof(float)), 0);
    qkv_array_free(masked);
  }
  qkv_array_free(plain);
  options.cached = false;
  options.want = "cross-attention";
  mask[0] = 0;
  struct qkv_array *attention = forward(&golden, &options);
  size_t queries = attention->shape[1];
  assert_int_equal(attention->shape[2], 10);
  for (size_t row = 0; row < attention->shape[0] * queries; row++) {
    double sum = 0;
    for (int key = 0; key < 10; key++) {
      if (!mask[key]) assert_true(attention->data[row * 10 + key] == 0);
      sum += attention->data[row * 10 + key];
    }
    assert_true(fabs(sum - 1) < 1e-5);
  }
  qkv_array_free(attention);
  close_golden(&golden);
}

static void refuses(const struct golden *golden, struct qkv_forward_options options, enum qkv_status status, const char *part) {
  assert_null(qkv_forward(golden->context, golden->model, &options));
  assert_int_equal(qkv_status(golden->context), status);
  if (!strstr(qkv_message(golden->context), part)) fail_msg("\"%s\" does not say \"%s\"", qkv_message(golden->context), part);
}

static void test_bad_calls(void **state) {
  (void)state;
  struct golden golden;
  open_golden(&golden, "marian-knobs");
  struct qkv_forward_options good = sequence(&golden, 1), options = good;
  int32_t wrong[64] = {3, 61, 2}, mask[64] = {1, 0, 1, 1, 1, 1, 1};
  options.ids = wrong;
  refuses(&golden, options, QKV_USAGE, "61 at place 1; the vocabulary has the ids 0 to 60");
  wrong[1] = -1;
  refuses(&golden, options, QKV_USAGE, "-1 at place 1");
  wrong[1] = 5;
  options.id_count = 34;
  refuses(&golden, options, QKV_USAGE, "34 tokens; the model has 33 positions");
  options = good;
  options.id_count = 0;
  refuses(&golden, options, QKV_USAGE, "ids are missing");
  options = good;
  options.decoder_id_count = 0;
  refuses(&golden, options, QKV_USAGE, "logits need decoder_ids");
  options.cached = true;
  refuses(&golden, options, QKV_USAGE, "nothing to cache");
  options = good;
  options.attention_mask = mask;
  refuses(&golden, options, QKV_UNSUPPORTED, "the attention mask is 0 at place 1");
  memset(mask, 0, sizeof mask);
  refuses(&golden, options, QKV_USAGE, "hides every token");
  options = good;
  options.want = "sums";
  refuses(&golden, options, QKV_USAGE, "wanted logits, hidden, attention, cross-attention, pooled or nsp");
  options.want = "pooled";
  refuses(&golden, options, QKV_USAGE, "has a language head and no pooler");
  options.want = "nsp";
  refuses(&golden, options, QKV_USAGE, "has a language head, but a head for pre-training is needed; make one with: qkv train OUT --task mlm");
  options = good;
  options.type_ids = wrong;
  refuses(&golden, options, QKV_USAGE, "tells no segments apart");
  options = good;
  options.text_ends = (size_t[]){2, options.id_count};
  options.text_count = 2;
  refuses(&golden, options, QKV_USAGE, "only a model for multiple choice takes several");
  options = good;
  options.want = "hidden";
  options.layer = 3;
  refuses(&golden, options, QKV_USAGE, "layer is 3; the decoder has the layers 0 to 2, 0 being the embeddings' output");
  options.stack = "middle";
  refuses(&golden, options, QKV_USAGE, "wanted encoder or decoder");
  options.want = "cross-attention";
  options.stack = "encoder";
  refuses(&golden, options, QKV_USAGE, "only a decoder");
  assert_null(qkv_model_open(golden.context, "/nonexistent", NULL));
  assert_int_equal(qkv_status(golden.context), QKV_FILE);
  close_golden(&golden);
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  folder = arguments[1];
  enum { CASES = sizeof cases / sizeof *cases };
  struct CMUnitTest tests[CASES + 2];
  for (int i = 0; i < CASES; i++) tests[i] = (struct CMUnitTest){.name = cases[i], .test_func = test_golden, .initial_state = (void *)cases[i]};
  tests[CASES] = (struct CMUnitTest)cmocka_unit_test(test_attention_mask);
  tests[CASES + 1] = (struct CMUnitTest)cmocka_unit_test(test_bad_calls);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
