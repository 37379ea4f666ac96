// Products in bf16 against sums in double over the same rounded factors, on ugly shapes, for both orientations and the
// weight's gradient; and bit by bit over rows, order and threads. For AVX512-BF16, for AMX where there is any, and for the AMX
// kernels over emulated tiles (the same source, with the tiles' instructions in plain C).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "cpu/bf16.h"
#include "cpu/cpu.h"
#include "tensor/number.h"

static struct kernels emulated;

// NULL: this processor can't run it.
static const struct kernels *table(const char *name) {
  if (strcmp(name, "amx emulated") != 0) return cpu_kernels_named(name);
  const struct kernels *real = cpu_kernels_named("avx512-bf16");
  if (!real) return NULL;
  emulated = *real;
#if defined(QKV_X86_KERNELS)
  emulated.linear = linear_amx_emulated;
  emulated.linear_gradient = linear_gradient_amx_emulated;
  emulated.linear_gradient_half = linear_gradient_half_amx_emulated;
#endif
  return &emulated;
}

struct product {
  int rows, columns, depth;
  float *x, *w, *y, *bias, *packed, *turned;
};

static float *numbers(size_t n, uint64_t stream) {
  struct random_key key = random_key(17, stream);
  float *values = malloc(n * sizeof *values);
  for (size_t i = 0; i < n; i++) values[i] = number_from_bf16(number_to_bf16((float)random_uniform(key, i) - 0.5f));
  return values;
}

static void expect_near(const char *what, const struct product *p, double found, double expected, double terms) {
  if (!(fabs(found - expected) <= 1e-6 * (1 + terms)))
    fail_msg("%s of %d x %d x %d: %.9g instead of %.9g", what, p->rows, p->columns, p->depth, found, expected);
}

static void check_forward(const struct kernels *kernels, const struct product *p) {
  size_t n = (size_t)p->rows * (size_t)p->columns;
  float *pre = malloc(n * sizeof *pre), *y = malloc(n * sizeof *y);
  kernels->linear(y, p->columns, pre, p->x, p->depth, p->rows, p->columns, p->depth, p->packed, p->bias, ACTIVATION_RELU, false);
  for (int r = 0; r < p->rows; r++) {
    for (int c = 0; c < p->columns; c++) {
      double sum = p->bias[c];
      for (int k = 0; k < p->depth; k++) sum += (double)p->x[(size_t)r * p->depth + k] * p->w[(size_t)c * p->depth + k];
      size_t at = (size_t)r * p->columns + c;
      expect_near("pre", p, pre[at], sum, p->depth);
      assert_true(y[at] == (pre[at] > 0 ? pre[at] : 0));
    }
  }
  free(pre);
  free(y);
}

static void check_input_gradient(const struct kernels *kernels, const struct product *p) {
  size_t n = (size_t)p->rows * (size_t)p->depth;
  float *dx = malloc(n * sizeof *dx);
  for (size_t i = 0; i < n; i++) dx[i] = 1;
  kernels->linear(dx, p->depth, NULL, p->y, p->columns, p->rows, p->depth, p->columns, p->turned, NULL, ACTIVATION_NONE, true);
  for (int r = 0; r < p->rows; r++) {
    for (int k = 0; k < p->depth; k++) {
      double sum = 1;
      for (int c = 0; c < p->columns; c++) sum += (double)p->y[(size_t)r * p->columns + c] * p->w[(size_t)c * p->depth + k];
      expect_near("dx", p, dx[(size_t)r * p->depth + k], sum, p->columns);
    }
  }
  free(dx);
}

static void expect_same(const char *what, const float *a, const float *b, size_t n) {
  if (memcmp(a, b, n * sizeof *a) != 0) fail_msg("%s: other bits", what);
}

// Whoever rounds x, before or in the product, the bits are the same; and those of the reference within what sums may differ by.
static void check_rounded_before(const struct kernels *kernels, const struct product *p, float *scratch) {
  size_t n = (size_t)p->columns * (size_t)p->depth, all = (size_t)p->rows * (size_t)p->depth;
  struct random_key key = random_key(23, 5);
  float *dw[3], *db[3], *x = malloc(all * sizeof *x);
  uint16_t *half = malloc(all * sizeof *half);
  for (size_t i = 0; i < all; i++) x[i] = (float)random_uniform(key, i) - 0.5f;
  kernels->to_bf16(half, x, all);
  for (int i = 0; i < 3; i++) {
    dw[i] = calloc(n, sizeof **dw);
    db[i] = calloc((size_t)p->columns, sizeof **db);
    const struct kernels *by = i == 2 ? cpu_kernels_named("reference") : kernels;
    if (i == 0)
      by->linear_gradient(dw[i], db[i], p->y, p->columns, x, p->depth, p->rows, p->columns, p->depth, scratch);
    else
      by->linear_gradient_half(dw[i], db[i], p->y, p->columns, half, p->depth, p->rows, p->columns, p->depth, scratch);
  }
  expect_same("dw of halves", dw[0], dw[1], n);
  expect_same("db of halves", db[0], db[1], (size_t)p->columns);
  for (size_t i = 0; i < n; i++) expect_near("dw of halves", p, dw[1][i], dw[2][i], p->rows);
  for (int c = 0; c < p->columns; c++) expect_near("db of halves", p, db[1][c], db[2][c], p->rows);
  for (int i = 0; i < 3; i++) free(dw[i]), free(db[i]);
  free(x);
  free(half);
}

static void check_weight_gradient(const struct kernels *kernels, const struct product *p) {
  float *dw = calloc((size_t)p->columns * (size_t)p->depth, sizeof *dw), *db = calloc((size_t)p->columns, sizeof *db);
  float *scratch = calloc(linear_gradient_scratch(p->rows, p->depth), sizeof *scratch);
  for (int twice = 0; twice < 2; twice++)
    kernels->linear_gradient(dw, db, p->y, p->columns, p->x, p->depth, p->rows, p->columns, p->depth, scratch);
  check_rounded_before(kernels, p, scratch);
  free(scratch);
  for (int c = 0; c < p->columns; c++) {
    double bias = 0;
    for (int r = 0; r < p->rows; r++) bias += 2 * p->y[(size_t)r * p->columns + c];
    expect_near("db", p, db[c], bias, p->rows);
    for (int k = 0; k < p->depth; k++) {
      double sum = 0;
      for (int r = 0; r < p->rows; r++) sum += 2 * (double)p->y[(size_t)r * p->columns + c] * p->x[(size_t)r * p->depth + k];
      expect_near("dw", p, dw[(size_t)c * p->depth + k], sum, 2 * p->rows);
    }
  }
  free(dw);
  free(db);
}

static float *pack(const struct kernels *kernels, const struct product *p, bool transposed) {
  size_t size = transposed ? kernels->packed_size(p->depth, p->columns) : kernels->packed_size(p->columns, p->depth);
  float *packed = aligned_alloc(64, (size * sizeof(float) + 63) / 64 * 64);
  kernels->pack(packed, p->w, p->columns, p->depth, transposed);
  return packed;
}

static void products_on_ugly_shapes(void **state) {
  static const int rows[] = {1, 2, 5, 7, 13, 97, 300}, columns[] = {1, 5, 16, 63, 64, 65, 100, 257},
                   depths[] = {1, 2, 3, 31, 32, 33, 128, 1025, 2100};
  const struct kernels *kernels = table(*state);
  if (!kernels) skip();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (size_t j = 0; j < sizeof columns / sizeof *columns; j++) {
      for (size_t k = 0; k < sizeof depths / sizeof *depths; k++) {
        struct product p = {.rows = rows[i], .columns = columns[j], .depth = depths[k]};
        if ((long)p.rows * p.columns * p.depth > 4000000) continue;
        p.x = numbers((size_t)p.rows * (size_t)p.depth, 1);
        p.w = numbers((size_t)p.columns * (size_t)p.depth, 2);
        p.y = numbers((size_t)p.rows * (size_t)p.columns, 3);
        p.bias = numbers((size_t)p.columns, 4);
        p.packed = pack(kernels, &p, false);
        p.turned = pack(kernels, &p, true);
        check_forward(kernels, &p);
        check_input_gradient(kernels, &p);
        check_weight_gradient(kernels, &p);
        float *all[] = {p.x, p.w, p.y, p.bias, p.packed, p.turned};
        for (int a = 0; a < 6; a++) free(all[a]);
      }
    }
  }
}

static void factors_are_rounded_to_nearest_even(void **state) {
  const struct kernels *kernels = table(*state);
  if (!kernels) skip();
  const float w[1] = {1}, x[4] = {1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1.01p-8f, -1 - 0x1p-8f};
  float packed[64] __attribute__((aligned(64))), y[4];
  kernels->pack(packed, w, 1, 1, false);
  kernels->linear(y, 1, NULL, x, 1, 4, 1, 1, packed, NULL, ACTIVATION_NONE, false);
  assert_true(y[0] == 1 && y[1] == 1 + 0x1p-6f && y[2] == 1 + 0x1p-7f && y[3] == -1);
}

static void same_bits_over_rows_and_threads(void **state) {
  enum { ROWS = 131, COLUMNS = 203, DEPTH = 1103 };
  const struct kernels *kernels = table(*state);
  if (!kernels) skip();
  struct product p = {.rows = ROWS, .columns = COLUMNS, .depth = DEPTH};
  float *y = malloc(2 * ROWS * COLUMNS * sizeof *y), *dw = calloc(2 * COLUMNS * DEPTH, sizeof *dw);
  float *scratch = malloc(linear_gradient_scratch(ROWS, DEPTH) * sizeof *scratch);
  p.x = numbers(ROWS * DEPTH, 1);
  p.w = numbers(COLUMNS * DEPTH, 2);
  p.y = numbers(ROWS * COLUMNS, 3);
  p.packed = pack(kernels, &p, false);
  for (int threads = 1; threads <= 3; threads++) {
    bool first = threads == 1;
    float *all = first ? y : y + ROWS * COLUMNS, *gradient = first ? dw : dw + COLUMNS * DEPTH;
    parallel_set_threads(threads);
    kernels->linear(all, COLUMNS, NULL, p.x, DEPTH, ROWS, COLUMNS, DEPTH, p.packed, NULL, ACTIVATION_NONE, false);
    memset(gradient, 0, COLUMNS * DEPTH * sizeof *gradient);
    kernels->linear_gradient(gradient, NULL, p.y, COLUMNS, p.x, DEPTH, ROWS, COLUMNS, DEPTH, scratch);
    expect_same("threads", all, y, ROWS * COLUMNS);
    expect_same("threads, weight's gradient", gradient, dw, COLUMNS * DEPTH);
    static const int counts[] = {1, 2, 5, 16, 17, 33, 100};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
      for (int row = 0; row + counts[i] <= ROWS; row += 31) {
        float *some = y + ROWS * COLUMNS;
        kernels->linear(some, COLUMNS, NULL, p.x + row * DEPTH, DEPTH, counts[i], COLUMNS, DEPTH, p.packed, NULL, ACTIVATION_NONE,
                        false);
        expect_same("rows", some, y + row * COLUMNS, (size_t)counts[i] * COLUMNS);
      }
    }
  }
  parallel_set_threads(0);
  float *blocks[] = {y, dw, scratch, p.x, p.w, p.y, p.packed};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
}

// More columns than one task's with one thread, whose blocks it takes one after the other; more rows than one part's.
static void gradients_of_many_columns_and_rows(void **state) {
  static const int shapes[][3] = {{300, 601, 33}, {2100, 3, 2300}};
  const struct kernels *kernels = table(*state);
  if (!kernels) skip();
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    struct product p = {.rows = shapes[i][0], .columns = shapes[i][1], .depth = shapes[i][2]};
    p.x = numbers((size_t)p.rows * (size_t)p.depth, 1);
    p.y = numbers((size_t)p.rows * (size_t)p.columns, 3);
    for (int threads = 1; threads <= 2; threads++) {
      parallel_set_threads(threads);
      check_weight_gradient(kernels, &p);
    }
    free(p.x);
    free(p.y);
  }
  parallel_set_threads(0);
}

#if defined(QKV_X86_KERNELS)
static const struct kernels *right;

static void wrong_linear(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth,
                         const float *packed, const float *bias, enum activation activation, bool accumulate) {
  right->linear(y, y_stride, pre, x, x_stride, rows, columns, depth, packed, bias, activation, accumulate);
  y[(size_t)(rows - 1) * (size_t)y_stride + (size_t)(columns - 1)] += 0.01f;
}

static void unbiased_linear(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth,
                            const float *packed, const float *bias, enum activation activation, bool accumulate) {
  right->linear(y, y_stride, pre, x, x_stride, rows, columns, depth, packed, NULL, activation, accumulate);
}

static void wrong_gradient(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride, int rows,
                           int columns, int depth, float *scratch) {
  right->linear_gradient(dw, db, dy, dy_stride, x, x_stride, rows - 1, columns, depth, scratch);
}

// What decides at the program's start whether AMX is used.
static void check_finds_wrong_products(void **state) {
  right = cpu_kernels_named("avx512-bf16");
  if (!right) skip();
  assert_int_equal(compare_products(table("amx emulated"), right), PRODUCTS_AGREE);
  struct kernels wrong = *right;
  wrong.linear = wrong_linear;
  assert_int_equal(compare_products(&wrong, right), PRODUCTS_DIFFER);
  wrong.linear = unbiased_linear;
  assert_int_equal(compare_products(&wrong, right), PRODUCTS_DIFFER);
  wrong = *right;
  wrong.linear_gradient = wrong_gradient;
  assert_int_equal(compare_products(&wrong, right), PRODUCTS_DIFFER);
  for (int allocations = 0; allocations < 11; allocations++) {
    memory_fail_after(allocations);
    assert_int_equal(compare_products(right, right), PRODUCTS_UNCHECKED);
  }
  memory_fail_after(-1);
}
#else
static void check_finds_wrong_products(void **state) { skip(); }
#endif

int main(void) {
#define PER_TABLE(test) \
  cmocka_unit_test_prestate(test, "avx512-bf16"), cmocka_unit_test_prestate(test, "amx-bf16"), \
    cmocka_unit_test_prestate(test, "amx emulated")
  const struct CMUnitTest tests[] = {PER_TABLE(products_on_ugly_shapes), PER_TABLE(factors_are_rounded_to_nearest_even),
                                     PER_TABLE(same_bits_over_rows_and_threads), PER_TABLE(gradients_of_many_columns_and_rows),
                                     cmocka_unit_test(check_finds_wrong_products)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
