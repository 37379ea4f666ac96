// Texts of a model with a decoder only: what is drawn follows the probabilities, the probabilities are those of transformers, and
// no text depends, to the bit, on what is generated beside it, on threads, on shared or recomputed keys.
#include "search_test.h"

#include "generate/forced_decoding.h"

enum { PROMPTS = 90, LONGEST = 60, VOCABULARY = 47, WINDOW = 64 };

static const char *directory = "gpt2-generate";
static struct checkpoint checkpoint;
static const struct model *model;
static struct context context;
static struct error context_error;
static int32_t prompts[PROMPTS][LONGEST];
static struct generation_request requests[PROMPTS];

static int open_all(void **state) {
  open_golden(&checkpoint, directory);
  model = checkpoint.model;
  assert_true(context_open(&context, model->kernels, (size_t)1 << 30, &context_error));
  uint32_t x = 4711;
  for (int i = 0; i < PROMPTS; i++) {
    int length = 1 + (i * 7) % (LONGEST - 1);
    for (int t = 0; t < length; t++) {
      x = x * 1664525 + 1013904223;
      prompts[i][t] = 1 + (int32_t)(x >> 16) % 45;
    }
    requests[i] = (struct generation_request){.prefix = prompts[i], .prefix_count = length, .line = (uint64_t)i};
  }
  return 0;
}

static int close_all(void **state) {
  parallel_set_threads(0);
  context_close(&context);
  checkpoint_close(&checkpoint);
  return 0;
}

static struct generation_options sampling_options(void) {
  struct generation_options options;
  generation_options_default(&options, &checkpoint.arch);
  options.sampling = true;
  options.temperature = 1.3;
  options.top_k = 40;
  options.top_p = 0.97;
  options.max_new_tokens = 30;
  options.eos_count = 0;  // long texts
  options.seed = 99;
  return options;
}

static void run(const struct generation_options *options, const struct generation_request *asked, size_t count, size_t batch,
                struct generation **results) {
  run_batches(&model, options, asked, count, batch, results);
}

// Logits of the last of `count` ids, in one pass without a cache. They live until the next call.
static float *last_logits(const int32_t *ids, int count) {
  int32_t positions[WINDOW];
  for (int t = 0; t < count; t++) positions[t] = t;
  struct span span = {.qn = count, .kn = count};
  struct batch batch = {.target = {.rows = count, .ids = ids, .positions = positions, .spans = &span, .span_count = 1},
                        .sequences = 1};
  context_begin(&context, false, false, 0, 0);
  struct tensor *hidden = model_decode(&context, model, &batch, NULL);
  struct tensor *logits = model_logits(&context, model, hidden, &(int32_t){count - 1}, 1);
  assert_non_null(logits);
  return logits->data;
}

// ---- distributions ----

static double number(const cJSON *options, const char *key, double otherwise) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(options, key);
  return value ? value->valuedouble : otherwise;
}

static void read_filters(struct generation_options *options, const cJSON *json) {
  generation_options_default(options, &checkpoint.arch);
  options->sampling = true;
  options->temperature = number(json, "temperature", 1);
  options->top_k = (int)number(json, "top_k", 0);
  options->top_p = number(json, "top_p", 1);
  options->min_p = number(json, "min_p", 0);
  options->repetition_penalty = number(json, "repetition_penalty", 1);
}

static void filters_agree_with_transformers(void **state) {
  cJSON *json = read_cases("gpt2-generate", "sampling.json");
  const cJSON *item;
  int checked = 0;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "cases")) {
    struct generation_options options;
    struct logits_rules rules;
    struct error error = {0};
    int32_t prompt[LONGEST];
    float scratch[VOCABULARY];
    int count = read_ids(cJSON_GetObjectItemCaseSensitive(item, "prompt"), prompt, LONGEST);
    read_filters(&options, cJSON_GetObjectItemCaseSensitive(item, "options"));
    float *row = last_logits(prompt, count);
    assert_true(logits_rules_open(&rules, &options, VOCABULARY, &error));
    const struct rule_row all = {.logits = row, .target = prompt, .length = count};
    if (rules.any) assert_true(logits_rules_apply(&rules, &all, &error));
    logits_rules_close(&rules);
    model->kernels->softmax(row, VOCABULARY, 1, VOCABULARY, (float)(1 / options.temperature));
    sampling_filter(row, VOCABULARY, &options, scratch);
    const cJSON *expected = cJSON_GetObjectItemCaseSensitive(item, "probabilities");
    for (int v = 0; v < VOCABULARY; v++) {
      double wanted = cJSON_GetArrayItem(expected, v)->valuedouble;
      if (!(fabs(wanted - row[v]) <= 2e-6) || (wanted == 0) != (row[v] == 0))
        fail_msg("case %d, id %d: found %.8g, transformers has %.8g", checked, v, row[v], wanted);
    }
    checked++;
  }
  assert_int_equal(checked, 15);
  cJSON_Delete(json);
}

// Pearson's chi-square of many draws of the token after a prompt against the probabilities that the model gives.
static void check_frequencies(struct generation_options options) {
  enum { REQUESTS = 250, SAMPLES = 32, DRAWS = REQUESTS * SAMPLES };
  struct generation_request asked[REQUESTS];
  struct generation *found[REQUESTS];
  float scratch[VOCABULARY];
  int counts[VOCABULARY] = {0};
  options.max_new_tokens = 1;
  options.samples = SAMPLES;
  for (int i = 0; i < REQUESTS; i++) {
    asked[i] = requests[7];
    asked[i].samples = SAMPLES;
    asked[i].line = (uint64_t)i;
  }
  run(&options, asked, REQUESTS, REQUESTS, found);
  float *expected = last_logits(asked[0].prefix, asked[0].prefix_count);
  model->kernels->softmax(expected, VOCABULARY, 1, VOCABULARY, (float)(1 / options.temperature));
  sampling_filter(expected, VOCABULARY, &options, scratch);
  for (int i = 0; i < REQUESTS; i++)
    for (int k = 0; k < SAMPLES; k++) {
      const struct hypothesis *text = &found[i]->hypotheses[k];
      assert_int_equal(text->count, 1);
      assert_true(fabs(exp(text->log_probs[0]) - expected[text->ids[0]]) < 1e-5);
      counts[text->ids[0]]++;
    }
  double chi = 0, rest = 0, rest_count = 0;
  int degrees = 0;
  for (int v = 0; v < VOCABULARY; v++) {
    double wanted = expected[v] * DRAWS;
    if (expected[v] == 0) assert_int_equal(counts[v], 0);
    if (wanted < 10) {
      rest += wanted, rest_count += counts[v];
      continue;
    }
    chi += (counts[v] - wanted) * (counts[v] - wanted) / wanted;
    degrees++;
  }
  if (rest >= 10) chi += (rest_count - rest) * (rest_count - rest) / rest, degrees++;
  assert_true(degrees > 5);
  // The 99.9 % quantile (Wilson and Hilferty, 1931). The numbers are always the same, so this cannot fail by chance.
  double d = degrees - 1, cube = 1 - 2 / (9 * d) + 3.09 * sqrt(2 / (9 * d)), limit = d * cube * cube * cube;
  print_message("chi-square %.1f with %d degrees of freedom, limit %.1f\n", chi, degrees - 1, limit);
  assert_true(chi < limit);
  free_all(found, REQUESTS);
}

static void frequencies_are_the_probabilities(void **state) {
  struct generation_options options = sampling_options();
  options.top_k = 0;
  options.top_p = 1;
  options.temperature = 2;
  check_frequencies(options);
  options.seed = 5;
  options.top_p = 0.9;
  check_frequencies(options);
  options.seed = 6;
  options.top_k = 12;
  options.min_p = 0.02;
  check_frequencies(options);
}

// ---- the same bits ----

static void batches_and_threads(void **state) {
  struct generation_options options = sampling_options();
  struct generation *expected[PROMPTS], *found[PROMPTS];
  options.repetition_penalty = 1.1;
  parallel_set_threads(1);
  run(&options, requests, PROMPTS, 1, expected);
  for (int threads = 1; threads <= 3; threads += 2) {
    parallel_set_threads(threads);
    run(&options, requests, PROMPTS, PROMPTS, found);  // their prompts together are fed in several portions
    compare_and_free(expected, found, PROMPTS);
    run(&options, requests, PROMPTS, 11, found);
    compare_and_free(expected, found, PROMPTS);
  }
  options.seed++;
  run(&options, requests, PROMPTS, PROMPTS, found);
  int same = 0;
  for (int i = 0; i < PROMPTS; i++)
    same += memcmp(found[i]->hypotheses[0].ids, expected[i]->hypotheses[0].ids, 3 * sizeof(int32_t)) == 0;
  assert_true(same < PROMPTS / 10);
  free_all(found, PROMPTS);
  free_all(expected, PROMPTS);
}

// Samples that share a prompt's pages are those that are drawn alone.
static void check_samples(struct generation_options options) {
  enum { SAMPLES = 5 };
  struct generation_options alone = options;
  struct generation_request asked[PROMPTS];
  struct generation *together[PROMPTS], *single;
  options.samples = SAMPLES;
  for (int i = 0; i < PROMPTS; i++) {
    asked[i] = requests[i];
    asked[i].samples = SAMPLES;
  }
  parallel_set_threads(2);
  run(&options, asked, PROMPTS, PROMPTS, together);
  int early = 0, slid = 0;
  for (int i = 0; i < PROMPTS; i += 7)
    for (int k = 0; k < SAMPLES; k++) {
      struct generation_request one = requests[i];
      one.first_sample = k;
      run(&alone, &one, 1, 1, &single);
      const struct hypothesis *a = &together[i]->hypotheses[k], *b = &single->hypotheses[0];
      assert_int_equal(together[i]->count, SAMPLES);
      assert_int_equal(a->count, b->count);
      assert_int_equal(a->ending, b->ending);
      assert_memory_equal(a->ids, b->ids, a->count * sizeof *a->ids);
      assert_memory_equal(a->log_probs, b->log_probs, a->count * sizeof *a->log_probs);
      assert_int_equal(a->lost, b->lost);
      if (a->count < options.max_new_tokens) early++;
      slid += a->lost > 0;
      free(single);
    }
  print_message("%d texts ended early, %d slid\n", early, slid);
  assert_true(early > 10);
  assert_true(options.slide ? slid > 10 : slid == 0);
  free_all(together, PROMPTS);
}

static void shared_prompts(void **state) {
  struct generation_options options = sampling_options();
  options.eos_count = 3;  // some end early
  for (int i = 0; i < 3; i++) options.eos_ids[i] = 10 + i;
  check_samples(options);
  options.slide = true;
  options.eos_count = 1;
  options.max_new_tokens = 90;
  check_samples(options);
}

// A cache of few pages: places wait until there is room for all that they may need, and none is thrown out.
static void short_of_pages(void **state) {
  struct generation_options options = sampling_options();
  struct generation_request asked[PROMPTS];
  struct generation *expected[PROMPTS], *found[PROMPTS] = {NULL};
  struct search search;
  struct error error = {0};
  options.samples = 4;
  for (int i = 0; i < PROMPTS; i++) {
    asked[i] = requests[i];
    asked[i].samples = 1 + i % 4;
  }
  run(&options, asked, PROMPTS, PROMPTS, expected);
  assert_true(search_open(&search, &model, 1, &options, 64, 70 * page_cache_page_size(&model, 1, model->kernels), &error));
  search.requests = asked;
  search.results = found;
  size_t next = 0, waited = 0;
  int together = 0;
  while (next < PROMPTS || search.active || search.returned_count) {
    size_t index = search.returned_count ? search.returned[--search.returned_count] : next < PROMPTS ? next++ : PROMPTS;
    if (index < PROMPTS) assert_true(search_admit(&search, &index, 1));  // without asking whether there is room
    waited += search.returned_count;
    size_t before = search.returned_count;
    if (search.active > together) together = search.active;
    if (search.active) assert_true(search_step(&search));
    assert_int_equal(search.returned_count, before);
  }
  assert_true(waited > 10 && together > 1);
  assert_int_equal(search.cache.self.free_count, search.cache.self.fresh);  // every page came back
  search_close(&search);
  compare_and_free(expected, found, PROMPTS);
  free_all(expected, PROMPTS);
}

// Greedily, everything that is in sight fed again for each token; after sliding the latter half of the positions is.
static void without_cache(void **state) {
  struct generation_options options;
  generation_options_default(&options, &checkpoint.arch);
  options.eos_count = 0;
  options.max_new_tokens = 150;
  options.slide = true;
  options.token_scores = true;
  options.repetition_penalty = 1.05;
  struct generation *found[PROMPTS];
  run(&options, requests, PROMPTS, PROMPTS, found);
  for (int i = 0; i < PROMPTS; i += 9) {
    int32_t ids[LONGEST + 150];
    int count = requests[i].prefix_count, first = 0;
    memcpy(ids, requests[i].prefix, count * sizeof *ids);
    for (int n = 0; n < 150; n++) {
      if (count - first > WINDOW) first = count - WINDOW / 2;
      float *row = last_logits(ids + first, count - first), best;
      bool seen[VOCABULARY] = {false};
      for (int t = 0; t < count; t++) seen[ids[t]] = true;
      for (int v = 0; v < VOCABULARY; v++)
        if (seen[v]) row[v] = row[v] < 0 ? row[v] * 1.05f : row[v] / 1.05f;
      model->kernels->largest(&best, &ids[count++], NULL, row, VOCABULARY, 1, VOCABULARY, 1);
    }
    const struct hypothesis *text = &found[i]->hypotheses[0];
    assert_int_equal(text->count, 150);
    assert_int_equal(text->ending, ENDING_LENGTH);
    assert_int_equal(text->lost, first);
    assert_true(first > 0);
    assert_memory_equal(text->ids, ids + requests[i].prefix_count, 150 * sizeof *ids);
  }
  free_all(found, PROMPTS);
}

// ---- why a text ends ----

struct watching {
  int called, ended, most;
};

static bool watch(void *user, const struct generation_request *request, int sample, int32_t id) {
  struct watching *watching = user;
  if (id < 0) watching->ended++;
  else watching->called++;
  return watching->called < watching->most;
}

static bool stops_at_7(void *user, const int32_t *ids, int count) {
  assert_true(count >= 1 && count <= 3);
  return ids[count - 1] == 7;
}

static enum ending ending_of(const struct generation_options *options, const struct generation_request *request, int *count) {
  struct generation *found;
  run(options, request, 1, 1, &found);
  enum ending ending = found->hypotheses[0].ending;
  *count = found->hypotheses[0].count;
  free(found);
  return ending;
}

static void says_why_it_ended(void **state) {
  int count;
  struct generation_options options = sampling_options();
  assert_int_equal(ending_of(&options, &requests[0], &count), ENDING_LENGTH);
  assert_int_equal(count, 30);
  options.max_new_tokens = 100;
  assert_int_equal(ending_of(&options, &requests[0], &count), ENDING_FULL);
  assert_int_equal(count + requests[0].prefix_count, WINDOW);
  options.stops = stops_at_7;
  options.stop_window = 3;
  options.top_k = 0, options.top_p = 1, options.temperature = 3;
  assert_int_equal(ending_of(&options, &requests[0], &count), ENDING_STOP);
  options.stops = NULL;
  options.eos_count = EOS_IDS;
  for (int i = 0; i < options.eos_count; i++) options.eos_ids[i] = 5 * i;
  assert_int_equal(ending_of(&options, &requests[0], &count), ENDING_TOKEN);
  options.eos_count = 0;
  struct watching watching = {.most = 4};
  options.watch = watch;
  options.watch_user = &watching;
  assert_int_equal(ending_of(&options, &requests[0], &count), ENDING_WATCHER);
  assert_int_equal(count, 4);
  assert_int_equal(watching.called, 4);
  assert_int_equal(watching.ended, 1);
  static int32_t whole[WINDOW];
  const struct generation_request everything = {.prefix = whole, .prefix_count = WINDOW};
  assert_int_equal(ending_of(&options, &everything, &count), ENDING_FULL);
  assert_int_equal(count, 0);
  assert_int_equal(watching.ended, 2);
  options.watch = NULL;
  for (int32_t id = 0; id < VOCABULARY; id++) assert_true(id_lists_add(&options.suppressed, &id, 1, &context_error));
  assert_int_equal(ending_of(&options, &requests[0], &count), ENDING_NONE);
  assert_int_equal(count, 0);
  generation_options_free(&options);
}

static void alternatives_are_kept(void **state) {
  struct generation_options options = sampling_options();
  options.alternatives = 6;
  struct generation *found;
  run(&options, &requests[5], 1, 1, &found);
  const struct hypothesis *text = &found->hypotheses[0];
  for (int t = 0; t < text->count; t++) {
    const struct alternative *row = text->alternatives + t * 6;
    for (int i = 0; i < 6; i++) {
      if (i) assert_true(row[i].log_prob <= row[i - 1].log_prob);
      if (row[i].log_prob > LOGIT_NEVER / 2 && row[i].id == text->ids[t]) assert_true(row[i].log_prob == text->log_probs[t]);
    }
  }
  free(found);
  // All of a small vocabulary: the probabilities sum to 1, searching greedily and in beams too.
  for (int way = 0; way < 3; way++) {
    generation_options_default(&options, &checkpoint.arch);
    options.sampling = way == 0;
    options.beams = options.nbest = way == 2 ? 3 : 1;
    options.alternatives = VOCABULARY;
    options.max_new_tokens = 8;
    run(&options, &requests[5], 1, 1, &found);
    for (int k = 0; k < found->count; k++)
      for (int t = 0; t < found->hypotheses[k].count; t++) {
        double sum = 0;
        bool there = false;
        for (int i = 0; i < VOCABULARY; i++) {
          const struct alternative *alternative = &found->hypotheses[k].alternatives[t * VOCABULARY + i];
          sum += exp(alternative->log_prob);
          there |= alternative->id == found->hypotheses[k].ids[t];
        }
        assert_true(there && fabs(sum - 1) < 1e-5);
      }
    free(found);
  }
}

// ---- failures ----

static void failing_allocations(void **state) {
  struct generation_options options = sampling_options();
  struct generation_request asked[2] = {requests[4], requests[5]};
  struct generation *expected[2], *found[2];
  asked[0].samples = asked[1].samples = options.samples = 3;
  options.alternatives = 3;
  options.no_repeat_ngram_size = 4;
  parallel_set_threads(1);
  run(&options, asked, 2, 2, expected);
  long n = 0, failures = 0;
  for (bool done = false; !done; n++) {
    struct error error = {0};
    memory_fail_after(n);
    struct session *session = session_open(&model, 1, &options, &error);
    done = session && session_run(session, asked, 2, found, &error);
    memory_fail_after(-1);
    if (done) compare_and_free(expected, found, 2);
    else assert_int_equal(error.code, ERROR_MEMORY);
    failures += !done;
    session_close(session);
    assert_true(n < 5000);
  }
  assert_true(failures > 10);
  free_all(expected, 2);
}

static void refuses(const char *part, const struct generation_options *options, struct generation_request request) {
  struct error error = {0};
  struct generation *found = NULL;
  struct session *session = session_open(&model, 1, options, &error);
  bool fine = session && session_run(session, &request, 1, &found, &error);
  assert_false(fine);
  if (!strstr(error.message, part)) fail_msg("the message is: %s", error.message);
  session_close(session);
}

static void refuses_nonsense(void **state) {
  struct generation_options options = sampling_options();
  static int32_t wrong[] = {5, 47}, many[WINDOW + 1];
  refuses("prompt is 47", &options, (struct generation_request){.prefix = wrong, .prefix_count = 2});
  refuses("prompt 1 has no tokens", &options, (struct generation_request){.prefix = wrong});
  refuses("has 65 tokens and the model takes 64", &options,
          (struct generation_request){.prefix = many, .prefix_count = WINDOW + 1});
  refuses("2 samples are wanted", &options, (struct generation_request){.prefix = wrong, .prefix_count = 1, .samples = 2});
  options.top_p = 0;
  refuses("top_p is 0", &options, requests[0]);
  options = sampling_options();
  options.temperature = -1;
  refuses("temperature is -1", &options, requests[0]);
  options.temperature = 0;
  refuses("temperature is 0", &options, requests[0]);
  options = sampling_options();
  options.beams = 2;
  refuses("not both", &options, requests[0]);
  options = sampling_options();
  options.samples = 33;
  refuses("num_return_sequences is 33", &options, requests[0]);
}

static void broken_weights(void **state) {
  struct checkpoint broken;
  struct error error = {0};
  open_golden(&broken, "gpt2-generate");
  struct weight *weight = model_weight(broken.model, "decoder.0.feed_forward.up.weight");
  assert_true(weight && weight_own_values(weight, &error));
  weight->values[3] = NAN;
  model_repack(broken.model);
  const struct model *damaged = broken.model;
  for (int sampling = 0; sampling < 2; sampling++) {
    struct generation_options options = sampling_options();
    options.sampling = sampling;
    struct generation *found = NULL;
    struct error problem = {0};
    struct session *session = session_open(&damaged, 1, &options, &problem);
    assert_non_null(session);
    assert_false(session_run(session, requests, 1, &found, &problem));
    assert_int_equal(problem.code, ERROR_NUMERIC);
    session_close(session);
  }
  float log_probs[LONGEST];
  struct forced_pair pair = {.target = prompts[3], .target_count = 5, .log_probs = log_probs};
  assert_false(forced_decode(&damaged, 1, -1, &pair, 1, &error));
  assert_int_equal(error.code, ERROR_NUMERIC);
  checkpoint_close(&broken);
}

// What a text without a source is given is what drawing it was.
static void scores_of_texts(void **state) {
  struct generation_options options = sampling_options();
  options.temperature = 1, options.top_k = 0, options.top_p = 1;
  struct generation *found[PROMPTS];
  static int32_t whole[PROMPTS][WINDOW];
  static float log_probs[PROMPTS][WINDOW];
  struct forced_pair pairs[PROMPTS];
  struct error error = {0};
  run(&options, requests, PROMPTS, PROMPTS, found);
  for (int i = 0; i < PROMPTS; i++) {
    const struct hypothesis *text = &found[i]->hypotheses[0];
    int before = requests[i].prefix_count;
    memcpy(whole[i], requests[i].prefix, before * sizeof(int32_t));
    memcpy(whole[i] + before, text->ids, text->count * sizeof(int32_t));
    pairs[i] = (struct forced_pair){.target = whole[i], .target_count = before + text->count, .log_probs = log_probs[i]};
  }
  if (!forced_decode(&model, 1, -1, pairs, PROMPTS, &error)) fail_msg("%s", error.message);
  for (int i = 0; i < PROMPTS; i++) {
    const struct hypothesis *text = &found[i]->hypotheses[0];
    assert_true(log_probs[i][0] == 0);
    for (int t = 0; t < text->count; t++)
      assert_true(fabs(log_probs[i][requests[i].prefix_count + t] - text->log_probs[t]) < 1e-5 * (1 + fabs(text->log_probs[t])));
  }
  free_all(found, PROMPTS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(filters_agree_with_transformers), cmocka_unit_test(frequencies_are_the_probabilities),
    cmocka_unit_test(batches_and_threads), cmocka_unit_test(shared_prompts), cmocka_unit_test(short_of_pages),
    cmocka_unit_test(without_cache),
    cmocka_unit_test(says_why_it_ended), cmocka_unit_test(alternatives_are_kept), cmocka_unit_test(failing_allocations),
    cmocka_unit_test(refuses_nonsense), cmocka_unit_test(broken_weights), cmocka_unit_test(scores_of_texts)};
  const struct CMUnitTest rotary[] = {cmocka_unit_test(batches_and_threads), cmocka_unit_test(shared_prompts),
                                      cmocka_unit_test(without_cache)};
  int failed = cmocka_run_group_tests(tests, open_all, close_all);
  directory = "llama-generate";
  return failed + cmocka_run_group_tests(rotary, open_all, close_all);
}
