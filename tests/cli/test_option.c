// Values of options, as text and as numbers, and the word that is nearest to a mistyped one.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/nearest.h"
#include "cli/option.h"

struct arguments {
  int64_t integer, size;
  double number, duration;
  bool flag, on;
  const char *choice, *text;
  struct qkv_strings texts, files;
};

static const struct option options[] = {
  OPTION_INTEGER(integer, "integer", "N", -5, 64, "i"),
  OPTION_NUMBER(number, "number", "X", 0, 1, "n"),
  OPTION_SIZE(size, "size", "SIZE", 0, NO_LIMIT, "s"),
  OPTION_DURATION(duration, "duration", "TIME", 0, NO_LIMIT, "d", .unset = "no limit"),
  OPTION_SWITCH(on, "on", "o"),
  OPTION_CHOICE(choice, "choice", "text|tsv|json-lines", "c"),
  OPTION_TEXTS(texts, "texts", "T", "t"),
  OPTION_FILES(files, "files", "FILE", "f"),
  OPTION_TEXT(text, "text", "T", "x"),
};
enum { INTEGER, NUMBER, SIZE, DURATION, ON, CHOICE, TEXTS, FILES, TEXT };

static struct arguments arguments;
static char problem[500];

static bool set(int which, const char *text) {
  return option_set(&options[which], (char *)&arguments + options[which].offset, text, problem, sizeof problem);
}

static void refuses(int which, const char *text, const char *message) {
  assert_false(set(which, text));
  assert_string_equal(problem, message);
}

static void test_integers(void **state) {
  (void)state;
  assert_true(set(INTEGER, "64"));
  assert_int_equal(arguments.integer, 64);
  assert_true(set(INTEGER, "-5"));
  assert_int_equal(arguments.integer, -5);
  refuses(INTEGER, "65", "wants an integer from -5 to 64; got \"65\"");
  refuses(INTEGER, "", "wants an integer from -5 to 64; got \"\"");
  refuses(INTEGER, "1.0", "wants an integer from -5 to 64; got \"1.0\"");
  refuses(INTEGER, " 1", "wants an integer from -5 to 64; got \" 1\"");
  refuses(INTEGER, "0x1", "wants an integer from -5 to 64; got \"0x1\"");
  refuses(INTEGER, "99999999999999999999999", "wants an integer from -5 to 64; got \"99999999999999999999999\"");
  assert_int_equal(arguments.integer, -5);
}

static void test_numbers(void **state) {
  (void)state;
  assert_true(set(NUMBER, "0.25"));
  assert_true(arguments.number == 0.25);
  assert_true(set(NUMBER, "1e-3"));
  assert_true(arguments.number == 1e-3);
  refuses(NUMBER, "nan", "wants a number from 0 to 1; got \"nan\"");
  refuses(NUMBER, "inf", "wants a number from 0 to 1; got \"inf\"");
  refuses(NUMBER, "0x1p-1", "wants a number from 0 to 1; got \"0x1p-1\"");
  refuses(NUMBER, "0,5", "wants a number from 0 to 1; got \"0,5\"");
  refuses(NUMBER, "1e999", "wants a number from 0 to 1; got \"1e999\"");
}

static void test_sizes_and_durations(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t bytes;
  } sizes[] = {{"0", 0},          {"1000", 1000},          {"1K", 1024},      {"1.5k", 1536},
               {"4G", 4ll << 30}, {"512MiB", 512ll << 20}, {"2T", 2ll << 40}, {"7B", 7}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    assert_true(set(SIZE, sizes[i].text));
    assert_int_equal(arguments.size, sizes[i].bytes);
  }
  refuses(SIZE, "4X", "wants a size such as 512M or 4G of at least 0; got \"4X\"");
  refuses(SIZE, "G", "wants a size such as 512M or 4G of at least 0; got \"G\"");
  refuses(SIZE, "-1G", "wants a size such as 512M or 4G of at least 0; got \"-1G\"");

  static const struct {
    const char *text;
    double seconds;
  } durations[] = {{"90", 90}, {"90s", 90}, {"20m", 1200}, {"1h30m", 5400}, {"0.5d", 43200}};
  for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
    assert_true(set(DURATION, durations[i].text));
    assert_true(arguments.duration == durations[i].seconds);
  }
  refuses(DURATION, "20y", "wants a duration such as 90s, 20m or 1h30m of at least 0s; got \"20y\"");
  refuses(DURATION, "", "wants a duration such as 90s, 20m or 1h30m of at least 0s; got \"\"");
}

static void test_words_and_lists(void **state) {
  (void)state;
  assert_true(set(ON, "on"));
  assert_true(arguments.on);
  assert_true(set(ON, "off"));
  assert_false(arguments.on);
  refuses(ON, "yes", "wants one of on|off; got \"yes\"");
  assert_true(set(CHOICE, "json-lines"));
  assert_string_equal(arguments.choice, "json-lines");
  refuses(CHOICE, "json", "wants one of text|tsv|json-lines; got \"json\"");
  refuses(CHOICE, "text|tsv", "wants one of text|tsv|json-lines; got \"text|tsv\"");
  refuses(CHOICE, "", "wants one of text|tsv|json-lines; got \"\"");
  assert_true(set(TEXTS, "") && set(TEXTS, "b"));
  assert_int_equal(arguments.texts.count, 2);
  assert_string_equal(arguments.texts.items[1], "b");
  refuses(FILES, "", "wants a file name; got an empty text");
  assert_true(set(FILES, "x"));
  free(arguments.texts.items);
  free(arguments.files.items);
}

static const char *shown(int which, double value) {
  static char out[100];
  if (which == SIZE) arguments.size = (int64_t)value;
  else arguments.duration = value;
  return option_default(&options[which], (char *)&arguments + options[which].offset, out, sizeof out);
}

static void test_defaults(void **state) {
  (void)state;
  assert_string_equal(shown(SIZE, 4.0 * (1 << 30)), "4G");
  assert_string_equal(shown(SIZE, 1536), "1536");
  assert_string_equal(shown(DURATION, 1200), "20m");
  assert_string_equal(shown(DURATION, 90), "90s");
  assert_string_equal(shown(DURATION, 172800), "2d");
  assert_string_equal(shown(DURATION, 0), "no limit");
  arguments.text = NULL;
  char out[100];
  assert_string_equal(option_default(&options[TEXT], &arguments.text, out, sizeof out), "");
}

static const char *nearest_of(const char *word) {
  static const char *const names[] = {"beam", "nbest", "length-penalty", "max-length", "valid", "valid-every"};
  struct nearest nearest = nearest_start(word);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) nearest_offer(&nearest, names[i]);
  return nearest.best ? nearest.best : "";
}

static void test_nearest(void **state) {
  (void)state;
  assert_string_equal(nearest_of("baem"), "beam");
  assert_string_equal(nearest_of("beams"), "beam");
  assert_string_equal(nearest_of("lenght-penalty"), "length-penalty");
  assert_string_equal(nearest_of("max"), "max-length");
  assert_string_equal(nearest_of("vaild"), "valid");
  assert_string_equal(nearest_of("xyzzy"), "");
  assert_string_equal(nearest_of(""), "");
  char longer[1000];
  memset(longer, 'a', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  assert_string_equal(nearest_of(longer), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_integers), cmocka_unit_test(test_numbers), cmocka_unit_test(test_sizes_and_durations),
    cmocka_unit_test(test_words_and_lists), cmocka_unit_test(test_defaults), cmocka_unit_test(test_nearest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
