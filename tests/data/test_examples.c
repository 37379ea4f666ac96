// Readers of labelled examples: each format, and each kind of bad file with its line in the message.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/examples.h"
#include "text_files.h"

static struct examples examples;
static struct error error;

static bool read_as(enum example_shape shape, const char *name, const char *text, struct example_options options) {
  examples_free(&examples);
  error = (struct error){0};
  options.shape = shape;
  return examples_read(&examples, text_file_of(name, text), &options, &error);
}

static void expect(const char *part) {
  if (!strstr(error.message, part)) fail_msg("\"%s\" lacks \"%s\"", error.message, part);
}

static void text_is(struct text_line found, const char *wanted) {
  assert_non_null(found.text);
  assert_int_equal(found.size, strlen(wanted));
  assert_string_equal(found.text, wanted);
}

static void tables(void **state) {
  const struct example_options labelled = {.labelled = true};
  assert_true(read_as(EXAMPLE_TEXT, "a.tsv", "\xEF\xBB\xBFlabel\tsentence\r\n1\ta \"good\" one\r\n0\tbad\n", labelled));
  assert_int_equal(examples.count, 2);
  text_is(examples.items[0].label, "1");
  text_is(examples.items[0].text, "a \"good\" one");
  assert_null(examples.items[0].pair.text);
  assert_int_equal(place_line(examples.items[1].place), 3);
  assert_true(read_as(EXAMPLE_TEXT, "b.tsv", "index\tquestion\tsentence\tlabel\n0\tq\ts\tyes\n", labelled));
  text_is(examples.items[0].text, "q");
  text_is(examples.items[0].pair, "s");
  assert_true(read_as(EXAMPLE_TEXT, "c.tsv", "yes\tone\ttwo\n", (struct example_options){.labelled = true, .no_header = true}));
  text_is(examples.items[0].pair, "two");
  assert_true(read_as(EXAMPLE_TEXT, "d.tsv", "x\tone\tyes\n",
                      (struct example_options){.labelled = true, .no_header = true, .columns = "-,text,label"}));
  text_is(examples.items[0].label, "yes");
  text_is(examples.items[0].text, "one");
  // Blank lines at the end are none of two columns, but texts of one.
  assert_true(read_as(EXAMPLE_TEXT, "e.tsv", "label\tsentence\n1\tone\n\n\r\n", labelled));
  assert_int_equal(examples.count, 1);
  assert_true(read_as(EXAMPLE_TEXT, "e.tsv", "one\n\n", (struct example_options){.no_header = true}));
  assert_int_equal(examples.count, 2);
}

static void bad_tables(void **state) {
  const struct example_options labelled = {.labelled = true};
  assert_false(read_as(EXAMPLE_TEXT, "a.tsv", "label\tsentence\n1\tone\n0\n", labelled));
  expect("a.tsv line 3: column 2 (text) is missing; the line has 1 column");
  assert_false(read_as(EXAMPLE_TEXT, "b.tsv", "1\tone\n0\ttwo\n", labelled));
  expect("b.tsv line 1: no column is called \"label\"");
  expect("--no-header");
  assert_false(read_as(EXAMPLE_TEXT, "c.tsv", "1\tone\n", (struct example_options){.columns = "label,words"}));
  expect("\"words\" is not a column");
  assert_false(read_as(EXAMPLE_TEXT, "c.tsv", "1\tone\ttwo\n", (struct example_options){.columns = "label,text,text"}));
  expect("--columns label,text,text: \"text\" stands there twice");
  assert_false(read_as(EXAMPLE_TEXT, "c.tsv", "label\tsentence\n1\tone\n\n0\ttwo\n", labelled));
  expect("c.tsv line 3: column 2 (text) is missing");
  assert_false(read_as(EXAMPLE_TEXT, "c.tsv", "1\tone\n", (struct example_options){.format = "xml"}));
  expect("\"xml\" is unknown");
}

static void lines_of_json(void **state) {
  const struct example_options labelled = {.labelled = true};
  assert_true(read_as(EXAMPLE_TEXT, "a.jsonl", "{\"text\":\"one\",\"pair\":\"two\",\"label\":2.5}\n", labelled));
  text_is(examples.items[0].label, "2.5");
  text_is(examples.items[0].pair, "two");
  assert_true(read_as(EXAMPLE_TEXT, "a.jsonl", "{\"text\":\"one\",\"label\":1}\n \r\n{\"text\":\"two\",\"label\":1}\n\n",
                      labelled));
  assert_int_equal(examples.count, 2);  // blank lines are passed over, and counted
  assert_int_equal(place_line(examples.items[1].place), 3);
  assert_false(read_as(EXAMPLE_TEXT, "a.jsonl", "{\"text\":\"one\",\"label\":1}\n{\"text\":\"one\"}\n", labelled));
  expect("a.jsonl line 2: \"label\" is missing");
  assert_false(read_as(EXAMPLE_TEXT, "a.jsonl", "{\"text\":\"one\",\"label\":1}\n{\"text\":\n", labelled));
  expect("a.jsonl line 2: not valid JSON");
  assert_true(read_as(EXAMPLE_WORDS, "a.jsonl", "{\"tokens\":[\"in\",\"Rome\"],\"tags\":[\"O\",\"B-LOC\"]}\n", labelled));
  text_is(examples.items[0].parts[1], "Rome");
  text_is(examples.items[0].tags[1], "B-LOC");
  assert_false(read_as(EXAMPLE_WORDS, "a.jsonl", "{\"tokens\":[\"in\",\"Rome\"],\"tags\":[\"O\"]}\n", labelled));
  expect("line 1: there are 2 tokens and 1 tags");
  assert_true(read_as(EXAMPLE_CHOICE, "a.jsonl", "{\"question\":\"q\",\"choices\":[\"a\",\"b\",\"c\"],\"label\":2}\n", labelled));
  assert_int_equal(examples.items[0].part_count, 3);
  assert_false(read_as(EXAMPLE_CHOICE, "a.jsonl", "{\"question\":\"q\",\"choices\":[\"a\",\"b\"],\"label\":2}\n", labelled));
  expect("line 1: \"label\" is 2; wanted the number of a choice, 0 to 1");
  assert_false(read_as(EXAMPLE_CHOICE, "a.jsonl", "{\"question\":\"q\",\"choices\":[\"a\"],\"label\":0}\n", labelled));
  expect("at least two choices");
}

static const char squad[] =
  "{\"data\":[{\"paragraphs\":[{\"context\":\"\xC3\x89t\xC3\xA9 in Paris\",\"qas\":["
  "{\"id\":\"x\",\"question\":\"where?\",\"answers\":[{\"text\":\"Paris\",\"answer_start\":7}]},"
  "{\"id\":\"y\",\"question\":\"who?\",\"answers\":[],\"is_impossible\":true},"
  "{\"id\":\"z\",\"question\":\"when?\",\"answers\":[{\"text\":\"winter\",\"answer_start\":0}]}]}]}]}";

static void questions(void **state) {
  const struct example_options labelled = {.labelled = true, .placed = true};
  assert_true(read_as(EXAMPLE_QUESTION, "a.json", squad, labelled));
  assert_int_equal(examples.count, 2);
  text_is(examples.items[0].parts[0], "Paris");
  assert_int_equal(examples.items[0].starts[0], 9);  // bytes, from characters
  assert_true(examples.items[1].impossible);
  // An answer that does not stand in the context: dropped and counted where learnt from, kept where only asked.
  assert_int_equal(examples.ledger.entries[LEDGER_NO_ANSWER].count, 1);
  assert_int_equal(place_line(examples.ledger.entries[LEDGER_NO_ANSWER].places[0]), 3);
  assert_true(read_as(EXAMPLE_QUESTION, "a.json", squad, (struct example_options){0}));
  assert_int_equal(examples.count, 3);
  // Its text is enough to score an answer by.
  assert_true(read_as(EXAMPLE_QUESTION, "a.json", squad, (struct example_options){.labelled = true}));
  assert_int_equal(examples.count, 3);
  assert_int_equal(examples.ledger.entries[LEDGER_NO_ANSWER].count, 0);
  assert_false(read_as(EXAMPLE_QUESTION, "b.json",
                       "{\"data\":[{\"paragraphs\":[{\"context\":\"c\",\"qas\":[{\"answers\":[]}]}]}]}", labelled));
  expect("b.json: data[0].paragraphs[0].qas[0]: \"question\" is missing");
  assert_true(read_as(EXAMPLE_QUESTION, "c.jsonl",
                      "{\"question\":\"q\",\"context\":\"in Rome\",\"answers\":[{\"text\":\"Rome\"}]}\n", labelled));
  assert_int_equal(examples.items[0].starts[0], 3);
  assert_true(read_as(EXAMPLE_QUESTION, "d.jsonl",
                      "{\"question\":\"q\",\"context\":\"in Rome\",\"answers\":[{\"text\":\"Rome\",\"answer_start\":1e300}]}\n",
                      labelled));
  assert_int_equal(examples.ledger.entries[LEDGER_NO_ANSWER].count, 1);
}

static void words_with_tags(void **state) {
  const struct example_options labelled = {.labelled = true};
  assert_true(
    read_as(EXAMPLE_WORDS, "a.tsv", "-DOCSTART- -X- O\n\nEU\tNNP\tB-ORG\nrejects VBZ O\n\n\nRome NNP I-LOC\n", labelled));
  assert_int_equal(examples.count, 2);
  text_is(examples.items[0].parts[0], "EU");
  text_is(examples.items[0].tags[0], "B-ORG");
  assert_int_equal(place_line(examples.items[1].place), 7);
  assert_int_equal(examples.ledger.entries[LEDGER_BROKEN_TAGS].count, 1);  // I-LOC at the beginning
  assert_false(read_as(EXAMPLE_WORDS, "a.tsv", "EU B-ORG\nrejects\n", labelled));
  expect("a.tsv line 2: \"rejects\" has no tag");
  assert_true(read_as(EXAMPLE_WORDS, "a.tsv", "EU\nrejects\n", (struct example_options){0}));
  assert_null(examples.items[0].tags);
}

static void plain_lines(void **state) {
  assert_true(read_as(EXAMPLE_TEXT, "a.txt", "one\n\ntwo\tpair\n", (struct example_options){0}));
  assert_int_equal(examples.count, 3);
  text_is(examples.items[1].text, "");
  text_is(examples.items[2].pair, "pair");
  assert_false(examples_read(&examples, "/nowhere/at/all", &(struct example_options){0}, &error));
  expect("/nowhere/at/all");
}

static int remove_files(void **state) {
  examples_free(&examples);
  text_folder_remove();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(tables),    cmocka_unit_test(bad_tables),      cmocka_unit_test(lines_of_json),
    cmocka_unit_test(questions), cmocka_unit_test(words_with_tags), cmocka_unit_test(plain_lines),
  };
  return cmocka_run_group_tests(tests, NULL, remove_files);
}
