// What may follow: from rows of logits to candidates, by the rules and then by search or by sampling.
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "generate/search.h"

static bool is_ready(const struct place *place) { return place->age && place->first_row >= 0; }

static bool apply_rules(struct search *search, struct tensor *logits) {
  search->rules.removed_count = 0;
  if (!search->rules.any) return true;
  for (int i = 0; i < search->place_count; i++) {
    struct place *place = &search->places[i];
    const struct sentence *sentence = &place->sentence;
    const struct generation_request *request = sentence->request;
    for (int b = 0; is_ready(place) && b < sentence->beam_count; b++) {
      int r = place->first_row + b;
      if (search->rules.history && !search_history(search, sentence, b)) return false;
      struct rule_row row = {.logits = logits->data + (size_t)r * logits->cols, .target = search->history,
                             .length = sentence->length, .source = search->encodes ? request->source : request->prefix,
                             .source_count = search->encodes ? request->source_count : request->prefix_count,
                             .min_length = sentence->min_length, .first = sentence->length == sentence->prefix};
      search->removed_from[r] = search->rules.removed_count;
      if (!logits_rules_apply(&search->rules, &row, search->error)) return false;
      search->removed_from[r + 1] = search->rules.removed_count;
    }
  }
  return true;
}

// log(exp(log_sum) + what the banned ids had): the sum before they were banned
static float with_removed(const struct search *search, int row, float log_sum) {
  if (search->rules.removed_count == 0) return log_sum;
  const float *removed = search->rules.removed + search->removed_from[row];
  size_t count = search->removed_from[row + 1] - search->removed_from[row];
  float largest = log_sum, sum = 0;
  for (size_t i = 0; i < count; i++)
    if (removed[i] > largest) largest = removed[i];
  for (size_t i = 0; i < count; i++) sum += expf(removed[i] - largest);
  return count ? largest + logf(sum + expf(log_sum - largest)) : log_sum;
}

// search->log_sums turn logits into log-probabilities: over all ids where log-probabilities are changed by the rules and stay as
// they come out (beam search), over those that are left where they are normalised again.
static void finish_log_sums(struct search *search, int rows) {
  if (search->options->beams == 1 || search->options->renormalize) return;
  for (int r = 0; r < rows; r++)
    search->log_sums[r] = search->rules.repetition ? 0 : with_removed(search, r, search->log_sums[r]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Sampling

struct sampling_job {
  const struct search *search;
  const struct generation_options *options;
  float *probabilities, *scratch;  // [rows, columns], [threads, columns]
  int columns;
};

// candidate_values hold the largest logit of each row: where it is banned, everything is.
static void filter_task(void *data, size_t row, int worker) {
  const struct sampling_job *job = data;
  if (!(job->search->candidate_values[row] > LOGIT_NEVER / 2)) return;
  size_t columns = (size_t)job->columns;
  sampling_filter(job->probabilities + row * columns, job->columns, job->options, job->scratch + (size_t)worker * columns);
}

static void draw_task(void *data, size_t i, int worker) {
  const struct sampling_job *job = data;
  const struct draw *draw = &job->search->draws[i];
  struct drawn *drawn = &job->search->drawn[i];
  *drawn = (struct drawn){.id = -1};
  if (!(job->search->candidate_values[draw->row] > LOGIT_NEVER / 2)) return;
  const float *row = job->probabilities + (size_t)draw->row * job->columns;
  drawn->id = sampling_draw(row, job->columns, sampling_random(job->options->seed, draw));
  drawn->log_prob = logf(row[drawn->id]);
}

static int list_draws(struct search *search) {
  int count = 0;
  for (int i = 0; i < search->place_count; i++) {
    struct place *place = &search->places[i];
    const struct sentence *sentence = &place->sentence;
    place->first_draw = count;
    for (int k = 0; is_ready(place) && k < sentence_draws(sentence); k++) {
      int beam, sample;
      sentence_draw(sentence, k, &beam, &sample);
      search->draws[count++] = (struct draw){.row = place->first_row + beam, .line = sentence->request->line,
                                             .sample = sentence->request->first_sample + sample, .position = sentence->length};
    }
  }
  return count;
}

// Only the forced ids stay possible.
static void force_rows(struct search *search, struct tensor *logits) {
  for (int i = 0; i < search->place_count; i++) {
    const struct place *place = &search->places[i];
    const int *ids;
    int count = is_ready(place) ? sentence_forced(&place->sentence, search->options, &ids) : 0;
    for (int b = 0; count && b < place->sentence.beam_count; b++) {
      float *row = logits->data + (size_t)(place->first_row + b) * logits->cols;
      for (int v = 0; v < logits->cols; v++) row[v] = LOGIT_NEVER;
      for (int k = 0; k < count; k++) row[ids[k]] = 0;
    }
  }
}

static bool sample(struct search *search, struct tensor *logits, int per_row) {
  const struct kernels *kernels = search->context.kernels;
  force_rows(search, logits);
  kernels->largest(search->candidate_values, search->best, NULL, logits->data, logits->cols, logits->rows, logits->cols, 1);
  if (!generation_check_numbers(search->candidate_values, logits->rows, 1, search->error)) return false;
  kernels->softmax(logits->data, logits->cols, logits->rows, logits->cols, (float)(1 / search->options->temperature));
  struct sampling_job job = {search, search->options, logits->data, NULL, logits->cols};
  job.scratch = context_memory(&search->context, (size_t)parallel_threads() * logits->cols * sizeof *job.scratch);
  if (!job.scratch) return false;
  parallel_for(logits->rows, filter_task, &job);
  parallel_for(list_draws(search), draw_task, &job);
  if (!search->options->alternatives) return true;
  kernels->largest(search->candidate_values, search->candidate_ids, NULL, logits->data, logits->cols, logits->rows, logits->cols,
                   per_row);
  for (int i = 0; i < logits->rows * per_row; i++) {
    float p = search->candidate_values[i];
    search->candidate_values[i] = p > 0 ? logf(p) : LOGIT_NEVER;
  }
  for (int r = 0; r < logits->rows; r++) search->log_sums[r] = 0;
  return true;
}

// ---------------------------------------------------------------------------------------------------------------------

bool search_choose(struct search *search, struct tensor *logits, int per_row) {
  const struct kernels *kernels = search->context.kernels;
  bool beams = search->options->beams > 1;
  if (search->rules.repetition && beams) kernels->log_softmax(logits->data, logits->cols, logits->rows, logits->cols);
  if (!apply_rules(search, logits)) return false;
  if (search->options->sampling) return sample(search, logits, per_row);
  bool scored = beams || search->options->token_scores || search->options->alternatives;
  kernels->largest(search->candidate_values, search->candidate_ids, scored ? search->log_sums : NULL, logits->data, logits->cols,
                   logits->rows, logits->cols, per_row);
  if (!generation_check_numbers(search->candidate_values, logits->rows, per_row, search->error)) return false;
  if (scored) finish_log_sums(search, logits->rows);
  return !scored || generation_check_numbers(search->log_sums, logits->rows, 1, search->error);
}

// Where only certain ids may follow, they are the candidates, each with log-probability 0 as in transformers.
static void force(struct search *search, const struct place *place, int per_row) {
  const int *ids;
  int count = sentence_forced(&place->sentence, search->options, &ids);
  if (!count) return;
  bool again = search->options->beams == 1 || search->options->renormalize;
  for (int r = place->first_row; r < place->first_row + place->sentence.beam_count; r++) {
    search->log_sums[r] = again ? logf((float)count) : 0;
    for (int i = 0; i < per_row; i++) {
      search->candidate_ids[(size_t)r * per_row + i] = i < count ? ids[i] : 0;
      search->candidate_values[(size_t)r * per_row + i] = i < count ? 0 : LOGIT_NEVER;
    }
  }
}

struct candidates search_candidates(struct search *search, const struct place *place, int per_row) {
  const struct generation_options *options = search->options;
  size_t at = (size_t)place->first_row * per_row;
  bool scored = options->beams > 1 || options->token_scores || options->alternatives;
  if (!options->sampling) force(search, place, per_row);
  return (struct candidates){.values = search->candidate_values + at, .ids = search->candidate_ids + at,
                             .log_sums = scored ? search->log_sums + place->first_row : NULL, .per_row = per_row,
                             .drawn = options->sampling ? search->drawn + place->first_draw : NULL};
}
