#include "generate/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "generate/ensemble.h"
#include "tensor/profile.h"

static const size_t WORK_MEMORY = (size_t)1 << 34;  // address space

static int least(size_t a, size_t b) { return (int)(a < b ? a : b); }

// Pages of which one sentence alone can never run out: its beams share nothing, and all fork.
static size_t pages_for_one(const struct search *search) { return (size_t)2 * search->options->beams * (search->most_pages + 1); }

static bool open_cache(struct search *search, int rows, size_t memory) {
  size_t page = page_cache_page_size(search->models, search->model_count);
  size_t wanted = (size_t)rows * (search->most_pages + 2), self = memory / page;
  if (self > wanted) self = wanted;
  if (self < pages_for_one(search)) self = pages_for_one(search);
  wanted = (size_t)search->place_count * search->most_pages;
  size_t cross = memory / page;
  if (cross > wanted) cross = wanted;
  if (cross < (size_t)search->most_pages) cross = search->most_pages;
  return page_cache_open(&search->cache, search->models, search->model_count, least(self, 1 << 26), least(cross, 1 << 26),
                         search->error);
}

static bool open_places(struct search *search) {
  struct error *error = search->error;
  search->places = memory_new(error, search->place_count, sizeof *search->places);
  for (int i = 0; search->places && i < search->place_count; i++) {
    struct place *place = &search->places[i];
    place->pages = memory_new(error, (size_t)search->options->beams * search->most_pages, sizeof *place->pages);
    place->other = memory_new(error, (size_t)search->options->beams * search->most_pages, sizeof *place->other);
    place->cross_pages = memory_new(error, search->most_pages, sizeof *place->cross_pages);
  }
  return error->code == ERROR_NONE;
}

static bool open_rows(struct search *search) {
  struct error *error = search->error;
  size_t rows = (size_t)search->place_count * search->options->beams;
  size_t candidates = rows * CANDIDATES;
  search->logit_rows = memory_new(error, rows, sizeof *search->logit_rows);
  search->spans = memory_new(error, rows, sizeof *search->spans);
  search->cross = memory_new(error, search->place_count, sizeof *search->cross);
  search->history = memory_new(error, (size_t)search->most_pages * KEY_PAGE, sizeof *search->history);
  search->candidate_ids = memory_new(error, candidates, sizeof *search->candidate_ids);
  search->candidate_values = memory_new(error, candidates, sizeof *search->candidate_values);
  search->best = memory_new(error, rows, sizeof *search->best);
  search->losses = memory_new(error, rows, sizeof *search->losses);
  search->log_sums = memory_new(error, rows, sizeof *search->log_sums);
  search->removed_from = memory_new(error, rows + 1, sizeof *search->removed_from);
  return error->code == ERROR_NONE;
}

static bool ensure_rows(struct search *search, size_t rows) {
  return memory_grow(search->error, &search->ids, &search->row_capacity, rows, sizeof *search->ids) &&
         memory_grow(search->error, &search->positions, &search->position_capacity, rows, sizeof *search->positions) &&
         memory_grow(search->error, &search->slots, &search->slot_capacity, rows, sizeof *search->slots);
}

bool search_open(struct search *search, const struct model *const *models, int count, const struct generation_options *options,
                 int rows, size_t memory, struct error *error) {
  *search = (struct search){.models = models, .model_count = count, .options = options, .error = error};
  search->most_pages = pages_for(generation_most_length(&models[0]->arch));
  search->place_count = rows / options->beams > 1 ? rows / options->beams : 1;
  bool fine = context_open(&search->context, models[0]->kernels, WORK_MEMORY, error) && open_cache(search, rows, memory) &&
              open_places(search) && open_rows(search) &&
              logits_rules_open(&search->rules, options, models[0]->arch.target_vocab, error) &&
              ensure_rows(search, (size_t)search->place_count * options->beams);
  if (!fine) search_close(search);
  return fine;
}

void search_close(struct search *search) {
  for (int i = 0; search->places && i < search->place_count; i++) {
    free(search->places[i].pages);
    free(search->places[i].other);
    free(search->places[i].cross_pages);
    free(search->places[i].sentence.nodes);
  }
  void *blocks[] = {search->places, search->returned, search->ids, search->positions, search->slots, search->logit_rows,
                    search->spans, search->cross, search->history, search->candidate_ids, search->candidate_values,
                    search->best, search->losses, search->log_sums, search->removed_from};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
  logits_rules_close(&search->rules);
  if (search->cache.layers) page_cache_close(&search->cache);
  if (search->context.kernels) context_close(&search->context);
  *search = (struct search){0};
}

// ---------------------------------------------------------------------------------------------------------------------
// Joining and leaving

// Pages that the next step may take in the worst case.
static int pages_for_step(const struct search *search, int sentences) { return sentences * 2 * search->options->beams; }

int search_room(const struct search *search) {
  int places = search->place_count - search->active;
  // Half of the pages stay for those that run already: they grow.
  int left = page_pool_left(&search->cache.self) - search->cache.self.limit / 2;
  int by_pages = left / pages_for_step(search, 1) - search->active;
  if (by_pages < (search->active == 0)) by_pages = search->active == 0;
  return by_pages < places ? by_pages : places;
}

static void leave(struct search *search, struct place *place) {
  for (int b = 0; b < place->holders; b++)
    page_pool_release(&search->cache.self, place->pages + (size_t)b * search->most_pages, pages_for(place->fed));
  page_pool_release(&search->cache.cross, place->cross_pages, pages_for(place->sentence.request->source_count));
  place->age = 0;
  search->active--;
}

static bool give_back(struct search *search, size_t index) {
  if (!memory_grow(search->error, &search->returned, &search->returned_capacity, search->returned_count + 1,
                   sizeof *search->returned))
    return false;
  search->returned[search->returned_count++] = index;
  return true;
}

static bool conclude(struct search *search, struct place *place) {
  search->results[place->index] = sentence_result(&place->sentence, search->options, search->error);
  leave(search, place);
  return search->results[place->index] != NULL;
}

static struct place *free_place(struct search *search) {
  for (int i = 0; i < search->place_count; i++)
    if (search->places[i].age == 0) return &search->places[i];
  return NULL;
}

// Takes a place and pages for a source. NULL when there are none.
static struct place *join(struct search *search, size_t index) {
  const struct generation_request *request = &search->requests[index];
  int pages = pages_for(request->source_count);
  struct place *place = free_place(search);
  if (!place || pages > page_pool_left(&search->cache.cross)) return NULL;
  for (int i = 0; i < pages; i++) place->cross_pages[i] = page_cache_take_cross(&search->cache);
  sentence_start(&place->sentence, request, search->options, &search->models[0]->arch);
  place->index = index;
  place->age = ++search->admitted;
  place->fed = place->holders = 0;
  search->active++;
  return place;
}

// Sources that join together.
struct source_batch {
  int32_t *ids, *positions, *slots;
  struct span *spans;
  int rows, count;
};

static bool build_source(struct search *search, struct source_batch *batch, struct place **joined, int count) {
  for (int i = 0; i < count; i++) batch->rows += joined[i]->sentence.request->source_count;
  batch->ids = context_memory(&search->context, batch->rows * sizeof *batch->ids);
  batch->positions = context_memory(&search->context, batch->rows * sizeof *batch->positions);
  batch->slots = context_memory(&search->context, batch->rows * sizeof *batch->slots);
  batch->spans = context_memory(&search->context, count * sizeof *batch->spans);
  if (!batch->ids || !batch->positions || !batch->slots || !batch->spans) return false;
  int row = 0;
  for (int i = 0; i < count; i++) {
    const struct generation_request *request = joined[i]->sentence.request;
    batch->spans[i] = (struct span){.q0 = row, .qn = request->source_count, .k0 = row, .kn = request->source_count};
    for (int t = 0; t < request->source_count; t++, row++) {
      batch->ids[row] = request->source[t];
      batch->positions[row] = t;
      batch->slots[row] = joined[i]->cross_pages[t / KEY_PAGE] * KEY_PAGE + t % KEY_PAGE;
    }
  }
  batch->count = count;
  return true;
}

static bool encode(struct search *search, struct place **joined, int count) {
  context_begin(&search->context, false, false, 0, 0);
  struct source_batch batch = {0};
  if (!build_source(search, &batch, joined, count)) return false;
  struct batch_side side = {.rows = batch.rows, .ids = batch.ids, .positions = batch.positions, .spans = batch.spans,
                            .span_count = batch.count};
  for (int m = 0; m < search->model_count; m++) {
    struct tensor *encoded = model_encode(&search->context, search->models[m], &side);
    if (!encoded || !model_cache_source(&search->context, search->models[m], search->cache.layers[m], encoded, batch.slots))
      return false;
  }
  return context_ok(&search->context);
}

bool search_admit(struct search *search, const size_t *indexes, int count) {
  struct place *joined[count > 0 ? count : 1];
  int n = 0;
  for (int i = 0; i < count; i++) {
    struct place *place = join(search, indexes[i]);
    if (place) joined[n++] = place;
    else if (!give_back(search, indexes[i])) return false;
  }
  if (n && !encode(search, joined, n)) return false;
  for (int i = 0; i < n; i++)  // a prefix that leaves no room for more
    if (joined[i]->sentence.done && !conclude(search, joined[i])) return false;
  return true;
}

// ---------------------------------------------------------------------------------------------------------------------
// A step

static struct place *youngest(struct search *search) {
  struct place *found = NULL;
  for (int i = 0; i < search->place_count; i++)
    if (search->places[i].age && (!found || search->places[i].age > found->age)) found = &search->places[i];
  return found;
}

static int pages_wanted(const struct search *search) {
  int wanted = 0;
  for (int i = 0; i < search->place_count; i++) {
    const struct place *place = &search->places[i];
    if (place->age) wanted += pages_for_step(search, 1) + (place->fed ? 0 : pages_for(place->sentence.length));
  }
  return wanted;
}

static bool make_room(struct search *search) {
  while (search->active > 1 && pages_wanted(search) > page_pool_left(&search->cache.self)) {
    struct place *place = youngest(search);
    if (!give_back(search, place->index)) return false;
    leave(search, place);
  }
  return true;
}

struct step {
  int rows, beams, crosses;
};

// Rows of one hypothesis: what of it is not in the cache yet.
static bool add_beam(struct search *search, struct step *step, struct place *place, int b) {
  struct sentence *sentence = &place->sentence;
  int32_t *pages = place->pages + (size_t)b * search->most_pages;
  int new_rows = sentence->length - place->fed;
  if (!ensure_rows(search, (size_t)step->rows + new_rows)) return false;
  int32_t last = sentence->beams[b].node;
  if (new_rows == 1) search->ids[step->rows] = last < 0 ? search->options->start_id : sentence->nodes[last].id;
  else sentence_ids(sentence, search->options, b, search->ids + step->rows);  // the prefix: nothing is in the cache yet
  search->spans[step->beams] = (struct span){.q0 = step->rows, .qn = new_rows, .kn = sentence->length, .pos = place->fed,
                                             .pages = pages};
  for (int t = place->fed; t < sentence->length; t++, step->rows++) {
    if (t % KEY_PAGE == 0) pages[t / KEY_PAGE] = page_cache_take_self(&search->cache);
    search->positions[step->rows] = t;
    search->slots[step->rows] = pages[t / KEY_PAGE] * KEY_PAGE + t % KEY_PAGE;
  }
  search->logit_rows[step->beams++] = step->rows - 1;
  return true;
}

static bool build_step(struct search *search, struct step *step) {
  for (int i = 0; i < search->place_count; i++) {
    struct place *place = &search->places[i];
    if (!place->age) continue;
    int first = step->rows;
    place->first_row = step->beams;
    place->holders = place->sentence.beam_count;
    for (int b = 0; b < place->sentence.beam_count; b++)
      if (!add_beam(search, step, place, b)) return false;
    place->fed = place->sentence.length;
    search->cross[step->crosses++] = (struct span){.q0 = first, .qn = step->rows - first,
                                                   .kn = place->sentence.request->source_count, .pages = place->cross_pages};
  }
  return true;
}

// Logits of the last row of every hypothesis; log-probabilities for an ensemble.
static struct tensor *run_models(struct search *search, const struct step *step) {
  struct batch_side side = {.rows = step->rows, .ids = search->ids, .positions = search->positions, .spans = search->spans,
                            .span_count = step->beams};
  const int32_t *rows = step->rows == step->beams ? NULL : search->logit_rows;
  struct tensor *logits[ENSEMBLE_MODELS];
  for (int m = 0; m < search->model_count; m++) {
    struct decoder_cache cache = {.layers = search->cache.layers[m], .slots = search->slots};
    struct tensor *hidden = model_decode_cached(&search->context, search->models[m], &side, search->cross, step->crosses, &cache);
    logits[m] = hidden ? model_logits(&search->context, search->models[m], hidden, rows, step->beams) : NULL;
    if (!logits[m]) return NULL;
  }
  if (search->model_count > 1) ensemble_average(search->context.kernels, logits, search->model_count);
  return logits[0];
}

static bool apply_rules(struct search *search, struct tensor *logits) {
  search->rules.removed_count = 0;
  if (!search->rules.any) return true;
  for (int i = 0; i < search->place_count; i++) {
    struct place *place = &search->places[i];
    for (int b = 0; place->age && b < place->sentence.beam_count; b++) {
      int r = place->first_row + b;
      if (search->rules.history) sentence_ids(&place->sentence, search->options, b, search->history);
      struct rule_row row = {.logits = logits->data + (size_t)r * logits->cols, .target = search->history,
                             .length = place->sentence.length, .source = place->sentence.request->source,
                             .source_count = place->sentence.request->source_count,
                             .min_length = place->sentence.min_length};
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

// The logarithms of the sums of exp, which turn logits into log-probabilities: over all ids where log-probabilities are
// changed by the rules and stay as they come out (beam search), over those that are left where they are normalised again.
static void sum_rows(struct search *search, struct tensor *logits, int per_row) {
  const struct kernels *kernels = search->context.kernels;
  bool again = search->options->beams == 1 || search->options->renormalize;
  for (int r = 0; r < logits->rows; r++) search->best[r] = search->candidate_ids[(size_t)r * per_row];
  kernels->cross_entropy(search->losses, NULL, NULL, logits->data, logits->cols, search->best, logits->rows, logits->cols, 0, 0);
  for (int r = 0; r < logits->rows; r++) {
    float log_sum = search->candidate_values[(size_t)r * per_row] + search->losses[r];
    if (!again) log_sum = search->rules.repetition ? 0 : with_removed(search, r, log_sum);
    search->log_sums[r] = log_sum;
  }
}

static bool check_numbers(struct search *search, const float *numbers, int rows, int stride) {
  for (int r = 0; r < rows; r++)
    if (!isfinite(numbers[(size_t)r * stride]))
      return error_set(search->error, ERROR_NUMERIC,
                       "the model's logits hold NaN or infinity: its weights are damaged or its training diverged");
  return true;
}

static bool choose(struct search *search, struct tensor *logits, int per_row) {
  const struct kernels *kernels = search->context.kernels;
  bool beams = search->options->beams > 1;
  if (search->rules.repetition && beams) kernels->log_softmax(logits->data, logits->cols, logits->rows, logits->cols);
  if (!apply_rules(search, logits)) return false;
  kernels->largest(search->candidate_values, search->candidate_ids, logits->data, logits->cols, logits->rows, logits->cols,
                   per_row);
  if (!check_numbers(search, search->candidate_values, logits->rows, per_row)) return false;
  if (!beams && !search->options->token_scores) return true;
  sum_rows(search, logits, per_row);
  return check_numbers(search, search->log_sums, logits->rows, 1);
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

// Gives each of the new beams the pages of the one it goes on from, and a last page of its own.
static void fork_pages(struct search *search, struct place *place) {
  const struct sentence *sentence = &place->sentence;
  if (search->options->beams == 1) return;
  int count = pages_for(place->fed);
  for (int b = 0; b < sentence->beam_count; b++) {
    int32_t *pages = place->other + (size_t)b * search->most_pages;
    memcpy(pages, place->pages + (size_t)sentence->beams[b].parent * search->most_pages, count * sizeof *pages);
    page_pool_share(&search->cache.self, pages, count);
  }
  for (int b = 0; b < place->holders; b++)
    page_pool_release(&search->cache.self, place->pages + (size_t)b * search->most_pages, count);
  int32_t *old = place->pages;
  place->pages = place->other;
  place->other = old;
  place->holders = sentence->beam_count;
  if (place->fed % KEY_PAGE == 0) return;
  for (int b = 0; b < place->holders; b++)
    page_cache_own(&search->cache, place->pages + (size_t)b * search->most_pages + count - 1);
}

static bool advance(struct search *search, struct place *place, int per_row) {
  size_t at = (size_t)place->first_row * per_row;
  bool scored = search->options->beams > 1 || search->options->token_scores;
  struct candidates candidates = {.values = search->candidate_values + at, .ids = search->candidate_ids + at,
                                  .log_sums = scored ? search->log_sums + place->first_row : NULL, .per_row = per_row};
  force(search, place, per_row);
  if (!sentence_advance(&place->sentence, search->options, &candidates, search->error)) return false;
  if (place->sentence.done) return conclude(search, place);
  fork_pages(search, place);
  return true;
}

bool search_step(struct search *search) {
  struct step step = {0};
  if (!make_room(search) || !build_step(search, &step)) return false;
  context_begin(&search->context, false, false, 0, 0);
  struct tensor *logits = run_models(search, &step);
  if (!logits) return false;
  int per_row = sentence_candidates(search->options, logits->cols);
  bool chosen = choose(search, logits, per_row);
  profile_done("search", PROFILE_FORWARD);
  if (!chosen) return false;
  for (int i = 0; i < search->place_count; i++)
    if (search->places[i].age && !advance(search, &search->places[i], per_row)) return false;
  return true;
}
