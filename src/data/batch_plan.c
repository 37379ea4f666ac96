#include "data/batch_plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

enum { PURPOSE_SAMPLES = 0x5A3, PURPOSE_BATCHES = 0xBA7 };

static struct random_key epoch_key(const struct batch_plan *plan, uint64_t purpose) {
  return random_key(random_bits(random_key(plan->options.seed, purpose), plan->epoch), purpose);
}

static void order_samples(struct batch_plan *plan) {
  struct random_key key = epoch_key(plan, PURPOSE_SAMPLES);
  for (size_t i = 0; i < plan->sample_count; i++)
    plan->order[i] = (uint32_t)(plan->options.shuffled ? random_permuted(key, i, plan->sample_count) : i);
}

static int compare_lengths(const void *a, const void *b, void *data) {
  const struct sample *samples = data;
  uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
  const struct sample *x = &samples[first], *y = &samples[second];
  if (x->target_count != y->target_count) return x->target_count < y->target_count ? -1 : 1;
  if (x->source_count != y->source_count) return x->source_count < y->source_count ? -1 : 1;
  return (first > second) - (first < second);
}

static void sort_windows(struct batch_plan *plan, const struct corpus *corpus) {
  size_t window = plan->options.window;
  if (window < 2) return;
  for (size_t start = 0; start < plan->sample_count; start += window) {
    size_t left = plan->sample_count - start;
    qsort_r(plan->order + start, left < window ? left : window, sizeof *plan->order, compare_lengths, (void *)corpus->samples);
  }
}

static bool start_batch(struct batch_plan *plan, size_t position, struct error *error) {
  if (!memory_grow(error, &plan->starts, &plan->start_capacity, plan->batch_count + 2, sizeof *plan->starts)) return false;
  plan->starts[plan->batch_count++] = position;
  return true;
}

static bool cut_batches(struct batch_plan *plan, const struct corpus *corpus, struct error *error) {
  size_t sources = 0, targets = 0;
  plan->batch_count = 0;
  for (size_t i = 0; i < plan->sample_count; i++) {
    const struct sample *sample = &corpus->samples[plan->order[i]];
    sources += sample->source_count;
    targets += sample->target_count;
    bool full = sources > plan->options.batch_tokens || targets > plan->options.batch_tokens;
    if (i == 0 || full) {
      if (!start_batch(plan, i, error)) return false;
      sources = sample->source_count;
      targets = sample->target_count;
    }
  }
  if (plan->batch_count) plan->starts[plan->batch_count] = plan->sample_count;
  return true;
}

bool batch_plan_make(struct batch_plan *plan, const struct corpus *corpus, const struct batch_plan_options *options,
                     uint64_t epoch, struct error *error) {
  uint32_t *order = plan->order;
  if (corpus->count != plan->sample_count || !order) {
    if (!(order = memory_resize(error, order, corpus->count, sizeof *order))) return false;
    plan->order = order;
    plan->sample_count = corpus->count;
  }
  plan->options = *options;
  if (plan->options.accumulate < 1) plan->options.accumulate = 1;
  plan->epoch = epoch;
  order_samples(plan);
  sort_windows(plan, corpus);
  if (!cut_batches(plan, corpus, error)) return false;
  size_t group = (size_t)plan->options.accumulate;
  plan->update_count = (plan->batch_count + group - 1) / group;
  return true;
}

void batch_plan_free(struct batch_plan *plan) {
  free(plan->order);
  free(plan->starts);
  *plan = (struct batch_plan){0};
}

struct batch_list batch_plan_batch(const struct batch_plan *plan, size_t index) {
  size_t batch = index;
  if (plan->options.shuffled) batch = random_permuted(epoch_key(plan, PURPOSE_BATCHES), index, plan->batch_count);
  return (struct batch_list){plan->order + plan->starts[batch], plan->starts[batch + 1] - plan->starts[batch]};
}

void batch_plan_update(const struct batch_plan *plan, size_t update, size_t *first, size_t *count) {
  size_t group = (size_t)plan->options.accumulate;
  *first = update * group;
  size_t left = plan->batch_count - *first;
  *count = left < group ? left : group;
}
