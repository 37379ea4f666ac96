#include "cli/numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char separators[] = " ,\t\n";

bool numbers_parse_ids(const char *text, int32_t **ids, size_t *count, char *problem, size_t size) {
  *count = 0;
  *ids = malloc((strlen(text) / 2 + 1) * sizeof **ids);
  if (!*ids) return snprintf(problem, size, "did not find memory for its value"), false;
  for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
    char *end;
    errno = 0;
    long long id = strtoll(text, &end, 10);
    size_t length = strcspn(text, separators);
    if (end != text + length || errno || id < INT32_MIN || id > INT32_MAX) {
      snprintf(problem, size, "wants ids separated by blanks or commas; got \"%.*s\"", (int)(length > 100 ? 100 : length), text);
      free(*ids);
      *ids = NULL;
      return false;
    }
    (*ids)[(*count)++] = (int32_t)id;
    text = end;
  }
  if (*count) return true;
  free(*ids);
  *ids = NULL;
  return snprintf(problem, size, "wants at least one id"), false;
}

static size_t array_size(const struct qkv_array *array) {
  size_t size = 1;
  for (int i = 0; i < array->dimensions; i++) size *= array->shape[i];
  return size;
}

void numbers_print(FILE *out, const struct qkv_array *array) {
  size_t columns = array->shape[array->dimensions - 1], rows = array->shape[array->dimensions - 2], count = array_size(array);
  for (size_t i = 0; i < count; i++) {
    if (i && i % (rows * columns) == 0) fputc('\n', out);
    fprintf(out, "%.9g%c", array->data[i], (i + 1) % columns ? ' ' : '\n');
  }
}

void numbers_write_npy(FILE *out, const struct qkv_array *array) {
  enum { ALIGNMENT = 64, BEFORE = 10 };
  char header[300];
  int n = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
  for (int i = 0; i < array->dimensions; i++)
    n += snprintf(header + n, sizeof header - n, "%s%zu", i ? ", " : "", array->shape[i]);
  n += snprintf(header + n, sizeof header - n, "%s), }", array->dimensions == 1 ? "," : "");
  while ((BEFORE + n + 1) % ALIGNMENT) header[n++] = ' ';
  header[n++] = '\n';
  fwrite("\x93NUMPY\x01\x00", 1, 8, out);
  fputc(n & 255, out);
  fputc(n >> 8, out);
  fwrite(header, 1, (size_t)n, out);
  fwrite(array->data, sizeof *array->data, array_size(array), out);
}
