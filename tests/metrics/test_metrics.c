// BLEU, chrF and lower-casing against the numbers that make_metrics_golden.py got from sacreBLEU and Python (argument 1:
// golden.json).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utf8proc.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"

enum { MOST_REFERENCES = 8 };

static cJSON *golden;

static const cJSON *at(const cJSON *object, const char *key) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
  if (!value) fail_msg("golden.json: no key %s", key);
  return value;
}

static double number(const cJSON *object, const char *key) { return at(object, key)->valuedouble; }

static bool flag(const cJSON *object, const char *key) { return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key)); }

static const char *string(const cJSON *object, const char *key, const char *otherwise) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
  return value ? value->valuestring : otherwise;
}

static void assert_near(double found, double wanted, const char *what) {
  if (!(fabs(found - wanted) <= 1e-12 * fmax(1, fabs(wanted)))) fail_msg("%s: %.17g, wanted %.17g", what, found, wanted);
}

static size_t line_of(const cJSON *set, int line, struct metric_text *hypothesis,
                      struct metric_text references[MOST_REFERENCES]) {
  *hypothesis = metric_text(cJSON_GetArrayItem(at(set, "hypotheses"), line)->valuestring);
  size_t count = 0;
  const cJSON *reference, *list = cJSON_GetArrayItem(at(set, "references"), line);
  cJSON_ArrayForEach(reference, list) references[count++] = metric_text(reference->valuestring);
  return count;
}

static enum bleu_tokenizer tokenizer_of(const char *name) {
  if (!strcmp(name, "none")) return BLEU_TOKENIZER_NONE;
  return !strcmp(name, "char") ? BLEU_TOKENIZER_CHARACTERS : BLEU_TOKENIZER_13A;
}

static struct bleu_options bleu_options_of(const cJSON *options) {
  static const char *const names[] = {"exp", "floor", "add-k", "none"};
  struct bleu_options out = {.lowercase = flag(options, "lowercase"), .effective_order = flag(options, "effective_order")};
  out.tokenizer = tokenizer_of(string(options, "tokenize", "13a"));
  for (int i = 0; i < 4; i++)
    if (!strcmp(string(options, "smooth_method", "exp"), names[i])) out.smoothing = (enum bleu_smoothing)i;
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(options, "smooth_value");
  out.smoothing_value = value ? value->valuedouble : 0;
  return out;
}

static void check_bleu(const cJSON *set, const cJSON *wanted) {
  struct bleu_options options = bleu_options_of(at(wanted, "options")), alone = options;
  alone.effective_order = true;
  struct bleu_statistics halves[2] = {0}, all = {0};
  struct error error = {0};
  int lines = cJSON_GetArraySize(at(set, "hypotheses"));
  for (int i = 0; i < lines; i++) {
    struct metric_text hypothesis, references[MOST_REFERENCES];
    size_t count = line_of(set, i, &hypothesis, references);
    struct bleu_statistics line = {0};
    assert_true(bleu_add(&line, &alone, hypothesis, references, count, &error));
    double own = cJSON_GetArrayItem(at(wanted, "lines"), i)->valuedouble;
    assert_near(bleu_score(&line, &alone).score, own, string(set, "name", ""));
    assert_true(bleu_add(&halves[i % 2], &options, hypothesis, references, count, &error));
  }
  bleu_merge(&all, &halves[1]);
  bleu_merge(&all, &halves[0]);
  struct bleu_result result = bleu_score(&all, &options);
  assert_near(result.score, number(wanted, "score"), string(set, "name", ""));
  assert_near(result.brevity_penalty, number(wanted, "brevity_penalty"), "brevity penalty");
  assert_int_equal(all.hypothesis_length, (uint64_t)number(wanted, "hypothesis_length"));
  assert_int_equal(all.reference_length, (uint64_t)number(wanted, "reference_length"));
  for (int n = 0; n < BLEU_ORDERS; n++)
    assert_near(result.precisions[n], cJSON_GetArrayItem(at(wanted, "precisions"), n)->valuedouble, "precision");
  struct buffer text = {0};
  bleu_signature(&text, &all, &options);
  assert_string_equal(text.data, string(wanted, "signature", ""));
  buffer_clear(&text);
  bleu_format(&text, &all, &options);
  assert_string_equal(text.data, string(wanted, "text", ""));
  buffer_free(&text);
}

static void check_chrf(const cJSON *set, const cJSON *wanted) {
  const cJSON *given = at(wanted, "options");
  struct chrf_options options = {.word_order = (int)number(given, "word_order"), .lowercase = flag(given, "lowercase")};
  struct chrf_statistics halves[2] = {0}, all = {0};
  struct error error = {0};
  int lines = cJSON_GetArraySize(at(set, "hypotheses"));
  for (int i = 0; i < lines; i++) {
    struct metric_text hypothesis, references[MOST_REFERENCES];
    size_t count = line_of(set, i, &hypothesis, references);
    struct chrf_statistics line = {0};
    assert_true(chrf_add(&line, &options, hypothesis, references, count, &error));
    assert_near(chrf_score(&line, &options), cJSON_GetArrayItem(at(wanted, "lines"), i)->valuedouble, string(set, "name", ""));
    chrf_merge(&halves[i % 2], &line);
  }
  chrf_merge(&all, &halves[1]);
  chrf_merge(&all, &halves[0]);
  assert_near(chrf_score(&all, &options), number(wanted, "score"), string(set, "name", ""));
  struct buffer text = {0};
  chrf_format(&text, &all, &options);
  assert_string_equal(text.data, string(wanted, "text", ""));
  buffer_free(&text);
}

static void scores_are_those_of_sacrebleu(void **state) {
  (void)state;
  int checked = 0;
  const cJSON *set, *wanted;
  cJSON_ArrayForEach(set, at(golden, "sets")) {
    cJSON_ArrayForEach(wanted, at(set, "bleu")) check_bleu(set, wanted), checked++;
    cJSON_ArrayForEach(wanted, at(set, "chrf")) check_chrf(set, wanted), checked++;
  }
  assert_int_equal(checked, 170);
}

static void tokens_are_those_of_sacrebleu(void **state) {
  (void)state;
  const cJSON *entry;
  cJSON_ArrayForEach(entry, at(golden, "tokens")) {
    struct buffer tokens = {0};
    const char *line = cJSON_GetArrayItem(entry, 1)->valuestring;
    bleu_tokenize(&tokens, tokenizer_of(cJSON_GetArrayItem(entry, 0)->valuestring), metric_text(line));
    assert_string_equal(buffer_string(&tokens), cJSON_GetArrayItem(entry, 2)->valuestring);
    buffer_free(&tokens);
  }
}

static bool in_ranges(const cJSON *ranges, uint32_t c) {
  const cJSON *range;
  cJSON_ArrayForEach(range, ranges) {
    if (c >= (uint32_t)range->child->valueint && c <= (uint32_t)range->child->next->valueint) return true;
  }
  return false;
}

static void lower(struct buffer *out, const char *before, uint32_t c, const char *after) {
  struct buffer text = {0};
  char bytes[4];
  buffer_text(&text, before);
  buffer_append(&text, bytes, (size_t)utf8_encode(bytes, c));
  buffer_text(&text, after);
  buffer_clear(out);
  metric_lowercase(out, (struct metric_text){text.data, text.size});
  buffer_free(&text);
}

static bool ends_final(const struct buffer *text) {
  return text->size >= 2 && !memcmp(text->data + text->size - 2, "\xCF\x82", 2);
}

static size_t differs(bool difference, uint32_t c, const char *what) {
  if (difference) print_message("U+%04X %s: differs\n", c, what);
  return difference;
}

// Every character that both sides' Unicode versions know.
static void lower_case_is_that_of_python(void **state) {
  (void)state;
  const cJSON *wanted = at(golden, "lower_case"), *pair = at(wanted, "mapping")->child, *range;
  struct buffer out = {0};
  size_t checked = 0, differ = 0;
  cJSON_ArrayForEach(range, at(wanted, "assigned")) {
    for (uint32_t c = (uint32_t)range->child->valueint; c <= (uint32_t)range->child->next->valueint; c++) {
      char own[5] = {0};
      const char *low = own;
      utf8_encode(own, c);
      if (pair && (uint32_t)pair->child->valueint == c) {
        low = pair->child->next->valuestring;
        pair = pair->next;
      }
      if (utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_CN) continue;  // an older utf8proc
      checked++;
      lower(&out, "", c, "");
      differ += differs(strcmp(out.data, low), c, "in lower case");
      lower(&out, "", c, "\xCE\xA3");
      bool makes_final = ends_final(&out);
      lower(&out, "A", c, "\xCE\xA3");
      bool looks_back = ends_final(&out) && !makes_final;
      differ += differs(makes_final != in_ranges(at(wanted, "makes_final"), c), c, "makes sigma final");
      differ += differs(looks_back != in_ranges(at(wanted, "looks_back"), c), c, "is ignored by sigma");
    }
  }
  buffer_free(&out);
  assert_null(pair);
  assert_int_equal(differ, 0);
  assert_true(checked > 140000);
}

static void space_is_that_of_python(void **state) {
  (void)state;
  const cJSON *space = at(at(golden, "lower_case"), "space")->child;
  for (uint32_t c = 1; c < 0x110000; c++) {
    bool wanted = space && (uint32_t)space->valueint == c;
    if (wanted) space = space->next;
    if (metric_is_space(c) != wanted) fail_msg("U+%04X: white space or not differs", c);
  }
}

static void bytes_that_are_no_text_count_as_characters(void **state) {
  (void)state;
  struct metric_text hypothesis = {"a\0b \xFF\xC3 d\xE2\x80", 10}, reference = {"a\0b \xFF\xC3 e\xE2\x80", 10};
  struct error error = {0};
  struct bleu_options options = {.tokenizer = BLEU_TOKENIZER_CHARACTERS, .lowercase = true};
  struct bleu_statistics statistics = {0};
  assert_true(bleu_add(&statistics, &options, hypothesis, &reference, 1, &error));
  assert_int_equal(statistics.hypothesis_length, 8);
  assert_int_equal(statistics.correct[0], 7);
  struct chrf_options chrf = {0};
  struct chrf_statistics characters = {0};
  assert_true(chrf_add(&characters, &chrf, hypothesis, &reference, 1, &error));
  assert_int_equal(characters.match[0], 7);
}

static void refuses_a_line_without_reference(void **state) {
  (void)state;
  struct error error = {0};
  struct bleu_options options = {0};
  struct bleu_statistics statistics = {0};
  assert_false(bleu_add(&statistics, &options, metric_text("a"), NULL, 0, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  assert_int_equal(statistics.lines, 0);
  struct chrf_options chrf = {.word_order = 3};
  struct chrf_statistics characters = {0};
  struct metric_text reference = metric_text("a");
  error_clear(&error);
  assert_false(chrf_add(&characters, &chrf, reference, &reference, 1, &error));
  assert_int_equal(error.code, ERROR_USAGE);
}

static void failing_memory_leaves_the_statistics_alone(void **state) {
  (void)state;
  struct metric_text line = metric_text("A man, a plan, a canal: Panama!");
  struct bleu_options options = {.lowercase = true};
  struct chrf_options chrf = {.word_order = 2, .lowercase = true};
  for (int which = 0; which < 2; which++) {
    bool done = false;
    long refused = 0;
    for (; !done; refused++) {
      assert_true(refused < 1000);
      struct error error = {0};
      struct bleu_statistics statistics = {0};
      struct chrf_statistics characters = {0};
      memory_fail_after(refused);
      done = which ? chrf_add(&characters, &chrf, line, &line, 1, &error)
                   : bleu_add(&statistics, &options, line, &line, 1, &error);
      memory_fail_after(-1);
      assert_int_equal(error.code, done ? ERROR_NONE : ERROR_MEMORY);
      assert_int_equal(statistics.lines + characters.lines, done);
    }
    assert_true(refused > 5);
  }
}

// A line of 1 MB must neither crash nor take minutes.
static void a_very_long_line_is_counted(void **state) {
  (void)state;
  enum { SIZE = 1 << 20 };
  char *text = malloc(SIZE);
  assert_non_null(text);
  uint32_t random = 1;
  for (size_t i = 0; i < SIZE; i++) text[i] = "abcdefghijklmno "[(random = random * 1664525 + 1013904223) >> 28];
  text[0] = text[SIZE - 1] = 'a';
  struct metric_text line = {text, SIZE};
  struct error error = {0};
  struct bleu_options options = {0};
  struct bleu_statistics statistics = {0};
  assert_true(bleu_add(&statistics, &options, line, &line, 1, &error));
  assert_near(bleu_score(&statistics, &options).score, 100, "BLEU of a line with itself");
  struct chrf_options chrf = {0};
  struct chrf_statistics characters = {0};
  assert_true(chrf_add(&characters, &chrf, line, &line, 1, &error));
  assert_near(chrf_score(&characters, &chrf), 100, "chrF of a line with itself");
  free(text);
}

int main(int count, char **arguments) {
  struct error error = {0};
  golden = json_read(count > 1 ? arguments[1] : "golden.json", &error);
  if (!golden) {
    print_error("%s\n", error.message);
    return 1;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scores_are_those_of_sacrebleu),
      cmocka_unit_test(tokens_are_those_of_sacrebleu),
      cmocka_unit_test(lower_case_is_that_of_python),
      cmocka_unit_test(space_is_that_of_python),
      cmocka_unit_test(bytes_that_are_no_text_count_as_characters),
      cmocka_unit_test(refuses_a_line_without_reference),
      cmocka_unit_test(failing_memory_leaves_the_statistics_alone),
      cmocka_unit_test(a_very_long_line_is_counted),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  cJSON_Delete(golden);
  return failed;
}
