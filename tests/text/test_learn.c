// Learnt vocabularies: the same as Hugging Face's trainer learns, the same for any number of threads, within bounds of
// memory, and with what the text allows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "text/learn.h"

static const char *root;

enum { LAST_KIND = TOKENIZER_UNIGRAM };

// Lines of a text in memory.
struct text {
  const char *data;
  size_t size, at;
};

static bool next_line(void *data, const char **line, size_t *size, struct error *error) {
  struct text *text = data;
  if (text->at >= text->size) return false;
  const char *start = text->data + text->at, *stop = memchr(start, '\n', text->size - text->at);
  *line = start;
  *size = stop ? (size_t)(stop - start) : text->size - text->at;
  text->at += *size + 1;
  return true;
}

static struct tokenizer *learn(const struct tokenizer_options *options, const char *data, size_t size, struct error *error) {
  struct text text = {data, size, 0};
  return tokenizer_learn(options, next_line, &text, error);
}

static struct tokenizer *must_learn(const struct tokenizer_options *options, const char *text, struct error *error) {
  *error = (struct error){0};
  struct tokenizer *tokenizer = learn(options, text, strlen(text), error);
  if (!tokenizer) fail_msg("%s", error->message);
  return tokenizer;
}

// A text with many different words, the same on every machine.
static void make_text(struct buffer *out, int lines) {
  uint32_t state = 12345;
  for (int i = 0; i < lines; i++) {
    for (int w = 0; w < 8; w++) {
      state = state * 1664525 + 1013904223;
      int length = 1 + (int)(state >> 28);
      for (int k = 0; k < length; k++) {
        state = state * 1664525 + 1013904223;
        buffer_char(out, (char)('a' + (state >> 24) % 26 * ((state >> 16) & 3) / 3));
      }
      buffer_text(out, w % 5 == 4 ? ", " : w % 3 == 2 ? " ö" : " ");
    }
    buffer_char(out, '\n');
  }
}

static void expect_equal(const struct tokenizer *a, const struct tokenizer *b) {
  assert_int_equal(tokenizer_size(a), tokenizer_size(b));
  for (size_t id = 0; id < tokenizer_size(a); id++)
    assert_string_equal(tokenizer_token(a, (int32_t)id), tokenizer_token(b, (int32_t)id));
}

static void is_the_same_for_any_threads(void **state) {
  struct buffer text = {0};
  make_text(&text, 20000);
  for (int kind = TOKENIZER_BPE_BYTES; kind <= LAST_KIND; kind++) {
    struct tokenizer *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
      struct error error = {0};
      struct tokenizer_options options = tokenizer_options_marian();
      options.kind = (enum tokenizer_kind)kind;
      options.vocab_size = 800;
      options.max_words = 20000;  // forgets words on the way
      parallel_set_threads(threads);
      struct tokenizer *tokenizer = must_learn(&options, text.data, &error);
      if (kind != TOKENIZER_CHAR) assert_true(error.warnings > 0);
      if (first) expect_equal(first, tokenizer);
      if (first) tokenizer_free(tokenizer);
      else first = tokenizer;
    }
    tokenizer_free(first);
  }
  parallel_set_threads(0);
  buffer_free(&text);
}

static void puts_special_tokens_in_place(void **state) {
  struct error error;
  struct tokenizer_options marian = tokenizer_options_marian(), pegasus = tokenizer_options_pegasus(),
                           gpt2 = tokenizer_options_gpt2();
  marian.vocab_size = pegasus.vocab_size = gpt2.vocab_size = 270;
  marian.min_frequency = pegasus.min_frequency = gpt2.min_frequency = 1;
  const char *text = "the house and the horse and the hose, the houses and the horses; over there, other then";
  struct tokenizer *tokenizer = must_learn(&marian, text, &error);
  assert_int_equal(tokenizer_size(tokenizer), 270);
  assert_int_equal(tokenizer_id(tokenizer, "</s>"), 0);
  assert_int_equal(tokenizer_id(tokenizer, "<unk>"), 1);
  assert_int_equal(tokenizer_id(tokenizer, "<pad>"), 269);
  struct special_ids ids = tokenizer_special_ids(tokenizer);
  assert_true(ids.end == 0 && ids.unknown == 1 && ids.padding == 269 && ids.begin == -1 && ids.mask == -1);
  assert_true(tokenizer_is_special(tokenizer, 269) && !tokenizer_is_special(tokenizer, 2));
  struct encoding e = {0};
  assert_true(tokenizer_encode(tokenizer, "the", 3, true, &e, &error));
  assert_int_equal(e.ids[e.count - 1], 0);
  assert_int_equal(e.sequences[e.count - 1], -1);
  assert_true(tokenizer_encode_pair(tokenizer, "the", 3, "house", 5, true, &e, &error));
  assert_int_equal(e.types[0], 0);
  assert_int_equal(e.types[e.count - 1], 1);
  encoding_free(&e);
  tokenizer_free(tokenizer);
  tokenizer = must_learn(&pegasus, text, &error);
  assert_int_equal(tokenizer_id(tokenizer, "<pad>"), 0);
  assert_int_equal(tokenizer_id(tokenizer, "</s>"), 1);
  assert_int_equal(tokenizer_id(tokenizer, "<unk>"), 2);
  tokenizer_free(tokenizer);
  tokenizer = must_learn(&gpt2, text, &error);
  assert_int_equal(tokenizer_id(tokenizer, "<|endoftext|>"), 269);
  tokenizer_free(tokenizer);
}

static void comes_back_to_the_text(void **state) {
  static const char *const texts[] = {"Ein Hund, zwei Hunde.", "größe (und) mehr!", "a", "ab cd", "..."};
  struct buffer text = {0};
  make_text(&text, 50);
  for (size_t i = 0; i < 5; i++) {
    buffer_text(&text, texts[i]);
    buffer_char(&text, '\n');
  }
  for (int kind = TOKENIZER_BPE_BYTES; kind <= LAST_KIND; kind++) {
    struct error error;
    struct tokenizer_options options = tokenizer_options_marian();
    options.kind = (enum tokenizer_kind)kind;
    options.vocab_size = 1000;
    struct tokenizer *tokenizer = must_learn(&options, text.data, &error);
    struct encoding e = {0};
    struct buffer back = {0};
    for (size_t i = 0; i < 5; i++) {
      buffer_clear(&back);
      assert_true(tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), true, &e, &error));
      assert_true(tokenizer_decode(tokenizer, e.ids, e.count, true, &back, &error));
      // WordPiece forgets which blanks stood beside punctuation.
      if (kind != TOKENIZER_WORDPIECE || i != 1) assert_string_equal(buffer_string(&back), texts[i]);
    }
    encoding_free(&e);
    buffer_free(&back);
    tokenizer_free(tokenizer);
  }
  buffer_free(&text);
}

static void puts_special_tokens_at_berts_places(void **state) {
  struct error error;
  struct encoding e = {0};
  struct tokenizer_options options = tokenizer_options_bert();
  options.vocab_size = 90;
  options.lowercase = true;
  const char *text = "The house and the Horse and the hose, the houses and the horses; over there, other then. Thère!";
  struct tokenizer *tokenizer = must_learn(&options, text, &error);
  static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (int i = 0; i < 5; i++) assert_string_equal(tokenizer_token(tokenizer, i), specials[i]);
  struct special_ids ids = tokenizer_special_ids(tokenizer);
  assert_true(ids.padding == 0 && ids.unknown == 1 && ids.classification == 2 && ids.separator == 3 && ids.mask == 4);
  assert_true(tokenizer_id(tokenizer, "##o") > 0 && tokenizer_id(tokenizer, "the") > 0 && tokenizer_id(tokenizer, "H") < 0);
  assert_true(tokenizer_encode_pair(tokenizer, "The [MASK]", 10, "x", 1, true, &e, &error));
  assert_int_equal(e.count, 6);
  assert_memory_equal(e.ids, ((int32_t[]){2, tokenizer_id(tokenizer, "the"), 4, 3, 1, 3}), 6 * sizeof *e.ids);
  assert_memory_equal(e.types, ((int32_t[]){0, 0, 0, 0, 1, 1}), 6 * sizeof *e.types);
  encoding_free(&e);
  tokenizer_free(tokenizer);
}

// Frequent words become pieces with more probability than rare ones, and all scores are logarithms of probabilities.
static void fits_probabilities(void **state) {
  struct error error;
  struct buffer text = {0};
  struct tokenizer_options options = tokenizer_options_marian();
  options.kind = TOKENIZER_UNIGRAM;
  options.vocab_size = 40;
  for (int i = 0; i < 60; i++) buffer_text(&text, i % 6 ? "the house and the horse\n" : "the mouse and a horsehouse\n");
  struct tokenizer *tokenizer = must_learn(&options, text.data, &error);
  assert_true(tokenizer_size(tokenizer) > 15 && tokenizer_size(tokenizer) <= 40);
  int32_t the = tokenizer_id(tokenizer, "\u2581the"), house = tokenizer_id(tokenizer, "\u2581house");
  assert_true(the >= 2 && house > the);  // ids go by probability
  struct encoding e = {0};
  assert_true(tokenizer_encode(tokenizer, "the house?", 10, true, &e, &error));
  assert_int_equal(e.count, 4);
  assert_memory_equal(e.ids, ((int32_t[]){the, house, 1, 0}), 4 * sizeof *e.ids);
  encoding_free(&e);
  tokenizer_free(tokenizer);
  buffer_free(&text);
}

static void gives_what_the_text_allows(void **state) {
  struct error error;
  struct tokenizer_options options = tokenizer_options_marian();
  options.vocab_size = 5000;
  struct tokenizer *tokenizer = must_learn(&options, "abc abc abc\nabc", &error);
  assert_int_equal(error.warnings, 1);
  assert_true(tokenizer_size(tokenizer) > 259 && tokenizer_size(tokenizer) < 270);
  assert_int_equal(tokenizer_id(tokenizer, "<pad>"), tokenizer_size(tokenizer) - 1);
  assert_true(tokenizer_id(tokenizer, "abc") > 0);
  tokenizer_free(tokenizer);
  tokenizer = must_learn(&options, "", &error);  // no text at all: bytes and special tokens
  assert_int_equal(tokenizer_size(tokenizer), 259);
  tokenizer_free(tokenizer);
  // More characters than there is room for.
  options.kind = TOKENIZER_BPE_START;
  options.vocab_size = 8;
  tokenizer = must_learn(&options, "aaaa bbb ccc cdefghijklmnopqrstuvw", &error);
  assert_int_equal(tokenizer_size(tokenizer), 8);
  assert_true(tokenizer_id(tokenizer, "a") > 0);
  assert_int_equal(error.warnings, 1);
  tokenizer_free(tokenizer);
}

// A line of 1 MB without a blank costs no more than the same text in words.
static void takes_endless_words(void **state) {
  struct error error;
  struct buffer text = {0};
  make_text(&text, 20000);
  for (size_t i = 0; i < text.size; i++)
    if (strchr(" ,\n", text.data[i])) text.data[i] = 'q';
  struct tokenizer_options options = tokenizer_options_marian();
  options.kind = TOKENIZER_BPE_END;
  options.vocab_size = 2000;
  clock_t start = clock();
  struct tokenizer *tokenizer = must_learn(&options, text.data, &error);
  assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 60);
  assert_int_equal(tokenizer_size(tokenizer), 2000);
  tokenizer_free(tokenizer);
  buffer_free(&text);
}

static void replaces_invalid_bytes(void **state) {
  struct error error;
  struct tokenizer_options options = tokenizer_options_marian();
  options.kind = TOKENIZER_CHAR;
  options.vocab_size = 10;
  struct tokenizer *tokenizer = must_learn(&options, "a\xFFz\xFF", &error);
  assert_int_equal(tokenizer_id(tokenizer, "\xEF\xBF\xBD"), 2);
  assert_int_equal(error.warnings, 1);
  tokenizer_free(tokenizer);
}

static void changes_case_and_form(void **state) {
  struct error error;
  struct encoding e = {0}, f = {0};
  struct tokenizer_options options = tokenizer_options_marian();
  options.lowercase = true;
  options.unicode_form = "NFKC";
  options.vocab_size = 280;
  struct tokenizer *tokenizer = must_learn(&options, "The THE the ﬁre Fire FIRE fire", &error);
  assert_true(tokenizer_encode(tokenizer, "THE ﬁRE", strlen("THE ﬁRE"), true, &e, &error));
  assert_true(tokenizer_encode(tokenizer, "the fire", 8, true, &f, &error));
  assert_int_equal(e.count, f.count);
  assert_memory_equal(e.ids, f.ids, e.count * sizeof *e.ids);
  encoding_free(&e);
  encoding_free(&f);
  tokenizer_free(tokenizer);
}

static void refuses_wrong_options(void **state) {
  struct tokenizer_options options = tokenizer_options_marian();
  struct error error = {0};
  options.vocab_size = 258;
  assert_null(learn(&options, "a", 1, &error));
  assert_non_null(strstr(error.message, "259"));
  error = (struct error){0};
  options = tokenizer_options_gpt2();
  options.kind = TOKENIZER_WORD;
  assert_null(learn(&options, "a", 1, &error));
  assert_non_null(strstr(error.message, "unk_token"));
  error = (struct error){0};
  options = tokenizer_options_marian();
  options.suffix = "<end>";
  assert_null(learn(&options, "a", 1, &error));
  assert_non_null(strstr(error.message, "<end>"));
  error = (struct error){0};
  options = tokenizer_options_marian();
  options.specials[1].text = "</s>";
  assert_null(learn(&options, "a", 1, &error));
  assert_non_null(strstr(error.message, "twice"));
}

// tests/text/golden/gpt2 and openai_gpt were learnt by Hugging Face's trainer from these files and three lines more.
static bool read_training_text(struct buffer *out) {
  static const char *const names[] = {"multi30k/val.de.txt", "multi30k/val.en.txt", "tatoeba-en-es/valid.es.txt"};
  static const char *const more[] = {
      "Ünïcödé façade señor ½ ² ﬁ Å Ω 漢字 仮名 한국어 العربية हिन्दी ไทย "
      "😀👍🏽 "
      "e\u0301 "
      "a\u0308\u0323",
      "tab\tand  spaces   here", "1234567 12.5 €"};
  for (int i = 0; i < 3; i++) {
    char path[4096];
    struct error error = {0};
    struct file_map map;
    snprintf(path, sizeof path, "%s/../shared/data/%s", root, names[i]);
    if (!file_exists(path)) return false;
    assert_true(file_map_open(&map, path, &error));
    buffer_append(out, map.data, map.size);
    file_map_close(&map);
  }
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 20; k++) {
      buffer_text(out, more[i]);
      buffer_char(out, '\n');
    }
  return true;
}

static void equals_hugging_face(void **state) {
  struct buffer text = {0};
  struct error error = {0};
  char path[4096];
  if (!read_training_text(&text)) {
    print_message("skipped: no ../shared/data\n");
    buffer_free(&text);
    skip();
  }
  struct tokenizer_options options = tokenizer_options_gpt2();
  options.specials[0].place = SPECIAL_FIRST;
  options.vocab_size = 700;
  options.min_frequency = 1;
  struct tokenizer *tokenizer = must_learn(&options, text.data, &error);
  snprintf(path, sizeof path, "%s/tests/text/golden/gpt2", root);
  struct tokenizer *golden = tokenizer_open(path, &error);
  assert_non_null(golden);
  expect_equal(tokenizer, golden);
  tokenizer_free(tokenizer);
  tokenizer_free(golden);
  buffer_free(&text);
}

// Allocations fail one by one while learning.
static void survives_memory_shortage(void **state) {
  const char *text = "the house and the horse and the hose, the houses and the horses; over there, other then";
  parallel_set_threads(1);
  for (int kind = TOKENIZER_BPE_BYTES; kind <= LAST_KIND; kind++) {
    bool done = false;
    for (long n = 0; !done && n < 20000; n += 1 + n / 50) {
      struct error error = {0};
      struct tokenizer_options options = tokenizer_options_marian();
      options.kind = (enum tokenizer_kind)kind;
      options.vocab_size = 290;
      memory_fail_after(n);
      struct tokenizer *tokenizer = learn(&options, text, strlen(text), &error);
      memory_fail_after(-1);
      assert_true(tokenizer || error.code == ERROR_MEMORY);
      done = tokenizer != NULL;
      tokenizer_free(tokenizer);
    }
    assert_true(done);
  }
  parallel_set_threads(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_the_same_for_any_threads),
      cmocka_unit_test(puts_special_tokens_in_place),
      cmocka_unit_test(puts_special_tokens_at_berts_places),
      cmocka_unit_test(fits_probabilities),
      cmocka_unit_test(comes_back_to_the_text),
      cmocka_unit_test(gives_what_the_text_allows),
      cmocka_unit_test(replaces_invalid_bytes),
      cmocka_unit_test(takes_endless_words),
      cmocka_unit_test(changes_case_and_form),
      cmocka_unit_test(refuses_wrong_options),
      cmocka_unit_test(equals_hugging_face),
      cmocka_unit_test(survives_memory_shortage),
  };
  root = getenv("QKV_SOURCE_ROOT") ? getenv("QKV_SOURCE_ROOT") : ".";
  return cmocka_run_group_tests(tests, NULL, NULL);
}
