#include "inspect/nearest_words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "inspect/inspected_text.h"

enum { NEAREST = 8, MOST_WORDS = 64 };

bool word_list_add(struct word_list *list, int32_t id, struct error *error) {
  size_t low = 0, high = list->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (list->ids[middle] < id) low = middle + 1;
    else high = middle;
  }
  if (low < list->count && list->ids[low] == id) return true;
  if (!memory_grow(error, &list->ids, &list->capacity, list->count + 1, sizeof *list->ids)) return false;
  memmove(list->ids + low + 1, list->ids + low, (list->count - low) * sizeof *list->ids);
  list->ids[low] = id;
  list->count++;
  return true;
}

void word_list_free(struct word_list *list) {
  free(list->ids);
  *list = (struct word_list){0};
}

void word_list_write(struct buffer *out, const struct word_list *list, const struct tokenizer *tokenizer, struct error *error) {
  buffer_text(out, ",\"words\":{");
  for (size_t i = 0; i < list->count && error->code == ERROR_NONE; i++) {
    char *label = inspected_label(tokenizer, list->ids[i], error);
    if (!label) return;
    buffer_format(out, "%s\"%d\":", i ? "," : "", list->ids[i]);
    json_write_text(out, label, strlen(label));
    free(label);
  }
  buffer_char(out, '}');
}

struct search {
  const struct weight *table;
  const int32_t *ids;          // [count]
  int count;
  float *own, *cosines;        // [count, cols], [count, rows]
  float *scratch;              // [chunks, cols]
};

enum { CHUNK = 512 };

static double length_of(const float *row, int columns) {
  double sum = 0;
  for (int i = 0; i < columns; i++) sum += (double)row[i] * row[i];
  return sqrt(sum);
}

static void compare_chunk(void *data, size_t index, int worker) {
  const struct search *search = data;
  int chunk = (int)index;
  int columns = search->table->cols, end = (chunk + 1) * CHUNK < search->table->rows ? (chunk + 1) * CHUNK : search->table->rows;
  for (int row = chunk * CHUNK; row < end; row++) {
    const float *other = weight_row(search->table, row, search->scratch + (size_t)chunk * (size_t)columns);
    double length = length_of(other, columns);
    for (int i = 0; i < search->count; i++) {
      const float *own = search->own + (size_t)i * (size_t)columns;
      float sum = 0;
      for (int c = 0; c < columns; c++) sum += own[c] * other[c];
      search->cosines[(size_t)i * (size_t)search->table->rows + (size_t)row] = length > 0 ? (float)(sum / length) : 0;
    }
  }
}

static void write_nearest(struct buffer *out, struct word_list *words, const struct search *search, int i, struct error *error) {
  float *cosines = search->cosines + (size_t)i * (size_t)search->table->rows;
  cosines[search->ids[i]] = -2;
  buffer_format(out, "%s\"%d\":[", i ? "," : "", search->ids[i]);
  for (int n = 0; n < NEAREST && n + 1 < search->table->rows; n++) {
    int best = 0;
    for (int row = 1; row < search->table->rows; row++)
      if (cosines[row] > cosines[best]) best = row;
    word_list_add(words, best, error);
    buffer_format(out, "%s[%d,", n ? "," : "", best);
    buffer_decimal(out, cosines[best], 4);
    buffer_char(out, ']');
    cosines[best] = -2;
  }
  buffer_char(out, ']');
}

void nearest_words_write(struct buffer *out, struct word_list *words, const struct weight *table, const int32_t *ids, int count,
                         struct error *error) {
  struct word_list different = {0};
  for (int i = 0; i < count && different.count < MOST_WORDS; i++) word_list_add(&different, ids[i], error);
  int columns = table->cols, chunks = (table->rows + CHUNK - 1) / CHUNK;
  struct search search = {.table = table, .ids = different.ids, .count = (int)different.count};
  search.own = memory_new(error, different.count * (size_t)columns, sizeof *search.own);
  search.cosines = memory_new(error, different.count * (size_t)table->rows, sizeof *search.cosines);
  search.scratch = memory_new(error, (size_t)chunks * (size_t)columns, sizeof *search.scratch);
  if (error->code == ERROR_NONE) {
    for (int i = 0; i < search.count; i++) {
      float *own = search.own + (size_t)i * (size_t)columns;
      const float *row = weight_row(table, search.ids[i], search.scratch);
      double length = length_of(row, columns);
      for (int c = 0; c < columns; c++) own[c] = length > 0 ? (float)(row[c] / length) : 0;
    }
    parallel_for((size_t)chunks, compare_chunk, &search);
    buffer_text(out, ",\"neighbours\":{");
    for (int i = 0; i < search.count; i++) write_nearest(out, words, &search, i, error);
    buffer_char(out, '}');
  }
  free(search.own);
  free(search.cosines);
  free(search.scratch);
  word_list_free(&different);
}
