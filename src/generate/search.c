#include "generate/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "generate/ensemble.h"
#include "tensor/profile.h"

static int least(size_t a, size_t b) { return (int)(a < b ? a : b); }

// Pages of which one sentence alone can never run out: its beams share nothing, and all fork.
static size_t pages_for_one(const struct search *search) { return (size_t)2 * search->width * (search->most_pages + 1); }

static bool open_cache(struct search *search, int rows, size_t memory) {
  size_t page = page_cache_page_size(search->models, search->model_count, search->models[0]->kernels);
  size_t wanted = (size_t)rows * (search->most_pages + 2), self = memory / page;
  if (self > wanted) self = wanted;
  if (self < pages_for_one(search)) self = pages_for_one(search);
  wanted = (size_t)search->place_count * search->most_pages;
  size_t cross = memory / page;
  if (cross > wanted) cross = wanted;
  if (cross < (size_t)search->most_pages) cross = search->most_pages;
  if (!search->encodes) cross = 1;
  return page_cache_open(&search->cache, search->models, search->model_count, least(self, 1 << 26), least(cross, 1 << 26),
                         search->error);
}

static bool open_places(struct search *search) {
  struct error *error = search->error;
  search->places = memory_new(error, search->place_count, sizeof *search->places);
  for (int i = 0; search->places && i < search->place_count; i++) {
    struct place *place = &search->places[i];
    place->pages = memory_new(error, (size_t)search->width * search->most_pages, sizeof *place->pages);
    place->other = memory_new(error, (size_t)search->width * search->most_pages, sizeof *place->other);
    if (search->encodes) place->cross_pages = memory_new(error, search->most_pages, sizeof *place->cross_pages);
  }
  return error->code == ERROR_NONE;
}

static bool open_rows(struct search *search) {
  struct error *error = search->error;
  size_t rows = (size_t)search->place_count * search->width;
  size_t candidates = rows * CANDIDATES;
  search->logit_rows = memory_new(error, rows, sizeof *search->logit_rows);
  search->spans = memory_new(error, rows, sizeof *search->spans);
  search->cross = memory_new(error, search->place_count, sizeof *search->cross);
  search->candidate_ids = memory_new(error, candidates, sizeof *search->candidate_ids);
  search->candidate_values = memory_new(error, candidates, sizeof *search->candidate_values);
  search->best = memory_new(error, rows, sizeof *search->best);
  search->log_sums = memory_new(error, rows, sizeof *search->log_sums);
  search->removed_from = memory_new(error, rows + 1, sizeof *search->removed_from);
  search->draws = memory_new(error, rows, sizeof *search->draws);
  search->drawn = memory_new(error, rows, sizeof *search->drawn);
  return error->code == ERROR_NONE;
}

// All ids of a beam, in search->history.
bool search_history(struct search *search, const struct sentence *sentence, int beam) {
  if (!memory_grow(search->error, &search->history, &search->history_capacity, sentence->length, sizeof *search->history))
    return false;
  sentence_ids(sentence, search->options, beam, search->history);
  return true;
}

static bool ensure_rows(struct search *search, size_t rows) {
  return memory_grow(search->error, &search->ids, &search->row_capacity, rows, sizeof *search->ids) &&
         memory_grow(search->error, &search->positions, &search->position_capacity, rows, sizeof *search->positions) &&
         memory_grow(search->error, &search->slots, &search->slot_capacity, rows, sizeof *search->slots);
}

bool search_open(struct search *search, const struct model *const *models, int count, const struct generation_options *options,
                 int rows, size_t memory, struct error *error) {
  *search = (struct search){.models = models, .model_count = count, .options = options, .error = error};
  search->width = generation_width(options);
  search->encodes = models[0]->arch.family == FAMILY_ENCODER_DECODER;
  search->most_pages = pages_for(generation_most_length(&models[0]->arch));
  search->place_count = rows / search->width > 1 ? rows / search->width : 1;
  bool fine = context_open(&search->context, models[0]->kernels, WORK_MEMORY, error) && open_cache(search, rows, memory) &&
              open_places(search) && open_rows(search) &&
              logits_rules_open(&search->rules, options, models[0]->arch.target_vocab, error) &&
              ensure_rows(search, (size_t)search->place_count * search->width);
  if (!fine) search_close(search);
  return fine;
}

void search_close(struct search *search) {
  for (int i = 0; search->places && i < search->place_count; i++) {
    free(search->places[i].pages);
    free(search->places[i].other);
    free(search->places[i].cross_pages);
    sentence_free(&search->places[i].sentence);
  }
  void *blocks[] = {search->places, search->returned, search->ids, search->positions, search->slots, search->logit_rows,
                    search->spans, search->cross, search->history, search->candidate_ids, search->candidate_values,
                    search->best, search->log_sums, search->removed_from, search->draws, search->drawn};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
  logits_rules_close(&search->rules);
  if (search->cache.layers) page_cache_close(&search->cache);
  if (search->context.kernels) context_close(&search->context);
  *search = (struct search){0};
}

// ---------------------------------------------------------------------------------------------------------------------
// Joining and leaving

// Pages that the next step may take in the worst case.
static int pages_for_step(const struct search *search, int sentences) { return sentences * 2 * search->width; }

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
  search->reserved -= place->reserved;
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

// The sequence of a beam has outgrown the model's positions: its latter half is fed anew, as if it were the whole.
static void slide(struct search *search, struct place *place) {
  struct sentence *sentence = &place->sentence;
  int most = generation_most_length(&search->models[0]->arch);
  if (sentence->length - sentence->first <= most) return;
  for (int b = 0; b < place->holders; b++)
    page_pool_release(&search->cache.self, place->pages + (size_t)b * search->most_pages, pages_for(place->fed));
  sentence->first = sentence->length - (most + 1) / 2;
  place->fed = 0;
}

// Pages that a prompt and what may follow it take: a text that is generated mostly grows as long as it may, so that a place
// for all of it is kept. A translation ends by itself, long before.
static int pages_to_reserve(const struct search *search, const struct generation_request *request) {
  if (search->encodes) return 0;
  int length = generation_max_length(search->options, &search->models[0]->arch, request->prefix_count);
  int most = search->most_pages < pages_for(length) ? search->most_pages : pages_for(length);
  int shared = search->options->slide ? 0 : request->prefix_count / KEY_PAGE;
  if (shared > most) shared = most;
  return shared + search->width * (most - shared + 2);  // and what a step may take before it gives back: pages_for_step
}

// Takes a place and pages for a source. NULL when there are none.
static struct place *join(struct search *search, size_t index) {
  const struct generation_request *request = &search->requests[index];
  int pages = pages_for(request->source_count), reserved = pages_to_reserve(search, request);
  struct place *place = free_place(search);
  if (!place || pages > page_pool_left(&search->cache.cross)) return NULL;
  if (search->active && search->reserved + reserved > search->cache.self.limit) return NULL;
  for (int i = 0; i < pages; i++) place->cross_pages[i] = page_cache_take(&search->cache, &search->cache.cross);
  sentence_start(&place->sentence, request, search->options, &search->models[0]->arch);
  place->reserved = reserved;
  search->reserved += reserved;
  place->index = index;
  place->age = ++search->admitted;
  place->fed = place->holders = 0;
  search->active++;
  slide(search, place);
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
  if (n && search->encodes && !encode(search, joined, n)) return false;
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

// How far a place is fed when the next step may feed `rows` rows of it; its beams side by side.
static int fed_after(const struct place *place, int rows) {
  const struct sentence *sentence = &place->sentence;
  int left = sentence->length - sentence->first - place->fed, each = rows / sentence->beam_count;
  if (each < KEY_PAGE) each = KEY_PAGE;
  return place->fed + (left < each ? left : each);
}

static int pages_wanted(const struct search *search) {
  int wanted = 0;
  for (int i = 0; i < search->place_count; i++) {
    const struct place *place = &search->places[i];
    if (place->age)
      wanted += pages_for_step(search, 1) +
                place->sentence.beam_count * (pages_for(fed_after(place, PREFILL_ROWS)) - pages_for(place->fed));
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
  int rows, spans, crosses, logits;
  int left;     // rows of prompts that may still be fed
};

// Rows of one hypothesis: what of it is not in the cache yet, up to its id number `end` from sentence->first on.
static bool add_beam(struct search *search, struct step *step, struct place *place, int b, int end) {
  struct sentence *sentence = &place->sentence;
  int32_t *pages = place->pages + (size_t)b * search->most_pages;
  int new_rows = end - place->fed;
  if (!ensure_rows(search, (size_t)step->rows + new_rows)) return false;
  if (new_rows == 1 && sentence->first + end == sentence->length) {
    search->ids[step->rows] = sentence_last_id(sentence, search->options, b);
  } else {
    if (!search_history(search, sentence, b)) return false;
    memcpy(search->ids + step->rows, search->history + sentence->first + place->fed, new_rows * sizeof *search->ids);
  }
  search->spans[step->spans++] = (struct span){.q0 = step->rows, .qn = new_rows, .kn = end, .pos = place->fed, .pages = pages};
  for (int t = place->fed; t < end; t++, step->rows++) {
    if (t % KEY_PAGE == 0) pages[t / KEY_PAGE] = page_cache_take(&search->cache, &search->cache.self);
    search->positions[step->rows] = t;
    search->slots[step->rows] = pages[t / KEY_PAGE] * KEY_PAGE + t % KEY_PAGE;
  }
  return true;
}

static bool add_place(struct search *search, struct step *step, struct place *place) {
  const struct sentence *sentence = &place->sentence;
  int first = step->rows, whole = sentence->length - sentence->first, end = whole;
  place->first_row = -1;
  if (whole - place->fed > 1) {
    if (step->left <= 0) return true;
    end = fed_after(place, step->left);
    step->left -= sentence->beam_count * (end - place->fed);
  }
  if (end == whole) place->first_row = step->logits;
  place->holders = sentence->beam_count;
  for (int b = 0; b < sentence->beam_count; b++) {
    if (!add_beam(search, step, place, b, end)) return false;
    if (end == whole) search->logit_rows[step->logits++] = step->rows - 1;
  }
  place->fed = end;
  if (search->encodes)
    search->cross[step->crosses++] = (struct span){.q0 = first, .qn = step->rows - first, .kn = sentence->request->source_count,
                                                   .pages = place->cross_pages};
  return true;
}

static bool build_step(struct search *search, struct step *step) {
  for (int i = 0; i < search->place_count; i++)
    if (search->places[i].age && !add_place(search, step, &search->places[i])) return false;
  return true;
}

// Logits of the last row of every hypothesis that is fed, NULL if there is none; log-probabilities for an ensemble.
static bool run_models(struct search *search, const struct step *step, struct tensor **result) {
  struct batch_side side = {.rows = step->rows, .ids = search->ids, .positions = search->positions, .spans = search->spans,
                            .span_count = step->spans};
  const int32_t *rows = step->rows == step->logits ? NULL : search->logit_rows;
  struct tensor *logits[ENSEMBLE_MODELS];
  *result = NULL;
  for (int m = 0; m < search->model_count; m++) {
    struct decoder_cache cache = {.layers = search->cache.layers[m], .slots = search->slots};
    struct tensor *hidden = model_decode_cached(&search->context, search->models[m], &side, search->cross, step->crosses, &cache);
    if (!hidden) return false;
    if (!step->logits) continue;
    logits[m] = model_logits(&search->context, search->models[m], hidden, rows, step->logits);
    if (!logits[m]) return false;
  }
  if (!step->logits) return true;
  if (search->model_count > 1) ensemble_average(search->context.kernels, logits, search->model_count);
  *result = logits[0];
  return true;
}

// Gives each of the new beams the pages of the one it goes on from, and a last page of its own.
static void fork_pages(struct search *search, struct place *place) {
  const struct sentence *sentence = &place->sentence;
  bool same = sentence->beam_count == place->holders;
  for (int b = 0; b < sentence->beam_count; b++) same &= sentence->beams[b].parent == b;
  if (same) return;
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
  struct candidates candidates = search_candidates(search, place, per_row);
  if (!sentence_advance(&place->sentence, search->options, &candidates, search->error)) return false;
  if (place->sentence.done) return conclude(search, place);
  fork_pages(search, place);
  slide(search, place);
  return true;
}

bool search_step(struct search *search) {
  struct step step = {.left = PREFILL_ROWS};
  if (!make_room(search) || !build_step(search, &step)) return false;
  context_begin(&search->context, false, false, 0, 0);
  struct tensor *logits;
  if (!run_models(search, &step, &logits)) return false;
  if (!logits) return true;
  int per_row = sentence_candidates(search->options, logits->cols);
  bool chosen = search_choose(search, logits, per_row);
  profile_done("search", PROFILE_FORWARD);
  if (!chosen) return false;
  for (int i = 0; i < search->place_count; i++)
    if (search->places[i].age && search->places[i].first_row >= 0 && !advance(search, &search->places[i], per_row)) return false;
  return true;
}
