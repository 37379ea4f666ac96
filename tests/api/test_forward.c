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
static const char *const cases[] = {"marian",          "marian-knobs", "marian-unshared", "marian-untied",
                                    "marian-one-head", "marian-long",  "marian-sharded",  "marian-f16",
                                    "marian-bf16",     "pegasus",      "pegasus-tanh",    "pegasus-silu"};

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
static void compare(const struct golden *golden, struct qkv_forward_options options, const char *name, const float *wanted,
                    size_t count) {
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

static void compare_rows(const struct golden *golden, const char *name, const char *want, const char *stack, int64_t layer,
                         const int32_t *offsets) {
  const struct stored_tensor *wanted = tensor(golden, name);
  size_t columns = (size_t)wanted->shape[1];
  for (int i = 0; i < golden->sequences; i++) {
    struct qkv_forward_options options = sequence(golden, i);
    options.want = want;
    options.stack = stack;
    options.layer = layer;
    compare(golden, options, name, (const float *)wanted->data + (size_t)offsets[i] * columns,
            (size_t)(offsets[i + 1] - offsets[i]) * columns);
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
    if (sscanf(stored->name, "encoder.hidden.%d", &layer) == 1)
      compare_rows(&golden, stored->name, "hidden", "encoder", layer, golden.source_offsets);
    else if (sscanf(stored->name, "decoder.hidden.%d", &layer) == 1)
      compare_rows(&golden, stored->name, "hidden", NULL, layer, golden.target_offsets);
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

// ---- heads

static const char *const head_cases[] = {
  "bert", "bert-pretraining", "bert-masked", "bert-next-sentence", "bert-classify", "bert-regress", "bert-tag", "bert-span", "bert-choice",
  "roberta-classify", "distilbert-choice", "electra-masked", "albert-span", "mpnet-tag-long", "gpt2-classify", "gpt2-tag", "llama-classify"};

static void open_head(struct golden *golden, const char *name) {
  char path[4096];
  struct error error = {0};
  *golden = (struct golden){.context = qkv_context_new()};
  snprintf(path, sizeof path, "%s/%s/golden.safetensors", folder, name);
  if (!safetensors_open(&golden->file, path, &error)) fail_msg("%s", error.message);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  golden->model = qkv_model_open(golden->context, path, "f32");
  if (!golden->model) fail_msg("%s", qkv_message(golden->context));
  golden->source = tensor(golden, "source.ids")->data;
  golden->source_offsets = tensor(golden, "source.offsets")->data;
  golden->sequences = (int)tensor(golden, "source.offsets")->shape[0] - 1;
}

static struct qkv_forward_options text_of(const struct golden *golden, int first, int count, size_t *ends) {
  const struct stored_tensor *types = safetensors_find(&golden->file, "source.types");
  int row = golden->source_offsets[first];
  struct qkv_forward_options options = {
    .ids = golden->source + row, .id_count = (size_t)(golden->source_offsets[first + count] - row), .layer = -1};
  if (types) options.type_ids = (const int32_t *)types->data + row;
  for (int i = 0; i < count; i++) ends[i] = (size_t)(golden->source_offsets[first + i + 1] - row);
  if (count > 1) options.text_ends = ends, options.text_count = (size_t)count;
  return options;
}

static void check_part(const struct golden *golden, const struct qkv_forward_options *options, const char *name, size_t row) {
  const struct stored_tensor *wanted = safetensors_find(&golden->file, name);
  if (!wanted) return;
  struct qkv_array *array = forward(golden, options);
  size_t columns = array->shape[1], size = array->shape[0] * columns;
  if (wanted->shape[1] != (int64_t)columns) assert_true(array->shape[0] == 1 && wanted->shape[1] == 1);  // choices lie in one row
  const float *numbers = (const float *)wanted->data + row * (size_t)wanted->shape[1];
  for (size_t i = 0; i < size; i++)
    if (!(fabsf(array->data[i] - numbers[i]) <= 3e-5f * (1 + fabsf(numbers[i]))))
      fail_msg("%s: number %zu is %.9g; wanted %.9g", name, i, array->data[i], numbers[i]);
  qkv_array_free(array);
}

static void test_heads(void **state) {
  (void)state;
  for (size_t c = 0; c < sizeof head_cases / sizeof *head_cases; c++) {
    struct golden golden;
    open_head(&golden, head_cases[c]);
    bool choice = strstr(head_cases[c], "choice"), pretraining = strstr(head_cases[c], "pretraining");
    int each = choice ? 2 : 1;
    for (int i = 0; i + each <= golden.sequences; i += each) {
      size_t ends[2], row = (size_t)golden.source_offsets[i];
      struct qkv_forward_options options = text_of(&golden, i, each, ends);
      check_part(&golden, &options, "rows", row);
      options.want = "pooled";
      check_part(&golden, &options, "pooled", (size_t)i);
      options.want = pretraining || strstr(head_cases[c], "next") ? "nsp" : "logits";
      check_part(&golden, &options, "texts", (size_t)i);
    }
    close_golden(&golden);
  }
}

static void refuses(const struct golden *golden, struct qkv_forward_options options, enum qkv_status status, const char *part) {
  assert_null(qkv_forward(golden->context, golden->model, &options));
  assert_int_equal(qkv_status(golden->context), status);
  if (!strstr(qkv_message(golden->context), part)) fail_msg("\"%s\" does not say \"%s\"", qkv_message(golden->context), part);
}

static void test_bad_calls_of_heads(void **state) {
  (void)state;
  struct golden golden;
  size_t ends[2];
  int32_t types[200] = {0, 1, 2}, many[200] = {0};
  open_head(&golden, "bert-classify");
  struct qkv_forward_options good = text_of(&golden, 0, 1, ends), options = good;
  options.type_ids = types;
  refuses(&golden, options, QKV_USAGE, "type_ids: 2 at place 2; the model has the segments 0 to 1");
  types[2] = -1;
  refuses(&golden, options, QKV_USAGE, "type_ids: -1 at place 2");
  options = good;
  options.ids = options.type_ids = many;
  options.id_count = 17;
  refuses(&golden, options, QKV_USAGE, "ids: 17 tokens; the model has 16 positions");
  options = good;
  options.want = "nsp";
  refuses(
    &golden, options, QKV_USAGE,
    "bert-classify: this bert model has a head for sequence classification, but a head for pre-training is needed; make one with: qkv train OUT --task mlm --from");
  options.want = "logits";
  options.cached = true;
  refuses(&golden, options, QKV_USAGE, "without decoder_ids there is nothing to cache");
  close_golden(&golden);
  open_head(&golden, "roberta-classify");
  options = text_of(&golden, 0, 1, ends);
  options.ids = options.type_ids = many;
  options.id_count = 12;  // 16 rows, of which 5 belong to the padding
  refuses(&golden, options, QKV_USAGE, "ids: 12 tokens; the model has 11 positions");
  close_golden(&golden);
  open_head(&golden, "bert-tag");
  options = text_of(&golden, 0, 1, ends);
  options.want = "pooled";
  refuses(&golden, options, QKV_USAGE, "has a head for token classification and no pooler");
  close_golden(&golden);
  open_head(&golden, "bert-choice");
  options = text_of(&golden, 0, 2, ends);
  ends[1]--;
  refuses(&golden, options, QKV_USAGE, "text_ends have to end with id_count");
  close_golden(&golden);
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
  refuses(&golden, options, QKV_USAGE, "is an encoder-decoder, which has a language head; a head for pre-training is needed");
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
  struct CMUnitTest tests[CASES + 4];
  for (int i = 0; i < CASES; i++)
    tests[i] = (struct CMUnitTest){.name = cases[i], .test_func = test_golden, .initial_state = (void *)cases[i]};
  tests[CASES] = (struct CMUnitTest)cmocka_unit_test(test_attention_mask);
  tests[CASES + 1] = (struct CMUnitTest)cmocka_unit_test(test_bad_calls);
  tests[CASES + 2] = (struct CMUnitTest)cmocka_unit_test(test_heads);
  tests[CASES + 3] = (struct CMUnitTest)cmocka_unit_test(test_bad_calls_of_heads);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
