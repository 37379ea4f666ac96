// Log-probabilities of given targets against PyTorch, one by one and all at once; ensembles; alignments.
#include "search_test.h"

#include "generate/ensemble.h"
#include "generate/forced_decoding.h"

enum { LONGEST = 64, MOST = 64 };

struct scored {
  int32_t source[LONGEST], target[LONGEST];
  float expected[LONGEST], found[LONGEST];
  int32_t alignment[LONGEST];
};

static int read_pairs(struct scored *scored, struct forced_pair *pairs, const char *directory) {
  cJSON *json = read_cases(directory, "scores.json");
  int count = 0;
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "cases")) {
    assert_true(count < MOST);
    struct scored *to = &scored[count];
    struct forced_pair *pair = &pairs[count++];
    const cJSON *log_probs = cJSON_GetObjectItemCaseSensitive(item, "log_probs");
    *pair = (struct forced_pair){.source = to->source, .target = to->target, .log_probs = to->found};
    pair->source_count = read_ids(cJSON_GetObjectItemCaseSensitive(item, "source"), to->source, LONGEST);
    pair->target_count = read_ids(cJSON_GetObjectItemCaseSensitive(item, "target"), to->target, LONGEST);
    for (int i = 0; i < pair->target_count; i++) to->expected[i] = (float)cJSON_GetArrayItem(log_probs, i)->valuedouble;
  }
  cJSON_Delete(json);
  return count;
}

static void compare(const struct scored *scored, const struct forced_pair *pairs, int count) {
  for (int i = 0; i < count; i++)
    for (int t = 0; t < pairs[i].target_count; t++)
      if (!(fabs(scored[i].expected[t] - scored[i].found[t]) <= 2e-5 * (1 + fabs(scored[i].expected[t]))))
        fail_msg("pair %d, token %d: found %.8g, PyTorch has %.8g", i, t, scored[i].found[t], scored[i].expected[t]);
}

static void check_scores(const char *directory) {
  static struct scored scored[MOST];
  struct forced_pair pairs[MOST];
  struct checkpoint checkpoint;
  struct error error = {0};
  open_golden(&checkpoint, directory);
  const struct model *model = checkpoint.model;
  int start = checkpoint.arch.decoder_start_id, count = read_pairs(scored, pairs, directory);
  assert_true(count >= 10);
  float together[MOST][LONGEST];
  if (!forced_decode(&model, 1, start, pairs, count, &error)) fail_msg("%s", error.message);
  compare(scored, pairs, count);
  for (int i = 0; i < count; i++) memcpy(together[i], scored[i].found, sizeof together[i]);
  for (int i = 0; i < count; i++) assert_true(forced_decode(&model, 1, start, &pairs[i], 1, &error));
  for (int i = 0; i < count; i++) assert_memory_equal(together[i], scored[i].found, pairs[i].target_count * sizeof(float));
  // an ensemble of a model with itself is that model
  const struct model *twice[] = {model, model};
  assert_true(forced_decode(twice, 2, start, pairs, count, &error));
  compare(scored, pairs, count);
  checkpoint_close(&checkpoint);
}

static void marian_scores(void **state) { check_scores("marian-generate"); }

static void pegasus_scores(void **state) { check_scores("pegasus-generate"); }

// Against the recorded attention of the sequence 1 of tests/golden/marian.
static void aligns_as_attention_says(void **state) {
  struct checkpoint checkpoint;
  struct error error = {0};
  struct safetensors golden;
  char path[4096], name[64];
  open_golden(&checkpoint, "marian");
  const struct model *model = checkpoint.model;
  int layer = forced_alignment_layer(&checkpoint.arch);
  assert_int_equal(layer, 1);
  if (!safetensors_open(&golden, golden_path(path, "marian", "golden.safetensors"), &error)) fail_msg("%s", error.message);
  snprintf(name, sizeof name, "cross_attention.%d", layer);
  const struct stored_tensor *attention = safetensors_find(&golden, name);
  const int32_t *sources = safetensors_find(&golden, "source.offsets")->data;
  const int32_t *targets = safetensors_find(&golden, "target.offsets")->data;
  const int32_t *source = (const int32_t *)safetensors_find(&golden, "source.ids")->data + sources[1];
  const int32_t *target = (const int32_t *)safetensors_find(&golden, "target.labels")->data + targets[1];
  int keys = sources[2] - sources[1], queries = targets[2] - targets[1], heads = checkpoint.arch.decoder.heads;
  assert_int_equal(attention->count, heads * queries * keys);
  int32_t alignment[LONGEST];
  struct forced_pair pair = {.source = source, .target = target, .source_count = keys, .target_count = queries,
                             .alignment = alignment};
  assert_true(forced_decode(&model, 1, checkpoint.arch.decoder_start_id, &pair, 1, &error));
  for (int t = 0; t < queries; t++) {
    double best = -1;
    int at = -1;
    for (int k = 0; k < (source[keys - 1] == checkpoint.arch.eos_id ? keys - 1 : keys); k++) {
      double sum = 0;
      for (int h = 0; h < heads; h++) sum += ((const float *)attention->data)[(h * queries + t) * keys + k];
      if (sum > best) best = sum, at = k;
    }
    assert_int_equal(alignment[t], at);
  }
  safetensors_close(&golden);
  checkpoint_close(&checkpoint);
}

static void averages_probabilities(void **state) {
  const float values[] = {logf(0.5f), logf(0.1f), logf(0.3f)};
  assert_true(fabs(ensemble_mean(values, 3) - log(0.3)) < 1e-6);
  const float far[] = {-1e30f, 0};
  assert_true(fabs(ensemble_mean(far, 2) - log(0.5)) < 1e-6);
}

// Two models that differ: what their search finds has the log-probabilities that both together give it.
static void ensembles_find_what_they_score(void **state) {
  struct checkpoint first, second;
  struct error error = {0};
  open_golden(&first, "marian-generate");
  open_golden(&second, "marian-generate");
  struct weight *weight = model_weight(second.model, "decoder.0.feed_forward.up.weight");
  assert_true(weight && weight_own_values(weight, &error));
  for (size_t i = 0; i < weight_size(weight); i++) weight->values[i] *= i % 3 ? 1.5f : 0.2f;
  model_repack(second.model);
  const struct model *models[] = {first.model, second.model};
  struct generation_options options;
  generation_options_default(&options, &first.arch);
  options.beams = options.nbest = 4;
  options.max_new_tokens = 20;
  const int32_t sources[][6] = {{27, 21, 14, 41, 8, 0}, {12, 34, 44, 7, 9, 0}, {15, 3, 13, 23, 30, 0}};
  int differing = 0;
  for (int i = 0; i < 3; i++) {
    struct generation_request request = {.source = sources[i], .source_count = 6};
    struct session *session = session_open(models, 2, &options, &error);
    struct generation *found = NULL;
    if (!session || !session_run(session, &request, 1, &found, &error)) fail_msg("%s", error.message);
    for (int k = 0; k < found->count; k++) {
      const struct hypothesis *hypothesis = &found->hypotheses[k];
      float together[LONGEST], alone[LONGEST], sum = 0;
      struct forced_pair pair = {.source = sources[i], .source_count = 6, .target = hypothesis->ids,
                                 .target_count = hypothesis->count, .log_probs = together};
      assert_true(forced_decode(models, 2, options.start_id, &pair, 1, &error));
      pair.log_probs = alone;
      assert_true(forced_decode(models, 1, options.start_id, &pair, 1, &error));
      for (int t = 0; t < hypothesis->count; t++) {
        assert_true(fabs(together[t] - hypothesis->log_probs[t]) < 1e-4);
        differing += fabs(together[t] - alone[t]) > 1e-2;
        sum += together[t];
      }
      assert_true(fabs(sum / hypothesis->count - hypothesis->score) < 1e-4);
    }
    free(found);
    session_close(session);
  }
  assert_true(differing > 5);
  checkpoint_close(&first);
  checkpoint_close(&second);
}

static void refuses_models_that_differ(void **state) {
  struct checkpoint first, second;
  struct error error = {0};
  open_golden(&first, "marian-generate");
  open_golden(&second, "pegasus-generate");
  const struct model *models[] = {first.model, second.model};
  const char *const names[] = {"one", "other"};
  assert_false(ensemble_check(models, names, 2, &error));
  assert_non_null(strstr(error.message, "other: the end token's id is 1, that of one is 0"));
  checkpoint_close(&first);
  checkpoint_close(&second);
}

static void refuses_bad_ids(void **state) {
  struct checkpoint checkpoint;
  struct error error = {0};
  open_golden(&checkpoint, "marian-generate");
  const struct model *model = checkpoint.model;
  const int32_t source[] = {3, 47}, target[] = {3, 0};
  float found[2];
  struct forced_pair pair = {.source = source, .target = target, .source_count = 2, .target_count = 2, .log_probs = found};
  assert_false(forced_decode(&model, 1, checkpoint.arch.decoder_start_id, &pair, 1, &error));
  assert_non_null(strstr(error.message, "id 1 is 47"));
  const int32_t good[] = {3, 0};
  pair.source = good;
  for (int start = -1; start <= 47; start += 48) {
    error_clear(&error);
    assert_false(forced_decode(&model, 1, start, &pair, 1, &error));
    assert_non_null(strstr(error.message, "decoder_start_token_id is"));
  }
  checkpoint_close(&checkpoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(marian_scores), cmocka_unit_test(pegasus_scores),
                                     cmocka_unit_test(aligns_as_attention_says),
                                     cmocka_unit_test(averages_probabilities), cmocka_unit_test(ensembles_find_what_they_score),
                                     cmocka_unit_test(refuses_models_that_differ), cmocka_unit_test(refuses_bad_ids)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
