// Vectors of texts: those that transformers gives for the checkpoint in ../shared (skipped where it is absent), the same bits
// alone, in company, in any order and with any number of threads; and what bad calls are told. Argument 1: tests/golden.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "qkv.h"

enum { MOST = 16 };

static const char *golden;
static char model_path[4096];
static struct qkv_context *context;
static struct qkv_model *model;  // NULL: the checkpoint is not there
static cJSON *wanted;

static struct qkv_embeddings *embed(const char **texts, size_t count, const struct qkv_embed_options *options) {
  return qkv_embed(context, model, &(struct qkv_strings){texts, count}, options);
}

static size_t golden_texts(const char *texts[MOST]) {
  const cJSON *item, *list = cJSON_GetObjectItem(wanted, "texts");
  size_t count = 0;
  cJSON_ArrayForEach(item, list) texts[count++] = item->valuestring;
  return count;
}

static void agrees_with_transformers(void **state) {
  if (!model) skip();
  const char *texts[MOST];
  size_t count = golden_texts(texts);
  struct qkv_embeddings *found = embed(texts, count, NULL);
  if (!found) fail_msg("%s", qkv_message(context));
  assert_int_equal(found->vectors.shape[0], count);
  assert_int_equal(found->vectors.shape[1], 384);
  for (size_t i = 0; i < count; i++) {
    const cJSON *row = cJSON_GetArrayItem(cJSON_GetObjectItem(wanted, "vectors"), (int)i), *number = row->child;
    for (size_t k = 0; k < 384; k++, number = number->next)
      if (!(fabs(found->vectors.data[i * 384 + k] - number->valuedouble) < 1e-5))
        fail_msg("text %zu, number %zu: %.9g, wanted %.9g", i, k, found->vectors.data[i * 384 + k], number->valuedouble);
  }
  qkv_embeddings_free(found);
}

static void same_bits(void) {
  const char *texts[MOST], *reversed[MOST];
  size_t count = golden_texts(texts), size = 384 * sizeof(float);
  for (size_t i = 0; i < count; i++) reversed[i] = texts[count - 1 - i];
  qkv_set_threads(1);
  struct qkv_embeddings *together = embed(texts, count, NULL);
  qkv_set_threads(2);
  struct qkv_embeddings *backwards = embed(reversed, count, NULL);
  for (size_t i = 0; i < count; i++) {
    struct qkv_embeddings *alone = embed(&texts[i], 1, NULL);
    assert_memory_equal(alone->vectors.data, together->vectors.data + i * 384, size);
    assert_memory_equal(backwards->vectors.data + (count - 1 - i) * 384, together->vectors.data + i * 384, size);
    qkv_embeddings_free(alone);
  }
  qkv_embeddings_free(together);
  qkv_embeddings_free(backwards);
}

static void neighbours_order_and_threads_change_no_bit(void **state) {
  if (!model) skip();
  same_bits();
  struct qkv_model *f32 = model;
  model = qkv_model_open(context, model_path, NULL);  // bf16 where the processor has it
  if (!model) fail_msg("%s", qkv_message(context));
  same_bits();
  qkv_model_free(model);
  model = f32;
}

static void cuts_are_counted(void **state) {
  if (!model) skip();
  const char *text = "one two three four five six seven";
  struct qkv_embed_options options = qkv_embed_options_default();
  options.max_length = 5;
  struct qkv_embeddings *found = embed(&text, 1, &options), *other;
  assert_int_equal(found->cut[0], 4);
  const char *start = "one two three";
  other = embed(&start, 1, NULL);
  assert_memory_equal(found->vectors.data, other->vectors.data, 384 * sizeof(float));
  qkv_embeddings_free(found);
  qkv_embeddings_free(other);
}

// Layer 6 is the last; the mean of a text's words in it, not normalised, is the word's vector there.
static void words_and_layers(void **state) {
  if (!model) skip();
  const char *texts[] = {"The bank, of course.", "banker's bank"};
  struct qkv_embeddings *word = qkv_embed_word(context, model, &(struct qkv_strings){texts, 2}, "bank");
  if (!word) fail_msg("%s", qkv_message(context));
  assert_int_equal(word->vectors.dimensions, 3);
  assert_int_equal(word->vectors.shape[1], 7);
  struct qkv_embed_options options = qkv_embed_options_default();
  options.normalize = 0;
  options.pooling = "cls";
  options.layer = 3;
  struct qkv_embeddings *first = embed(texts, 1, &options);
  assert_int_equal(first->vectors.shape[1], 384);
  assert_true(memcmp(first->vectors.data, word->vectors.data + 3 * 384, 384 * sizeof(float)) != 0);  // [CLS] is another token
  qkv_embeddings_free(first);
  qkv_embeddings_free(word);
  assert_null(qkv_embed_word(context, model, &(struct qkv_strings){texts, 2}, "river"));
  assert_non_null(strstr(qkv_message(context), "text 1 does not hold the word \"river\""));
  options.layer = 7;
  assert_null(embed(texts, 1, &options));
  assert_non_null(strstr(qkv_message(context), "the layers 0 to 6"));
}

// Pooling is never guessed.
static void pooling_has_to_be_said(void **state) {
  if (!model) skip();
  const char *text = "a", *names[] = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"};
  char folder[] = "/tmp/qkv-embed-XXXXXX", from[4096], to[4096], full[4096];
  assert_non_null(mkdtemp(folder));
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(symlink(realpath(file_join(from, model_path, names[i]), full), file_join(to, folder, names[i])), 0);
  struct qkv_model *bare = qkv_model_open(context, folder, "f32");
  if (!bare) fail_msg("%s", qkv_message(context));
  assert_null(qkv_embed(context, bare, &(struct qkv_strings){&text, 1}, NULL));
  assert_non_null(strstr(qkv_message(context), "there is no modules.json"));
  assert_non_null(strstr(qkv_message(context), "--pooling"));
  struct qkv_embed_options options = qkv_embed_options_default();
  options.pooling = "mean";
  options.normalize = 1;
  struct qkv_embeddings *said = qkv_embed(context, bare, &(struct qkv_strings){&text, 1}, &options),
                        *known = embed(&text, 1, NULL);
  assert_memory_equal(said->vectors.data, known->vectors.data, 384 * sizeof(float));
  qkv_embeddings_free(said);
  qkv_embeddings_free(known);
  qkv_model_free(bare);
  for (size_t i = 0; i < 4; i++) remove(file_join(to, folder, names[i]));
  remove(folder);
}

static void translators_have_no_vectors(void **state) {
  char path[4096];
  const char *text = "a";
  struct qkv_model *translator = qkv_model_open(context, file_join(path, golden, "marian"), NULL);
  assert_null(qkv_embed(context, translator, &(struct qkv_strings){&text, 1}, NULL));
  assert_int_not_equal(qkv_status(context), QKV_OK);
  qkv_model_free(translator);
}

int main(int count, char **arguments) {
  struct error error = {0};
  char path[4096];
  golden = count > 1 ? arguments[1] : "tests/golden";
  context = qkv_context_new();
  wanted = json_read(file_join(path, golden, "embeddings.json"), &error);
  file_join(model_path, golden, "../../../shared/models/all-MiniLM-L6-v2");
  if (file_is_directory(model_path))
    model = qkv_model_open(context, model_path, "f32");
  else
    printf("# %s is absent; most of these tests are skipped\n", model_path);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(agrees_with_transformers), cmocka_unit_test(neighbours_order_and_threads_change_no_bit),
    cmocka_unit_test(cuts_are_counted),         cmocka_unit_test(words_and_layers),
    cmocka_unit_test(pooling_has_to_be_said),   cmocka_unit_test(translators_have_no_vectors),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  qkv_model_free(model);
  qkv_context_free(context);
  cJSON_Delete(wanted);
  return failed;
}
