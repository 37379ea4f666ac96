// Arrays of a page: the list of shapes, and their bytes in 32, 24 and 16 bits, rounded to nearest.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inspect/page_blob.h"

static void numbers_are_rounded_to_their_type(void **state) {
  (void)state;
  // 1 + 2^-16 lies half way between two of 24 bits and goes to the even one, 1 + 3 * 2^-16 up to the next.
  const float values[] = {1, 1 + 0x1p-16f, 1 + 0x3p-16f, -2.5f};
  struct page_blob blob = {0};
  assert_int_equal(page_blob_add(&blob, values, 2, NULL, 2, 2, PAGE_F24), 0);
  assert_int_equal(page_blob_add(&blob, values, 2, (const int[]){1}, 1, 2, PAGE_F16), 1);
  assert_int_equal(page_blob_add(&blob, values, 1, NULL, 1, 1, PAGE_F32), 2);
  assert_string_equal(buffer_string(&blob.list),
                      "{\"shape\":[2,2],\"type\":\"f24\",\"offset\":0},{\"shape\":[1,2],\"type\":\"f16\",\"offset\":12},"
                      "{\"shape\":[1,1],\"type\":\"f32\",\"offset\":16}");
  static const unsigned char wanted[] = {0x00, 0x80, 0x3f, 0x00, 0x80, 0x3f, 0x02, 0x80,
                                         0x3f, 0x00, 0x20, 0xc0, // 24 bits, low byte first
                                         0x00, 0x3c, 0x00, 0xc1, 0x00, 0x00, 0x80, 0x3f};
  assert_int_equal(blob.bytes.size, sizeof wanted);
  assert_memory_equal(blob.bytes.data, wanted, sizeof wanted);
  struct buffer coded = {0};
  page_blob_base64(&blob, &coded);
  assert_string_equal(buffer_string(&coded), "AIA/AIA/AoA/ACDAADwAwQAAgD8=");
  buffer_free(&coded);
  page_blob_free(&blob);
}

static void what_is_no_number_stays_so(void **state) {
  (void)state;
  const float values[] = {NAN, INFINITY};
  struct page_blob blob = {0};
  page_blob_add(&blob, values, 2, NULL, 1, 2, PAGE_F24);
  const unsigned char *bytes = (const unsigned char *)blob.bytes.data;
  assert_int_equal(bytes[2] & 0x7f, 0x7f);
  assert_true((bytes[1] & 0x7f) != 0);
  static const unsigned char infinity[] = {0x00, 0x80, 0x7f};
  assert_memory_equal(bytes + 3, infinity, 3);
  page_blob_free(&blob);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_rounded_to_their_type),
                                     cmocka_unit_test(what_is_no_number_stays_so)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
