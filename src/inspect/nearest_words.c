#include "inspect/nearest_words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "inspect/inspected_text.h"
#include "tensor/kernels.h"

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
  const struct kernels *kernels;
  const int32_t *ids;          // [count]
  int count;
  float *packed;               // the words' own rows, of length 1, as the matrix of a product
  float *cosines;              // [rows, count]
  float *rows;                 // [threads, CHUNK, cols]
};

enum { CHUNK = 128 };

static double length_of(const float *row, int columns) {
  double sum = 0;
  for (int i = 0; i < columns; i++) sum += (double)row[i] * row[i];
  return sqrt(sum);
}

// Some of the table's rows times the words' rows; the kernel runs serially within a task.
static void compare_chunk(void *data, size_t index, int worker) {
  const struct search *search = data;
  int columns = search->table->cols, first = (int)index * CHUNK, left = search->table->rows - first,
      rows = left < CHUNK ? left : CHUNK;
  float *own = search->rows + (size_t)worker * CHUNK * (size_t)columns,
        *cosines = search->cosines + (size_t)first * (size_t)search->count;
  for (int r = 0; r < rows; r++) {
    float *to = own + (size_t)r * (size_t)columns;
    const float *from = weight_row(search->table, first + r, to);
    if (from != to) memcpy(to, from, (size_t)columns * sizeof *to);
  }
  search->kernels->linear(cosines, search->count, NULL, own, columns, rows, search->count, columns, search->packed, NULL,
                          ACTIVATION_NONE, false);
  for (int r = 0; r < rows; r++) {
    double length = length_of(own + (size_t)r * (size_t)columns, columns);
    for (int i = 0; i < search->count; i++)
      cosines[r * search->count + i] = length > 0 ? (float)(cosines[r * search->count + i] / length) : 0;
  }
}

static void write_nearest(struct buffer *out, struct word_list *words, const struct search *search, int i, struct error *error) {
  int best[NEAREST], found = 0;
  const float *cosines = search->cosines + i;
  for (int row = 0; row < search->table->rows; row++) {
    float cosine = cosines[(size_t)row * (size_t)search->count];
    if (row == search->ids[i] || (found == NEAREST && cosine <= cosines[(size_t)best[NEAREST - 1] * (size_t)search->count]))
      continue;
    int at = found < NEAREST ? found++ : NEAREST - 1;
    for (; at > 0 && cosine > cosines[(size_t)best[at - 1] * (size_t)search->count]; at--) best[at] = best[at - 1];
    best[at] = row;
  }
  buffer_format(out, "%s\"%d\":[", i ? "," : "", search->ids[i]);
  for (int n = 0; n < found; n++) {
    word_list_add(words, best[n], error);
    buffer_format(out, "%s[%d,", n ? "," : "", best[n]);
    json_write_decimal(out, cosines[(size_t)best[n] * (size_t)search->count], 4);
    buffer_char(out, ']');
  }
  buffer_char(out, ']');
}

static bool pack_words(struct search *search, struct error *error) {
  const struct weight *table = search->table;
  size_t columns = (size_t)table->cols;
  float *own = memory_new(error, (size_t)search->count * columns, sizeof *own);
  search->packed = memory_new_aligned(error, search->kernels->packed_size(search->count, table->cols), sizeof *search->packed);
  for (int i = 0; own && search->packed && i < search->count; i++) {
    const float *row = weight_row(table, search->ids[i], own + (size_t)i * columns);
    double length = length_of(row, table->cols);
    for (size_t c = 0; c < columns; c++) own[(size_t)i * columns + c] = length > 0 ? (float)(row[c] / length) : 0;
  }
  if (own && search->packed) search->kernels->pack(search->packed, own, search->count, table->cols, false);
  free(own);
  return search->packed != NULL && error->code == ERROR_NONE;
}

void nearest_words_write(struct buffer *out, struct word_list *words, const struct weight *table, const struct kernels *kernels,
                         const int32_t *ids, int count, struct error *error) {
  struct word_list different = {0};
  for (int i = 0; i < count && different.count < MOST_WORDS; i++) word_list_add(&different, ids[i], error);
  struct search search = {.table = table, .kernels = kernels, .ids = different.ids, .count = (int)different.count};
  search.cosines = memory_new_aligned(error, different.count * (size_t)table->rows, sizeof *search.cosines);
  search.rows = memory_new_aligned(error, (size_t)parallel_threads() * CHUNK * (size_t)table->cols, sizeof *search.rows);
  if (search.cosines && search.rows && pack_words(&search, error)) {
    parallel_for((size_t)(table->rows + CHUNK - 1) / CHUNK, compare_chunk, &search);
    buffer_text(out, ",\"neighbours\":{");
    for (int i = 0; i < search.count; i++) write_nearest(out, words, &search, i, error);
    buffer_char(out, '}');
  }
  free(search.packed);
  free(search.cosines);
  free(search.rows);
  word_list_free(&different);
}
