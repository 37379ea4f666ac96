// Tokenizers opened from bad and odd files, used on bad and long text, by several threads, saved, and short of memory.
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

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "text/tokenizer.h"

static const char *root;

static struct tokenizer *open_golden(const char *name) {
  char path[4096];
  struct error error = {0};
  snprintf(path, sizeof path, "%s/tests/text/golden/%s", root, name);
  struct tokenizer *tokenizer = tokenizer_open(path, &error);
  if (!tokenizer) fail_msg("%s", error.message);
  return tokenizer;
}

static struct tokenizer *parse(const char *json, struct error *error) {
  *error = (struct error){0};
  return tokenizer_parse(json, strlen(json), "t.json", error);
}

static void expect_refused(const char *json, const char *words) {
  struct error error;
  struct tokenizer *tokenizer = parse(json, &error);
  if (tokenizer || !strstr(error.message, words))
    fail_msg("\"%s\" should be refused with \"%s\"; got \"%s\"", json, words, error.message);
}

#define BPE(vocab, merges) "\"model\": {\"type\": \"BPE\", \"vocab\": {" vocab "}, \"merges\": [" merges "]}"
#define GOOD BPE("\"a\": 0, \"b\": 1, \"ab\": 2", "\"a b\"")

static void refuses_by_name(void **state) {
  expect_refused("", "the file is empty");
  expect_refused("{\"version\": \"1.0\"", "not valid JSON");
  expect_refused("{\"normalizer\": {\"type\": \"\xFF\"}, " GOOD "}", "not valid UTF-8");
  expect_refused("[]", "object is wanted");
  expect_refused("{}", "no \"model\"");
  expect_refused("{\"version\": \"2.0\", " GOOD "}", "version");
  expect_refused("{\"model\": {\"type\": \"Odd\", \"vocab\": []}}", "Unigram");
  expect_refused("{\"model\": {\"type\": \"Unigram\", \"vocab\": {}}}", "pieces and scores");
  expect_refused("{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", -1], [\"b\"]]}}", "piece 1");
  expect_refused("{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", -1e999]]}}", "score of piece 0");
  expect_refused("{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", -1], [\"a\", -2]]}}", "twice");
  expect_refused("{\"model\": {\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [[\"a\", -1]]}}", "unk_id is 1");
  expect_refused("{\"model\": {\"type\": \"BPE\"}}", "vocab");
  expect_refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}}", "merges");
  expect_refused("{" BPE("\"a\": 0, \"b\": 0", "") "}", "two tokens");
  expect_refused("{" BPE("\"a\": 0, \"a\": 1", "") "}", "twice");
  expect_refused("{" BPE("\"a\": -1", "") "}", "id -1");
  expect_refused("{" BPE("\"a\": 4000000000", "") "}", "4000000000");
  expect_refused("{" BPE("\"a\": 1.5", "") "}", "whole number");
  expect_refused("{" BPE("\"a\": \"x\"", "") "}", "whole number");
  expect_refused("{" BPE("\"a\": 0, \"b\": 1", "\"a b\"") "}", "makes the token \"ab\"");
  expect_refused("{" BPE("\"a\": 0", "\"a c\"") "}", "\"c\"");
  expect_refused("{" BPE("\"a\": 0", "\"a\"") "}", "two tokens");
  expect_refused("{" BPE("\"a\": 0", "[\"a\"]") "}", "pair");
  expect_refused("{" BPE("\"\\u0000\": 0", "") "}", "U+0000");
  expect_refused("{\"model\": {\"type\": \"WordPiece\", \"max_input_chars_per_word\": -1, \"vocab\": {}}}", "max_input_chars");
  expect_refused("{\"model\": {\"type\": \"WordPiece\"}}", "vocab");
  expect_refused("{\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"?\"}, " GOOD "}", "base64");
  expect_refused("{\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAE=\"}, " GOOD "}", "damaged");
  expect_refused("{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Odd\"}]}, " GOOD "}", "Odd");
  expect_refused("{\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}, " GOOD "}", "UnicodeScripts");
  expect_refused("{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}, \"behavior\": \"Isolated\"}, " GOOD
                 "}",
                 "pattern");
  expect_refused(
      "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a&&b]\"}, \"behavior\": \"Isolated\"}, " GOOD "}",
      "&&");
  expect_refused("{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": \"Sideways\"}, " GOOD
                 "}",
                 "Sideways");
  expect_refused("{\"decoder\": {\"type\": \"CTC\"}, " GOOD "}", "CTC");
  expect_refused("{\"post_processor\": {\"type\": \"Odd\"}, " GOOD "}", "Odd");
  expect_refused("{\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"s\", 9], \"cls\": [\"c\", 0]}, " GOOD "}",
                 "id 9");
  expect_refused("{\"truncation\": {\"max_length\": -1}, " GOOD "}", "max_length");
  expect_refused("{\"added_tokens\": [{\"id\": 7, \"content\": \"a\"}], " GOOD "}", "id 0 in the model");
  expect_refused("{\"added_tokens\": [{\"id\": 1, \"content\": \"z\"}], " GOOD "}", "\"b\"");
  expect_refused("{\"added_tokens\": [{\"id\": 5}], " GOOD "}", "content");
}

static void takes_gaps_and_both_spellings_of_merges(void **state) {
  struct error error;
  struct encoding e = {0};
  struct tokenizer *tokenizer = parse("{" BPE("\"a\": 0, \"b\": 9, \"ab\": 4", "[\"a\", \"b\"]") "}", &error);
  assert_non_null(tokenizer);
  assert_int_equal(tokenizer_size(tokenizer), 10);
  assert_null(tokenizer_token(tokenizer, 5));
  assert_null(tokenizer_token(tokenizer, -1));
  assert_null(tokenizer_token(tokenizer, 1000));
  assert_int_equal(tokenizer_id(tokenizer, "zzz"), -1);
  assert_true(tokenizer_encode(tokenizer, "abb", 3, true, &e, &error));
  assert_int_equal(e.count, 2);
  assert_int_equal(e.ids[0], 4);
  assert_int_equal(e.ids[1], 9);
  struct buffer text = {0};
  assert_true(tokenizer_decode(tokenizer, (int32_t[]){0, 5, 77, -3, 9}, 5, true, &text, &error));
  assert_string_equal(buffer_string(&text), "a b");
  buffer_free(&text);
  encoding_free(&e);
  tokenizer_free(tokenizer);
}

// Every start of a good file is refused or, at the end, opened; nothing crashes.
static void survives_truncated_files(void **state) {
  char path[4096];
  struct buffer content = {0};
  struct error error = {0};
  snprintf(path, sizeof path, "%s/tests/text/golden/metaspace/tokenizer.json", root);
  assert_true(file_read(&content, path, &error));
  for (size_t size = 0; size < content.size; size += 1 + size / 100) {
    error = (struct error){0};
    assert_null(tokenizer_parse(content.data, size, "t.json", &error));
    assert_int_not_equal(error.code, 0);
  }
  // Damaged bytes: any outcome but a crash.
  for (size_t i = 0; i < content.size; i += 13) {
    char old = content.data[i];
    content.data[i] = (char)(old ^ (1 << i % 7));
    error = (struct error){0};
    tokenizer_free(tokenizer_parse(content.data, content.size, "t.json", &error));
    content.data[i] = old;
  }
  buffer_free(&content);
}

static void counts_invalid_bytes(void **state) {
  struct tokenizer *tokenizer = open_golden("gpt2");
  struct error error = {0};
  struct encoding e = {0}, clean = {0};
  const char bad[] = "ab\xFF\xC3 c\xE2\x82", good[] = "ab\xEF\xBF\xBD\xEF\xBF\xBD c\xEF\xBF\xBD\xEF\xBF\xBD";
  assert_true(tokenizer_encode(tokenizer, bad, sizeof bad - 1, true, &e, &error));
  assert_true(tokenizer_encode(tokenizer, good, sizeof good - 1, true, &clean, &error));
  assert_int_equal(e.invalid, 4);
  assert_int_equal(clean.invalid, 0);
  assert_int_equal(e.count, clean.count);
  assert_memory_equal(e.ids, clean.ids, e.count * sizeof *e.ids);
  for (size_t i = 0; i < e.count; i++) assert_true(e.starts[i] < e.ends[i] && e.ends[i] <= sizeof bad - 1);
  assert_int_equal(e.ends[e.count - 1], sizeof bad - 1);
  encoding_free(&e);
  encoding_free(&clean);
  tokenizer_free(tokenizer);
}

static void takes_zero_bytes(void **state) {
  struct tokenizer *tokenizer = open_golden("gpt2");
  struct error error = {0};
  struct encoding e = {0};
  struct buffer text = {0};
  assert_true(tokenizer_encode(tokenizer, "a\0b", 3, true, &e, &error));
  assert_true(tokenizer_decode(tokenizer, e.ids, e.count, true, &text, &error));
  assert_int_equal(text.size, 3);
  assert_memory_equal(text.data, "a\0b", 3);
  buffer_free(&text);
  encoding_free(&e);
  tokenizer_free(tokenizer);
}

static void fill(char *text, size_t size, const char *unit) {
  size_t length = strlen(unit);
  for (size_t i = 0; i < size; i++) text[i] = i + length <= size - size % length ? unit[i % length] : 'z';
}

// A line of 1 MB costs time in proportion to its length (nearly), whatever it is made of.
static void takes_long_lines(void **state) {
  static const char *const names[] = {"gpt2",   "llama3", "llama2",  "metaspace",    "openai_gpt",
                                      "splits", "bert",   "unigram", "unigram_bytes"};
  static const char *const units[] = {"a",        " ",  "ab", "\n", "é", "\u0301", "한",
                                      "👍🏽", "<s", "'",  "a ", "1", ".",      "the house "};
  enum { LONG = 1 << 20, SHORT = LONG / 64 };
  char *text = malloc(LONG);
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    struct tokenizer *tokenizer = open_golden(names[n]);
    struct encoding e = {.keep_all = true};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
      struct error error = {0};
      double spent[2];
      for (int k = 0; k < 2; k++) {
        size_t size = k ? LONG : SHORT;
        fill(text, size, units[u]);
        clock_t start = clock();
        if (!tokenizer_encode(tokenizer, text, size, true, &e, &error))
          fail_msg("%s on \"%s\": %s", names[n], units[u], error.message);
        spent[k] = (double)(clock() - start) / CLOCKS_PER_SEC;
      }
      // Processor time; quadratic behaviour would be 4096 times. The floor keeps the clock's noise out.
      if (spent[1] > 1000 * (spent[0] > 0.002 ? spent[0] : 0.002))
        fail_msg("%s: 1 MB of \"%s\" took %.2f s, 16 KB %.5f s", names[n], units[u], spent[1], spent[0]);
    }
    encoding_free(&e);
    tokenizer_free(tokenizer);
  }
  free(text);
}

static void stops_runaway_patterns(void **state) {
  struct error error;
  struct encoding e = {0};
  struct tokenizer *tokenizer = parse(
      "{\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a+)+(b+)+(c+)+x\"}, \"behavior\": \"Isolated\", "
      "\"invert\": false}, " GOOD "}",
      &error);
  assert_non_null(tokenizer);
  char text[400];
  for (int i = 0; i < 400; i++) text[i] = "aabbc"[i % 5];
  memset(text, 'a', 200);
  double start = clock_seconds();
  bool ok = tokenizer_encode(tokenizer, text, sizeof text, true, &e, &error);
  assert_true(ok || strstr(error.message, "gave up"));
  assert_true(clock_seconds() - start < 20);
  encoding_free(&e);
  tokenizer_free(tokenizer);
}

static void truncates_and_says_so(void **state) {
  struct error error;
  struct encoding e = {0};
  struct tokenizer *tokenizer = parse(
      "{\"truncation\": {\"max_length\": 3, \"strategy\": \"LongestFirst\", \"stride\": 0, \"direction\": \"Right\"}, "
      "\"padding\": {\"strategy\": {\"Fixed\": 10}, \"pad_id\": 0}, " GOOD "}",
      &error);
  assert_non_null(tokenizer);
  assert_true(tokenizer_encode(tokenizer, "aaaaa", 5, true, &e, &error));
  assert_int_equal(e.count, 3);
  assert_int_equal(e.cut, 2);
  assert_true(tokenizer_encode_pair(tokenizer, "aaaaa", 5, "bb", 2, true, &e, &error));
  assert_int_equal(e.count, 3);
  assert_int_equal(e.cut, 4);
  e.keep_all = true;
  assert_true(tokenizer_encode(tokenizer, "aaaaa", 5, true, &e, &error));
  assert_int_equal(e.count, 5);
  assert_int_equal(e.cut, 0);
  encoding_free(&e);
  tokenizer_free(tokenizer);
}

static void expect_same(const struct tokenizer *a, const struct tokenizer *b, const char *text) {
  struct encoding x = {0}, y = {0};
  struct error error = {0};
  assert_true(tokenizer_encode(a, text, strlen(text), true, &x, &error));
  assert_true(tokenizer_encode(b, text, strlen(text), true, &y, &error));
  assert_int_equal(x.count, y.count);
  assert_memory_equal(x.ids, y.ids, x.count * sizeof *x.ids);
  assert_memory_equal(x.starts, y.starts, x.count * sizeof *x.starts);
  encoding_free(&x);
  encoding_free(&y);
}

static const char sample[] = "The dog's house, größe 12 <mask> ﬁre </s> naïve 한국어 e\u0301 <|endoftext|>";

static void saves_what_it_opened(void **state) {
  static const char *const names[] = {"gpt2",       "roberta",    "llama3",       "llama2",     "metaspace",       "openai_gpt",
                                      "word",       "continuing", "splits",       "characters", "byte_normalizer", "bert",
                                      "bert_cased", "unigram",    "unigram_bytes"};
  char directory[] = "/tmp/qkv-tokenizer-XXXXXX", path[4096];
  assert_non_null(mkdtemp(directory));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct error error = {0};
    struct tokenizer *tokenizer = open_golden(names[i]);
    if (!tokenizer_save(tokenizer, directory, "{\"model_max_length\": 77, \"eos_token\": \"</s>\"}", &error))
      fail_msg("%s", error.message);
    struct tokenizer *again = tokenizer_open(directory, &error);
    if (!again) fail_msg("%s", error.message);
    assert_int_equal(tokenizer_size(tokenizer), tokenizer_size(again));
    assert_int_equal(tokenizer_special_ids(again).end, tokenizer_id(again, "</s>"));
    expect_same(tokenizer, again, sample);
    cJSON *config = json_read(file_join(path, directory, "tokenizer_config.json"), &error);
    assert_int_equal(json_integer(config, "model_max_length", 0, "", &error), 77);
    assert_string_equal(json_text(config, "tokenizer_class", "", "", &error), "PreTrainedTokenizerFast");
    cJSON_Delete(config);
    tokenizer_free(again);
    tokenizer_free(tokenizer);
  }
  // BERT's vocab.txt was written, too, and is enough.
  unlink(file_join(path, directory, "tokenizer.json"));
  unlink(file_join(path, directory, "tokenizer_config.json"));
  struct error error = {0};
  struct tokenizer *cased = open_golden("bert_cased"), *words = tokenizer_open(directory, &error);
  if (!words) fail_msg("%s", error.message);
  for (size_t id = 0; id < tokenizer_size(cased); id++)
    assert_string_equal(tokenizer_token(words, (int32_t)id), tokenizer_token(cased, (int32_t)id));
  tokenizer_free(words);
  tokenizer_free(cased);
  unlink(file_join(path, directory, "vocab.txt"));
  assert_int_equal(rmdir(directory), 0);
}

// Roles that tokenizer_config.json does not name are those of the tokens that BERT and RoBERTa are known by.
static void knows_usual_special_tokens(void **state) {
  struct tokenizer *bert = open_golden("bert"), *roberta = open_golden("roberta"), *gpt2 = open_golden("gpt2");
  struct special_ids ids = tokenizer_special_ids(bert);
  assert_true(ids.padding == 0 && ids.unknown == 1 && ids.classification == 2 && ids.separator == 3 && ids.mask == 4);
  assert_true(ids.begin == -1 && ids.end == -1);
  ids = tokenizer_special_ids(roberta);
  assert_true(ids.classification == 0 && ids.padding == 1 && ids.separator == 2 && ids.unknown == 3 && ids.mask == 4);
  assert_true(ids.begin == 0 && ids.end == 2);
  ids = tokenizer_special_ids(gpt2);
  assert_true(ids.mask == -1 && ids.classification == -1 && ids.padding == -1);
  tokenizer_free(bert);
  tokenizer_free(roberta);
  tokenizer_free(gpt2);
}

// Lines may end in CR LF, and of two equal ones the last counts; without [CLS] there is nothing to put around texts.
static void opens_odd_vocabulary_text(void **state) {
  static const char text[] = "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nhund\r\n\r\nkatze\r\nhund\r\n##e";
  char directory[] = "/tmp/qkv-tokenizer-XXXXXX", path[4096];
  struct error error = {0};
  struct encoding e = {0};
  assert_non_null(mkdtemp(directory));
  file_join(path, directory, "vocab.txt");
  assert_true(file_write_all(path, text, sizeof text - 1, &error));
  struct tokenizer *tokenizer = tokenizer_open(directory, &error);
  if (!tokenizer) fail_msg("%s", error.message);
  assert_int_equal(error.warnings, 1);
  assert_int_equal(tokenizer_size(tokenizer), 9);
  assert_true(tokenizer_encode(tokenizer, "Hunde katze x", 13, true, &e, &error));
  assert_int_equal(e.count, 6);
  assert_memory_equal(e.ids, ((int32_t[]){2, 7, 8, 6, 1, 3}), 6 * sizeof *e.ids);
  encoding_free(&e);
  tokenizer_free(tokenizer);
  assert_true(file_write_all(path, "[UNK]\na\n", 8, &error));
  assert_null(tokenizer_open(directory, &error));
  assert_non_null(strstr(error.message, "[CLS]"));
  error = (struct error){0};
  assert_true(file_write_all(path, "a\0b\n", 4, &error));
  assert_null(tokenizer_open(directory, &error));
  assert_non_null(strstr(error.message, "line 1"));
  unlink(path);
  rmdir(directory);
}

static void refuses_damaged_sentencepiece(void **state) {
  static const struct {
    const char *bytes;
    size_t size;
    const char *words;
  } cases[] = {{"", 0, "no pieces"},
               {"\n\x7F", 2, "damaged"},
               {"\n\x03\n\x01\xFF", 5, "piece 0"},
               {"\n\x03\n\x01"
                "a\x12\x02\x18\x04",
                9, "type 4"},
               {"\n\x03\n\x01"
                "a\n\x03\n\x01"
                "a",
                10, "twice"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct error error = {0};
    assert_null(tokenizer_parse(cases[i].bytes, cases[i].size, "t.model", &error));
    if (!strstr(error.message, cases[i].words)) fail_msg("case %zu: %s", i, error.message);
  }
}

// vocab.json and merges.txt, made from a tokenizer.json, give the same tokenizer.
static void opens_vocabulary_and_merges(void **state) {
  char directory[] = "/tmp/qkv-tokenizer-XXXXXX", path[4096];
  struct error error = {0};
  assert_non_null(mkdtemp(directory));
  assert_null(tokenizer_open(directory, &error));
  assert_non_null(strstr(error.message, "vocab.json"));
  error = (struct error){0};
  snprintf(path, sizeof path, "%s/tests/text/golden/gpt2/tokenizer.json", root);
  cJSON *json = json_read(path, &error), *model = cJSON_GetObjectItem(json, "model"), *item;
  assert_true(json_write_file(cJSON_GetObjectItem(model, "vocab"), file_join(path, directory, "vocab.json"), &error));
  struct buffer merges = {0};
  buffer_text(&merges, "#version: 0.2\n");
  cJSON_ArrayForEach(item, cJSON_GetObjectItem(model, "merges"))
      buffer_format(&merges, "%s %s\n", cJSON_GetArrayItem(item, 0)->valuestring, cJSON_GetArrayItem(item, 1)->valuestring);
  assert_true(file_write_all(file_join(path, directory, "merges.txt"), merges.data, merges.size, &error));
  struct tokenizer *tokenizer = open_golden("gpt2"), *older = tokenizer_open(directory, &error);
  if (!older) fail_msg("%s", error.message);
  expect_same(tokenizer, older, sample);
  tokenizer_free(tokenizer);
  tokenizer_free(older);
  cJSON_Delete(json);
  buffer_free(&merges);
  unlink(file_join(path, directory, "vocab.json"));
  unlink(file_join(path, directory, "merges.txt"));
  rmdir(directory);
}

struct shared {
  const struct tokenizer *tokenizer;
  uint32_t sums[64];
};

static void encode_many(void *data, size_t index, int worker) {
  struct shared *shared = data;
  struct encoding e = {0};
  struct error error = {0};
  uint32_t sum = 0;
  for (int i = 0; i < 400; i++) {
    char text[64];
    int size = snprintf(text, sizeof text, "word%d and dog%d in the house%d", i % 97, i % 89, i % 7);
    tokenizer_encode(shared->tokenizer, text, (size_t)size, true, &e, &error);
    for (size_t k = 0; k < e.count; k++) sum = sum * 31 + (uint32_t)e.ids[k] + e.starts[k];
  }
  shared->sums[index] = sum;
  encoding_free(&e);
}

// A word that cannot be cut needs the unknown token; without one that is an error that names the word.
static void word_pieces_need_their_unknown_token(void **state) {
  struct error error;
  struct encoding e = {0};
  struct tokenizer *tokenizer = parse("{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"ab\": 0, \"c\": 1}}}", &error);
  assert_non_null(tokenizer);
  assert_true(tokenizer_encode(tokenizer, "ab", 2, true, &e, &error));
  assert_int_equal(e.count, 1);
  assert_false(tokenizer_encode(tokenizer, "abc", 3, true, &e, &error));  // "##c" is not there
  assert_non_null(strstr(error.message, "\"abc\""));
  assert_non_null(strstr(error.message, "[UNK]"));
  encoding_free(&e);
  tokenizer_free(tokenizer);
}

static void serves_many_threads(void **state) {
  struct tokenizer *tokenizer = open_golden("gpt2");
  struct shared shared = {.tokenizer = tokenizer};
  parallel_set_threads(4);
  parallel_for(64, encode_many, &shared);
  parallel_set_threads(0);
  for (int i = 1; i < 64; i++) assert_int_equal(shared.sums[i], shared.sums[0]);
  tokenizer_free(tokenizer);
}

// Allocations fail one by one while a tokenizer is opened and used: an error each time, and nothing is lost.
static void survives_memory_shortage(void **state) {
  static const char *const names[] = {"llama3", "metaspace", "word", "bert", "unigram", "spm_bytes", "bert_vocab_txt"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/text/golden/%s", root, names[i]);
    bool done = false;
    for (long n = 0; !done && n < 20000; n++) {
      struct error error = {0};
      struct encoding e = {0};
      struct buffer text = {0};
      memory_fail_after(n);
      struct tokenizer *tokenizer = tokenizer_open(path, &error);
      bool ok = tokenizer && tokenizer_encode(tokenizer, sample, sizeof sample - 1, true, &e, &error) &&
                tokenizer_decode(tokenizer, e.ids, e.count, false, &text, &error);
      memory_fail_after(-1);
      assert_true(ok || error.code == ERROR_MEMORY);
      done = ok;
      buffer_free(&text);
      encoding_free(&e);
      tokenizer_free(tokenizer);
    }
    assert_true(done);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_by_name),
      cmocka_unit_test(takes_gaps_and_both_spellings_of_merges),
      cmocka_unit_test(survives_truncated_files),
      cmocka_unit_test(counts_invalid_bytes),
      cmocka_unit_test(takes_zero_bytes),
      cmocka_unit_test(takes_long_lines),
      cmocka_unit_test(stops_runaway_patterns),
      cmocka_unit_test(truncates_and_says_so),
      cmocka_unit_test(saves_what_it_opened),
      cmocka_unit_test(opens_vocabulary_and_merges),
      cmocka_unit_test(knows_usual_special_tokens),
      cmocka_unit_test(opens_odd_vocabulary_text),
      cmocka_unit_test(refuses_damaged_sentencepiece),
      cmocka_unit_test(word_pieces_need_their_unknown_token),
      cmocka_unit_test(serves_many_threads),
      cmocka_unit_test(survives_memory_shortage),
  };
  root = getenv("QKV_SOURCE_ROOT") ? getenv("QKV_SOURCE_ROOT") : ".";
  return cmocka_run_group_tests(tests, NULL, NULL);
}
