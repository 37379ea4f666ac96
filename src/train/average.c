#include "train/average.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool is_kept(const struct weight *weight) { return (weight->trainable || weight->followed) && weight->values; }

size_t average_size(const struct model *model) {
  size_t size = 0;
  for (int i = 0; i < model->weight_count; i++)
    if (is_kept(&model->weights[i])) size += weight_size(&model->weights[i]);
  return size;
}

bool average_open(struct average *average, int capacity, bool best, size_t size, const char *directory, struct error *error) {
  *average = (struct average){.capacity = capacity, .best = best, .size = size};
  if (capacity == 0) return true;
  size_t bytes = (size_t)capacity * size * sizeof(float);
  bool ok = unnamed_file_open(&average->file, directory, error);
  if (ok && !unnamed_file_reserve(&average->file, bytes))
    ok = error_set(error, ERROR_FILE,
                   "%s: no room for %d copies of the weights to average (%zu MB): %s; ask for fewer with --average", directory,
                   capacity, bytes >> 20, strerror(errno));
  average->slots = average->file.map;
  average->kept = memory_new(error, (size_t)capacity, sizeof *average->kept);
  if (ok && average->kept) return true;
  average_close(average);
  return false;
}

void average_close(struct average *average) {
  unnamed_file_close(&average->file);
  free(average->kept);
  *average = (struct average){0};
}

void average_copy_out(float *copy, const struct model *model) {
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    if (!is_kept(weight)) continue;
    memcpy(copy, weight->values, weight_size(weight) * sizeof(float));
    copy += weight_size(weight);
  }
}

void average_copy_in(struct model *model, const float *copy) {
  for (int i = 0; i < model->weight_count; i++) {
    struct weight *weight = &model->weights[i];
    if (!is_kept(weight)) continue;
    memcpy(weight->values, copy, weight_size(weight) * sizeof(float));
    copy += weight_size(weight);
  }
}

// The slot that the next copy goes to: a free one, or that of the oldest or worst copy.
static int slot_to_replace(const struct average *average) {
  if (average->count < average->capacity) return average->count;
  int slot = 0;
  for (int i = 1; i < average->count; i++) {
    const struct kept_weights *a = &average->kept[i], *b = &average->kept[slot];
    bool sooner = average->best ? a->score < b->score || (a->score == b->score && a->step < b->step) : a->step < b->step;
    if (sooner) slot = i;
  }
  return slot;
}

void average_keep(struct average *average, const struct model *model, int64_t step, double score) {
  if (average->capacity == 0) return;
  int slot = slot_to_replace(average);
  if (slot < average->count && average->best && score < average->kept[slot].score) return;
  average_copy_out(average->slots + (size_t)slot * average->size, model);
  average->kept[slot] = (struct kept_weights){step, score};
  if (slot == average->count) average->count++;
}

void average_apply(const struct average *average, struct model *model) {
  size_t offset = 0;
  for (int w = 0; w < model->weight_count; w++) {
    struct weight *weight = &model->weights[w];
    if (!is_kept(weight)) continue;
    for (size_t i = 0; i < weight_size(weight); i++, offset++) {
      double sum = 0;
      for (int slot = 0; slot < average->count; slot++) sum += (double)average->slots[(size_t)slot * average->size + offset];
      weight->values[i] = (float)(sum / average->count);
    }
  }
}
