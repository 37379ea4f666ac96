// The reader against files that are damaged or lie, and the writer against the reader.
#include "base/memory.h"
#include "hf/safetensors.h"
#include "hf/safetensors_writer.h"
#include "folder_fixture.h"

// A file of this header, filled up with spaces to a multiple of eight, and `size` bytes of data. length < 0: the true length.
static const char *make_file(char path[4096], const char *header, int64_t length, size_t size) {
  char content[4096] = {0};
  size_t padded = (strlen(header) + 7) / 8 * 8;
  uint64_t said = length < 0 ? padded : (uint64_t)length;
  memcpy(content, &said, 8);
  memset(content + 8, ' ', padded);
  memcpy(content + 8, header, strlen(header));
  for (size_t i = 0; i < size; i++) content[8 + padded + i] = (char)i;
  struct error error = {0};
  assert_true(file_write_all(file_join(path, folder, "x.safetensors"), content, 8 + padded + size, &error));
  return path;
}

#define HEADER_OK                                                                                                               \
  "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[" \
  "8,12]}}"

static void reads_a_small_file(void **state) {
  (void)state;
  char path[4096];
  struct safetensors file;
  struct error error = {0};
  if (!safetensors_open(&file, make_file(path, HEADER_OK, -1, 12), &error)) fail_msg("%s", error.message);
  assert_int_equal(file.count, 2);
  const struct stored_tensor *b = safetensors_find(&file, "b");
  assert_int_equal(b->type, TENSOR_F16);
  assert_int_equal(b->dimensions, 2);
  assert_int_equal(b->shape[1], 2);
  assert_int_equal(b->count, 2);
  assert_int_equal(((const char *)b->data)[0], 8);
  assert_null(safetensors_find(&file, "c"));
  assert_null(safetensors_metadata(&file, "format"));
  safetensors_close(&file);
}

// Before 2023 nobody padded the header, and a tensor of bytes moves those behind it: they are read from copies.
static void copies_what_is_not_aligned(void **state) {
  (void)state;
  static const char header[] =
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
    "\"c\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[9,11]}}";
  for (size_t spaces = 0; spaces < 8; spaces++) {
    char content[600], path[4096];
    uint64_t length = strlen(header) + spaces;
    float numbers[2] = {1.5f, -3.25f};
    uint16_t half = 0x4049;
    memcpy(content, &length, 8);
    memset(content + 8, ' ', length);
    memcpy(content + 8, header, strlen(header));
    memcpy(content + 8 + length, numbers, 8);
    content[8 + length + 8] = 7;
    memcpy(content + 8 + length + 9, &half, 2);
    struct error error = {0};
    struct safetensors file;
    assert_true(file_write_all(file_join(path, folder, "x.safetensors"), content, 8 + length + 11, &error));
    if (!safetensors_open(&file, path, &error)) fail_msg("%zu spaces: %s", spaces, error.message);
    const struct stored_tensor *a = safetensors_find(&file, "a"), *c = safetensors_find(&file, "c");
    assert_int_equal((uintptr_t)a->data % 4, 0);
    assert_int_equal((uintptr_t)c->data % 2, 0);
    assert_memory_equal(a->data, numbers, sizeof numbers);
    assert_memory_equal(c->data, &half, sizeof half);
    assert_int_equal(*(const char *)safetensors_find(&file, "b")->data, 7);
    safetensors_close(&file);
  }
}

static void refuses_damaged_files(void **state) {
  (void)state;
  static const struct {
    const char *header;
    int64_t length;
    size_t size;
    const char *message;
  } cases[] = {
      {HEADER_OK, -1, 11, "cut off: 11 bytes of data are there, the header wants 12"},
      {HEADER_OK, -1, 0, "cut off: 0 bytes of data are there"},
      {HEADER_OK, -1, 13, "13 bytes of data, but the tensors of the header take 12"},
      {HEADER_OK, 100000, 12, "the header alone wants 100008"},
      {HEADER_OK, INT64_MAX, 12, "not a safetensors file"},
      {HEADER_OK, 20, 12, "not valid JSON"},
      {HEADER_OK, 0, 12, "x.safetensors"},
      {"[]  ", -1, 0, "has to be a JSON object"},
      {"{\"a\":7}", -1, 0, "not described by an object"},
      {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 8, "has no dtype"},
      {"{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 8, "type F4"},
      {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", -1, 8, "has no shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", -1, 8, "no valid data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", -1, 8, "not a whole number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,6]}}", -1, 8, "not a whole number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}", -1, 8, "not a whole number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", -1, 8, "more than 8 dimensions"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", -1, 0, "too large to exist"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387906],\"data_offsets\":[0,8]}}", -1, 8, "not a whole number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", -1, 8,
       "is said to take 8 bytes, but [3] F32 takes 12"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", -1, 8, "no valid data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", -1, 8, "no valid data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", -1, 8, "no valid data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,1e300]}}", -1, 8, "no valid data_offsets"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", -1, 3, "preceded by bytes that belong to no tensor"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,6]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,"
       "8]}}",
       -1, 8, "\"b\" overlaps \"a\""},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,"
       "8]}}",
       -1, 8, "two tensors named \"a\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[4096];
    struct safetensors file;
    struct error error = {0};
    if (safetensors_open(&file, make_file(path, cases[i].header, cases[i].length, cases[i].size), &error))
      fail_msg("case %zu opened", i);
    if (!strstr(error.message, cases[i].message)) fail_msg("case %zu: %s", i, error.message);
    assert_int_equal(file.count, 0);
  }
}

static void refuses_what_is_no_file(void **state) {
  (void)state;
  char path[4096];
  struct safetensors file;
  struct error error = {0};
  assert_false(safetensors_open(&file, folder, &error));
  assert_refused(&error, "is a directory");
  assert_false(safetensors_open(&file, file_join(path, folder, "none.safetensors"), &error));
  assert_refused(&error, "none.safetensors: cannot open");
  write_text(folder, "empty.safetensors", "");
  assert_false(safetensors_open(&file, file_join(path, folder, "empty.safetensors"), &error));
  assert_refused(&error, "0 bytes are no safetensors file");
}

static void refuses_bad_indexes(void **state) {
  (void)state;
  char sub[4096], path[4096], from[4096];
  struct safetensors file;
  struct error error = {0};
  assert_true(file_make_directory(file_join(sub, folder, "shards"), &error));
  assert_false(safetensors_open_directory(&file, sub, &error));
  assert_refused(&error, "no model.safetensors");
  write_text(sub, "pytorch_model.bin", "x");
  assert_false(safetensors_open_directory(&file, sub, &error));
  assert_refused(&error, "pytorch_model.bin", "save_pretrained");

  copy_file(make_file(from, HEADER_OK, -1, 12), sub, "one.safetensors");
  static const char *const cases[][2] = {
    {"{", "not valid JSON"},
    {"{}", "no \"weight_map\""},
    {"{\"weight_map\":{}}", "no \"weight_map\""},
    {"{\"weight_map\":{\"a\":1}}", "names no file"},
    {"{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "not the name of a file in this directory"},
    {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "not the name of a file in this directory"},
    {"{\"weight_map\":{\"a\":\"\"}}", "not the name of a file in this directory"},
    {"{\"weight_map\":{\"a\":\"two.safetensors\"}}", "two.safetensors: the file is missing"},
    {"{\"weight_map\":{\"a\":\"one.safetensors\",\"c\":\"one.safetensors\"}}", "\"c\" is said to lie in one.safetensors"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_text(sub, "model.safetensors.index.json", cases[i][0]);
    if (safetensors_open_directory(&file, sub, &error)) fail_msg("index %zu opened", i);
    assert_refused(&error, cases[i][1]);
  }
  // The same tensor in two shards.
  copy_file(from, sub, "two.safetensors");
  write_text(sub, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}");
  assert_false(safetensors_open_directory(&file, sub, &error));
  assert_refused(&error, "two tensors named \"a\"");
  write_text(sub, "model.safetensors.index.json", "{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}}");
  assert_true(safetensors_open_directory(&file, sub, &error));
  assert_int_equal(file.count, 2);
  assert_string_equal(safetensors_path(&file, &file.tensors[0]), file_join(path, sub, "one.safetensors"));
  safetensors_close(&file);
}

static void writes_what_it_reads(void **state) {
  (void)state;
  static const struct tensor_entry entries[] = {{"moment \"1\"", TENSOR_I64, 1, {2}},
                                                {"w", TENSOR_F32, 3, {1, 2, 1}},
                                                {"scalar", TENSOR_F32, 0, {0}},
                                                {"none", TENSOR_F32, 2, {0, 5}},
                                                {"h", TENSOR_BF16, 2, {1, 3}}};
  static const char *const metadata[] = {"format", "pt", "step", "17\n", NULL};
  const int64_t longs[2] = {-1, 5};
  const float floats[3] = {1, 2, 3};
  const uint16_t halves[3] = {4, 5, 6};
  char path[4096];
  struct safetensors_writer writer;
  struct safetensors file;
  struct error error = {0};
  assert_true(safetensors_write_begin(&writer, file_join(path, folder, "w.safetensors"), entries, 5, metadata, &error));
  safetensors_write(&writer, longs, sizeof longs);
  safetensors_write(&writer, floats, 4);
  safetensors_write(&writer, floats + 1, 8);
  safetensors_write(&writer, halves, sizeof halves);
  assert_true(safetensors_write_end(&writer, &error));
  if (!safetensors_open(&file, path, &error)) fail_msg("%s", error.message);
  assert_int_equal(file.count, 5);
  assert_string_equal(safetensors_metadata(&file, "step"), "17\n");
  assert_string_equal(safetensors_metadata(&file, "format"), "pt");
  assert_memory_equal(safetensors_find(&file, "moment \"1\"")->data, longs, sizeof longs);
  assert_memory_equal(safetensors_find(&file, "w")->data, floats, 8);
  assert_int_equal(safetensors_find(&file, "scalar")->count, 1);
  assert_int_equal(safetensors_find(&file, "none")->count, 0);
  assert_memory_equal(safetensors_find(&file, "h")->data, halves, sizeof halves);
  safetensors_close(&file);
  // Given up: the older file stays.
  assert_true(safetensors_write_begin(&writer, path, entries, 1, NULL, &error));
  safetensors_write_abort(&writer);
  assert_true(safetensors_open(&file, path, &error));
  assert_int_equal(file.count, 5);
  safetensors_close(&file);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads_a_small_file),    cmocka_unit_test(copies_what_is_not_aligned),
                                     cmocka_unit_test(refuses_damaged_files), cmocka_unit_test(refuses_what_is_no_file),
                                     cmocka_unit_test(refuses_bad_indexes),   cmocka_unit_test(writes_what_it_reads)};
  return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
