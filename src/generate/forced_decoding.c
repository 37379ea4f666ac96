#include "generate/forced_decoding.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "generate/ensemble.h"
#include "generate/generation.h"

enum { GROUP_ROWS = 4096, LOGIT_ROWS = 128 };

// Pairs that are decoded together.
struct group {
  const struct forced_pair **pairs;
  size_t count;
};

struct worker {
  struct context context;
  bool open;
  struct error error;
};

struct job {
  const struct model *const *models;
  int model_count, start_id;
  struct group *groups;
  struct worker *workers;
  atomic_bool failed;
};

int forced_alignment_layer(const struct arch *arch) { return arch->decoder.layers > 1 ? arch->decoder.layers - 2 : 0; }

// ---------------------------------------------------------------------------------------------------------------------
// Alignment: a probe into one layer's cross-attention

struct alignment_probe {
  const struct group *group;
  char name[64];
  int eos_id;
};

static void align(const struct forced_pair *pair, const float *weights, int heads, int eos_id) {
  int keys = pair->source_count;
  if (keys > 1 && pair->source[keys - 1] == eos_id) keys--;  // the end token is where attention rests that belongs nowhere
  for (int t = 0; t < pair->target_count; t++) {
    float best = -1;
    for (int k = 0; k < keys; k++) {
      float sum = 0;
      for (int h = 0; h < heads; h++) sum += weights[((size_t)h * pair->target_count + t) * pair->source_count + k];
      if (sum > best) {
        best = sum;
        pair->alignment[t] = k;
      }
    }
  }
}

static void see_attention(void *user, const char *name, const struct span *spans, int span_count, int heads,
                          const float *probabilities) {
  const struct alignment_probe *probe = user;
  for (int i = 0; i < span_count; i++) {
    if (probe->group->pairs[i]->alignment) align(probe->group->pairs[i], probabilities, heads, probe->eos_id);
    probabilities += (size_t)heads * spans[i].qn * spans[i].kn;
  }
}

static void find_wishes(const struct group *group, bool *alignment, bool *log_probs) {
  *alignment = *log_probs = false;
  for (size_t i = 0; i < group->count; i++) {
    *alignment |= group->pairs[i]->alignment != NULL;
    *log_probs |= group->pairs[i]->log_probs != NULL;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// A group

struct sides {
  struct batch batch;
  int32_t *labels;
};

static bool take_side(struct context *context, int rows, int spans, int32_t **ids, int32_t **positions, struct span **of) {
  *ids = context_memory(context, rows * sizeof **ids);
  *positions = context_memory(context, rows * sizeof **positions);
  *of = context_memory(context, spans * sizeof **of);
  return *ids && *positions && *of;
}

// Without sources every token is an input and the next one what it should give; the last one gives nothing.
static bool has_sources(const struct group *group) { return group->pairs[0]->source_count > 0; }

static bool build(struct context *context, struct sides *sides, const struct group *group, int start_id) {
  bool shifted = has_sources(group);
  int sources = 0, targets = 0, n = (int)group->count;
  for (int i = 0; i < n; i++) sources += group->pairs[i]->source_count, targets += group->pairs[i]->target_count;
  int32_t *source_ids, *source_positions, *target_ids, *target_positions;
  struct span *source_spans, *target_spans, *cross = context_memory(context, n * sizeof *cross);
  sides->labels = context_memory(context, targets * sizeof *sides->labels);
  if (!cross || !sides->labels || !take_side(context, sources, n, &source_ids, &source_positions, &source_spans) ||
      !take_side(context, targets, n, &target_ids, &target_positions, &target_spans))
    return false;
  int s = 0, t = 0;
  for (int i = 0; i < n; i++) {
    const struct forced_pair *pair = group->pairs[i];
    source_spans[i] = (struct span){.q0 = s, .qn = pair->source_count, .k0 = s, .kn = pair->source_count};
    target_spans[i] = (struct span){.q0 = t, .qn = pair->target_count, .k0 = t, .kn = pair->target_count};
    cross[i] = (struct span){.q0 = t, .qn = pair->target_count, .k0 = s, .kn = pair->source_count};
    for (int j = 0; j < pair->source_count; j++, s++) source_ids[s] = pair->source[j], source_positions[s] = j;
    for (int j = 0; j < pair->target_count; j++, t++) {
      target_ids[t] = !shifted ? pair->target[j] : j ? pair->target[j - 1] : start_id;
      target_positions[t] = j;
      sides->labels[t] = shifted ? pair->target[j] : j + 1 < pair->target_count ? pair->target[j + 1] : -1;
    }
  }
  sides->batch = (struct batch){
    .source = {.rows = sources, .ids = source_ids, .positions = source_positions, .spans = source_spans, .span_count = n},
    .target = {.rows = targets, .ids = target_ids, .positions = target_positions, .spans = target_spans, .span_count = n},
    .cross = cross, .cross_count = shifted ? n : 0, .sequences = n};
  if (!shifted) sides->batch.source = (struct batch_side){0};
  return true;
}

// losses: [targets] -log p of each token, or NULL. The logits exist for a few rows at a time.
static bool run_model(struct context *context, const struct model *model, struct sides *sides, float *losses, int32_t *rows) {
  bool encodes = sides->batch.source.rows > 0;
  struct tensor *encoded = encodes ? model_encode(context, model, &sides->batch.source) : NULL;
  struct tensor *hidden = encoded || !encodes ? model_decode(context, model, &sides->batch, encoded) : NULL;
  if (!hidden) return false;
  for (int first = 0; losses && first < hidden->rows; first += LOGIT_ROWS) {
    int n = hidden->rows - first < LOGIT_ROWS ? hidden->rows - first : LOGIT_ROWS;
    for (int i = 0; i < n; i++) rows[i] = first + i;
    size_t mark = context->arena.low;
    struct tensor *logits = model_logits(context, model, hidden, rows, n);
    if (!logits) return false;
    context->kernels->cross_entropy(losses + first, NULL, NULL, logits->data, logits->cols, sides->labels + first, n,
                                    logits->cols, 0, 0);
    context->arena.low = mark;
  }
  return !losses || generation_check_numbers(losses, hidden->rows, 1, context->error);
}

static void give_log_probs(const struct group *group, const float *losses, int rows, int model_count) {
  int first = 0, late = has_sources(group) ? 0 : 1;  // without a source the row before tells a token's probability
  for (size_t i = 0; i < group->count; first += group->pairs[i++]->target_count) {
    float *log_probs = group->pairs[i]->log_probs;
    if (log_probs && late) log_probs[0] = 0;
    for (int j = late; log_probs && j < group->pairs[i]->target_count; j++) {
      float values[ENSEMBLE_MODELS];
      for (int m = 0; m < model_count; m++) values[m] = -losses[(size_t)m * rows + first + j - late];
      log_probs[j] = model_count > 1 ? ensemble_mean(values, model_count) : values[0];
    }
  }
}

static bool decode_group(struct job *job, struct worker *worker, const struct group *group) {
  struct context *context = &worker->context;
  struct sides sides;
  context_begin(context, false, false, 0, 0);
  if (!build(context, &sides, group, job->start_id)) return false;
  int rows = sides.batch.target.rows;
  bool aligning, scoring;
  find_wishes(group, &aligning, &scoring);
  float *losses = scoring ? context_memory(context, (size_t)rows * job->model_count * sizeof *losses) : NULL;
  int32_t *logit_rows = context_memory(context, LOGIT_ROWS * sizeof *logit_rows);
  if (!logit_rows) return false;
  struct alignment_probe probe = {.group = group, .eos_id = job->models[0]->arch.eos_id};
  snprintf(probe.name, sizeof probe.name, "decoder.%d.cross.attention", forced_alignment_layer(&job->models[0]->arch));
  for (int m = 0; m < (scoring ? job->model_count : 1); m++) {
    context->probe_attention = aligning && m == 0 ? see_attention : NULL;
    context->attention_name = probe.name;
    context->probe_user = &probe;
    size_t mark = context->arena.low;
    if (!run_model(context, job->models[m], &sides, losses ? losses + (size_t)m * rows : NULL, logit_rows)) return false;
    context->arena.low = mark;
  }
  if (scoring) give_log_probs(group, losses, rows, job->model_count);
  return true;
}

static void group_task(void *data, size_t index, int thread) {
  struct job *job = data;
  struct worker *worker = &job->workers[thread];
  if (atomic_load_explicit(&job->failed, memory_order_relaxed)) return;
  if (!worker->open) worker->open = context_open(&worker->context, job->models[0]->kernels, WORK_MEMORY, &worker->error);
  if (!worker->open || !decode_group(job, worker, &job->groups[index])) atomic_store(&job->failed, true);
}

// ---------------------------------------------------------------------------------------------------------------------
// Groups of pairs of like length

static int pair_rows(const struct forced_pair *pair) { return pair->source_count + pair->target_count; }

// Pairs lie in one array, so that their addresses tell their order.
static int longer_first(const void *a, const void *b) {
  const struct forced_pair *x = *(const struct forced_pair *const *)a, *y = *(const struct forced_pair *const *)b;
  if (pair_rows(x) != pair_rows(y)) return pair_rows(x) > pair_rows(y) ? -1 : 1;
  return x < y ? -1 : x > y;
}

// Enough groups to keep every thread busy, none of them too large.
static size_t make_groups(struct group *groups, const struct forced_pair **sorted, size_t count) {
  size_t total = 0, made = 0, n = 0;
  for (size_t i = 0; i < count; i++) total += pair_rows(sorted[i]);
  size_t limit = total / (2 * (size_t)parallel_threads()) + 1;
  if (limit < GROUP_ROWS / 16) limit = GROUP_ROWS / 16;
  if (limit > GROUP_ROWS) limit = GROUP_ROWS;
  for (size_t first = 0; first < count; first += n) {
    size_t rows = 0;
    for (n = 0; first + n < count; n++) {
      rows += pair_rows(sorted[first + n]);
      if (n && rows > limit) break;
    }
    groups[made++] = (struct group){sorted + first, n};
  }
  return made;
}

static bool check_side(const char *what, const int32_t *ids, int count, int least, int vocabulary, int most, size_t index,
                       struct error *error) {
  if (count < least || count > most)
    return error_set(error, ERROR_USAGE, "%s %zu has %d tokens; wanted %d to %d", what, index + 1, count, least, most);
  for (int i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= vocabulary)
      return error_set(error, ERROR_USAGE, "%s %zu: id %d is %d; the vocabulary has the ids 0 to %d", what, index + 1, i, ids[i],
                       vocabulary - 1);
  return true;
}

static bool check_pairs(const struct arch *arch, const struct forced_pair *pairs, size_t count, struct error *error) {
  int most = arch->positions == POSITIONS_NONE ? 1 << 20 : arch->max_positions;
  bool encodes = arch->family == FAMILY_ENCODER_DECODER;
  int longest = encodes ? most : 0;  // of a source
  for (size_t i = 0; i < count; i++)
    if (!check_side("source", pairs[i].source, pairs[i].source_count, encodes, arch->source_vocab, longest, i, error) ||
        !check_side("target", pairs[i].target, pairs[i].target_count, 0, arch->target_vocab, most, i, error))
      return false;
  return true;
}

static void close_job(struct job *job, const struct forced_pair **sorted, struct error *error) {
  for (int i = 0; job->workers && i < parallel_threads(); i++) {
    struct worker *worker = &job->workers[i];
    if (worker->error.code) error_set(error, worker->error.code, "%s", worker->error.message);
    if (worker->open) context_close(&worker->context);
  }
  free(job->workers);
  free(job->groups);
  free(sorted);
}

bool forced_decode(const struct model *const *models, int count, int start_id, const struct forced_pair *pairs, size_t pair_count,
                   struct error *error) {
  if (pair_count == 0) return true;
  if (models[0]->arch.family == FAMILY_ENCODER_DECODER && (start_id < 0 || start_id >= models[0]->arch.target_vocab))
    return error_set(error, ERROR_USAGE, "decoder_start_token_id is %d; the target vocabulary has the ids 0 to %d", start_id,
                     models[0]->arch.target_vocab - 1);
  if (!check_pairs(&models[0]->arch, pairs, pair_count, error)) return false;
  struct job job = {.models = models, .model_count = count, .start_id = start_id};
  const struct forced_pair **sorted = memory_new(error, pair_count, sizeof *sorted);
  job.groups = memory_new(error, pair_count, sizeof *job.groups);
  job.workers = memory_new(error, parallel_threads(), sizeof *job.workers);
  if (sorted && job.groups && job.workers) {
    size_t filled = 0;
    for (size_t i = 0; i < pair_count; i++)
      if (pairs[i].target_count) sorted[filled++] = &pairs[i];
    qsort(sorted, filled, sizeof *sorted, longer_first);
    parallel_for(make_groups(job.groups, sorted, filled), group_task, &job);
  }
  close_job(&job, sorted, error);
  return error->code == ERROR_NONE;
}
