#include "train/forecast.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cpu/cpu.h"

static const size_t MIB = (size_t)1 << 20;

// --- What there is

// Anonymous memory of this process; 0 where the system does not tell.
static size_t anonymous_now(void) {
  FILE *file = fopen("/proc/self/status", "re");
  char line[128];
  unsigned long long kib = 0;
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "RssAnon: %llu", &kib) == 1) break;
  if (file) fclose(file);
  return (size_t)kib << 10;
}

static size_t values_now(const struct model *model) {
  size_t bytes = 0;
  for (int i = 0; i < model->weight_count; i++)
    if (model->weights[i].values) bytes += weight_size(&model->weights[i]) * sizeof(float);
  return bytes;
}

// --- Activations

struct room {
  size_t low, high, nodes;  // the most that was used of each end of the work memory, and of the tape's
  int source, target;
};

// A batch that has no more rows on either side than another one needs hardly more memory: what gradients take at the high end may
// be a little more where its sides are less alike.
struct front {
  struct sample_rows *rows;
  size_t count, capacity;
};

static bool is_covered(const struct front *front, struct sample_rows rows) {
  for (size_t i = 0; i < front->count; i++)
    if (rows.source <= front->rows[i].source && rows.target <= front->rows[i].target) return true;
  return false;
}

static struct sample_rows rows_of(const struct samples *samples, struct batch_list list) {
  struct sample_rows sum = {0};
  for (size_t i = 0; i < list.count; i++) {
    struct sample_rows rows = samples->rows(samples->user, 0, list.samples[i]);
    sum.source += rows.source;
    sum.target += rows.target;
  }
  return sum;
}

static bool measure_batch(struct context *context, const struct model *model, const struct batch *batch, bool learning,
                          struct room *room) {
  struct loss loss = {0};
  context->arena.peak_low = context->arena.peak_high = 0;
  context_begin(context, learning, learning, 0, 0);
  struct loss_scale scale = {1, 1};
  if (!model_loss(context, model, batch, 0, learning ? scale : (struct loss_scale){0}, &loss, NULL)) return false;
  if (context->arena.peak_low > room->low) room->low = context->arena.peak_low;
  if (context->arena.peak_high > room->high) room->high = context->arena.peak_high;
  if (context->nodes.peak > room->nodes) room->nodes = context->nodes.peak;
  if (batch->source.rows + batch->target.rows > room->source + room->target) {
    room->source = batch->source.rows;
    room->target = batch->target.rows;
  }
  return true;
}

static bool measure_batches(struct context *context, struct job *job, const struct samples *samples,
                            const struct batch_plan *plan, bool learning, struct room *room) {
  struct front front = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < plan->batch_count; i++) {
    struct batch_list list = batch_plan_batch(plan, i);
    struct sample_rows rows = rows_of(samples, list);
    if (is_covered(&front, rows)) continue;
    ok = memory_grow(job->error, &front.rows, &front.capacity, front.count + 1, sizeof *front.rows);
    if (ok) front.rows[front.count++] = rows;
    const struct batch *batch = ok ? samples->fill(samples->user, 0, list.samples, list.count, job->error) : NULL;
    ok = batch && measure_batch(context, job->model, batch, learning, room);
  }
  free(front.rows);
  return ok;
}

static bool measure_samples(struct job *job, const struct samples *samples, const struct batch_plan_options *options,
                            bool learning, struct room *room) {
  struct context context;
  struct batch_plan plan = {0};
  if (!context_open_measuring(&context, cpu_kernels_measuring(job->kernels->product_type), job->error)) return false;
  context.recompute = job->options.recompute > 0;
  bool ok = batch_plan_make(&plan, samples, options, 0, job->error) &&
            measure_batches(&context, job, samples, &plan, learning, room);
  batch_plan_free(&plan);
  context_close(&context);
  return ok;
}

// --- Everything

bool forecast_make(struct forecast *forecast, struct job *job) {
  struct batch_plan_options training = training_plan_options(&job->options);
  struct batch_plan_options validation = {.batch_tokens = job_validation_tokens(&job->options)};
  struct room learning = {0}, looking = {0};
  struct model_memory memory = model_memory(job->model, job->kernels);
  if (!measure_samples(job, &job->train, &training, true, &learning) ||
      !measure_samples(job, &job->valid, &validation, false, &looking))
    return false;
  size_t parameters = model_parameters(job->model) * sizeof(float);
  size_t copies = 4 + (size_t)(job->options.average > 0 ? job->options.average : 0);  // model, state: weights and moments
  if (!forecast->present) {
    size_t now = anonymous_now(), values = values_now(job->model);
    forecast->present = now > values ? now - values : 0;
  }
  forecast->weights = memory.values + memory.packed;
  forecast->optimizer = memory.learning;
  forecast->activations = learning.low + learning.high + learning.nodes;
  forecast->source_rows = learning.source;
  forecast->target_rows = learning.target;
  forecast->validation = looking.low + looking.high + looking.nodes;
  if (job->task->validation_memory) forecast->validation += job->task->validation_memory(job);
  forecast->saving = MIB;
  size_t turn = forecast->activations > forecast->validation ? forecast->activations : forecast->validation;
  forecast->all = forecast->present + forecast->weights + forecast->optimizer + turn + forecast->saving;
  forecast->disk = copies * parameters;
  return true;
}

static double mib(size_t bytes) { return (double)bytes / (double)MIB; }

void forecast_say(const struct job *job, const struct forecast *forecast) {
  char rows[80];
  if (forecast->source_rows && forecast->target_rows)
    snprintf(rows, sizeof rows, "%d source and %d target tokens", forecast->source_rows, forecast->target_rows);
  else snprintf(rows, sizeof rows, "%d tokens", forecast->source_rows + forecast->target_rows);
  job_say(job, "memory that this training will take:");
  job_say(job, "  %-14s %10.1f MiB", "weights", mib(forecast->weights));
  job_say(job, "  %-14s %10.1f MiB  gradients and moments", "optimizer", mib(forecast->optimizer));
  job_say(job, "  %-14s %10.1f MiB  of the largest batch, %s%s", "activations", mib(forecast->activations), rows,
          job->options.recompute > 0 ? ", recomputed layer by layer (--recompute)" : "");
  job_say(job, "  %-14s %10.1f MiB  at most, in turn with the activations", "validation", mib(forecast->validation));
  job_say(job, "  %-14s %10.1f MiB", "saving", mib(forecast->saving));
  job_say(job, "  %-14s %10.1f MiB  program, vocabulary and text", "the rest", mib(forecast->present));
  job_say(job, "  %-14s %10.1f MiB  and about %.0f MiB on the disk for model, state and copies to average", "all",
          mib(forecast->all), mib(forecast->disk));
  double machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  if (machine > 0 && (double)forecast->all > machine)
    error_warn(job->error, "this training will take %.1f GiB of memory, and the machine has %.1f; --memory makes the batches fit",
               mib(forecast->all) / 1024, machine / (double)MIB / 1024);
}

static bool fits_with(struct job *job, struct forecast *forecast, int64_t batch_tokens, bool *fits) {
  int64_t kept = job->options.batch_tokens;
  job->options.batch_tokens = batch_tokens;
  bool ok = forecast_make(forecast, job);
  job->options.batch_tokens = kept;
  *fits = ok && forecast->all <= (size_t)job->options.memory;
  return ok;
}

static bool say_too_large(struct job *job, const struct forecast *forecast, int64_t least) {
  bool again = job->options.recompute > 0;
  return error_set(
    job->error, ERROR_MEMORY,
    "--memory allows %.0f MiB, but with the smallest batches that hold the longest sample (%" PRId64
    " tokens) this training takes %.0f MiB: weights and optimizer %.0f, activations %.0f, validation %.0f, the rest "
    "%.0f. Allow as much, or take a smaller model (--size) or shorter samples (--max-length)%s",
    mib((size_t)job->options.memory), least, mib(forecast->all), mib(forecast->weights + forecast->optimizer),
    mib(forecast->activations), mib(forecast->validation), mib(forecast->present), again ? "" : ", or try --recompute");
}

bool forecast_fit(struct job *job, struct forecast *forecast) {
  enum { UNIT = 16 };
  struct qkv_train_options *options = &job->options;
  bool fits;
  *forecast = (struct forecast){0};
  if (options->memory <= 0) return forecast_make(forecast, job);
  if (!fits_with(job, forecast, options->batch_tokens, &fits)) return false;
  if (fits) return true;
  int64_t largest = forecast->source_rows > forecast->target_rows ? forecast->source_rows : forecast->target_rows;
  int64_t wanted = largest < options->batch_tokens ? largest : options->batch_tokens;  // less where --batch-size ends it
  int64_t least = options->context > options->max_length ? options->context : options->max_length;
  if (least <= 0 || least > wanted) least = wanted;
  if (!fits_with(job, forecast, least, &fits)) return false;
  if (!fits) return say_too_large(job, forecast, least);
  int64_t low = least, high = wanted;  // low fits, high does not
  while (high - low > UNIT) {
    int64_t middle = (low + high) / 2;
    if (!fits_with(job, forecast, middle, &fits)) return false;
    if (fits) low = middle;
    else high = middle;
  }
  int64_t whole = wanted * options->accumulate;
  options->batch_tokens = low;
  options->accumulate = (whole + low - 1) / low;
  job_say(job, "batches of up to %" PRId64 " tokens, %" PRId64 " to an update, so that all fits into %.0f MiB (--memory)",
          options->batch_tokens, options->accumulate, mib((size_t)options->memory));
  return forecast_make(forecast, job);
}
