// Text into corpora, batches and plans: every kind of bad input, and an order that is a function of (seed, epoch).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "data/batch_plan.h"
#include "data/translation_batch.h"
#include "text_files.h"

struct reading {
  struct parallel_text text;
  struct corpus corpus;
  struct tokenizer *tokenizer;
  struct corpus_options options;
  struct error error;
};

static bool read_pair(struct reading *reading, const char *source, const char *target, struct corpus_options options) {
  *reading = (struct reading){.tokenizer = letters_tokenizer(), .options = options};
  if (!options.max_tokens) reading->options.max_tokens = 100;
  reading->options.tokenizer = reading->tokenizer;
  if (!options.source_vocab) reading->options.source_vocab = reading->options.target_vocab = 29;
  reading->options.directory = text_folder();
  const char *paths[] = {source, target};
  return parallel_text_open(&reading->text, paths, 2, &reading->error) &&
         corpus_read(&reading->corpus, &reading->text, &reading->options, &reading->error);
}

static void done(struct reading *reading) {
  corpus_close(&reading->corpus);
  parallel_text_close(&reading->text);
  tokenizer_free(reading->tokenizer);
}

static uint64_t counted(const struct reading *reading, enum ledger_reason reason) {
  return reading->corpus.ledger.entries[reason].count;
}

static void expect_message(const struct reading *reading, const char *part) {
  if (!strstr(reading->error.message, part)) fail_msg("\"%s\" lacks \"%s\"", reading->error.message, part);
}

static void lines_end_in_any_way(void **state) {
  struct line_file file;
  struct error error = {0};
  const char *path = text_file_of("ends", "\xEF\xBB\xBF" "one\r\ntwo\n\n\r\nlast");
  assert_true(line_file_open(&file, path, &error));
  const char *const wanted[] = {"one", "two", "", "", "last"};
  assert_int_equal(file.count, 5);
  for (size_t i = 0; i < 5; i++) {
    struct text_line line = line_file_get(&file, i);
    assert_int_equal(line.size, strlen(wanted[i]));
    assert_memory_equal(line.text, wanted[i], line.size);
  }
  line_file_close(&file);
}

static void files_that_cannot_be_read(void **state) {
  struct reading reading;
  const char *good = text_file_of("good", "a b\nc\n");
  assert_false(read_pair(&reading, "/nowhere/at/all", good, (struct corpus_options){0}));
  expect_message(&reading, "/nowhere/at/all: cannot open");
  done(&reading);
  assert_false(read_pair(&reading, good, text_file_of("empty", ""), (struct corpus_options){0}));
  expect_message(&reading, "the file is empty");
  done(&reading);
  assert_false(read_pair(&reading, text_folder(), good, (struct corpus_options){0}));
  expect_message(&reading, "is a directory");
  done(&reading);
  assert_false(read_pair(&reading, good, text_file_of("longer", "a\nb\nc\n"), (struct corpus_options){0}));
  expect_message(&reading, "good has 2 lines");
  expect_message(&reading, "longer has 3");
  done(&reading);
  const char *one[] = {good};
  assert_false(parallel_text_open(&reading.text, one, 1, &reading.error));
  if (geteuid() != 0) {  // root may read everything
    const char *secret = text_file_of("secret", "a\n");
    chmod(secret, 0);
    assert_false(read_pair(&reading, secret, good, (struct corpus_options){0}));
    expect_message(&reading, "Permission denied");
    done(&reading);
  }
}

static void every_line_is_accounted_for(void **state) {
  struct reading reading;
  // 1 kept, 2 empty source, 3 empty target, 4 both, 5 invalid UTF-8, 6 NUL, 7 too long, 8 blanks only, 9 kept without a line end
  static const char source[] = "a b\n\nc\n\nd \xFF\xFE" "e\nf\0g\na b c d e f\n  \t \nz";
  const char *target = text_file_of("target", "x\ny\n\n\nx\ny\nz\na\nb\r\n");
  assert_true(read_pair(&reading, text_file("source", source, sizeof source - 1), target,
                        (struct corpus_options){.max_tokens = 5, .fingerprints = true}));
  const struct ledger *ledger = &reading.corpus.ledger;
  assert_int_equal(ledger->read, 9);
  assert_int_equal(ledger->kept, 4);
  assert_int_equal(reading.corpus.count, 4);
  assert_int_equal(counted(&reading, LEDGER_EMPTY_SOURCE), 2);
  assert_int_equal(counted(&reading, LEDGER_EMPTY_TARGET), 1);
  assert_int_equal(counted(&reading, LEDGER_EMPTY_BOTH), 1);
  assert_int_equal(counted(&reading, LEDGER_TOO_LONG), 1);
  assert_int_equal(counted(&reading, LEDGER_INVALID_TEXT), 1);
  assert_int_equal(counted(&reading, LEDGER_ZERO_BYTE), 1);
  assert_int_equal(ledger->invalid_bytes, 2);
  assert_int_equal(place_line(ledger->entries[LEDGER_EMPTY_SOURCE].places[1]), 8);
  assert_int_equal(place_line(ledger->entries[LEDGER_TOO_LONG].places[0]), 7);
  const int32_t first[] = {2, 3, 0, 25, 0}, last[] = {27, 0, 3, 0};
  assert_memory_equal(corpus_source(&reading.corpus, 0), first, sizeof first);
  assert_memory_equal(corpus_source(&reading.corpus, 3), last, sizeof last);
  struct buffer json = {0}, text = {0};
  ledger_write_json(ledger, &json, reading.corpus.paths);
  ledger_write_text(ledger, &text, reading.corpus.paths, 1);
  assert_non_null(strstr(buffer_string(&json), "\"too_long\":{\"count\":1,\"lines\":[\""));
  assert_non_null(strstr(buffer_string(&json), "source:7\"]}"));
  assert_non_null(strstr(buffer_string(&text), "2 lines dropped: the source is empty ("));
  assert_non_null(strstr(buffer_string(&text), "source:2, ...)"));
  buffer_free(&json);
  buffer_free(&text);
  done(&reading);
}

static void long_lines_are_cut_when_asked(void **state) {
  struct reading reading;
  assert_true(read_pair(&reading, text_file_of("source", "a b c d e f\n"), text_file_of("target", "x\n"),
                        (struct corpus_options){.max_tokens = 4, .cut_long = true}));
  const int32_t wanted[] = {2, 3, 4, 0, 25, 0};
  assert_int_equal(reading.corpus.count, 1);
  assert_int_equal(counted(&reading, LEDGER_CUT), 1);
  assert_memory_equal(corpus_source(&reading.corpus, 0), wanted, sizeof wanted);
  done(&reading);
}

static void a_line_of_a_megabyte(void **state) {
  struct reading reading;
  size_t size = 1 << 20;
  char *line = malloc(size + 1);
  for (size_t i = 0; i < size; i++) line[i] = i % 2 ? ' ' : 'a';
  line[size] = '\n';
  assert_true(
      read_pair(&reading, text_file("source", line, size + 1), text_file_of("target", "x\n"), (struct corpus_options){0}));
  assert_int_equal(reading.corpus.count, 0);
  assert_int_equal(counted(&reading, LEDGER_TOO_LONG), 1);
  done(&reading);
  for (size_t i = 0; i < size; i++) line[i] = 'q';
  assert_true(
      read_pair(&reading, text_file("source", line, size + 1), text_file_of("target", "x\n"), (struct corpus_options){0}));
  assert_int_equal(reading.corpus.count, 1);
  done(&reading);
  free(line);
}

static void a_tokenizer_of_another_model(void **state) {
  struct reading reading;
  assert_false(read_pair(&reading, text_file_of("source", "a\nz\n"), text_file_of("target", "a\na\n"),
                         (struct corpus_options){.source_vocab = 20, .target_vocab = 20}));
  expect_message(&reading, "source line 2: the tokenizer gives the id 27, but the model has only 20 tokens");
  done(&reading);
}

static void pairs_that_stand_in_both(void **state) {
  struct reading valid, train;
  assert_true(read_pair(&valid, text_file_of("valid.s", "a b\nc d\n"), text_file_of("valid.t", "x\ny\n"),
                        (struct corpus_options){.fingerprints = true}));
  assert_true(read_pair(&train, text_file_of("train.s", "a b\nc d\na b\nq\n"), text_file_of("train.t", "x\nz\nx\ny\n"),
                        (struct corpus_options){.compare = &valid.corpus}));
  assert_int_equal(counted(&train, LEDGER_IN_VALID), 2);
  assert_int_equal(train.corpus.count, 4);
  done(&valid);
  done(&train);
}

// Text of `lines` lines with lengths from 1 to 12.
static void long_text(const char *name, int lines, unsigned salt) {
  struct buffer text = {0};
  for (int i = 0; i < lines; i++) {
    int words = 1 + (int)((i * 7919u + salt) % 12);
    for (int w = 0; w < words; w++) buffer_format(&text, "%s%c", w ? " " : "", 'a' + (int)((i * 31u + w * 17u + salt) % 26));
    buffer_char(&text, '\n');
  }
  text_file(name, text.data, text.size);
  buffer_free(&text);
}

static void read_long(struct reading *reading, int lines, struct corpus_options options) {
  char source[200], target[200];
  long_text("many.s", lines, 1);
  long_text("many.t", lines, 5);
  snprintf(source, sizeof source, "%s/many.s", text_folder());
  snprintf(target, sizeof target, "%s/many.t", text_folder());
  if (!read_pair(reading, source, target, options)) fail_msg("%s", reading->error.message);
}

static void holding_out_splits_by_hash(void **state) {
  struct reading kept, held, more;
  struct corpus_options options = {.held_out = 0.1, .part = PART_KEPT};
  read_long(&kept, 20000, options);
  options.part = PART_HELD_OUT;
  read_long(&held, 20000, options);
  assert_int_equal(kept.corpus.ledger.read + held.corpus.ledger.read, 20000);
  assert_int_equal(kept.corpus.ledger.held_out, held.corpus.ledger.read);
  read_long(&more, 30000, options);  // lines that are added move none
  size_t same = 0;
  for (size_t i = 0; i < held.corpus.count; i++) same += more.corpus.samples[i].place == held.corpus.samples[i].place;
  assert_int_equal(same, held.corpus.count);
  done(&kept);
  done(&held);
  done(&more);
  size_t out = 0;
  for (int i = 0; i < 10000; i++) {
    char text[20];
    struct text_line line = {text, (size_t)snprintf(text, sizeof text, "line %d", i)};
    out += parallel_text_held_out(line, 0.01);
  }
  assert_in_range(out, 60, 140);
}

static void any_number_of_threads_reads_the_same(void **state) {
  struct reading one, three;
  parallel_set_threads(1);
  read_long(&one, 10000, (struct corpus_options){0});
  parallel_set_threads(3);
  read_long(&three, 10000, (struct corpus_options){0});
  parallel_set_threads(0);
  assert_int_equal(one.corpus.count, three.corpus.count);
  assert_memory_equal(one.corpus.tokens, three.corpus.tokens,
                      (one.corpus.source_tokens + one.corpus.target_tokens) * sizeof(int32_t));
  assert_memory_equal(one.corpus.samples, three.corpus.samples, one.corpus.count * sizeof(struct sample));
  done(&one);
  done(&three);
}

static void a_plan_is_a_function_of_seed_and_epoch(void **state) {
  struct reading reading;
  read_long(&reading, 5000, (struct corpus_options){0});
  struct translation_samples of = {.corpus = &reading.corpus};
  struct samples samples = translation_samples(&of);
  struct batch_plan_options options = {.seed = 3, .batch_tokens = 200, .shuffled = true, .accumulate = 3};
  struct batch_plan plan = {0}, again = {0}, other = {0};
  assert_true(batch_plan_make(&plan, &samples, &options, 2, &reading.error));
  assert_true(batch_plan_make(&again, &samples, &options, 1, &reading.error));
  assert_true(batch_plan_make(&again, &samples, &options, 2, &reading.error));
  assert_memory_equal(plan.order, again.order, plan.sample_count * sizeof *plan.order);
  assert_int_equal(plan.batch_count, again.batch_count);
  assert_true(batch_plan_make(&other, &samples, &options, 3, &reading.error));
  assert_memory_not_equal(plan.order, other.order, plan.sample_count * sizeof *plan.order);
  options.seed = 4;
  assert_true(batch_plan_make(&other, &samples, &options, 2, &reading.error));
  assert_memory_not_equal(plan.order, other.order, plan.sample_count * sizeof *plan.order);

  // Every sample once, no batch over the limit, in an order as good as random.
  char *seen = calloc(plan.sample_count, 1);
  size_t batches = 0, in_order = 0, neighbours = 0;
  for (size_t i = 0; i < plan.batch_count; i++) {
    struct batch_list list = batch_plan_batch(&plan, i), same = batch_plan_batch(&again, i);
    assert_ptr_equal(list.samples - plan.order, same.samples - again.order);
    uint64_t sources = 0, targets = 0;
    for (size_t k = 0; k < list.count; k++) {
      const struct sample *sample = &reading.corpus.samples[list.samples[k]];
      assert_false(seen[list.samples[k]]);
      seen[list.samples[k]] = 1;
      sources += sample->source_count;
      targets += sample->target_count;
    }
    assert_true(sources <= 200 && targets <= 200);
    for (size_t k = 1; k < list.count; k++) in_order += list.samples[k] > list.samples[k - 1], neighbours++;
  }
  for (size_t i = 0; i < plan.sample_count; i++) assert_true(seen[i]);
  assert_true(in_order > neighbours * 2 / 5 && in_order < neighbours * 3 / 5);
  for (size_t u = 0; u < plan.update_count; u++) {
    size_t first, count;
    batch_plan_update(&plan, u, &first, &count);
    assert_int_equal(first, batches);
    assert_true(count == 3 || u + 1 == plan.update_count);
    batches += count;
  }
  assert_int_equal(batches, plan.batch_count);
  free(seen);
  batch_plan_free(&plan);
  batch_plan_free(&again);
  batch_plan_free(&other);
  done(&reading);
}

static void a_batch_is_packed(void **state) {
  const int32_t source[] = {5, 6, 0, 7, 0}, target[] = {8, 0, 9, 10, 0};
  struct sentence_pair pairs[] = {{source, target, 3, 2, 41, 7}, {source + 3, target + 2, 2, 3, 42, 9}};
  struct translation_batch filled = {0};
  struct error error = {0};
  assert_true(translation_batch_fill(&filled, pairs, 2, 28, &error));
  const struct batch *batch = &filled.batch;
  const int32_t inputs[] = {28, 8, 28, 9, 10}, positions[] = {0, 1, 0, 1, 2};
  assert_int_equal(batch->source.rows, 5);
  assert_int_equal(batch->label_count, 5);
  assert_memory_equal(batch->source.ids, source, sizeof source);
  assert_memory_equal(batch->labels, target, sizeof target);
  assert_memory_equal(batch->target.ids, inputs, sizeof inputs);
  assert_memory_equal(batch->target.positions, positions, sizeof positions);
  assert_true(batch->target.row_keys[4] == ((uint64_t)42 << 24 | 2) && batch->lines[1] == 9);
  assert_true(batch->cross[1].q0 == 2 && batch->cross[1].qn == 3 && batch->cross[1].k0 == 3 && batch->cross[1].kn == 2);
  assert_true(batch->target.spans[1].q0 == 2 && batch->target.spans[1].k0 == 2 && batch->target.spans[1].kn == 3);
  translation_batch_free(&filled);
}

static void memory_that_runs_short_is_an_error(void **state) {
  struct tokenizer *tokenizer = letters_tokenizer();
  long_text("few.s", 300, 1);
  long_text("few.t", 300, 5);
  char source[200], target[200];
  snprintf(source, sizeof source, "%s/few.s", text_folder());
  snprintf(target, sizeof target, "%s/few.t", text_folder());
  const char *paths[] = {source, target};
  bool worked = false;
  for (long n = 0; n < 200 && !worked; n++) {
    struct parallel_text text;
    struct corpus corpus;
    struct error error = {0};
    struct corpus_options options = {.tokenizer = tokenizer, .source_vocab = 29, .target_vocab = 29, .max_tokens = 50,
                                     .fingerprints = true, .directory = text_folder()};
    memory_fail_after(n);
    bool opened = parallel_text_open(&text, paths, 2, &error);
    worked = opened && corpus_read(&corpus, &text, &options, &error);
    memory_fail_after(-1);
    if (!worked) assert_int_equal(error.code, ERROR_MEMORY);
    if (worked) corpus_close(&corpus);
    if (opened) parallel_text_close(&text);
  }
  assert_true(worked);
  tokenizer_free(tokenizer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines_end_in_any_way),
    cmocka_unit_test(files_that_cannot_be_read),
    cmocka_unit_test(every_line_is_accounted_for),
    cmocka_unit_test(long_lines_are_cut_when_asked),
    cmocka_unit_test(a_line_of_a_megabyte),
    cmocka_unit_test(a_tokenizer_of_another_model),
    cmocka_unit_test(pairs_that_stand_in_both),
    cmocka_unit_test(holding_out_splits_by_hash),
    cmocka_unit_test(any_number_of_threads_reads_the_same),
    cmocka_unit_test(a_plan_is_a_function_of_seed_and_epoch),
    cmocka_unit_test(a_batch_is_packed),
    cmocka_unit_test(memory_that_runs_short_is_an_error),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  text_folder_remove();
  return failed;
}
