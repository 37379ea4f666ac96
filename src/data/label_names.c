#include "data/label_names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool is_number(const char *text, double *value) {
  char *end;
  *value = strtod(text, &end);
  return *text && !*end && isfinite(*value);  // "nan" and "inf" are names
}

// Numbers come first, by value; then "O"; then tags of one type beside each other; then the rest by bytes.
static int compare(const void *a, const void *b) {
  const char *x = *(char *const *)a, *y = *(char *const *)b;
  double left, right;
  bool x_number = is_number(x, &left), y_number = is_number(y, &right);
  if (x_number != y_number) return x_number ? -1 : 1;
  if (x_number && left != right) return left < right ? -1 : 1;
  bool x_outside = strcmp(x, "O") == 0, y_outside = strcmp(y, "O") == 0;
  if (x_outside != y_outside) return x_outside ? -1 : 1;
  if (x[0] && y[0] && x[1] == '-' && y[1] == '-' && strcmp(x + 2, y + 2) != 0) return strcmp(x + 2, y + 2);
  return strcmp(x, y);
}

int label_names_find(const struct label_names *names, const char *text) {
  for (int i = 0; i < names->count; i++)
    if (strcmp(names->names[i], text) == 0) return i;
  return -1;
}

static bool add(struct label_names *names, const char *text, struct error *error) {
  enum { MOST = 10000 };
  if (label_names_find(names, text) >= 0) return true;
  if (names->count >= MOST)
    return error_set(error, ERROR_FORMAT, "there are more than %d different labels; numbers are learnt with --task regress",
                     MOST);
  char **items = memory_resize(error, names->names, (size_t)names->count + 1, sizeof *items);
  if (!items) return false;
  names->names = items;
  if (!(items[names->count] = memory_copy_text(error, text))) return false;
  names->count++;
  return true;
}

bool label_names_collect(struct label_names *names, const struct examples *examples, struct error *error) {
  *names = (struct label_names){0};
  for (size_t i = 0; i < examples->count; i++) {
    const struct example *example = &examples->items[i];
    if (example->label.text && !add(names, example->label.text, error)) return false;
    for (size_t k = 0; example->tags && k < example->part_count; k++)
      if (!add(names, example->tags[k].text, error)) return false;
  }
  if (names->count) qsort(names->names, (size_t)names->count, sizeof *names->names, compare);
  return true;
}

void label_names_list(const struct label_names *names, char *out, size_t size) {
  size_t used = 0;
  out[0] = 0;
  for (int i = 0; i < names->count && used < size; i++)
    used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", names->names[i]);
  if (used >= size && size > 4) snprintf(out + size - 4, 4, "...");
}

void label_names_free(struct label_names *names) {
  for (int i = 0; i < names->count; i++) free(names->names[i]);
  free(names->names);
  *names = (struct label_names){0};
}
