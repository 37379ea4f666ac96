// Walks the kernel table: every slot of every instruction set that this processor has, against the reference kernels, on odd
// shapes between guard bytes, and bit-equal for one, two and three threads.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/parallel.h"
#include "cases.h"
#include "cpu/cpu.h"

static const char *const sets[] = {"avx2", "avx512"};

// What a case left in its outputs.
struct result {
  int count;
  size_t n[OUTPUTS];
  float tolerance[OUTPUTS];
  float *data[OUTPUTS];
};

static struct result run(const struct slot_case *slot, const struct kernels *kernels, const struct shape *shape) {
  struct outputs outputs = {0};
  struct result result = {0};
  case_begin((unsigned)(shape->rows * 31 + shape->columns * 7 + shape->depth));
  slot->run(kernels, shape, &outputs);
  result.count = outputs.count;
  for (int i = 0; i < outputs.count; i++) {
    size_t bytes = outputs.list[i].n * sizeof(float);
    result.n[i] = outputs.list[i].n;
    result.tolerance[i] = outputs.list[i].tolerance;
    result.data[i] = malloc(bytes);
    assert_non_null(result.data[i]);
    memcpy(result.data[i], outputs.list[i].data, bytes);
  }
  if (!case_end()) fail_msg("%s of %s wrote outside, shape %d %d %d %d", slot->name, kernels->name, shape->rows, shape->columns,
                            shape->depth, shape->variant);
  return result;
}

static void release(struct result *result) {
  for (int i = 0; i < result->count; i++) free(result->data[i]);
}

static bool near(float got, float wanted, float tolerance) {
  if (tolerance == 0) return got == wanted;
  return isfinite(wanted) ? fabsf(got - wanted) <= tolerance * (1 + fabsf(wanted))
                          : got == wanted || (isnan(got) && isnan(wanted));
}

static void compare(const struct slot_case *slot, const char *set, const struct shape *shape, const struct result *got,
                    const struct result *wanted) {
  assert_int_equal(got->count, wanted->count);
  for (int o = 0; o < got->count; o++)
    for (size_t i = 0; i < got->n[o]; i++)
      if (!near(got->data[o][i], wanted->data[o][i], wanted->tolerance[o]))
        fail_msg("%s of %s, shape %d %d %d variant %d: element %zu of output %d is %.9g, the reference has %.9g", slot->name, set,
                 shape->rows, shape->columns, shape->depth, shape->variant, i, o, got->data[o][i], wanted->data[o][i]);
}

static void same_bits(const struct slot_case *slot, const char *set, const struct shape *shape, int threads,
                      const struct result *got, const struct result *wanted) {
  for (int o = 0; o < got->count; o++)
    if (memcmp(got->data[o], wanted->data[o], got->n[o] * sizeof(float)) != 0)
      fail_msg("%s of %s, shape %d %d %d variant %d: output %d differs between 1 and %d threads", slot->name, set, shape->rows,
               shape->columns, shape->depth, shape->variant, o, threads);
}

static void check_slot(void **state) {
  const struct slot_case *slot = *state;
  for (int i = 0; i < slot->shape_count; i++) {
    const struct shape *shape = &slot->shapes[i];
    parallel_set_threads(1);
    struct result wanted = run(slot, cpu_kernels_named("reference"), shape);
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
      const struct kernels *kernels = cpu_kernels_named(sets[s]);
      if (!kernels) continue;
      parallel_set_threads(1);
      struct result one = run(slot, kernels, shape);
      compare(slot, sets[s], shape, &one, &wanted);
      for (int threads = 2; threads <= 3; threads++) {
        parallel_set_threads(threads);
        struct result more = run(slot, kernels, shape);
        same_bits(slot, sets[s], shape, threads, &more, &one);
        release(&more);
      }
      release(&one);
    }
    release(&wanted);
  }
}

// Angles far beyond what f32 can reduce.
static void turns_far_from_0(void **state) {
  const struct kernels *kernels = cpu_kernels_named("reference");
  enum { ROWS = 5000 };
  int32_t positions[ROWS];
  float table[2 * ROWS], frequency = 0.7390851f;
  for (int i = 0; i < ROWS; i++) positions[i] = i * 211;
  kernels->rotary_table(table, positions, &frequency, 1, ROWS, 1);
  for (int i = 0; i < ROWS; i++) {
    float angle = (float)positions[i] * frequency;
    assert_float_equal(table[2 * i], cos(angle), 1e-7);
    assert_float_equal(table[2 * i + 1], sin(angle), 1e-7);
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
    if (argc > 3) parallel_set_threads(atoi(argv[3]));
    return bench_kernels(argc > 2 ? argv[2] : NULL);
  }
  for (size_t s = 0; s < sizeof sets / sizeof *sets; s++)
    if (!cpu_kernels_named(sets[s])) printf("no %s kernels on this processor: not tested\n", sets[s]);
  struct CMUnitTest tests[64];
  for (int i = 0; i < slot_case_count; i++)
    tests[i] = (struct CMUnitTest){slot_cases[i].name, check_slot, NULL, NULL, (void *)&slot_cases[i]};
  tests[slot_case_count] = (struct CMUnitTest)cmocka_unit_test(turns_far_from_0);
  return _cmocka_run_group_tests("kernels", tests, (size_t)slot_case_count + 1, NULL, NULL);
}
