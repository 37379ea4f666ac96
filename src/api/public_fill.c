// Which words fit: the most probable next tokens after a text, or given candidates, by the same search that generates.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/masked_language.h"
#include "api/prompt.h"
#include "api/public_context.h"
#include "api/public_generation.h"
#include "api/public_model.h"
#include "base/memory.h"
#include "generate/forced_decoding.h"
#include "generate/session.h"

enum { DEFAULT_TOP = 10 };

struct job {
  const struct model *model;
  const struct tokenizer *tokenizer;
  struct error *error;
  const struct qkv_strings *texts, *candidates;
  struct prompt *read;           // [texts->count]
  struct prompt_reader reader;
  int top;
  struct qkv_filling *items;   // [texts->count]
};

// ---- reading ----

static bool read_texts(struct job *job) {
  bool fine = true;
  for (size_t i = 0; fine && i < job->texts->count; i++) {
    fine = prompt_read(&job->read[i], &job->reader, job->texts->items[i], job->error);
    job->items[i].invalid = job->read[i].invalid;
  }
  return fine;
}

// ---- results ----

static bool new_place(struct job *job, size_t text, size_t guesses, struct qkv_guess **out) {
  struct qkv_place *place = memory_new(job->error, 1, sizeof *place);
  struct qkv_guess *array = memory_new(job->error, guesses, sizeof *array);
  if (place && array) {
    *place = (struct qkv_place){.guesses = array};
    job->items[text].places = place;
    job->items[text].count = 1;
    *out = array;
    return true;
  }
  free(place);
  free(array);
  return false;
}

static char *decode(const struct job *job, int32_t id) {
  struct buffer text = {0};
  bool fine = tokenizer_decode(job->tokenizer, &id, 1, false, &text, job->error) && buffer_check(&text, job->error);
  char *copy = fine ? memory_copy_text(job->error, buffer_string(&text)) : NULL;
  buffer_free(&text);
  return copy;
}

// ---- the most probable tokens ----

static bool give_top(struct job *job, size_t text, const struct generation *found) {
  const struct hypothesis *hypothesis = &found->hypotheses[0];
  struct qkv_guess *guesses;
  if (hypothesis->count == 0) return true;
  if (!new_place(job, text, job->top, &guesses)) return false;
  size_t *count = (size_t *)&job->items[text].places[0].count;
  for (int i = 0; i < job->top && hypothesis->alternatives[i].log_prob > LOGIT_NEVER / 2; i++) {
    const struct alternative *from = &hypothesis->alternatives[i];
    guesses[i] = (struct qkv_guess){.text = decode(job, from->id), .id = from->id, .log_probability = from->log_prob};
    ++*count;
    if (!guesses[i].text) return false;
  }
  return true;
}

// A search of one token by the plain probabilities, of which the best are kept.
static bool find_top(struct job *job) {
  const size_t count = job->texts->count;
  const int most = generation_most_length(&job->model->arch);
  struct generation_options options;
  generation_options_default(&options, &job->model->arch);
  options.max_new_tokens = 1;
  options.alternatives = job->top;
  options.slide = true;  // a text may fill all positions, and what comes behind it is not looked at
  struct generation_request *requests = memory_new(job->error, count + 1, sizeof *requests);
  struct generation **found = memory_new(job->error, count + 1, sizeof *found);
  size_t *text_of = memory_new(job->error, count + 1, sizeof *text_of), asked = 0;
  bool fine = requests && found && text_of;
  for (size_t i = 0; fine && i < count; i++) {
    const struct prompt *text = &job->read[i];
    int cut = text->count > most ? text->count - most : 0;
    if (text->count == 0) continue;
    job->items[i].cut = (size_t)cut;
    text_of[asked] = i;
    requests[asked++] = (struct generation_request){.prefix = text->ids + cut, .prefix_count = text->count - cut};
  }
  struct session *session = fine ? session_open(&job->model, 1, &options, job->error) : NULL;
  fine = session && session_run(session, requests, asked, found, job->error);
  for (size_t i = 0; fine && i < asked; i++) fine = give_top(job, text_of[i], found[i]);
  for (size_t i = 0; found && i < asked; i++) free(found[i]);
  session_close(session);
  generation_options_free(&options);
  free(requests);
  free(found);
  free(text_of);
  return fine;
}

// ---- candidates ----

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static bool read_behind(struct job *job, struct prompt *out, const char *text, const char *candidate) {
  size_t size = strlen(text);
  bool apart = size && !is_blank(text[size - 1]) && *candidate && !is_blank(*candidate);
  struct buffer both = {0};
  buffer_format(&both, "%s%s%s", text, apart ? " " : "", candidate);
  bool fine = buffer_check(&both, job->error) && prompt_read(out, &job->reader, buffer_string(&both), job->error);
  buffer_free(&both);
  return fine;
}

// How many tokens at their beginnings all have in common with the text: a token may reach over the text's end.
static int common_beginning(const struct prompt *text, const struct prompt *whole, size_t count) {
  int common = text->count;
  for (size_t i = 0; i < count; i++) {
    int same = 0;
    while (same < common && same < whole[i].count && whole[i].ids[same] == text->ids[same]) same++;
    common = same;
  }
  return common;
}

static int more_probable_first(const void *a, const void *b) {
  const struct qkv_guess *x = a, *y = b;
  if (x->log_probability != y->log_probability) return x->log_probability > y->log_probability ? -1 : 1;
  return 0;
}

static void sort_stably(struct qkv_guess *guesses, size_t count) {
  for (size_t i = 1; i < count; i++) {
    struct qkv_guess guess = guesses[i];
    size_t at = i;
    for (; at > 0 && more_probable_first(&guess, &guesses[at - 1]) < 0; at--) guesses[at] = guesses[at - 1];
    guesses[at] = guess;
  }
}

static bool score_candidates(struct job *job, size_t t, struct prompt *whole, struct forced_pair *pairs, float *log_probs) {
  const size_t count = job->candidates->count;
  struct prompt *text = &job->read[t];
  const int most = generation_most_length(&job->model->arch);
  int common = common_beginning(text, whole, count), longest = 0;
  for (size_t i = 0; i < count; i++) longest = whole[i].count > longest ? whole[i].count : longest;
  int cut = longest > most ? longest - most : 0;
  if (common == 0 || cut >= common) return true;  // nothing stands before the candidates
  job->items[t].cut = (size_t)cut;
  for (size_t i = 0, used = 0; i < count; used += pairs[i++].target_count)
    pairs[i] = (struct forced_pair){.target = whole[i].ids + cut, .target_count = whole[i].count - cut,
                                    .log_probs = log_probs + used};
  struct qkv_guess *guesses;
  if (!forced_decode(&job->model, 1, -1, pairs, count, job->error) || !new_place(job, t, count, &guesses)) return false;
  for (size_t i = 0; i < count; i++) {
    int own = whole[i].count - common;
    guesses[i] = (struct qkv_guess){.text = memory_copy_text(job->error, job->candidates->items[i]),
                                    .id = own == 1 ? whole[i].ids[common] : -1};
    for (int k = common - cut; k < pairs[i].target_count; k++) guesses[i].log_probability += pairs[i].log_probs[k];
    ++*(size_t *)&job->items[t].places[0].count;
    if (!guesses[i].text) return false;
  }
  sort_stably(guesses, count);
  return true;
}

static bool find_candidates(struct job *job) {
  const size_t count = job->candidates->count;
  struct prompt *whole = memory_new(job->error, count, sizeof *whole);
  struct forced_pair *pairs = memory_new(job->error, count, sizeof *pairs);
  bool fine = whole && pairs;
  for (size_t t = 0; fine && t < job->texts->count; t++) {
    size_t total = 1;
    for (size_t i = 0; fine && i < count; i++) {
      fine = read_behind(job, &whole[i], job->texts->items[t], job->candidates->items[i]);
      total += fine ? whole[i].count : 0;
    }
    float *log_probs = fine ? memory_new(job->error, total, sizeof *log_probs) : NULL;
    fine = log_probs && score_candidates(job, t, whole, pairs, log_probs);
    free(log_probs);
    for (size_t i = 0; i < count; i++) {
      free(whole[i].ids);
      whole[i] = (struct prompt){0};
    }
  }
  free(whole);
  free(pairs);
  return fine;
}

// ----

static void free_items(struct qkv_filling *items, size_t count) {
  for (size_t i = 0; items && i < count; i++) {
    for (size_t p = 0; p < items[i].count; p++) {
      for (size_t g = 0; g < items[i].places[p].count; g++) free((char *)items[i].places[p].guesses[g].text);
      free((struct qkv_guess *)items[i].places[p].guesses);
    }
    free((struct qkv_place *)items[i].places);
  }
  free(items);
}

static bool open_job(struct job *job, struct qkv_model *model, const struct qkv_fill_options *options) {
  job->candidates = &options->candidates;
  for (size_t i = 0; i < job->candidates->count; i++)
    if (!*job->candidates->items[i]) return error_set(job->error, ERROR_USAGE, "candidate %zu is empty", i + 1);
  job->top = options->top < 0 ? DEFAULT_TOP : (int)options->top;
  if (options->top > MAX_ALTERNATIVES || options->top == 0)
    return error_set(job->error, ERROR_USAGE, "top is %lld; wanted 1 to %d", (long long)options->top, MAX_ALTERNATIVES);
  if (job->candidates->count && options->top > 0)
    return error_set(job->error, ERROR_USAGE, "either the %d most probable tokens are wanted or candidates, not both", job->top);
  job->tokenizer = public_model_tokenizer(model, job->error);
  prompt_reader_open(&job->reader, model, job->tokenizer);
  job->model = job->tokenizer ? public_model_ready(model, job->error) : NULL;
  job->read = memory_new(job->error, job->texts->count + 1, sizeof *job->read);
  job->items = memory_new(job->error, job->texts->count + 1, sizeof *job->items);
  if (job->model && job->top > job->model->arch.target_vocab) job->top = job->model->arch.target_vocab;
  return job->model && job->read && job->items;
}

static struct qkv_fillings *fill_masks(struct qkv_fillings *fillings, struct qkv_model *model, const struct qkv_strings *texts,
                                       const struct qkv_fill_options *options, struct error *error) {
  struct qkv_filling *items = memory_new(error, texts->count + 1, sizeof *items);
  *fillings = (struct qkv_fillings){.items = items, .count = texts->count};
  if (items && masked_language_fill(model, texts, options, items, error)) return fillings;
  free_items(items, texts->count);
  free(fillings);
  return NULL;
}

struct qkv_fillings *qkv_fill(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                              const struct qkv_fill_options *options) {
  struct error *error = public_begin(context);
  const struct qkv_fill_options standard = {.top = -1};
  struct job job = {.error = error, .texts = texts};
  const struct arch *arch = &model->checkpoint.arch;
  if (arch->family == FAMILY_ENCODER && !masked_language_is(model))
    return heads_refuse(arch, model->directory, HEAD_LANGUAGE, error), NULL;
  if (!masked_language_is(model) && !public_continues_text(model, error)) return NULL;
  struct qkv_fillings *fillings = memory_new(error, 1, sizeof *fillings);
  if (fillings && masked_language_is(model)) return fill_masks(fillings, model, texts, options ? options : &standard, error);
  bool fine = fillings && open_job(&job, model, options ? options : &standard) && read_texts(&job) &&
              (job.candidates->count ? find_candidates(&job) : find_top(&job));
  for (size_t i = 0; job.read && i < texts->count; i++) free(job.read[i].ids);
  free(job.read);
  prompt_reader_close(&job.reader);
  if (fine) {
    *fillings = (struct qkv_fillings){.items = job.items, .count = texts->count};
    return fillings;
  }
  free_items(job.items, texts->count);
  free(fillings);
  return NULL;
}

void qkv_fillings_free(struct qkv_fillings *fillings) {
  if (!fillings) return;
  free_items((struct qkv_filling *)fillings->items, fillings->count);
  free(fillings);
}
