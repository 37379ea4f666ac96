#include "model/packed_batch.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

struct batch_text packed_text(void) {
  return (struct batch_text){.label = -1, .start = -1, .end = -1, .value = NAN};
}

void packed_begin(struct packed_batch *packed) {
  packed->batch = (struct batch){0};
  packed->span_count = 0;
}

static bool grow_rows(struct packed_batch *packed, size_t wanted, struct error *error) {
  size_t capacity = packed->row_capacity;
  if (wanted <= capacity) return true;
  while (capacity < wanted) capacity = capacity * 2 + 1024;
  int32_t **const arrays[] = {&packed->ids, &packed->positions, &packed->types, &packed->labels};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    int32_t *larger = memory_resize(error, *arrays[i], capacity, sizeof *larger);
    if (!larger) return false;
    *arrays[i] = larger;
  }
  uint64_t *keys = memory_resize(error, packed->keys, capacity, sizeof *keys);
  if (!keys) return false;
  packed->keys = keys;
  packed->row_capacity = capacity;
  return true;
}

static bool grow_texts(struct packed_batch *packed, size_t wanted, struct error *error) {
  size_t capacity = packed->text_capacity * 2 + 64;
  if (wanted <= packed->text_capacity) return true;
  struct span *spans = memory_resize(error, packed->spans, 2 * capacity, sizeof *spans);
  if (!spans) return false;
  packed->spans = spans;
  struct batch_text *texts = memory_resize(error, packed->texts, capacity, sizeof *texts);
  if (!texts) return false;
  packed->texts = texts;
  uint64_t *lines = memory_resize(error, packed->lines, capacity, sizeof *lines);
  if (!lines) return false;
  packed->lines = lines;
  packed->text_capacity = capacity;
  return true;
}

static void add_span(struct packed_batch *packed, int first, int count) {
  packed->spans[packed->span_count++] = (struct span){.q0 = first, .qn = count, .k0 = first, .kn = count};
}

bool packed_add(struct packed_batch *packed, const struct arch *arch, const struct packed_sequence *sequence,
                struct error *error) {
  size_t first = (size_t)packed->batch.source.rows, text = (size_t)packed->batch.sequences, second = sequence->second;
  if (!grow_rows(packed, first + sequence->count, error) || !grow_texts(packed, text + 1, error)) return false;
  for (size_t i = 0, row = first; i < sequence->count; i++, row++) {
    packed->ids[row] = sequence->ids[i];
    packed->positions[row] = (int32_t)(second && i >= second ? i - second : i);
    packed->types[row] = sequence->types && sequence->types[i] < arch->types ? sequence->types[i] : 0;
    packed->labels[row] = sequence->labels ? sequence->labels[i] : -1;
    packed->keys[row] = sequence->number << 24 | i;
    packed->batch.label_count += packed->labels[row] >= 0;
  }
  int rows = (int)sequence->count, start = (int)first, one = second ? (int)second : rows;
  add_span(packed, start, one);
  if (second) add_span(packed, start + one, rows - one);
  packed->lines[text] = sequence->line;
  packed->texts[text] = sequence->text;
  packed->texts[text].first = start;
  packed->texts[text].count = rows;
  packed->texts[text].row = arch->pooling == POOLING_LAST ? start + one - 1 : start;
  packed->texts[text].second = !second ? 0 : arch->pooling == POOLING_LAST ? start + rows - 1 : start + one;
  packed->batch.source.rows = start + rows;  // packed_end moves it to the side that it belongs to
  packed->batch.sequences++;
  return true;
}

static bool learns(const struct arch *arch, const struct batch_text *text) {
  if (arch->head == HEAD_SPAN) return text->start >= 0;
  if (arch->head == HEAD_CLASSIFY && arch->labels == 1) return !isnan(text->value);
  if (arch_has_choices(arch)) return text->label == 1;
  return text->label >= 0;
}

const struct batch *packed_end(struct packed_batch *packed, const struct arch *arch) {
  struct batch *batch = &packed->batch;
  struct batch_side side = {.rows = batch->source.rows,
                            .ids = packed->ids,
                            .positions = packed->positions,
                            .types = arch->types ? packed->types : NULL,
                            .row_keys = packed->keys,
                            .spans = packed->spans,
                            .span_count = (int)packed->span_count};
  batch->source = batch->target = (struct batch_side){0};
  *(arch->family == FAMILY_DECODER ? &batch->target : &batch->source) = side;
  batch->labels = packed->labels;
  batch->texts = packed->texts;
  batch->text_count = batch->sequences;
  for (int i = 0; i < batch->text_count; i++) batch->text_label_count += learns(arch, &packed->texts[i]);
  batch->lines = packed->lines;
  return batch;
}

void packed_free(struct packed_batch *packed) {
  free(packed->ids);
  free(packed->positions);
  free(packed->types);
  free(packed->labels);
  free(packed->keys);
  free(packed->spans);
  free(packed->texts);
  free(packed->lines);
  *packed = (struct packed_batch){0};
}
