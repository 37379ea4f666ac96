// Samples of masked words and next sentences: what is drawn, how often, and that it is a function of (seed, epoch, sample).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "data/masked_batch.h"
#include "text_files.h"

enum { VOCABULARY = 1000, MASK = 4, CLS = 2, SEP = 3, MOST = 4000 };

// Documents of sentences of `length` tokens, each token its number modulo the vocabulary, 100 and up.
static struct sentences make_sentences(size_t documents, size_t each, size_t length) {
  struct sentences out = {0};
  out.count = documents * each;
  out.document_count = documents;
  out.token_count = out.count * length;
  out.tokens = calloc(out.token_count, sizeof *out.tokens);
  out.starts = calloc(out.count + 1, sizeof *out.starts);
  out.places = calloc(out.count + 1, sizeof *out.places);
  out.documents = calloc(documents + 1, sizeof *out.documents);
  for (size_t i = 0; i < out.token_count; i++) out.tokens[i] = 100 + (int32_t)(i % 900);
  for (size_t i = 0; i <= out.count; i++) out.starts[i] = i * length;
  for (size_t i = 0; i <= documents; i++) out.documents[i] = i * each;
  return out;
}

static const struct arch arch = {.family = FAMILY_ENCODER, .head = HEAD_PRETRAINING, .types = 2, .source_vocab = VOCABULARY};

static struct masked_samples masked_of(const struct sentences *sentences, enum next_sentence next) {
  return (struct masked_samples){
    .sentences = sentences,
    .arch = &arch,
    .next = next,
    .cls_id = CLS,
    .sep_id = SEP,
    .max_length = 64,
    .seed = 7,
    .masking = {.rate = 0.15, .masked = 0.8, .random = 0.1, .mask_id = MASK, .vocabulary = VOCABULARY}};
}

static const char *const paths[] = {"text"};
static struct error error;

struct counts {
  double tokens, predicted, masked, same, labels, ones;
};

static struct counts count_epoch(struct samples *samples, uint64_t epoch) {
  struct counts counts = {0};
  for (uint32_t i = 0; i < samples->count; i++) {
    const struct batch *batch = samples->fill(samples->user, epoch, &i, 1, &error);
    assert_non_null(batch);
    assert_int_equal(batch->source.rows, samples->rows(samples->user, epoch, i).source);
    assert_true(batch->source.rows <= 64);
    assert_int_equal(batch->source.ids[0], CLS);
    assert_int_equal(batch->source.ids[batch->source.rows - 1], SEP);
    int64_t targets[TARGET_HEADS] = {0};
    samples->count_targets(samples->user, epoch, i, targets);
    assert_int_equal(targets[0], batch->label_count);
    for (int row = 0; row < batch->source.rows; row++) {
      int32_t id = batch->source.ids[row], label = batch->labels[row];
      counts.tokens += id != CLS && id != SEP;
      counts.predicted += label >= 0;
      counts.masked += label >= 0 && id == MASK;
      counts.same += label >= 0 && id == label;
      assert_true(label == -1 || label >= 100);  // never a special token
    }
    if (batch->texts[0].label < 0) continue;
    counts.labels++;
    counts.ones += batch->texts[0].label;
  }
  return counts;
}

static void rates_are_those_of_the_paper(void **state) {
  struct sentences sentences = make_sentences(20, 400, 9);
  struct masked_samples masked = masked_of(&sentences, NEXT_RANDOM);
  struct samples samples;
  assert_true(masked_samples_make(&masked, &samples, paths, &error));
  struct counts counts = count_epoch(&samples, 0);
  assert_true(fabs(counts.predicted / counts.tokens - 0.15) < 0.01);
  assert_true(fabs(counts.masked / counts.predicted - 0.8) < 0.02);
  assert_true(fabs(counts.same / counts.predicted - 0.1) < 0.015);
  assert_true(fabs(counts.ones / counts.labels - 0.5) < 0.05);
  masked_samples_free(&masked);
  sentences_free(&sentences);
}

// Documents of `each` sentences of 3 to 61 tokens, the last of which is FULL_STOP.
enum { FULL_STOP = 99 };

static struct sentences ragged_sentences(size_t documents, size_t each) {
  struct sentences out = make_sentences(documents, each, 61);
  size_t count = 0;
  for (size_t i = 0; i < out.count; i++) {
    out.starts[i] = count;
    count += 3 + random_below(random_key(3, 4), i, 59);
    out.tokens[count - 1] = FULL_STOP;
  }
  out.starts[out.count] = out.token_count = count;
  return out;
}

// Of the samples of one label: how many there are, how many fill all rows, and end with a full stop, and the rows of the second.
struct shape {
  double count, full, stops, second;
};

static void count_shapes(struct samples *samples, uint64_t epoch, struct shape shapes[2]) {
  for (uint32_t i = 0; i < samples->count; i++) {
    const struct batch *batch = samples->fill(samples->user, epoch, &i, 1, &error);
    assert_non_null(batch);
    struct shape *shape = &shapes[batch->texts[0].label];
    int rows = batch->source.rows;
    shape->count++;
    shape->full += rows == 64;
    shape->stops += batch->source.ids[rows - 2] == FULL_STOP;
    for (int row = 0; row < rows; row++) shape->second += batch->source.types[row];
  }
}

static void nothing_but_words_tells_second_texts_apart(void **state) {
  const size_t shapes_of_text[][2] = {{20, 400}, {2000, 4}, {3000, 2}};
  for (size_t t = 0; t < sizeof shapes_of_text / sizeof *shapes_of_text; t++) {
    struct sentences sentences = ragged_sentences(shapes_of_text[t][0], shapes_of_text[t][1]);
    struct masked_samples masked = masked_of(&sentences, NEXT_RANDOM);
    masked.masking.rate = 0;
    struct samples samples;
    assert_true(masked_samples_make(&masked, &samples, paths, &error));
    struct shape shapes[2] = {{0}};
    for (uint64_t epoch = 0; epoch < 4; epoch++) count_shapes(&samples, epoch, shapes);
    const struct shape *follows = &shapes[0], *random = &shapes[1];
    assert_true(fabs(random->count / (random->count + follows->count) - 0.5) < 0.02);
    assert_true(fabs(random->full / random->count - follows->full / follows->count) < 0.04);
    assert_true(fabs(random->stops / random->count - follows->stops / follows->count) < 0.04);
    assert_true(fabs(random->second / random->count - follows->second / follows->count) < 1);
    masked_samples_free(&masked);
    sentences_free(&sentences);
  }
}

static void epochs_differ_and_repeat(void **state) {
  struct sentences sentences = make_sentences(5, 50, 9);
  struct masked_samples masked = masked_of(&sentences, NEXT_RANDOM);
  struct samples samples;
  assert_true(masked_samples_make(&masked, &samples, paths, &error));
  uint32_t both[] = {3, 4}, one = 4;
  const struct batch *batch = samples.fill(samples.user, 5, both, 2, &error);
  int first = batch->texts[1].first, rows = batch->texts[1].count;
  int32_t *kept = memory_new(&error, (size_t)rows, sizeof *kept);
  memcpy(kept, batch->source.ids + first, (size_t)rows * sizeof *kept);
  batch = samples.fill(samples.user, 5, &one, 1, &error);  // neighbours change nothing
  assert_int_equal(batch->source.rows, rows);
  assert_memory_equal(batch->source.ids, kept, (size_t)rows * sizeof *kept);
  batch = samples.fill(samples.user, 6, &one, 1, &error);
  assert_true(batch->source.rows != rows || memcmp(batch->source.ids, kept, (size_t)rows * sizeof *kept) != 0);
  free(kept);
  masked_samples_free(&masked);
  sentences_free(&sentences);
}

static void swapped_and_none(void **state) {
  struct sentences sentences = make_sentences(1, 200, 9);
  struct samples samples;
  struct masked_samples masked = masked_of(&sentences, NEXT_SWAPPED);
  masked.masking.rate = 0;
  assert_true(masked_samples_make(&masked, &samples, paths, &error));
  int ones = 0;
  for (uint32_t i = 0; i < samples.count; i++) {
    const struct batch *batch = samples.fill(samples.user, 0, &i, 1, &error);
    int second = 1;
    while (batch->source.types[second] == 0) second++;
    // In order the second text goes on where the first one ends.
    bool follows = batch->source.ids[second] == 100 + (batch->source.ids[second - 2] - 100 + 1) % 900;
    assert_int_equal(batch->texts[0].label, follows ? 0 : 1);
    ones += batch->texts[0].label;
  }
  assert_in_range(ones, 5, samples.count - 5);
  masked_samples_free(&masked);
  masked = masked_of(&sentences, NEXT_NONE);
  assert_true(masked_samples_make(&masked, &samples, paths, &error));
  assert_int_equal(count_epoch(&samples, 0).labels, 0);
  masked_samples_free(&masked);
  masked = masked_of(&sentences, NEXT_RANDOM);
  assert_false(masked_samples_make(&masked, &samples, paths, &error));  // where should other sentences come from?
  assert_non_null(strstr(error.message, "the text is one document"));
  error = (struct error){0};
  masked_samples_free(&masked);
  sentences_free(&sentences);
}

static void short_sequences_come_first(void **state) {
  struct sentences sentences = make_sentences(5, 50, 9);
  struct masked_samples masked = masked_of(&sentences, NEXT_RANDOM);
  masked.short_length = 24;
  masked.short_epochs = 2;
  struct samples samples;
  assert_true(masked_samples_make(&masked, &samples, paths, &error));
  for (size_t i = 0; i < samples.count; i++) {
    assert_true(samples.rows(samples.user, 0, i).source <= 24);
    assert_true(samples.rows(samples.user, 1, i).source <= 24);
  }
  size_t longer = 0;
  for (size_t i = 0; i < samples.count; i++) longer += samples.rows(samples.user, 2, i).source > 24;
  assert_true(longer > samples.count / 2);
  masked_samples_free(&masked);
  sentences_free(&sentences);
}

// Odd ids go on with the word before them.
static void words_are_masked_whole(void **state) {
  bool continues[VOCABULARY];
  for (int i = 0; i < VOCABULARY; i++) continues[i] = i % 2;
  struct masking masking = {
    .rate = 0.3, .masked = 1, .whole_words = true, .continues = continues, .mask_id = MASK, .vocabulary = VOCABULARY};
  int32_t ids[42], labels[42];
  bool special[42] = {[0] = true, [41] = true};
  struct masked_group groups[42];
  for (int i = 0; i < 42; i++) ids[i] = 100 + i + 1;  // 101 (special), 102 103, 104 105, ...
  size_t done = mask_tokens(&masking, random_key(1, 2), ids, special, labels, 42, groups);
  assert_int_equal(done, 12);
  for (int i = 1; i < 41; i += 2) assert_int_equal(labels[i] >= 0, labels[i + 1] >= 0);
}

static void running_text_is_split(void **state) {
  const char *text = "Mr. Brown came (at last). \"Why?\" he said. It was 3.5 miles away! J. Smith left";
  const char *const wanted[] = {"Mr. Brown came (at last). ", "\"Why?\" he said. ", "It was 3.5 miles away! ", "J. Smith left"};
  for (size_t i = 0; i < 4; i++) {
    size_t size = sentence_end(text, strlen(text));
    assert_int_equal(size, strlen(wanted[i]));
    assert_memory_equal(text, wanted[i], size);
    text += size;
  }
}

static void documents_are_read(void **state) {
  struct tokenizer *tokenizer = letters_tokenizer();
  struct line_file file;
  const char text[] = "a b c\nd e\n\n\nf\n  \ng h i \0j\n";
  assert_true(line_file_open(&file, text_file("docs", text, sizeof text - 1), &error));
  struct sentences sentences = {0};
  struct sentence_options options = {.tokenizer = tokenizer, .vocabulary = 29, .longest = 3};
  assert_true(sentences_read(&sentences, &file, 0, &options, &error));
  assert_int_equal(sentences.count, 4);
  assert_int_equal(sentences.document_count, 3);
  assert_int_equal(sentences.documents[1], 2);
  assert_int_equal(sentences.starts[1], 3);
  assert_int_equal(sentences.ledger.entries[LEDGER_CUT].count, 1);
  assert_int_equal(place_line(sentences.ledger.entries[LEDGER_CUT].places[0]), 7);
  assert_int_equal(sentences.ledger.entries[LEDGER_ZERO_BYTE].count, 1);
  assert_int_equal(place_line(sentences.ledger.entries[LEDGER_ZERO_BYTE].places[0]), 7);
  sentences_free(&sentences);
  line_file_close(&file);
  tokenizer_free(tokenizer);
}

static int remove_files(void **state) {
  text_folder_remove();
  return 0;
}

static void what_is_held_out_is_counted_once(void **state) {
  struct sentences kept = make_sentences(40, 10, 5), held = {0};
  kept.ledger.read = kept.ledger.kept = 400;
  assert_true(sentences_hold_out(&kept, &held, 0.2, &error));
  assert_true(held.count > 0 && kept.count > 0);
  assert_int_equal(kept.count + held.count, 400);
  assert_int_equal(kept.ledger.read, kept.count);
  assert_int_equal(kept.ledger.kept, kept.count);
  assert_int_equal(kept.ledger.held_out, held.count);
  assert_int_equal(held.ledger.kept, held.count);
  sentences_free(&kept);
  sentences_free(&held);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(rates_are_those_of_the_paper),
    cmocka_unit_test(nothing_but_words_tells_second_texts_apart), cmocka_unit_test(epochs_differ_and_repeat),
    cmocka_unit_test(swapped_and_none),
    cmocka_unit_test(short_sequences_come_first),
    cmocka_unit_test(words_are_masked_whole),
    cmocka_unit_test(running_text_is_split),
    cmocka_unit_test(documents_are_read),
    cmocka_unit_test(what_is_held_out_is_counted_once),
  };
  return cmocka_run_group_tests(tests, NULL, remove_files);
}
