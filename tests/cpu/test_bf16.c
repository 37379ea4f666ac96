// Products in bf16 against sums in double over the same rounded factors, on ugly shapes, for both orientations and the
// weight's gradient.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "cpu/cpu.h"
#include "tensor/number.h"

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

static void check_weight_gradient(const struct kernels *kernels, const struct product *p) {
  float *dw = calloc((size_t)p->columns * (size_t)p->depth, sizeof *dw), *db = calloc((size_t)p->columns, sizeof *db);
  float *scratch = calloc(linear_gradient_scratch(p->rows, p->depth), sizeof *scratch);
  for (int twice = 0; twice < 2; twice++)
    kernels->linear_gradient(dw, db, p->y, p->columns, p->x, p->depth, p->rows, p->columns, p->depth, scratch);
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
  static const int rows[] = {1, 2, 5, 7, 13, 97, 300}, columns[] = {1, 5, 16, 63, 64, 65, 100, 257}, depths[] = {1, 2, 3, 31, 32, 33, 128, 1025, 2100};
  const struct kernels *kernels = cpu_kernels_named("avx512-bf16");
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
  const struct kernels *kernels = cpu_kernels_named("avx512-bf16");
  if (!kernels) skip();
  const float w[1] = {1}, x[4] = {1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1.01p-8f, -1 - 0x1p-8f};
  float packed[64] __attribute__((aligned(64))), y[4];
  kernels->pack(packed, w, 1, 1, false);
  kernels->linear(y, 1, NULL, x, 1, 4, 1, 1, packed, NULL, ACTIVATION_NONE, false);
  assert_true(y[0] == 1 && y[1] == 1 + 0x1p-6f && y[2] == 1 + 0x1p-7f && y[3] == -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(products_on_ugly_shapes), cmocka_unit_test(factors_are_rounded_to_nearest_even)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
