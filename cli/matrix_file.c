#include "cli/matrix_file.h"

#include <stdlib.h>
#include <string.h>

#include "cli/lines.h"
#include "cli/message.h"

static const char SEPARATORS[] = " \t,";

struct reading {
  struct matrix_file *matrix;
  const char *path;
  size_t line, capacity;  // in numbers
};

static bool is_number(const char *word, float *value) {
  char *end;
  *value = strtof(word, &end);
  return end != word && !*end;
}

static bool add_label(struct matrix_file *matrix, const char *word) {
  char **labels = realloc(matrix->labels, (matrix->array.shape[0] + 1) * sizeof *labels);
  if (!labels) return false;
  matrix->labels = labels;
  labels[matrix->array.shape[0]] = strdup(word);
  return labels[matrix->array.shape[0]] != NULL;
}

static bool add_number(struct reading *reading, size_t column, float value) {
  struct qkv_array *array = &reading->matrix->array;
  size_t index = array->shape[0] * array->shape[1] + column;
  if (index >= reading->capacity) {
    size_t capacity = reading->capacity * 2 + 64;
    float *data = realloc(array->data, capacity * sizeof *data);
    if (!data) return false;
    array->data = data;
    reading->capacity = capacity;
  }
  array->data[index] = value;
  return true;
}

// One line; its words are cut apart in place.
static bool read_row(struct reading *reading, char *text) {
  struct qkv_array *array = &reading->matrix->array;
  size_t columns = 0;
  char *rest = NULL;
  bool labelled = false;
  for (char *word = strtok_r(text, SEPARATORS, &rest); word; word = strtok_r(NULL, SEPARATORS, &rest)) {
    float value;
    if (is_number(word, &value)) {
      if (array->shape[0] && columns == array->shape[1]) {
        columns++;
        break;
      }
      if (!add_number(reading, columns++, value)) return message_error("%s: out of memory", reading->path), false;
    } else if (columns == 0 && !labelled && (array->shape[0] == 0 || reading->matrix->labels)) {
      labelled = true;
      if (!add_label(reading->matrix, word)) return message_error("%s: out of memory", reading->path), false;
    } else {
      return message_error("%s:%zu: \"%s\" is not a number", reading->path, reading->line, word), false;
    }
  }
  if (array->shape[0] == 0) array->shape[1] = columns;
  if (columns != array->shape[1] || columns == 0)
    return message_error("%s:%zu: this row has %s%zu numbers; the rows before have %zu", reading->path, reading->line,
                         columns > array->shape[1] ? "more than " : "", columns > array->shape[1] ? array->shape[1] : columns,
                         array->shape[1]),
           false;
  if (reading->matrix->labels && !labelled)
    return message_error("%s:%zu: this row has no name, and the rows before have one", reading->path, reading->line), false;
  array->shape[0]++;
  return true;
}

bool matrix_file_read(struct matrix_file *matrix, const char *path) {
  struct lines lines;
  struct reading reading = {.matrix = matrix, .path = path};
  *matrix = (struct matrix_file){.array.dimensions = 2};
  if (!lines_open(&lines, path)) return false;
  bool fine = true;
  for (char *line; fine && (line = lines_next(&lines)); free(line)) {
    reading.line++;
    if (line[strspn(line, SEPARATORS)] && line[0] != '#') fine = read_row(&reading, line);
  }
  fine = fine && !lines.failed;
  lines_close(&lines);
  if (fine && !matrix->array.shape[0]) {
    message_error("%s: there are no numbers in it; a matrix has a row a line", path);
    fine = false;
  }
  if (!fine) matrix_file_free(matrix);
  return fine;
}

void matrix_file_free(struct matrix_file *matrix) {
  for (size_t i = 0; matrix->labels && i < matrix->array.shape[0]; i++) free(matrix->labels[i]);
  free(matrix->labels);
  free(matrix->array.data);
  *matrix = (struct matrix_file){0};
}
