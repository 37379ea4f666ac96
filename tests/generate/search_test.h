// What the tests of searching share: golden directories opened, options from golden files, and comparing results.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "cpu/cpu.h"
#include "generate/session.h"
#include "hf/checkpoint.h"

static inline const char *golden_path(char out[4096], const char *directory, const char *file) {
  const char *root = getenv("QKV_SOURCE_ROOT");
  snprintf(out, 4096, "%s/tests/golden/%s/%s", root ? root : "../..", directory, file);
  return out;
}

// TEST_DTYPE=auto: products in bf16 where the processor has it.
static inline void open_golden(struct checkpoint *checkpoint, const char *directory) {
  char path[4096];
  struct error error = {0};
  enum precision precision = PRECISION_F32;
  if ((getenv("TEST_DTYPE") && !precision_read(&precision, getenv("TEST_DTYPE"), &error)) ||
      !checkpoint_open(golden_path(path, directory, ""), checkpoint, &error) ||
      !model_prepare(checkpoint->model, cpu_kernels(precision, &error), false, &error))
    fail_msg("%s: %s", directory, error.message);
}

static inline cJSON *read_cases(const char *directory, const char *file) {
  char path[4096];
  struct error error = {0};
  cJSON *json = json_read(golden_path(path, directory, file), &error);
  if (!json) fail_msg("%s", error.message);
  return json;
}

static inline int read_ids(const cJSON *list, int32_t *ids, int limit) {
  int count = 0;
  const cJSON *item;
  cJSON_ArrayForEach(item, list) {
    assert_true(count < limit);
    ids[count++] = item->valueint;
  }
  return count;
}

static inline void assert_generations_same(const struct generation *a, const struct generation *b) {
  assert_int_equal(a->count, b->count);
  for (int i = 0; i < a->count; i++) {
    const struct hypothesis *x = &a->hypotheses[i], *y = &b->hypotheses[i];
    assert_int_equal(x->count, y->count);
    assert_memory_equal(x->ids, y->ids, x->count * sizeof *x->ids);
    assert_memory_equal(&x->score, &y->score, sizeof x->score);
    assert_int_equal(x->log_probs == NULL, y->log_probs == NULL);
    if (x->log_probs && x->count) assert_memory_equal(x->log_probs, y->log_probs, x->count * sizeof *x->log_probs);
  }
}

// Runs the requests in portions of `batch`; results[i] belongs to asked[i].
static inline void run_batches(const struct model *const *model, const struct generation_options *options,
                               const struct generation_request *asked, size_t count, size_t batch, struct generation **results) {
  struct error error = {0};
  struct session *session = session_open(model, 1, options, &error);
  if (!session) fail_msg("%s", error.message);
  for (size_t first = 0; first < count; first += batch) {
    size_t n = count - first < batch ? count - first : batch;
    if (!session_run(session, asked + first, n, results + first, &error)) fail_msg("%s", error.message);
  }
  session_close(session);
}

static inline void compare_and_free(struct generation **expected, struct generation **found, size_t count) {
  for (size_t i = 0; i < count; i++) {
    assert_generations_same(expected[i], found[i]);
    free(found[i]);
  }
}

static inline void free_all(struct generation **results, size_t count) {
  for (size_t i = 0; i < count; i++) free(results[i]);
}
