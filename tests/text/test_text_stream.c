// Ids one by one give the text of all together, and never half a character.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "text/text_stream.h"

static const char *const texts[] = {"", "A plain text, with a comma.",
                                    "naïve Übung – «größer»", "日本語とemoji 👩‍👩‍👧 🇩🇪🙂", "  two  blanks \n\n lines "};

static struct tokenizer *open_golden(const char *name) {
  char path[4096];
  const char *root = getenv("QKV_SOURCE_ROOT");
  struct error error = {0};
  snprintf(path, sizeof path, "%s/tests/text/golden/%s", root ? root : "../..", name);
  struct tokenizer *tokenizer = tokenizer_open(path, &error);
  if (!tokenizer) fail_msg("%s", error.message);
  return tokenizer;
}

static void check(const struct tokenizer *tokenizer, const char *text, size_t before) {
  struct encoding encoding = {0};
  struct text_stream stream = {0};
  struct buffer whole = {0}, context = {0}, streamed = {0};
  struct error error = {0};
  assert_true(tokenizer_encode(tokenizer, text, strlen(text), false, &encoding, &error));
  if (before > encoding.count) before = encoding.count;
  assert_true(tokenizer_decode(tokenizer, encoding.ids, encoding.count, true, &whole, &error));
  assert_true(text_stream_start(&stream, tokenizer, encoding.ids, before, &error));
  for (size_t i = before; i < encoding.count; i++) {
    size_t size = streamed.size;
    assert_true(text_stream_add(&stream, encoding.ids[i], &streamed, &error));
    assert_int_equal(utf8_invalid(buffer_string(&streamed) + size, streamed.size - size), streamed.size - size);
    assert_null(strstr(buffer_string(&streamed), "\xEF\xBF\xBD"));
  }
  assert_true(text_stream_finish(&stream, &streamed, &error));
  if (before == 0) {
    assert_string_equal(buffer_string(&streamed), buffer_string(&whole));
  } else {  // the end of the text, with the blank that stands before it
    assert_true(streamed.size <= whole.size);
    assert_string_equal(buffer_string(&streamed), buffer_string(&whole) + whole.size - streamed.size);
  }
  encoding_free(&encoding);
  text_stream_free(&stream);
  buffer_free(&whole);
  buffer_free(&context);
  buffer_free(&streamed);
}

static void gives_whole_characters(void **state) {
  static const char *const names[] = {"gpt2", "llama3", "o200k", "llama2", "metaspace"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct tokenizer *tokenizer = open_golden(names[i]);
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) check(tokenizer, texts[t], 0);
    check(tokenizer, texts[1], 2);
    tokenizer_free(tokenizer);
  }
}

// Bytes that never become a character are given out as U+FFFD, and hold nothing up.
static void broken_bytes(void **state) {
  struct tokenizer *tokenizer = open_golden("gpt2");
  struct encoding encoding = {0};
  struct text_stream stream = {0};
  struct buffer streamed = {0};
  struct error error = {0};
  const char *face = "\xF0\x9F\x99\x82";
  assert_true(tokenizer_encode(tokenizer, face, 4, false, &encoding, &error));
  assert_true(encoding.count > 1);  // several tokens make the character
  assert_true(text_stream_start(&stream, tokenizer, NULL, 0, &error));
  for (int i = 0; i < 40; i++) assert_true(text_stream_add(&stream, encoding.ids[0], &streamed, &error));
  assert_true(streamed.size > 0);
  assert_true(text_stream_finish(&stream, &streamed, &error));
  assert_non_null(strstr(buffer_string(&streamed), "\xEF\xBF\xBD"));
  encoding_free(&encoding);
  text_stream_free(&stream);
  buffer_free(&streamed);
  tokenizer_free(tokenizer);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(gives_whole_characters), cmocka_unit_test(broken_bytes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
