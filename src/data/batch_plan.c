#include "data/batch_plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

enum { PURPOSE_SAMPLES = 0x5A3 };

static void order_samples(struct batch_plan *plan) {
  uint64_t epoch = random_bits(random_key(plan->options.seed, PURPOSE_SAMPLES), plan->epoch);
  struct random_key key = random_key(epoch, PURPOSE_SAMPLES);
  for (size_t i = 0; i < plan->sample_count; i++)
    plan->order[i] = (uint32_t)(plan->options.shuffled ? random_permuted(key, i, plan->sample_count) : i);
}

static bool start_batch(struct batch_plan *plan, size_t position, struct error *error) {
  if (!memory_grow(error, &plan->starts, &plan->start_capacity, plan->batch_count + 2, sizeof *plan->starts)) return false;
  plan->starts[plan->batch_count++] = position;
  return true;
}

static bool cut_batches(struct batch_plan *plan, const struct samples *samples, struct error *error) {
  size_t sources = 0, targets = 0, start = 0, most = plan->options.batch_size;
  plan->batch_count = 0;
  for (size_t i = 0; i < plan->sample_count; i++) {
    struct sample_rows rows = samples->rows(samples->user, plan->epoch, plan->order[i]);
    sources += rows.source;
    targets += rows.target;
    bool full = sources > plan->options.batch_tokens || targets > plan->options.batch_tokens || (most && i - start == most);
    if (i == 0 || full) {
      if (!start_batch(plan, i, error)) return false;
      start = i;
      sources = rows.source;
      targets = rows.target;
    }
  }
  if (plan->batch_count) plan->starts[plan->batch_count] = plan->sample_count;
  return true;
}

bool batch_plan_make(struct batch_plan *plan, const struct samples *samples, const struct batch_plan_options *options,
                     uint64_t epoch, struct error *error) {
  uint32_t *order = plan->order;
  if (samples->count != plan->sample_count || !order) {
    if (!(order = memory_resize(error, order, samples->count, sizeof *order))) return false;
    plan->order = order;
    plan->sample_count = samples->count;
  }
  plan->options = *options;
  if (plan->options.accumulate < 1) plan->options.accumulate = 1;
  plan->epoch = epoch;
  order_samples(plan);
  if (!cut_batches(plan, samples, error)) return false;
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
  return (struct batch_list){plan->order + plan->starts[index], plan->starts[index + 1] - plan->starts[index]};
}

void batch_plan_update(const struct batch_plan *plan, size_t update, size_t *first, size_t *count) {
  size_t group = (size_t)plan->options.accumulate;
  *first = update * group;
  size_t left = plan->batch_count - *first;
  *count = left < group ? left : group;
}
