// Weights as they lie in files (types, parts, transposition) and their first values; f16 and bf16 conversions.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "tensor/kernels.h"
#include "tensor/number.h"

static void sixteen_bits_round_trip(void **state) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    float f16 = number_from_f16((uint16_t)bits), bf16 = number_from_bf16((uint16_t)bits);
    if (isnan(f16)) assert_true(isnan(number_from_f16(number_to_f16(f16))));
    else assert_int_equal(number_to_f16(f16), bits);
    if (isnan(bf16)) assert_true(isnan(number_from_bf16(number_to_bf16(bf16))));
    else assert_int_equal(number_to_bf16(bf16), bits);
  }
}

// Every value half-way between two neighbours goes to the even one, anything nearer to the nearer one.
static void rounding_is_to_nearest_even(void **state) {
  for (uint32_t bits = 0; bits < 0x7C00 - 1; bits++) {
    double low = number_from_f16((uint16_t)bits), high = number_from_f16((uint16_t)(bits + 1)), middle = (low + high) / 2;
    assert_int_equal(number_to_f16((float)middle), bits % 2 ? bits + 1 : bits);
    assert_int_equal(number_to_f16(nextafterf((float)middle, INFINITY)), bits + 1);
    assert_int_equal(number_to_f16(nextafterf((float)middle, -INFINITY)), bits);
  }
  assert_int_equal(number_to_f16(65520), 0x7C00);
  assert_int_equal(number_to_f16(65519), 0x7BFF);
  for (uint32_t bits = 0; bits < 0x7F80 - 1; bits += 3) {
    double low = number_from_bf16((uint16_t)bits), high = number_from_bf16((uint16_t)(bits + 1)), middle = (low + high) / 2;
    assert_int_equal(number_to_bf16((float)middle), bits % 2 ? bits + 1 : bits);
  }
}

static void parts_of_any_type_make_one_matrix(void **state) {
  enum { COLS = 3 };
  static const float first[2][COLS] = {{1, 2, 3}, {4, 5, 6}};
  static const float second_transposed[COLS][2] = {{7, 10}, {8, 11}, {9, 12}};
  uint16_t third[COLS], fourth[COLS];
  const float values[COLS] = {13, 14, 15.5f};
  number_write(third, values, TYPE_BF16, COLS);
  number_write(fourth, values, TYPE_F16, COLS);
  struct weight weight = {.rows = 6, .cols = COLS, .part_count = 4, .product = true,
                          .parts = {{2, first, TYPE_F32, false}, {2, second_transposed, TYPE_F32, true}, {1, third, TYPE_BF16, false}, {1, fourth, TYPE_F16, false}}};
  static const float expected[6][COLS] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}, {13, 14, 15.5f}, {13, 14, 15.5f}};
  float scratch[COLS];
  for (int row = 0; row < 6; row++) assert_memory_equal(weight_row(&weight, row, scratch), expected[row], sizeof scratch);
  struct error error = {0};
  assert_true(weight_pack(&weight, cpu_kernels_named("reference"), true, &error));
  assert_null(weight.values);
  float y[6];
  const float x[COLS] = {1, 10, 100};
  cpu_kernels_named("reference")->linear(y, 6, NULL, x, COLS, 1, 6, COLS, weight.packed, NULL, ACTIVATION_NONE, false);
  for (int row = 0; row < 6; row++) assert_true(y[row] == expected[row][0] + 10 * expected[row][1] + 100 * expected[row][2]);
  assert_true(weight_own_values(&weight, &error));
  assert_memory_equal(weight.values, expected, sizeof expected);
  weight_free(&weight);
}

static struct weight made(enum initialisation initialisation, int rows, int cols) {
  struct error error = {0};
  struct weight weight = {.name = "w",
                          .rows = rows,
                          .cols = cols,
                          .part_count = 1,
                          .parts = {{.rows = rows}},
                          .initialisation = initialisation,
                          .deviation = 0.02f,
                          .zero_row = 1,
                          .frozen_row = -1,
                          .trainable = true};
  assert_true(weight_own_values(&weight, &error));
  weight_initialise(&weight, 7);
  return weight;
}

static void first_values_are_as_published(void **state) {
  struct weight xavier = made(INITIAL_XAVIER, 100, 60), normal = made(INITIAL_NORMAL, 100, 60);
  double bound = sqrt(6.0 / 160), largest = 0, squares = 0;
  for (size_t i = 0; i < 6000; i++) {
    largest = fmax(largest, fabs(xavier.values[i]));
    squares += (double)normal.values[i] * normal.values[i] / 6000;
  }
  assert_true(largest < bound && largest > 0.99 * bound);
  assert_float_equal(sqrt(squares), 0.02, 0.001);
  for (int c = 0; c < 60; c++) assert_true(normal.values[60 + c] == 0);
  struct weight halves = made(INITIAL_SINUSOID, 9, 6), interleaved = made(INITIAL_SINUSOID_INTERLEAVED, 9, 6);
  assert_float_equal(halves.values[5 * 6 + 2], sin(5 / pow(10000, 4.0 / 6)), 1e-7);
  assert_float_equal(halves.values[5 * 6 + 3], cos(5), 1e-7);
  assert_float_equal(interleaved.values[5 * 6 + 4], sin(5 / pow(10000, 4.0 / 6)), 1e-7);
  assert_float_equal(interleaved.values[5 * 6 + 1], cos(5), 1e-7);
  weight_free(&xavier);
  weight_free(&normal);
  weight_free(&halves);
  weight_free(&interleaved);
}

static void a_zero_padding_row_is_frozen_and_another_is_not(void **state) {
  struct error error = {0};
  struct weight zero = made(INITIAL_NORMAL, 4, 4), changed = made(INITIAL_NORMAL, 4, 4);
  changed.values[5] = 1;
  assert_true(weight_start_training(&zero, &error) && weight_start_training(&changed, &error));
  assert_int_equal(zero.frozen_row, 1);
  assert_int_equal(changed.frozen_row, -1);
  weight_free(&zero);
  weight_free(&changed);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sixteen_bits_round_trip), cmocka_unit_test(rounding_is_to_nearest_even),
                                     cmocka_unit_test(parts_of_any_type_make_one_matrix),
                                     cmocka_unit_test(first_values_are_as_published),
                                     cmocka_unit_test(a_zero_padding_row_is_frozen_and_another_is_not)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
