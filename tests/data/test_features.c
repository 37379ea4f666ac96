// Labelled examples as sequences: what is cut, which rows carry labels, windows over contexts, groups of choices.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/features.h"
#include "text_files.h"

static struct tokenizer *tokenizer;  // a 2, b 3, ...; single texts end with </s> (0), pairs have no special tokens
static struct examples examples;
static struct features features;
static struct error error;
static char *names[] = {"no", "yes"};
static const struct label_names labels = {names, 2};

static bool make(enum example_shape shape, enum head_kind head, int label_count, const char *name, const char *text,
                 struct feature_options options) {
  static struct arch arch;
  features_free(&features);
  examples_free(&examples);
  error = (struct error){0};
  arch = (struct arch){.family = FAMILY_ENCODER,
                       .head = head,
                       .labels = label_count,
                       .source_vocab = 29,
                       .types = 2,
                       .max_positions = 12,
                       .positions = POSITIONS_LEARNED};
  options.tokenizer = tokenizer;
  options.arch = &arch;
  options.labels = &labels;
  struct example_options reading = {.shape = shape, .labelled = true, .no_header = true};
  return examples_read(&examples, text_file_of(name, text), &reading, &error) &&
         features_make(&features, &examples, &options, &error);
}

static void ids_are(size_t sequence, const char *letters) {
  const struct feature *feature = &features.sequences[sequence];
  assert_int_equal(feature->count, strlen(letters));
  for (uint32_t i = 0; i < feature->count; i++)
    assert_int_equal(features.rows[feature->first + i].id, letters[i] == '/' ? 0 : letters[i] - 'a' + 2);
}

static void texts_with_labels(void **state) {
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", "yes\ta b\nno\tc\n", (struct feature_options){0}));
  ids_are(0, "ab/");
  assert_int_equal(features.sequences[0].text.label, 1);
  assert_int_equal(features.sequences[1].text.label, 0);
  struct samples samples = features_samples(&features);
  uint32_t list[] = {1, 0};
  const struct batch *batch = samples.fill(samples.user, 0, list, 2, &error);
  assert_int_equal(batch->source.rows, 5);
  assert_int_equal(batch->text_label_count, 2);
  assert_int_equal(batch->texts[1].label, 1);
  assert_int_equal(batch->texts[1].first, 2);
  assert_false(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", "yes\ta\nmaybe\tb\n", (struct feature_options){0}));
  assert_non_null(
    strstr(error.message, "line 2: the label \"maybe\" does not occur in the training data, whose labels are no, yes"));
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 1, "a.tsv", "2.5\ta\n", (struct feature_options){0}));
  assert_true(features.sequences[0].text.value == 2.5f);
}

static void long_ones_are_cut_at_the_longer_side(void **state) {
  assert_true(
    make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", "yes\ta b c d e\tf g h\n", (struct feature_options){.max_length = 4}));
  ids_are(0, "abfg");
  assert_int_equal(features.ledger.entries[LEDGER_CUT].count, 1);
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", "yes\ta b c d e\n", (struct feature_options){.max_length = 3}));
  ids_are(0, "ab/");  // special tokens stay
}

static void useless_examples_are_dropped_in_training_only(void **state) {
  const char *text = "yes\ta\tb\nno\t\tb\nno\ta\t\nyes\t\t\n";
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", text, (struct feature_options){.training = true}));
  assert_int_equal(features.count, 1);
  assert_int_equal(features.ledger.read, 4);
  assert_int_equal(features.ledger.kept, 1);
  assert_int_equal(features.ledger.entries[LEDGER_EMPTY_SOURCE].count, 1);
  assert_int_equal(features.ledger.entries[LEDGER_EMPTY_TARGET].count, 1);
  assert_int_equal(features.ledger.entries[LEDGER_EMPTY_BOTH].count, 1);
}

static void zero_bytes_are_counted(void **state) {
  static const char text[] = "yes\ta\nno\tb \0c\n";
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", "yes\ta\n", (struct feature_options){0}));
  assert_int_equal(features.ledger.entries[LEDGER_ZERO_BYTE].count, 0);
  struct feature_options options = {.tokenizer = tokenizer, .arch = features.arch, .labels = &labels};
  struct example_options reading = {.shape = EXAMPLE_TEXT, .labelled = true, .no_header = true};
  features_free(&features);
  examples_free(&examples);
  assert_true(examples_read(&examples, text_file("zero.tsv", text, sizeof text - 1), &reading, &error));
  assert_true(features_make(&features, &examples, &options, &error));
  assert_int_equal(features.ledger.kept, 2);
  assert_int_equal(features.ledger.entries[LEDGER_ZERO_BYTE].count, 1);
  assert_int_equal(place_line(features.ledger.entries[LEDGER_ZERO_BYTE].places[0]), 2);
}

static void tags_stand_on_first_pieces(void **state) {
  // "a b" is one word of two tokens here: its second token carries nothing.
  assert_true(make(EXAMPLE_WORDS, HEAD_TAG, 2, "a.jsonl", "{\"tokens\":[\"a b\",\"c\"],\"tags\":[\"yes\",\"no\"]}\n",
                   (struct feature_options){0}));
  ids_are(0, "abc/");
  const int wanted[] = {1, -1, 0, -1};
  for (int i = 0; i < 4; i++) assert_int_equal(features.rows[i].label, wanted[i]);
  assert_int_equal(features.rows[2].word, 1);
  // Long sentences are taken in parts; no word is lost.
  assert_true(make(EXAMPLE_WORDS, HEAD_TAG, 2, "a.jsonl",
                   "{\"tokens\":[\"a\",\"b\",\"c\",\"d\",\"e\"],\"tags\":[\"no\",\"no\",\"no\",\"no\",\"yes\"]}\n",
                   (struct feature_options){.max_length = 4}));
  assert_int_equal(features.count, 2);
  ids_are(0, "ab/");
  ids_are(1, "cde/");
  assert_int_equal(features.rows[features.row_count - 2].word, 4);
  assert_int_equal(features.ledger.entries[LEDGER_CUT].count, 1);
}

static void contexts_are_read_in_windows(void **state) {
  const char *text = "{\"question\":\"q\",\"context\":\"a b c d e f\",\"answers\":[{\"text\":\"d e\",\"answer_start\":6}]}\n";
  assert_true(make(EXAMPLE_QUESTION, HEAD_SPAN, 0, "a.jsonl", text, (struct feature_options){.max_length = 4, .stride = 2}));
  assert_int_equal(features.count, 3);
  ids_are(0, "qabc");
  ids_are(1, "qcde");
  ids_are(2, "qef");
  assert_int_equal(features.sequences[0].text.start, 0);  // the answer is not in this window: row 0
  assert_int_equal(features.sequences[0].text.end, 0);
  assert_int_equal(features.sequences[1].text.start, 2);
  assert_int_equal(features.sequences[1].text.end, 3);
  const struct feature_row *rows = features.rows + features.sequences[1].first;
  assert_int_equal(rows[2].start, 6);
  assert_int_equal(rows[3].end, 9);
  assert_int_equal(features.sequences[2].text.start, 0);
}

static void choices_stay_together(void **state) {
  assert_true(make(EXAMPLE_CHOICE, HEAD_CHOICE, 0, "a.jsonl",
                   "{\"question\":\"q\",\"choices\":[\"a\",\"b\",\"c\"],\"label\":1}\n", (struct feature_options){0}));
  assert_int_equal(features.sample_count, 1);
  assert_int_equal(features.samples[0].count, 3);
  uint32_t list[] = {0};
  const struct batch *batch = features_batch(&features, list, 1, &error);
  assert_int_equal(batch->text_count, 3);
  assert_int_equal(batch->texts[0].group, batch->texts[2].group);
  assert_int_equal(batch->texts[1].label, 1);
  assert_int_equal(batch->texts[2].label, 0);
  assert_int_equal(batch->text_label_count, 1);
}

// A decoder's pair in both orders: one text, two sequences that don't see each other, whose rows learn the next token.
static void pairs_in_both_orders(void **state) {
  struct arch arch = {.family = FAMILY_DECODER, .head = HEAD_CLASSIFY, .labels = 2, .target_vocab = 29, .max_positions = 4,
                      .positions = POSITIONS_LEARNED, .pooling = POOLING_LAST, .language_too = true, .both_orders = true};
  struct feature_options options = {.tokenizer = tokenizer, .arch = &arch, .labels = &labels, .next_tokens = true};
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", "yes\ta b\tc\nno\td\te f g h\n", (struct feature_options){0}));
  features_free(&features);
  assert_true(features_make(&features, &examples, &options, &error));
  ids_are(0, "abccab");
  ids_are(1, "defgefgd");  // each order is cut to four
  assert_int_equal(features.sequences[0].second, 3);
  assert_int_equal(features.sequences[1].second, 4);
  assert_int_equal(features.rows[0].label, 3);
  assert_int_equal(features.rows[2].label, -1);
  assert_int_equal(features.rows[5].label, -1);
  struct samples samples = features_samples(&features);
  int64_t targets[TARGET_HEADS] = {0};
  for (size_t i = 0; i < 2; i++) samples.count_targets(samples.user, 0, i, targets);
  assert_int_equal(targets[0], 4 + 6);
  assert_int_equal(targets[1], 2);
  uint32_t list[] = {0, 1};
  const struct batch *batch = samples.fill(samples.user, 0, list, 2, &error);
  const int rows[] = {2, 9}, seconds[] = {5, 13};
  assert_int_equal(batch->text_count, 2);
  assert_int_equal(batch->target.span_count, 4);
  assert_int_equal(batch->label_count, targets[0]);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(batch->texts[i].row, rows[i]);
    assert_int_equal(batch->texts[i].second, seconds[i]);
  }
  assert_int_equal(batch->target.positions[3], 0);
  assert_int_equal(batch->target.spans[1].k0, 3);
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 2, "a.tsv", "yes\ta\n", (struct feature_options){0}));
  features_free(&features);
  assert_false(features_make(&features, &examples, &options, &error));
  assert_non_null(strstr(error.message, "there is one text, but the model compares two"));
}

static void labels_are_ordered(void **state) {
  struct label_names found;
  assert_true(make(EXAMPLE_TEXT, HEAD_CLASSIFY, 1, "a.tsv", "10\ta\n9\tb\n9\tc\n", (struct feature_options){0}));
  assert_true(label_names_collect(&found, &examples, &error));
  assert_int_equal(found.count, 2);
  assert_string_equal(found.names[0], "9");
  label_names_free(&found);
  // "nan" is a name: as a number it would stand in no order.
  struct example items[] = {{.label = {"nan", 3}}, {.label = {"2", 1}}, {.label = {"O", 1}}, {.label = {"10", 2}}};
  assert_true(label_names_collect(&found, &(struct examples){.items = items, .count = 4}, &error));
  const char *wanted[] = {"2", "10", "O", "nan"};
  for (int i = 0; i < 4; i++) assert_string_equal(found.names[i], wanted[i]);
  label_names_free(&found);
}

static int finish(void **state) {
  features_free(&features);
  examples_free(&examples);
  tokenizer_free(tokenizer);
  text_folder_remove();
  return 0;
}

int main(void) {
  tokenizer = letters_tokenizer();
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(texts_with_labels),          cmocka_unit_test(long_ones_are_cut_at_the_longer_side),
    cmocka_unit_test(zero_bytes_are_counted),
    cmocka_unit_test(tags_stand_on_first_pieces), cmocka_unit_test(useless_examples_are_dropped_in_training_only),
    cmocka_unit_test(choices_stay_together),      cmocka_unit_test(contexts_are_read_in_windows),
    cmocka_unit_test(labels_are_ordered),         cmocka_unit_test(pairs_in_both_orders),
  };
  return cmocka_run_group_tests(tests, NULL, finish);
}
