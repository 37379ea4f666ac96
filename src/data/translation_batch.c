#include "data/translation_batch.h"

#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"

static bool reserve(struct translation_batch *out, size_t sources, size_t targets, size_t pairs, struct error *error) {
  if (sources > out->source_capacity) {
    if (!memory_resize_array(error, &out->source_ids, sources, sizeof(int32_t)) ||
        !memory_resize_array(error, &out->source_positions, sources, sizeof(int32_t)) ||
        !memory_resize_array(error, &out->source_keys, sources, sizeof(uint64_t)))
      return false;
    out->source_capacity = sources;
  }
  if (targets > out->target_capacity) {
    if (!memory_resize_array(error, &out->target_ids, targets, sizeof(int32_t)) ||
        !memory_resize_array(error, &out->target_positions, targets, sizeof(int32_t)) ||
        !memory_resize_array(error, &out->target_keys, targets, sizeof(uint64_t)) ||
        !memory_resize_array(error, &out->labels, targets, sizeof(int32_t)))
      return false;
    out->target_capacity = targets;
  }
  if (pairs > out->pair_capacity) {
    if (!memory_resize_array(error, &out->source_spans, pairs, sizeof(struct span)) ||
        !memory_resize_array(error, &out->target_spans, pairs, sizeof(struct span)) ||
        !memory_resize_array(error, &out->cross_spans, pairs, sizeof(struct span)) ||
        !memory_resize_array(error, &out->lines, pairs, sizeof(uint64_t)))
      return false;
    out->pair_capacity = pairs;
  }
  return true;
}

static void fill_source(struct translation_batch *out, const struct sentence_pair *pair, size_t row) {
  for (size_t i = 0; i < pair->source_count; i++) {
    out->source_ids[row + i] = pair->source[i];
    out->source_positions[row + i] = (int32_t)i;
    out->source_keys[row + i] = pair->number << 24 | i;
  }
}

static void fill_target(struct translation_batch *out, const struct sentence_pair *pair, size_t row, int decoder_start_id) {
  for (size_t i = 0; i < pair->target_count; i++) {
    out->target_ids[row + i] = i ? pair->target[i - 1] : decoder_start_id;
    out->labels[row + i] = pair->target[i];
    out->target_positions[row + i] = (int32_t)i;
    out->target_keys[row + i] = pair->number << 24 | i;
  }
}

bool translation_batch_fill(struct translation_batch *out, const struct sentence_pair *pairs, size_t count, int decoder_start_id,
                            struct error *error) {
  size_t sources = 0, targets = 0;
  for (size_t i = 0; i < count; i++) {
    sources += pairs[i].source_count;
    targets += pairs[i].target_count;
  }
  if (sources > INT_MAX / 2 || targets > INT_MAX / 2 || count > INT_MAX / 2)
    return error_set(error, ERROR_USAGE, "a batch of %zu source and %zu target tokens is too large; use fewer --batch-tokens",
                     sources, targets);
  if (!reserve(out, sources, targets, count, error)) return false;
  int source_row = 0, target_row = 0;
  for (size_t i = 0; i < count; i++) {
    int source_count = (int)pairs[i].source_count, target_count = (int)pairs[i].target_count;
    fill_source(out, &pairs[i], (size_t)source_row);
    fill_target(out, &pairs[i], (size_t)target_row, decoder_start_id);
    out->source_spans[i] = (struct span){.q0 = source_row, .qn = source_count, .k0 = source_row, .kn = source_count};
    out->target_spans[i] = (struct span){.q0 = target_row, .qn = target_count, .k0 = target_row, .kn = target_count};
    out->cross_spans[i] = (struct span){.q0 = target_row, .qn = target_count, .k0 = source_row, .kn = source_count};
    out->lines[i] = pairs[i].line;
    source_row += source_count;
    target_row += target_count;
  }
  out->batch = (struct batch){
    .source = {.rows = source_row, .ids = out->source_ids, .positions = out->source_positions, .row_keys = out->source_keys,
               .spans = out->source_spans, .span_count = (int)count},
    .target = {.rows = target_row, .ids = out->target_ids, .positions = out->target_positions, .row_keys = out->target_keys,
               .spans = out->target_spans, .span_count = (int)count},
    .cross = out->cross_spans, .cross_count = (int)count, .labels = out->labels, .label_count = target_row,
    .sequences = (int)count, .lines = out->lines};
  return true;
}

void translation_batch_free(struct translation_batch *batch) {
  free(batch->source_ids);
  free(batch->source_positions);
  free(batch->source_keys);
  free(batch->target_ids);
  free(batch->target_positions);
  free(batch->target_keys);
  free(batch->labels);
  free(batch->lines);
  free(batch->pairs);
  free(batch->source_spans);
  free(batch->target_spans);
  free(batch->cross_spans);
  *batch = (struct translation_batch){0};
}

// --- Samples

static struct sample_rows count_rows(const void *user, uint64_t epoch, size_t sample) {
  const struct translation_samples *of = user;
  (void)epoch;
  return (struct sample_rows){of->corpus->samples[sample].source_count, of->corpus->samples[sample].target_count};
}

static void count_targets(const void *user, uint64_t epoch, size_t sample, int64_t targets[TARGET_HEADS]) {
  targets[0] += count_rows(user, epoch, sample).target;
}

static const struct batch *fill_batch(void *user, uint64_t epoch, const uint32_t *list, size_t count, struct error *error) {
  struct translation_samples *of = user;
  struct translation_batch *out = &of->batch;
  (void)epoch;
  if (!memory_grow(error, &out->pairs, &out->listed_capacity, count, sizeof *out->pairs)) return NULL;
  for (size_t i = 0; i < count; i++) {
    const struct sample *sample = &of->corpus->samples[list[i]];
    out->pairs[i] = (struct sentence_pair){corpus_source(of->corpus, list[i]), corpus_target(of->corpus, list[i]),
                                           sample->source_count, sample->target_count, list[i], sample->place};
  }
  return translation_batch_fill(out, out->pairs, count, of->decoder_start_id, error) ? &out->batch : NULL;
}

struct samples translation_samples(struct translation_samples *of) {
  return (struct samples){.count = of->corpus->count, .user = of, .rows = count_rows, .count_targets = count_targets,
                          .fill = fill_batch, .paths = of->corpus->paths, .ledger = &of->corpus->ledger};
}
