// The profile: every kernel is counted, under the name and the pass that it belongs to, and results are the real kernels'.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "tensor/profile.h"

static struct error error;

static void every_kernel_is_counted(void **state) {
  const struct kernels *real = cpu_kernels_named("reference");
  assert_true(profile_open(&error));
  assert_false(profile_open(&error));
  assert_int_equal(error.code, ERROR_USAGE);
  error_clear(&error);
  const struct kernels *wrapped = profile_wrap(real);
  assert_ptr_not_equal(wrapped, real);
#define KERNEL(result, slot, arguments) \
  if (strcmp(#slot, "packed_size") != 0 && wrapped->slot == real->slot) fail_msg("%s is not counted", #slot);
  KERNEL_TABLE(KERNEL)
#undef KERNEL
  profile_close();
  assert_ptr_equal(profile_wrap(real), real);
}

static void what_is_counted_stands_in_the_tables(void **state) {
  enum { N = 4096 };
  static float x[N], y[N];
  for (int i = 0; i < N; i++) x[i] = 1;
  assert_true(profile_open(&error));
  const struct kernels *wrapped = profile_wrap(cpu_kernels_named("reference"));
  wrapped->add(y, x, N);
  wrapped->add(y, x, N);
  assert_true(wrapped->sum_squares(y, N) == 4.0 * N);
  profile_done("decoder.12.self", PROFILE_BACKWARD);
  profile_pause();
  wrapped->add(y, x, N);  // not counted
  profile_resume();
  profile_count("update");
  assert_true(profile_operations() == 0);
  struct buffer text = {0};
  struct machine_bound bound = {1e9, 1e9};
  profile_write(&text, &bound);
  const char *written = buffer_string(&text);
  assert_non_null(strstr(written, "profile of 1 update: "));
  assert_non_null(strstr(written, "decoder.*.self"));
  assert_non_null(strstr(written, "\nsum_squares"));
  const char *line = strstr(written, "\nadd ");
  assert_non_null(line);
  char pass[16];
  double share, time, calls;
  assert_int_equal(sscanf(line, " add %15s %lf %% %lf %lf", pass, &share, &time, &calls), 4);
  assert_string_equal(pass, "backward");
  assert_true(calls == 2);
  buffer_free(&text);
  profile_close();
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_kernel_is_counted),
                                     cmocka_unit_test(what_is_counted_stands_in_the_tables)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
