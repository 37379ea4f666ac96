// What the tests of model directories share: golden directories, a folder for output, and failing messages.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"

static inline const char *golden(char out[4096], const char *name) {
  const char *root = getenv("QKV_SOURCE_ROOT");
  assert_non_null(root);
  snprintf(out, 4096, "%s/tests/golden/%s", root, name);
  return out;
}

// A folder of this process's own; removed by remove_folder.
static inline const char *make_folder(char out[4096]) {
  const char *base = getenv("TMPDIR");
  snprintf(out, 4096, "%s/qkv-test-XXXXXX", base ? base : "/tmp");
  assert_non_null(mkdtemp(out));
  return out;
}

static inline void remove_folder(const char *folder) {
  char command[4200];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  assert_int_equal(system(command), 0);
}

static inline void write_text(const char *folder, const char *name, const char *text) {
  char path[4096];
  struct error error = {0};
  assert_true(file_write_all(file_join(path, folder, name), text, strlen(text), &error));
}

static inline void copy_file(const char *from, const char *folder, const char *name) {
  struct file_map map;
  char path[4096];
  struct error error = {0};
  assert_true(file_map_open(&map, from, &error));
  assert_true(file_write_all(file_join(path, folder, name), map.data, map.size, &error));
  file_map_close(&map);
}

// Fails unless the error is set, its message holds each of the texts (NULL-terminated list), and it clears.
#define assert_refused(error, ...) check_refused(error, __LINE__, (const char *const[]){__VA_ARGS__, NULL})
static inline void check_refused(struct error *error, int line, const char *const *texts) {
  if (!error->code) fail_msg("line %d: no error", line);
  for (; *texts; texts++)
    if (!strstr(error->message, *texts)) fail_msg("line %d: \"%s\" does not say \"%s\"", line, error->message, *texts);
  error_clear(error);
}

struct warnings {
  int count;
  char last[1000];
};

static inline void collect_warning(void *user, const char *message) {
  struct warnings *warnings = user;
  warnings->count++;
  snprintf(warnings->last, sizeof warnings->last, "%s", message);
}
