// qkv_encode with a result that is used again: it stays valid when a call fails, and then has no tokens.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "qkv.h"

static const char *golden;

static struct qkv_tokenizer *open_golden(struct qkv_context *context, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/../text/golden/%s", golden, name);
  struct qkv_tokenizer *tokenizer = qkv_tokenizer_open(context, path);
  if (!tokenizer) fail_msg("%s", qkv_message(context));
  return tokenizer;
}

static size_t sum(const struct qkv_encoding *encoding) {
  size_t sum = 0;
  for (size_t i = 0; i < encoding->count; i++) sum += (size_t)encoding->ids[i] + encoding->starts[i] + encoding->ends[i];
  return sum;
}

static void reused_result_outlives_failure(void **state) {
  struct qkv_context *context = qkv_context_new();
  struct qkv_tokenizer *tokenizer = open_golden(context, "bert_cased");
  const struct qkv_encode_options all = {.without_truncation = true};
  char text[4000];
  for (size_t i = 0; i < sizeof text - 1; i++) text[i] = "the dog, a house "[i % 17];
  text[sizeof text - 1] = 0;
  struct qkv_encoding *wanted = qkv_encode(context, tokenizer, text, &all, NULL);
  assert_non_null(wanted);
  size_t failures = 0;
  for (long n = 0; n < 200; n++) {
    struct qkv_encoding *encoding = qkv_encode(context, tokenizer, "a dog", &all, NULL);
    assert_non_null(encoding);
    memory_fail_after(n);
    struct qkv_encoding *again = qkv_encode(context, tokenizer, text, &all, encoding);
    memory_fail_after(-1);
    if (!again) {
      failures++;
      assert_int_equal(encoding->count, 0);
      again = qkv_encode(context, tokenizer, text, &all, encoding);
    }
    assert_ptr_equal(again, encoding);
    assert_int_equal(encoding->count, wanted->count);
    assert_int_equal(sum(encoding), sum(wanted));
    qkv_encoding_free(encoding);
  }
  assert_true(failures > 5 && failures < 200);
  qkv_encoding_free(wanted);
  qkv_tokenizer_free(tokenizer);
  qkv_context_free(context);
}

int main(int argc, char **argv) {
  golden = argc > 1 ? argv[1] : "tests/golden";
  const struct CMUnitTest tests[] = {cmocka_unit_test(reused_result_outlives_failure)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
