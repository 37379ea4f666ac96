// What is found for a sentence does not depend, to the bit, on its neighbours, their number and order, threads, the cache
// being used at all, pages running short, or an allocation that failed before.
#include "search_test.h"

enum { SENTENCES = 90, LONGEST = 40 };

static struct checkpoint checkpoint;
static const struct model *model;
static int32_t sources[SENTENCES][LONGEST];
static struct generation_request requests[SENTENCES];

// Deterministic sentences of many lengths, some equal ones among them.
static int open_all(void **state) {
  open_golden(&checkpoint, "marian-generate");
  model = checkpoint.model;
  uint32_t x = 12345;
  for (int i = 0; i < SENTENCES; i++) {
    int length = 1 + (i * 7) % (LONGEST - 2);
    for (int t = 0; t < length; t++) {
      x = x * 1664525 + 1013904223;
      sources[i][t] = 1 + (int32_t)(x >> 16) % 45;
    }
    sources[i][length] = checkpoint.arch.eos_id;
    requests[i] = (struct generation_request){.source = sources[i], .source_count = length + 1};
  }
  return 0;
}

static int close_all(void **state) {
  parallel_set_threads(0);
  checkpoint_close(&checkpoint);
  return 0;
}

static struct generation_options options_with(int beams) {
  struct generation_options options;
  generation_options_default(&options, &checkpoint.arch);
  options.beams = options.nbest = beams;
  options.max_new_tokens = 50;
  options.token_scores = true;
  return options;
}

static void run(const struct generation_options *options, const struct generation_request *asked, size_t count, size_t batch,
                struct generation **results) {
  run_batches(&model, options, asked, count, batch, results);
}

static void check_batches(const struct generation_options *options) {
  struct generation *expected[SENTENCES], *found[SENTENCES];
  parallel_set_threads(1);
  run(options, requests, SENTENCES, 1, expected);
  const size_t batches[] = {7, 64, SENTENCES};
  for (int threads = 1; threads <= 3; threads++) {
    parallel_set_threads(threads);
    for (int i = 0; i < 3; i++) {
      run(options, requests, SENTENCES, batches[i], found);
      compare_and_free(expected, found, SENTENCES);
    }
    run(options, requests, 5, 1, found);
    compare_and_free(expected, found, 5);
  }
  free_all(expected, SENTENCES);
}

static void batches_and_threads(void **state) {
  for (int beams = 1; beams <= 5; beams += 4) {
    struct generation_options options = options_with(beams);
    check_batches(&options);
  }
}

static void batches_with_rules(void **state) {
  struct generation_options options = options_with(4);
  options.repetition_penalty = 1.2;
  options.no_repeat_ngram_size = 2;
  options.encoder_no_repeat_ngram_size = 3;
  options.min_new_tokens = 3;
  check_batches(&options);
}

static void order(void **state) {
  struct generation_options options = options_with(3);
  struct generation *expected[SENTENCES], *found[SENTENCES], *sorted[SENTENCES];
  struct generation_request turned[SENTENCES];
  parallel_set_threads(2);
  for (int i = 0; i < SENTENCES; i++) turned[i] = requests[(i * 37) % SENTENCES];
  run(&options, requests, SENTENCES, SENTENCES, expected);
  run(&options, turned, SENTENCES, SENTENCES, found);
  for (int i = 0; i < SENTENCES; i++) sorted[(i * 37) % SENTENCES] = found[i];
  compare_and_free(expected, sorted, SENTENCES);
  free_all(expected, SENTENCES);
}

// Greedy search without any cache: the whole target again for every token.
static int decode_plainly(struct context *context, const struct generation_request *request, int32_t *ids, float *log_probs,
                          int most) {
  int count = 0;
  while (count < most) {
    int rows = count + 1;
    int32_t input[64], positions[64], source_positions[64];
    for (int t = 0; t < rows; t++) {
      input[t] = t ? ids[t - 1] : checkpoint.arch.decoder_start_id;
      positions[t] = t;
    }
    for (int t = 0; t < request->source_count; t++) source_positions[t] = t;
    struct span source = {.qn = request->source_count, .kn = request->source_count}, target = {.qn = rows, .kn = rows};
    struct span cross = {.qn = rows, .kn = request->source_count};
    struct batch batch = {.source = {.rows = request->source_count, .ids = request->source, .positions = source_positions,
                                     .spans = &source, .span_count = 1},
                          .target = {.rows = rows, .ids = input, .positions = positions, .spans = &target, .span_count = 1},
                          .cross = &cross, .cross_count = 1, .sequences = 1};
    context_begin(context, false, false, 0, 0);
    struct tensor *hidden = model_decode(context, model, &batch, model_encode(context, model, &batch.source));
    struct tensor *logits = model_logits(context, model, hidden, &(int32_t){rows - 1}, 1);
    assert_non_null(logits);
    float best, log_sum;
    model->kernels->largest(&best, &ids[count], &log_sum, logits->data, logits->cols, 1, logits->cols, 1);
    log_probs[count] = best - log_sum;
    count++;
  }
  return count;
}

static void without_cache(void **state) {
  struct generation_options options = options_with(1);
  options.eos_count = 0;  // long targets: they fill several pages
  struct generation *found[SENTENCES];
  struct context context;
  struct error error = {0};
  assert_true(context_open(&context, model->kernels, (size_t)1 << 30, &error));
  run(&options, requests, SENTENCES, SENTENCES, found);
  size_t longest = 0;
  for (int i = 0; i < SENTENCES; i++) {
    int32_t ids[64];
    float log_probs[64];
    int count = decode_plainly(&context, &requests[i], ids, log_probs, 50);
    const struct hypothesis *hypothesis = &found[i]->hypotheses[0];
    assert_int_equal(count, hypothesis->count);
    assert_memory_equal(ids, hypothesis->ids, count * sizeof *ids);
    assert_memory_equal(log_probs, hypothesis->log_probs, count * sizeof *log_probs);
    if ((size_t)count > longest) longest = count;
  }
  assert_true(longest > KEY_PAGE);  // several pages were in use
  free_all(found, SENTENCES);
  context_close(&context);
}

// Beams that go on for several pages in a cache of few; returns how many sentences were thrown out and done again.
static size_t run_short(const struct generation_options *options, size_t pages, struct generation **found) {
  struct error error = {0};
  struct search search;
  assert_true(search_open(&search, &model, 1, options, 64, pages * page_cache_page_size(&model, 1, model->kernels), &error));
  search.requests = requests;
  search.results = found;
  size_t next = 0, returned = 0;
  while (next < SENTENCES || search.active || search.returned_count) {
    size_t index = search.returned_count ? search.returned[--search.returned_count] : next < SENTENCES ? next++ : SENTENCES;
    if (index < SENTENCES) assert_true(search_admit(&search, &index, 1));  // without asking whether there is room
    size_t before = search.returned_count;
    if (search.active) assert_true(search_step(&search));
    returned += search.returned_count - before;
  }
  assert_int_equal(search.cache.self.free_count, search.cache.self.fresh);  // every page came back
  assert_int_equal(search.cache.cross.free_count, search.cache.cross.fresh);
  search_close(&search);
  return returned;
}

static void short_of_pages(void **state) {
  struct generation_options options = options_with(8);
  options.min_new_tokens = 40;
  struct generation *expected[SENTENCES], *found[SENTENCES] = {NULL};
  run(&options, requests, SENTENCES, SENTENCES, expected);
  run_short(&options, 1, found);  // room for the source of one long sentence
  compare_and_free(expected, found, SENTENCES);
  assert_true(run_short(&options, 40, found) > 0);
  compare_and_free(expected, found, SENTENCES);
  free_all(expected, SENTENCES);
}

// Each allocation of opening a session and translating fails once; what is found afterwards is what is always found.
static void failing_allocations(void **state) {
  struct generation_options options = options_with(3);
  options.repetition_penalty = 1.1;
  struct generation *expected[3], *found[3];
  parallel_set_threads(1);
  run(&options, requests, 3, 3, expected);
  long n = 0, failures = 0;
  for (bool done = false; !done; n++) {
    struct error error = {0};
    memory_fail_after(n);
    struct session *session = session_open(&model, 1, &options, &error);
    done = session && session_run(session, requests, 3, found, &error);
    memory_fail_after(-1);
    if (done) {
      compare_and_free(expected, found, 3);
    } else {
      failures++;
      assert_int_equal(error.code, ERROR_MEMORY);
      if (session) {  // it works again once there is memory
        struct error again = {0};
        for (int i = 0; i < 3; i++) assert_null(found[i]);
        if (!session_run(session, requests, 3, found, &again)) fail_msg("%s", again.message);
        compare_and_free(expected, found, 3);
      }
    }
    session_close(session);
    assert_true(n < 5000);
  }
  print_message("%ld allocations failed, one by one\n", failures);
  assert_true(failures > 10);
  free_all(expected, 3);
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
  struct generation_options options = options_with(4);
  int32_t wrong[] = {5, 47};
  refuses("is 47", &options, (struct generation_request){.source = wrong, .source_count = 2});
  refuses("prefix is 47", &options, (struct generation_request){.source = wrong, .source_count = 1, .prefix = wrong,
                                                                .prefix_count = 2});
  refuses("has 0 tokens", &options, (struct generation_request){.source = wrong});
  refuses("has 65 tokens", &options, (struct generation_request){.source = wrong, .source_count = 65});
  options.beams = 33;
  refuses("num_beams is 33", &options, requests[0]);
  options = options_with(2);
  options.nbest = 3;
  refuses("3 hypotheses", &options, requests[0]);
  options = options_with(1);
  options.eos_ids[0] = 99;
  refuses("eos_token_id is 99", &options, requests[0]);
  options = options_with(1);
  options.start_id = -1;
  refuses("decoder_start_token_id", &options, requests[0]);
}

// A prefix as long as the model's positions allow leaves no room for a token.
static void prefix_fills_everything(void **state) {
  struct generation_options options = options_with(2);
  int32_t prefix[63];
  for (int i = 0; i < 63; i++) prefix[i] = 1 + i % 40;
  struct generation_request request = requests[3];
  request.prefix = prefix;
  struct generation *found;
  request.prefix_count = 63;
  run(&options, &request, 1, 1, &found);
  assert_int_equal(found->count, 1);
  assert_int_equal(found->hypotheses[0].count, 0);
  free(found);
  request.prefix_count = 62;
  run(&options, &request, 1, 1, &found);
  assert_int_equal(found->count, 2);
  assert_int_equal(found->hypotheses[0].count, 1);
  free(found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(batches_and_threads), cmocka_unit_test(batches_with_rules), cmocka_unit_test(order),
    cmocka_unit_test(without_cache),
    cmocka_unit_test(short_of_pages), cmocka_unit_test(failing_allocations), cmocka_unit_test(refuses_nonsense),
    cmocka_unit_test(prefix_fills_everything)};
  return cmocka_run_group_tests(tests, open_all, close_all);
}
