// What a row comes to never depends on the rows beside it, nor attention on whether its keys were cached and in what chunks its
// queries came: bit by bit, for every instruction set of this processor. (Thread counts: test_kernels.c.)
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention_cases.h"
#include "cpu/cpu.h"

static const char *const sets[] = {"avx2", "avx512"};

static void for_each_set(void (*check)(const struct kernels *kernels)) {
  for (size_t s = 0; s < sizeof sets / sizeof *sets; s++)
    if (cpu_kernels_named(sets[s])) check(cpu_kernels_named(sets[s]));
}

static void same(const char *what, const struct kernels *kernels, const float *got, const float *wanted, int n, int row,
                 int rows) {
  for (int i = 0; i < n; i++)
    if (memcmp(&got[i], &wanted[i], sizeof *got) != 0)
      fail_msg("%s of %s: row %d, taken %d rows at a time, has %.9g in column %d, and %.9g among all rows", what, kernels->name,
               row, rows, got[i], i, wanted[i]);
}

static void check_linear(const struct kernels *kernels) {
  static const int sizes[][2] = {{64, 64}, {100, 33}, {5, 257}, {130, 900}, {17, 1600}};
  enum { ROWS = 40 };
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    int columns = sizes[s][0], depth = sizes[s][1];
    struct outputs outputs = {0};
    case_begin(5);
    float *x = case_floats((size_t)(ROWS * depth)), *w = case_floats((size_t)(columns * depth)),
          *bias = case_floats((size_t)columns);
    float *all = case_output(&outputs, (size_t)(ROWS * columns), 0), *some = case_output(&outputs, (size_t)(ROWS * columns), 0);
    float *packed = case_floats(kernels->packed_size(columns, depth));
    kernels->pack(packed, w, columns, depth, false);
    kernels->linear(all, columns, NULL, x, depth, ROWS, columns, depth, packed, bias, ACTIVATION_GELU, false);
    for (int rows = 1; rows <= 13; rows++)
      for (int row = 0; row + rows <= ROWS; row += rows) {
        kernels->linear(some, columns, NULL, x + row * depth, depth, rows, columns, depth, packed, bias, ACTIVATION_GELU, false);
        same("linear", kernels, some, all + row * columns, rows * columns, row, rows);
      }
    assert_true(case_end());
  }
}

static void check_rows(const struct kernels *kernels) {
  enum { ROWS = 23, COLUMNS = 301, N = ROWS * COLUMNS };
  struct outputs outputs = {0};
  struct norm norm = {1e-5f, false};
  case_begin(6);
  float *x = case_floats(N), *f = case_floats(N), *gain = case_floats(COLUMNS), *bias = case_floats(COLUMNS);
  float *y = case_output(&outputs, N, 0), *sum = case_output(&outputs, N, 0), *soft = case_output(&outputs, N, 0);
  float *one_y = case_floats(COLUMNS), *one_sum = case_floats(COLUMNS), *one_soft = case_floats(COLUMNS), losses[ROWS], loss;
  int32_t *targets = case_ints(ROWS, 0, COLUMNS);
  struct dropout dropout = case_dropout(true, ROWS);
  kernels->residual_norm(y, sum, NULL, NULL, x, f, gain, bias, ROWS, COLUMNS, &norm, &dropout);
  memcpy(soft, x, N * sizeof *soft);
  kernels->cross_entropy(losses, NULL, NULL, soft, COLUMNS, targets, ROWS, COLUMNS, 0.1f, 1);
  for (int row = 0; row < ROWS; row++) {
    struct dropout mine = dropout;
    mine.row_keys += row;
    kernels->residual_norm(one_y, one_sum, NULL, NULL, x + row * COLUMNS, f + row * COLUMNS, gain, bias, 1, COLUMNS, &norm,
                           &mine);
    same("residual_norm", kernels, one_y, y + row * COLUMNS, COLUMNS, row, 1);
    same("residual", kernels, one_sum, sum + row * COLUMNS, COLUMNS, row, 1);
    memcpy(one_soft, x + row * COLUMNS, COLUMNS * sizeof *one_soft);
    kernels->cross_entropy(&loss, NULL, NULL, one_soft, COLUMNS, targets + row, 1, COLUMNS, 0.1f, 1);
    same("cross_entropy", kernels, one_soft, soft + row * COLUMNS, COLUMNS, row, 1);
    same("loss", kernels, &loss, &losses[row], 1, row, 1);
  }
  kernels->activate(y, x, ROWS, COLUMNS, ACTIVATION_TANH, &dropout);
  kernels->activate(one_y, x + 7 * COLUMNS, 1, COLUMNS, ACTIVATION_TANH, &(struct dropout){dropout.threshold, dropout.scale,
                    {dropout.key[0], dropout.key[1]}, dropout.site, dropout.row_keys + 7});
  same("activate", kernels, one_y, y + 7 * COLUMNS, COLUMNS, 7, 1);
  assert_true(case_end());
}

// The span's queries `chunk` at a time, each seeing the keys that had been there at its time.
static void check_chunks(const struct kernels *kernels, const struct shape *shape, const struct setting *s,
                         const struct attention_keys *keys, const struct span *spans, const float *all, float *out, int chunk) {
  int width = s->attention.heads * s->attention.head_width;
  for (int i = 0; i < s->span_count; i++) {
    for (int q = 0, count; q < spans[i].qn; q += count) {
      count = spans[i].qn - q < chunk ? spans[i].qn - q : chunk;
      struct span span = spans[i];
      span.q0 += q;
      span.qn = count;
      span.pos += q;
      if (s->attention.causal) span.kn = span.pos + count;
      kernels->attention(out, s->query_stride, NULL, NULL, s->query, s->query_stride, keys, &span, 1, &s->attention);
      for (int row = span.q0; row < span.q0 + count; row++)
        same(span.pages       ? "attention over pages"
             : shape->variant ? "attention"
                              : "plain attention",
             kernels, out + row * s->query_stride, all + row * s->query_stride, width, row, chunk);
    }
  }
}

// Pages in bf16 hold what rows hold that were rounded before.
static void check_attention_over(const struct kernels *kernels, enum number_type type) {
  for (int i = 0; i < ATTENTION_SHAPES; i++) {
    struct outputs outputs = {0};
    struct span spans[SPANS];
    int32_t pages[SPANS * 40], slots[4096];
    case_begin(7);
    struct setting s = attention_setting(&attention_shapes[i]);
    size_t n = (size_t)(s.rows * s.query_stride);
    if (type == TYPE_BF16) {
      kernels->round_bf16((float *)s.keys.keys, s.key_stride, s.key_rows, s.key_stride);
      kernels->round_bf16((float *)s.keys.values, s.value_stride, s.key_rows, s.value_stride);
    }
    float *all = case_output(&outputs, n, 0), *out = case_output(&outputs, n, 0);
    kernels->attention(all, s.query_stride, NULL, NULL, s.query, s.query_stride, &s.keys, s.spans, s.span_count, &s.attention);
    struct key_store store = attention_store(kernels, type, &s, spans, pages, slots);
    struct attention_keys paged = {.store = &store};
    static const int chunks[] = {1, 2, 5, 50};
    for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
      check_chunks(kernels, &attention_shapes[i], &s, &s.keys, s.spans, all, out, chunks[c]);
      check_chunks(kernels, &attention_shapes[i], &s, &paged, spans, all, out, chunks[c]);
    }
    assert_true(case_end());
  }
}

static void check_attention(const struct kernels *kernels) {
  check_attention_over(kernels, TYPE_F32);
  check_attention_over(kernels, TYPE_BF16);
}

static void test_linear(void **state) { for_each_set(check_linear); }
static void test_rows(void **state) { for_each_set(check_rows); }
static void test_attention(void **state) { for_each_set(check_attention); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear), cmocka_unit_test(test_rows),
                                     cmocka_unit_test(test_attention)};
  return cmocka_run_group_tests_name("exactness", tests, NULL, NULL);
}
