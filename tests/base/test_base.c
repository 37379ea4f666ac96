// The ground everything stands on: threads, random numbers, memory, text, files, JSON.
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/utf8.h"

// ---- threads ----

static void count_up(void *data, size_t index, int worker) {
  assert_true(worker >= 0 && worker < parallel_threads());
  __atomic_fetch_add(&((int *)data)[index], 1, __ATOMIC_RELAXED);
}

static void count_nested(void *data, size_t index, int worker) { parallel_for(10, count_up, (int *)data + index * 10); }

static void expect_ones(int *counts, size_t n) {
  for (size_t i = 0; i < n; i++) assert_int_equal(counts[i], 1);
  memset(counts, 0, n * sizeof *counts);
}

static void every_index_runs_once(void **state) {
  static int counts[1000];
  for (int threads = 1; threads <= 5; threads++) {
    parallel_set_threads(threads);
    for (int round = 0; round < 300; round++) {
      size_t n = (size_t)(round * 7 % 1000) + 1;
      parallel_for(n, count_up, counts);
      expect_ones(counts, n);
    }
    parallel_for(100, count_nested, counts);
    expect_ones(counts, 1000);
    usleep(2000);  // long enough for workers to fall asleep
  }
  parallel_for(0, count_up, counts);
  parallel_set_threads(0);
}

static void works_after_fork(void **state) {
  static int counts[100];
  parallel_set_threads(3);
  parallel_for(100, count_up, counts);
  expect_ones(counts, 100);
  pid_t child = fork();
  if (child == 0) {
    parallel_for(100, count_up, counts);
    for (int i = 0; i < 100; i++)
      if (counts[i] != 1) _exit(1);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  parallel_set_threads(0);
}

#if defined(__x86_64__)
static void multiply_smallest(void *data, size_t index, int worker) {
  volatile float tiny = 1e-38f;
  ((float *)data)[index] = tiny * 0.01f;
}

static void denormals_are_flushed_inside_and_kept_outside(void **state) {
  float results[4];
  volatile float tiny = 1e-38f;
  parallel_for(4, multiply_smallest, results);
  for (int i = 0; i < 4; i++) assert_true(results[i] == 0);
  assert_true(tiny * 0.01f != 0);
}
#endif

// ---- random numbers ----

static void random_numbers_are_a_function(void **state) {
  uint32_t a[4], b[4];
  struct random_key key = random_key(1, 2);
  random_block(a, key, 5, 6);
  random_block(b, key, 5, 6);
  assert_memory_equal(a, b, sizeof a);
  random_block(b, key, 6, 6);
  assert_true(memcmp(a, b, sizeof a) != 0);
  // Philox 4x32, seven rounds: counter and key 0, from the authors' known answers (Random123, kat_vectors).
  random_block(a, (struct random_key){{0, 0}}, 0, 0);
  static const uint32_t expected[4] = {0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48};
  assert_memory_equal(a, expected, sizeof a);
}

static void random_numbers_have_their_moments(void **state) {
  enum { N = 200000 };
  struct random_key key = random_key(3, 4);
  double uniform = 0, normal = 0, square = 0;
  for (uint64_t i = 0; i < N; i++) {
    double u = random_uniform(key, i), z = random_normal(key, i);
    assert_true(u >= 0 && u < 1 && random_below(key, i, 7) < 7);
    uniform += u / N;
    normal += z / N;
    square += z * z / N;
  }
  assert_float_equal(uniform, 0.5, 0.005);
  assert_float_equal(normal, 0, 0.01);
  assert_float_equal(square, 1, 0.02);
}

static void permutations_hold_each_element_once(void **state) {
  static const uint64_t sizes[] = {1, 2, 3, 10, 64, 65, 1000, 4097};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    uint64_t n = sizes[s], fixed = 0;
    bool *seen = calloc(n, 1);
    for (uint64_t i = 0; i < n; i++) {
      uint64_t element = random_permuted(random_key(9, s), i, n);
      assert_true(element < n && !seen[element]);
      seen[element] = true;
      fixed += element == i;
    }
    if (n >= 1000) assert_true(fixed < 20);
    free(seen);
  }
}

// ---- memory ----

static void arenas_grow_from_both_ends(void **state) {
  struct error error = {0};
  struct arena arena;
  assert_true(arena_open(&arena, (size_t)1 << 27, &error));
  char *a = arena_low(&arena, 1000, &error), *b = arena_high(&arena, 10, &error), *c = arena_low(&arena, 1, &error);
  assert_true(((uintptr_t)a | (uintptr_t)b | (uintptr_t)c) % 64 == 0);
  assert_true(c >= a + 1000 && b >= c + 1);
  assert_int_equal(arena.peak, 1024 + 64 + 64);
  memset(a, 1, 1000);
  const size_t too_many[] = {(size_t)1 << 27, arena.size - arena.low - arena.high + 1, SIZE_MAX, SIZE_MAX - 10};
  for (size_t i = 0; i < sizeof too_many / sizeof *too_many; i++) {
    error_clear(&error);
    assert_null(i % 2 ? arena_low(&arena, too_many[i], &error) : arena_high(&arena, too_many[i], &error));
    assert_int_equal(error.code, ERROR_MEMORY);
  }
  assert_int_equal(arena.low + arena.high, 1024 + 64 + 64);
  assert_int_equal(arena.peak_low, 1024 + 64);
  assert_int_equal(arena.peak_high, 64);
  arena_release(&arena);
  assert_int_equal(a[0] | a[999], 0);
  arena_close(&arena);
}

static void the_high_end_uses_the_smallest_gap(void **state) {
  struct error error = {0};
  struct arena arena;
  assert_true(arena_open(&arena, (size_t)1 << 27, &error));
  char *blocks[6];
  const size_t sizes[] = {1000, 100, 5000, 100, 2000, 100};
  for (int i = 0; i < 6; i++) blocks[i] = arena_high(&arena, sizes[i], &error);
  for (int i = 1; i < 6; i++) assert_true(blocks[i] + sizes[i] <= blocks[i - 1]);
  size_t high = arena.high;
  arena_high_free(&arena, blocks[0]);
  arena_high_free(&arena, blocks[2]);
  arena_high_free(&arena, blocks[4]);
  char *small = arena_high(&arena, 900, &error), *middle = arena_high(&arena, 1500, &error);
  assert_true(small >= blocks[0] && middle >= blocks[4] && middle < blocks[3]);
  char *left = arena_high(&arena, 300, &error);  // of the gap that 1,500 left
  assert_true(left >= blocks[4] && left + 300 <= middle);
  arena_high_free(&arena, blocks[1]);
  arena_high_free(&arena, small);
  char *joined = arena_high(&arena, 6200, &error);  // neighbouring gaps are one
  assert_true(joined > blocks[3] && joined + 6200 <= arena.base + arena.size);
  assert_int_equal(arena.high, high);
  arena_high_free(&arena, blocks[5]);
  char *more = arena_high(&arena, 4000, &error);  // the last gap grows
  assert_true(more < blocks[5] && arena.high > high && arena.high < high + 4000);
  for (int i = 0; i < 2; i++) {  // none is empty, so each start is one block's
    char *none = arena_high(&arena, 0, &error), *next = arena_high(&arena, 0, &error);
    assert_true(none && next && none != next);
    arena_high_free(&arena, i ? none : next);
  }
  arena_reset(&arena);
  assert_int_equal(arena.high + arena.low, 0);
  assert_true(arena_high(&arena, 1000, &error) == blocks[0]);
  arena_close(&arena);
}

static void measuring_arenas_map_nothing(void **state) {
  struct error error = {0};
  struct arena arena;
  arena_measure(&arena);
  assert_non_null(arena_low(&arena, (size_t)1 << 40, &error));
  assert_int_equal(arena.peak, (size_t)1 << 40);
  arena_close(&arena);
}

static void failing_memory_is_reported(void **state) {
  struct error error = {0};
  memory_fail_after(1);
  void *first = memory_new(&error, 1, 1);
  assert_non_null(first);
  assert_null(memory_new(&error, 1, 1));
  assert_int_equal(error.code, ERROR_MEMORY);
  struct buffer buffer = {0};
  buffer_text(&buffer, "lost");
  assert_true(buffer.failed);
  error_clear(&error);
  assert_false(buffer_check(&buffer, &error));
  memory_fail_after(-1);
  assert_null(memory_resize(&error, NULL, SIZE_MAX / 2, 8));
  buffer_free(&buffer);
  free(first);
}

static void errors_keep_the_first_message(void **state) {
  struct error error = {0};
  assert_false(error_set(&error, ERROR_FILE, "first %d", 1));
  error_set(&error, ERROR_FORMAT, "second");
  assert_string_equal(error.message, "first 1");
  assert_int_equal(error.code, ERROR_FILE);
}

// ---- text ----

static void utf8_round_trips(void **state) {
  for (uint32_t c = 1; c < 0x110000; c++) {
    if (c >= 0xD800 && c < 0xE000) continue;
    char bytes[4];
    uint32_t back;
    int valid, length = utf8_encode(bytes, c);
    assert_int_equal(utf8_decode(bytes, bytes + length, &back, &valid), length);
    assert_true(valid && back == c);
    assert_int_equal(utf8_invalid(bytes, (size_t)length), length);
    if (length > 1) assert_int_equal(utf8_invalid(bytes, (size_t)length - 1), 0);
  }
  static const char *const bad[] = {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF",
                                    "\x80",     "\xE2\x28\xA1", "\xF0\x80\x80\x80"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(utf8_invalid(bad[i], strlen(bad[i])), 0);
  assert_int_equal(utf8_invalid("0123456789\xFF", 11), 10);
  assert_int_equal(utf8_length("a\xC3\xA4\xE2\x82\xAC", 6), 3);
}

static void durations_read_well(void **state) {
  char text[32];
  assert_string_equal(clock_text(text, 3.2), "3 s");
  assert_string_equal(clock_text(text, 125), "2 min 5 s");
  assert_string_equal(clock_text(text, 3840), "1 h 4 min");
}

// ---- files and JSON ----

static void files_appear_whole_or_not_at_all(void **state) {
  char directory[] = "/tmp/qkv-base-XXXXXX", path[4096], deep[4096];
  struct error error = {0};
  assert_non_null(mkdtemp(directory));
  file_join(path, directory, "a");
  assert_true(file_write_all(path, "old", 3, &error));
  struct file_writer writer;
  assert_true(file_write_begin(&writer, path, &error));
  fputs("new and longer", writer.stream);
  struct file_map map;
  assert_true(file_map_open(&map, path, &error));
  assert_int_equal(map.size, 3);
  file_map_close(&map);
  assert_true(file_write_end(&writer, &error));
  struct buffer content = {0};
  assert_true(file_read(&content, path, &error));
  assert_string_equal(buffer_string(&content), "new and longer");
  buffer_free(&content);
  assert_true(file_write_begin(&writer, path, &error));
  file_write_abort(&writer);
  assert_false(file_exists(writer.temporary));
  assert_false(file_map_open(&map, directory, &error));
  assert_non_null(strstr(error.message, "is a directory"));
  error_clear(&error);
  file_join(deep, directory, "pipe");
  assert_int_equal(mkfifo(deep, 0600), 0);
  int held = open(deep, O_RDWR);  // so that opening it for reading doesn't wait for a writer
  assert_false(file_map_open(&map, deep, &error));
  assert_non_null(strstr(error.message, "pipe"));
  close(held);
  error_clear(&error);
  assert_false(file_make_directory("", &error));
  assert_false(error_is_full(&error));
  error_clear(&error);
  file_join(path, directory, "b");
  file_join(deep, directory, "b.tmp");
  assert_int_equal(symlink("/dev/full", deep), 0);
  assert_false(file_write_all(path, "what finds no room", 18, &error));
  assert_true(error_is_full(&error) && !file_exists(path) && !file_exists(deep));
  error_clear(&error);
  assert_true(file_write_all(deep, "left by a process that was killed", 33, &error));
  file_remove_unfinished(directory);
  assert_false(file_exists(deep));
  file_join(deep, directory, "x/y/z");
  assert_true(file_make_directory(deep, &error) && file_make_directory(deep, &error) && file_is_directory(deep));
  char command[4200];
  snprintf(command, sizeof command, "rm -r %s", directory);
  assert_int_equal(system(command), 0);
}

static void a_full_disk_is_reported(void **state) {
  struct error error = {0};
  struct file_writer writer = {0};
  snprintf(writer.path, sizeof writer.path, "/dev/full");
  snprintf(writer.temporary, sizeof writer.temporary, "/tmp/qkv-no-such-file");
  writer.stream = fopen("/dev/full", "w");
  assert_non_null(writer.stream);
  fputs("data", writer.stream);
  assert_false(file_write_end(&writer, &error));
  assert_non_null(strstr(error.message, "No space left"));
}

static void json_mistakes_name_their_place(void **state) {
  struct error error = {0};
  static const char text[] = "{\n  \"a\": 1,\n  \"b\": oops\n}";
  assert_null(json_parse(text, sizeof text - 1, "x.json", &error));
  assert_non_null(strstr(error.message, "x.json: not valid JSON at line 3"));
  error_clear(&error);
  assert_null(json_parse("", 0, "x.json", &error));
  assert_non_null(strstr(error.message, "empty"));
  error_clear(&error);
  assert_null(json_parse("{}\n {}", 6, "x.json", &error));
  assert_non_null(strstr(error.message, "x.json: not valid JSON at line 2, column 2"));
  error_clear(&error);
  cJSON_Delete(json_parse("{} \r\n\t", 6, "x.json", &error));
  assert_int_equal(error.code, 0);
  static const char object[] = "{\"n\": 3, \"f\": 1.5, \"t\": \"x\", \"z\": null}";
  cJSON *value = json_parse(object, sizeof object - 1, "x.json", &error);
  assert_non_null(value);
  assert_int_equal(json_integer(value, "n", 0, "x.json", &error), 3);
  assert_int_equal(json_integer(value, "z", 7, "x.json", &error), 7);
  assert_true(json_number(value, "f", 0, "x.json", &error) == 1.5);
  assert_int_equal(error.code, 0);
  json_integer(value, "f", 0, "x.json", &error);
  assert_non_null(strstr(error.message, "\"f\" has to be a whole number"));
  cJSON_Delete(value);
}

static void expect_number(double value, const char *expected) {
  struct buffer out = {0};
  json_write_number(&out, value);
  assert_string_equal(buffer_string(&out), expected);
  buffer_free(&out);
}

static void numbers_are_written_short_and_read_back(void **state) {
  expect_number(0.1f, "0.1");
  expect_number(0.1, "0.1");
  expect_number(1.0 / 3, "0.3333333333333333");
  expect_number(1.0f / 3, "0.33333334");
  expect_number(-5e-324, "-5e-324");
  expect_number(1e30, "1e+30");
  expect_number(4294967296.0, "4294967296");  // a float, too, of which nine digits would do
  expect_number(9007199254740991.0, "9007199254740991");
  expect_number(0, "0");
  expect_number(NAN, "null");
  for (uint64_t i = 0; i < 20000; i++) {
    uint64_t bits = random_bits(random_key(5, 6), i);
    double value, back;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    struct buffer out = {0};
    json_write_number(&out, value);
    back = strtod(buffer_string(&out), NULL);
    assert_true(back == value || (float)back == (float)value);
    assert_true(back == value || (double)(float)value == value);
    buffer_free(&out);
  }
}

static void numbers_have_a_point_in_every_locale(void **state) {
  if (!setlocale(LC_ALL, "de_DE.UTF-8")) skip();
  struct buffer out = {0};
  struct error error = {0};
  json_write_number(&out, 0.1f);
  buffer_char(&out, ' ');
  json_write_number(&out, 1.0 / 3);
  assert_string_equal(buffer_string(&out), "0.1 0.3333333333333333");
  cJSON *value = json_parse("[2.5]", 5, "x", &error);
  assert_true(value->child->valuedouble == 2.5);
  cJSON_Delete(value);
  buffer_free(&out);
  setlocale(LC_ALL, "C");
}

static void json_text_is_escaped(void **state) {
  struct buffer out = {0};
  json_write_text(&out, "a\"\\\n\t\x01\xFF\xC3\xA4", 9);
  assert_string_equal(buffer_string(&out), "\"a\\\"\\\\\\n\\t\\u0001\xEF\xBF\xBD\xC3\xA4\"");
  buffer_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_index_runs_once),
    cmocka_unit_test(works_after_fork),
#if defined(__x86_64__)
    cmocka_unit_test(denormals_are_flushed_inside_and_kept_outside),
#endif
    cmocka_unit_test(random_numbers_are_a_function),
    cmocka_unit_test(random_numbers_have_their_moments),
    cmocka_unit_test(permutations_hold_each_element_once),
    cmocka_unit_test(arenas_grow_from_both_ends),
    cmocka_unit_test(the_high_end_uses_the_smallest_gap),
    cmocka_unit_test(measuring_arenas_map_nothing),
    cmocka_unit_test(failing_memory_is_reported),
    cmocka_unit_test(errors_keep_the_first_message),
    cmocka_unit_test(utf8_round_trips),
    cmocka_unit_test(durations_read_well),
    cmocka_unit_test(files_appear_whole_or_not_at_all),
    cmocka_unit_test(a_full_disk_is_reported),
    cmocka_unit_test(json_mistakes_name_their_place),
    cmocka_unit_test(numbers_are_written_short_and_read_back),
    cmocka_unit_test(numbers_have_a_point_in_every_locale),
    cmocka_unit_test(json_text_is_escaped)
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
