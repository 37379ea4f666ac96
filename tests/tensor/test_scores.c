// Attention by each kind of score against PyTorch (tests/golden/make_scores.py): results and all gradients.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "cpu/cpu.h"
#include "tensor/operations.h"
#include "tensor/tape.h"

enum { MOST = 100 };

static int read_floats(float *to, const cJSON *test, const char *name) {
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(test, name);
  if (!list) fail_msg("scores.json lacks %s", name);
  int count = 0;
  for (const cJSON *item = list->child; item; item = item->next) to[count++] = (float)item->valuedouble;
  return count;
}

static void near(const float *found, const cJSON *test, const char *what) {
  float numbers[MOST];
  int count = read_floats(numbers, test, what);
  for (int i = 0; i < count; i++)
    if (fabsf(found[i] - numbers[i]) > 1e-5f * (1 + fabsf(numbers[i])))
      fail_msg("%s, %s[%d]: %.9g, PyTorch has %.9g", cJSON_GetObjectItem(test, "name")->valuestring, what, i, found[i],
               numbers[i]);
}

static struct tensor *input(struct context *context, const cJSON *test, const char *name, int rows, int cols) {
  struct tensor *x = tensor_new(context, rows, cols);
  assert_int_equal(read_floats(x->data, test, name), rows * cols);
  x->wanted = true;
  return x;
}

static void check(struct context *context, const cJSON *document, const cJSON *test) {
  const char *name = cJSON_GetObjectItem(test, "name")->valuestring;
  int heads = cJSON_GetObjectItem(document, "heads")->valueint, width = cJSON_GetObjectItem(document, "width")->valueint;
  int queries = cJSON_GetObjectItem(document, "queries")->valueint, keys = cJSON_GetObjectItem(document, "keys")->valueint;
  bool cosine = strcmp(name, "cosine") == 0, general = strcmp(name, "general") == 0, additive = strcmp(name, "additive") == 0;
  float values[MOST], gradient[MOST] = {0};
  struct weight weight = {.rows = general ? heads * width : heads,
                          .cols = width,
                          .values = values,
                          .gradient = gradient,
                          .trainable = true};
  struct span span = {.qn = queries, .kn = keys};
  struct attention attention = {.heads = heads,
                                .kv_heads = heads,
                                .head_width = width,
                                .scale = strcmp(name, "scaled") == 0 ? (float)(1 / sqrt(width)) : 1};
  context_begin(context, true, true, 1, 1);
  read_floats(values, test, "weight");
  struct tensor *query = input(context, test, "query", queries, heads * width),
                *key = input(context, test, "key", keys, heads * width);
  struct tensor *value = input(context, test, "value", keys, heads * width), *asking = query;
  if (cosine) op_unit_heads(context, "query", query, heads, width);
  if (cosine) op_unit_heads(context, "key", key, heads, width);
  if (general) asking = op_head_products(context, "general", (struct columns){query, 0}, &weight);
  struct tensor *out = op_attention(context, name, (struct columns){asking, 0}, (struct columns){key, 0},
                                    (struct columns){value, 0}, NULL, &span, 1, NULL, additive ? &weight : NULL, &attention);
  near(out->data, test, "out");
  out->gradient = tensor_gradient_fresh(context, out);
  read_floats(out->gradient, test, "dout");
  tape_backward(context);
  near(query->gradient, test, "dquery");
  near(key->gradient, test, "dkey");
  near(value->gradient, test, "dvalue");
  near(gradient, test, "dweight");
}

static void equal_to_torch(void **state) {
  static const char *const sets[] = {"reference", "avx2", "avx512"};
  struct error error = {0};
  struct context context;
  char path[4096];
  const char *root = getenv("QKV_SOURCE_ROOT");
  cJSON *document = json_read(file_join(path, root ? root : ".", "tests/golden/scores.json"), &error);
  if (!document) fail_msg("%s", error.message);
  for (size_t set = 0; set < sizeof sets / sizeof *sets; set++) {
    if (!cpu_kernels_named(sets[set])) continue;
    assert_true(context_open(&context, cpu_kernels_named(sets[set]), (size_t)1 << 30, &error));
    for (const cJSON *test = cJSON_GetObjectItem(document, "cases")->child; test; test = test->next)
      check(&context, document, test);
    assert_int_equal(error.code, 0);
    context_close(&context);
  }
  cJSON_Delete(document);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(equal_to_torch)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
