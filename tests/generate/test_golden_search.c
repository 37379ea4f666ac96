// Greedy and beam search against transformers' generate on the same checkpoints: sequences, scores, and what each token
// added. A case may differ only if the reference itself decided something by less than 1e-4; such cases are listed.
#include "search_test.h"

enum { LONGEST = 64 };

static const double CLOSE = 1e-4, TOLERANCE = 1e-4;

struct golden_case {
  const cJSON *json;
  int32_t source[LONGEST], prefix[LONGEST];
  struct generation_request request;
  struct generation_options options;
};

static double number(const cJSON *options, const char *key, double otherwise) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(options, key);
  return value ? value->valuedouble : otherwise;
}

static void add_list(struct id_lists *lists, const cJSON *list) {
  int32_t ids[LONGEST];
  struct error error = {0};
  int count = read_ids(list, ids, LONGEST);
  if (count) assert_true(id_lists_add(lists, ids, count, &error));
}

static void read_case(struct golden_case *golden, const cJSON *json, const struct arch *arch) {
  struct error error = {0};
  const cJSON *options = cJSON_GetObjectItemCaseSensitive(json, "options"), *word;
  golden->json = json;
  golden->request.source = golden->source;
  golden->request.source_count = read_ids(cJSON_GetObjectItemCaseSensitive(json, "source"), golden->source, LONGEST);
  int prefix = read_ids(cJSON_GetObjectItemCaseSensitive(json, "prefix"), golden->prefix, LONGEST);
  bool starts = arch->family == FAMILY_ENCODER_DECODER;
  golden->request.prefix = golden->prefix + starts;
  golden->request.prefix_count = prefix - starts;
  struct generation_options *to = &golden->options;
  generation_options_default(to, arch);
  to->forced_eos_count = 0;
  assert_int_equal(to->start_id, starts ? golden->prefix[0] : -1);
  to->beams = (int)number(options, "num_beams", 1);
  to->nbest = (int)number(options, "num_return_sequences", 1);
  to->length_penalty = number(options, "length_penalty", 1);
  to->max_length = (int)number(options, "max_length", 0);
  to->max_new_tokens = (int)number(options, "max_new_tokens", 0);
  to->repetition_penalty = number(options, "repetition_penalty", 1);
  to->no_repeat_ngram_size = (int)number(options, "no_repeat_ngram_size", 0);
  to->encoder_no_repeat_ngram_size = (int)number(options, "encoder_no_repeat_ngram_size", 0);
  to->min_length = (int)number(options, "min_length", 0);
  to->min_new_tokens = (int)number(options, "min_new_tokens", 0);
  to->renormalize = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(options, "renormalize_logits"));
  to->forced_bos_id = (int)number(options, "forced_bos_token_id", -1);
  if (cJSON_HasObjectItem(options, "eos_token_id"))
    to->eos_count = read_ids(cJSON_GetObjectItemCaseSensitive(options, "eos_token_id"), to->eos_ids, EOS_IDS);
  to->token_scores = true;
  const cJSON *early = cJSON_GetObjectItemCaseSensitive(options, "early_stopping");
  to->early_stopping = cJSON_IsTrue(early) ? EARLY_STOPPING_YES : EARLY_STOPPING_NO;
  if (cJSON_IsString(early)) to->early_stopping = EARLY_STOPPING_NEVER;
  if (cJSON_HasObjectItem(options, "forced_eos_token_id"))
    to->forced_eos_ids[to->forced_eos_count++] = (int)number(options, "forced_eos_token_id", 0);
  add_list(&to->suppressed, cJSON_GetObjectItemCaseSensitive(options, "suppress_tokens"));
  add_list(&to->begin_suppressed, cJSON_GetObjectItemCaseSensitive(options, "begin_suppress_tokens"));
  cJSON_ArrayForEach(word, cJSON_GetObjectItemCaseSensitive(options, "bad_words_ids")) {
    int32_t ids[LONGEST];
    int count = read_ids(word, ids, LONGEST);
    assert_true(id_lists_add(&to->bad_words, ids, count, &error));
  }
}

static bool same_numbers(const cJSON *expected, const float *found, int count) {
  if (cJSON_GetArraySize(expected) != count) return false;
  for (int i = 0; i < count; i++)
    if (!(fabs(cJSON_GetArrayItem(expected, i)->valuedouble - found[i]) <= TOLERANCE)) return false;
  return true;
}

static bool same_ids(const cJSON *expected, const struct golden_case *golden, const struct hypothesis *found) {
  int prefix = (golden->options.start_id >= 0) + golden->request.prefix_count;
  if (cJSON_GetArraySize(expected) != prefix + found->count) return false;
  for (int i = 0; i < prefix; i++)
    if (cJSON_GetArrayItem(expected, i)->valueint != golden->prefix[i]) return false;
  for (int i = 0; i < found->count; i++)
    if (cJSON_GetArrayItem(expected, prefix + i)->valueint != found->ids[i]) return false;
  return true;
}

static bool matches(const struct golden_case *golden, const struct generation *found) {
  const cJSON *sequences = cJSON_GetObjectItemCaseSensitive(golden->json, "sequences");
  const cJSON *scores = cJSON_GetObjectItemCaseSensitive(golden->json, "sequences_scores");
  const cJSON *token_scores = cJSON_GetObjectItemCaseSensitive(golden->json, "token_scores");
  if (found->count != cJSON_GetArraySize(sequences)) return false;
  for (int i = 0; i < found->count; i++) {
    const struct hypothesis *hypothesis = &found->hypotheses[i];
    if (!same_ids(cJSON_GetArrayItem(sequences, i), golden, hypothesis)) return false;
    if (scores && !(fabs(cJSON_GetArrayItem(scores, i)->valuedouble - hypothesis->score) <= TOLERANCE)) return false;
    if (!same_numbers(cJSON_GetArrayItem(token_scores, i), hypothesis->log_probs, hypothesis->count)) return false;
  }
  return true;
}

static void explain(const struct golden_case *golden, const struct generation *found) {
  char *text = cJSON_PrintUnformatted(golden->json);
  print_message("expected %s\n", text);
  free(text);
  for (int i = 0; i < found->count; i++) {
    const struct hypothesis *hypothesis = &found->hypotheses[i];
    print_message("found (score %.7f)", hypothesis->score);
    for (int t = 0; t < hypothesis->count; t++) print_message(" %d(%.6f)", hypothesis->ids[t], hypothesis->log_probs[t]);
    print_message("\n");
  }
}

static void check_file(const char *directory, const char *file, int least) {
  struct checkpoint checkpoint;
  struct error error = {0};
  open_golden(&checkpoint, directory);
  cJSON *json = read_cases(directory, file);
  const cJSON *item;
  const struct model *model = checkpoint.model;
  int checked = 0, close = 0;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "cases")) {
    struct golden_case golden = {0};
    read_case(&golden, item, &checkpoint.arch);
    struct session *session = session_open(&model, 1, &golden.options, &error);
    struct generation *found = NULL;
    if (!session || !session_run(session, &golden.request, 1, &found, &error)) fail_msg("%s", error.message);
    const cJSON *margin = cJSON_GetObjectItemCaseSensitive(item, "margin");
    if (matches(&golden, found)) {
      checked++;
    } else {
      explain(&golden, found);
      if (!cJSON_IsNumber(margin) || margin->valuedouble >= CLOSE)
        fail_msg("%s/%s: case %d differs", directory, file, checked + close);
      print_message("%s: the reference decided by %g; allowed to differ\n", directory, margin->valuedouble);
      close++;
    }
    free(found);
    session_close(session);
    generation_options_free(&golden.options);
  }
  print_message("%s/%s: %d searches agree, %d close ones differ\n", directory, file, checked, close);
  assert_true(checked >= least);
  cJSON_Delete(json);
  checkpoint_close(&checkpoint);
}

static void marian_agrees(void **state) {
  check_file("marian-generate", "generation.json", 65);
  check_file("marian-generate", "rules.json", 37);
}

static void pegasus_agrees(void **state) {
  check_file("pegasus-generate", "generation.json", 65);
  check_file("pegasus-generate", "rules.json", 37);
}

static void gpt2_agrees(void **state) { check_file("gpt2-generate", "generation.json", 50); }

static void openai_gpt_agrees(void **state) { check_file("openai-gpt-generate", "generation.json", 16); }

static void llama_agrees(void **state) { check_file("llama-generate", "generation.json", 16); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(marian_agrees), cmocka_unit_test(pegasus_agrees),
                                     cmocka_unit_test(gpt2_agrees), cmocka_unit_test(openai_gpt_agrees),
                                     cmocka_unit_test(llama_agrees)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
