// Prompts to texts: prompts become ids, the session continues them, and what it finds becomes text again, piece by piece while it
// is generated if the caller listens.
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/prompt.h"
#include "api/public_context.h"
#include "api/public_generation.h"
#include "api/public_model.h"
#include "api/stop_strings.h"
#include "base/memory.h"
#include "generate/session.h"
#include "text/text_stream.h"

// transformers draws from 50 tokens where generation_config.json has do_sample and no top_k: so does a model that says so.
enum { MOST_ALTERNATIVES = 16, MOST_SAMPLES = 100000, TRANSFORMERS_TOP_K = 50 };

struct qkv_generator {
  struct qkv_model *opened;
  const struct model *model;
  const struct tokenizer *tokenizer;  // NULL: the directory has none that can be read; ids can be generated all the same
  struct generation_options generation;
  struct stop_strings stops;
  struct session *session;
  int samples;           // texts of each prompt
  uint64_t prompts;      // that came before the present call
  bool (*text)(void *user, size_t prompt, size_t sample, const char *text);
  void *user;
};

struct asked {
  struct prompt prompt;
  size_t first_request;  // of its requests, each for MAX_BEAMS samples at most
  bool refused;          // nothing to go on after, or too much
};

// A text on its way to the listener.
struct listening {
  struct text_stream stream;
  struct buffer held;    // generated, but it may be the beginning of a stop string
  bool closed;
};

struct job {
  struct qkv_generator *generator;
  struct error *error;
  struct asked *prompts;                 // [count]
  size_t count;
  struct generation_request *requests;
  size_t *prompt_of;                     // [request_count]
  struct generation **found;             // [request_count]
  size_t request_count;
  struct listening *listening;           // [count, samples] or NULL
  pthread_mutex_t lock;
  struct error listening_error;
  struct qkv_generation *items;          // [count]
};

struct qkv_generate_options qkv_generate_options_default(void) {
  return (struct qkv_generate_options){.max_new = -1, .min_new = -1, .temperature = NAN, .top_k = -1, .top_p = NAN, .min_p = NAN,
                                       .repetition_penalty = NAN, .no_repeat_ngram = -1, .beam = -1, .length_penalty = NAN,
                                       .samples = -1, .seed = -1, .alternatives = -1};
}

// ---- the generator ----

static bool check_integers(const struct qkv_generate_options *options, struct error *error) {
  const struct {
    const char *name;
    int64_t value, low, high;
  } integers[] = {{"max_new", options->max_new, 1, INT32_MAX}, {"min_new", options->min_new, 0, INT32_MAX},
                  {"top_k", options->top_k, 0, INT32_MAX}, {"no_repeat_ngram", options->no_repeat_ngram, 0, INT32_MAX},
                  {"beam", options->beam, 1, MAX_BEAMS}, {"samples", options->samples, 1, MOST_SAMPLES},
                  {"alternatives", options->alternatives, 0, MOST_ALTERNATIVES}};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
    if (integers[i].value >= 0 && (integers[i].value < integers[i].low || integers[i].value > integers[i].high))
      return error_set(error, ERROR_USAGE, "%s is %lld; wanted %lld to %lld", integers[i].name, (long long)integers[i].value,
                       (long long)integers[i].low, (long long)integers[i].high);
  return true;
}

// Whether tokens are drawn, and with what filters.
static bool set_sampling(struct qkv_generator *generator, const struct generation_defaults *said,
                         const struct qkv_generate_options *options, struct error *error) {
  struct generation_options *to = &generator->generation;
  bool asked = options->temperature > 0 || options->top_k >= 0 || !isnan(options->top_p) || !isnan(options->min_p) ||
               (options->samples > 1 && options->beam <= 1);
  if (options->temperature < 0)
    return error_set(error, ERROR_USAGE, "temperature is %g; wanted 0 (the most probable token) or more", options->temperature);
  if (options->temperature == 0 && options->samples > 1 && options->beam <= 1)
    return error_set(error, ERROR_USAGE, "%lld samples at temperature 0 would all be the same text; raise the temperature, or "
                     "keep beams", (long long)options->samples);
  if (asked && options->beam > 1)
    return error_set(error, ERROR_USAGE, "tokens are drawn (temperature, top_k, top_p, min_p) or beams are kept, not both");
  to->sampling = options->temperature != 0 && (asked || (said->do_sample && options->beam < 0));
  if (!to->sampling) return true;
  if (!asked && to->beams > 1)
    error_warn(error, "generation_config.json: samples are drawn (do_sample) without the beams that it also wants (num_beams)");
  to->beams = 1;
  to->temperature = !isnan(options->temperature) ? options->temperature : !isnan(said->temperature) ? said->temperature : 1;
  int unsaid = asked ? 0 : TRANSFORMERS_TOP_K;
  to->top_k = options->top_k >= 0 ? (int)options->top_k : said->top_k >= 0 ? said->top_k : unsaid;
  to->top_p = !isnan(options->top_p) ? options->top_p : !isnan(said->top_p) ? said->top_p : 1;
  to->min_p = !isnan(options->min_p) ? options->min_p : !isnan(said->min_p) ? said->min_p : 0;
  return true;
}

static bool set_generation(struct qkv_generator *generator, const struct checkpoint *checkpoint,
                           const struct qkv_generate_options *options, struct error *error) {
  struct generation_options *to = &generator->generation;
  const char *on_full = options->on_full ? options->on_full : "stop";
  if (strcmp(on_full, "stop") != 0 && strcmp(on_full, "slide") != 0)
    return error_set(error, ERROR_USAGE, "on_full is \"%s\"; wanted stop or slide", on_full);
  if (!check_integers(options, error) || !public_generation_options(to, checkpoint, error)) return false;
  if (options->beam >= 0) to->beams = (int)options->beam;
  if (!set_sampling(generator, &checkpoint->generation, options, error)) return false;
  generator->samples = options->samples > 0 ? (int)options->samples : 1;
  if (to->sampling) to->samples = generator->samples < MAX_BEAMS ? generator->samples : MAX_BEAMS;
  else to->nbest = generator->samples;
  if (to->nbest > to->beams)
    return error_set(error, ERROR_USAGE, "%d texts are wanted and the search keeps %d; set beam to at least %d", to->nbest,
                     to->beams, to->nbest);
  if (options->max_new > 0 && options->min_new > options->max_new)
    return error_set(error, ERROR_USAGE, "min_new is %lld and max_new %lld: no text can have that many tokens and so few",
                     (long long)options->min_new, (long long)options->max_new);
  if (options->max_new > 0) to->max_new_tokens = (int)options->max_new;
  if (options->min_new >= 0) to->min_new_tokens = (int)options->min_new;
  if (!isnan(options->repetition_penalty)) to->repetition_penalty = options->repetition_penalty;
  if (options->no_repeat_ngram >= 0) to->no_repeat_ngram_size = (int)options->no_repeat_ngram;
  if (!isnan(options->length_penalty)) to->length_penalty = options->length_penalty;
  if (options->seed >= 0) to->seed = (uint64_t)options->seed;
  if (options->alternatives > 0) to->alternatives = (int)options->alternatives;
  if (options->ignore_end) to->eos_count = 0;
  to->slide = on_full[1] == 'l';
  to->token_scores = true;
  return true;
}

struct qkv_generator *qkv_generator_new(struct qkv_context *context, struct qkv_model *model,
                                        const struct qkv_generate_options *options) {
  struct error *error = public_begin(context);
  const struct qkv_generate_options standard = qkv_generate_options_default();
  if (!options) options = &standard;
  if (!public_continues_text(model, error)) return NULL;
  struct qkv_generator *generator = memory_new(error, 1, sizeof *generator);
  if (!generator) return NULL;
  generator->opened = model;
  generator->text = options->text;
  generator->user = options->user;
  struct error refusal = {0};  // of texts, once there are any
  generator->tokenizer = public_model_tokenizer(model, &refusal);
  if (options->stop.count && !generator->tokenizer) error_set(error, refusal.code, "%s", refusal.message);
  if (error->code == ERROR_NONE && set_generation(generator, &model->checkpoint, options, error) &&
      stop_strings_set(&generator->stops, &options->stop, generator->tokenizer, error) &&
      (generator->model = public_model_ready(model, error))) {
    stop_strings_watch(&generator->stops, &generator->generation);
    generator->session = session_open(&generator->model, 1, &generator->generation, error);
  }
  if (generator->session) return generator;
  qkv_generator_free(generator);
  return NULL;
}

void qkv_generator_free(struct qkv_generator *generator) {
  if (!generator) return;
  session_close(generator->session);
  generation_options_free(&generator->generation);
  stop_strings_free(&generator->stops);
  free(generator);
}

// ---- prompts ----

static bool copy_ids(struct prompt *out, const struct qkv_ids *ids, struct error *error) {
  if (ids->count > INT32_MAX / 2)
    return error_set(error, ERROR_USAGE, "a prompt has %zu ids; at most %d can be taken", ids->count, INT32_MAX / 2);
  out->ids = memory_new(error, ids->count + 1, sizeof *out->ids);
  if (out->ids && ids->count) memcpy(out->ids, ids->items, ids->count * sizeof *ids->items);
  out->count = (int)ids->count;
  return out->ids != NULL;
}

// One of texts and ids is given.
static bool read_prompts(struct job *job, const struct qkv_strings *texts, const struct qkv_ids *ids, size_t count) {
  const struct qkv_generator *generator = job->generator;
  struct prompt_reader reader;
  if (texts && !public_model_tokenizer(generator->opened, job->error)) return false;
  job->prompts = memory_new(job->error, count + 1, sizeof *job->prompts);
  bool fine = job->prompts != NULL;
  job->count = fine ? count : 0;
  prompt_reader_open(&reader, generator->opened, generator->tokenizer);
  for (size_t i = 0; fine && i < count; i++) {
    struct asked *asked = &job->prompts[i];
    fine = texts ? prompt_read(&asked->prompt, &reader, texts->items[i], job->error)
                 : copy_ids(&asked->prompt, &ids[i], job->error);
    asked->refused = asked->prompt.count == 0 ||
                     (asked->prompt.count > generation_most_length(&generator->model->arch) && !generator->generation.slide);
  }
  prompt_reader_close(&reader);
  return fine;
}

static bool make_requests(struct job *job) {
  const struct qkv_generator *generator = job->generator;
  int drawn = generator->generation.sampling ? generator->samples : 1;
  size_t each = (size_t)(drawn + MAX_BEAMS - 1) / MAX_BEAMS;
  job->requests = memory_new(job->error, job->count * each + 1, sizeof *job->requests);
  job->prompt_of = memory_new(job->error, job->count * each + 1, sizeof *job->prompt_of);
  job->found = memory_new(job->error, job->count * each + 1, sizeof *job->found);
  if (!job->requests || !job->prompt_of || !job->found) return false;
  for (size_t i = 0; i < job->count; i++) {
    struct asked *asked = &job->prompts[i];
    asked->first_request = job->request_count;
    for (int first = 0; !asked->refused && first < drawn; first += MAX_BEAMS, job->request_count++) {
      job->prompt_of[job->request_count] = i;
      job->requests[job->request_count] =
        (struct generation_request){.prefix = asked->prompt.ids, .prefix_count = asked->prompt.count, .first_sample = first,
                                    .samples = drawn - first < MAX_BEAMS ? drawn - first : MAX_BEAMS,
                                    .line = generator->prompts + i};
    }
  }
  return true;
}

// ---- listening ----

// Hands out what is sure to belong to the text; everything when the text has ended.
static bool hand_out(struct job *job, struct listening *listening, size_t prompt, size_t sample, bool ended) {
  const struct qkv_generator *generator = job->generator;
  struct buffer *held = &listening->held;
  size_t sure = stop_strings_find(&generator->stops, held->data, held->size);
  if (sure < held->size) listening->closed = true;
  else if (!ended) sure -= stop_strings_begun(&generator->stops, held->data, held->size);
  bool goes_on = true;
  if (sure) {
    char kept = held->data[sure];
    held->data[sure] = 0;
    goes_on = generator->text(generator->user, prompt, sample, held->data);
    held->data[sure] = kept;
    memmove(held->data, held->data + sure, held->size - sure + 1);
    held->size -= sure;
  }
  return goes_on;
}

static bool listen_to(struct job *job, struct listening *listening, size_t prompt, size_t sample, int32_t id) {
  struct error *error = &job->listening_error;
  bool fine = id < 0 ? text_stream_finish(&listening->stream, &listening->held, error)
                     : text_stream_add(&listening->stream, id, &listening->held, error);
  if (!fine || !buffer_check(&listening->held, error)) return false;
  bool goes_on = listening->closed || hand_out(job, listening, prompt, sample, id < 0);
  if (id < 0) job->generator->text(job->generator->user, prompt, sample, NULL);
  return goes_on;
}

static bool watch(void *user, const struct generation_request *request, int sample, int32_t id) {
  struct job *job = user;
  size_t prompt = job->prompt_of[request - job->requests], number = (size_t)(request->first_sample + sample);
  pthread_mutex_lock(&job->lock);
  bool goes_on = job->listening_error.code == ERROR_NONE &&
                 listen_to(job, &job->listening[prompt * job->generator->samples + number], prompt, number, id);
  pthread_mutex_unlock(&job->lock);
  return goes_on;
}

static bool start_listening(struct job *job) {
  struct qkv_generator *generator = job->generator;
  generator->generation.watch = NULL;
  if (!generator->text || !generator->tokenizer || generator->generation.beams > 1) return true;
  job->listening = memory_new(job->error, job->count * generator->samples + 1, sizeof *job->listening);
  bool fine = job->listening != NULL;
  for (size_t i = 0; fine && i < job->count; i++)
    for (int k = 0; fine && k < generator->samples; k++)
      fine = text_stream_start(&job->listening[i * generator->samples + k].stream, generator->tokenizer,
                               job->prompts[i].prompt.ids, (size_t)job->prompts[i].prompt.count, job->error);
  generator->generation.watch = watch;
  generator->generation.watch_user = job;
  return fine;
}

static void stop_listening(struct job *job) {
  for (size_t i = 0; job->listening && i < job->count * job->generator->samples; i++) {
    text_stream_free(&job->listening[i].stream);
    buffer_free(&job->listening[i].held);
  }
  free(job->listening);
  job->generator->generation.watch = NULL;
}

// ---- results ----

static char *decode(const struct job *job, int32_t id) {
  struct buffer text = {0};
  const struct tokenizer *tokenizer = job->generator->tokenizer;
  bool fine = !tokenizer || (tokenizer_decode(tokenizer, &id, 1, false, &text, job->error) && buffer_check(&text, job->error));
  char *copy = fine ? memory_copy_text(job->error, buffer_string(&text)) : NULL;
  buffer_free(&text);
  return copy;
}

static bool give_alternatives(struct job *job, struct qkv_generated_token *token, const struct alternative *from, int count) {
  struct qkv_alternative *to = memory_new(job->error, count, sizeof *to);
  token->alternatives = to;
  for (int i = 0; to && i < count && from[i].log_prob > LOGIT_NEVER / 2; i++) {
    to[i] = (struct qkv_alternative){from[i].id, decode(job, from[i].id), exp(from[i].log_prob)};
    token->alternative_count++;
    if (!to[i].text) return false;
  }
  return to != NULL;
}

static bool give_tokens(struct job *job, struct qkv_generated *item, const struct hypothesis *from) {
  int alternatives = job->generator->generation.alternatives;
  struct qkv_generated_token *tokens = memory_new(job->error, from->count, sizeof *tokens);
  item->tokens = tokens;
  for (int t = 0; tokens && t < from->count; t++) {
    tokens[t] = (struct qkv_generated_token){.id = from->ids[t], .text = decode(job, from->ids[t]),
                                             .probability = exp(from->log_probs[t])};
    item->token_count++;
    if (!tokens[t].text) return false;
    if (alternatives && !give_alternatives(job, &tokens[t], from->alternatives + (size_t)t * alternatives, alternatives))
      return false;
  }
  return tokens != NULL;
}

static bool give_text(struct job *job, const struct prompt *prompt, struct qkv_generated *item, const struct hypothesis *from) {
  struct text_stream stream = {0};
  struct buffer text = {0};
  if (!job->generator->tokenizer) return (item->text = memory_copy_text(job->error, "")) != NULL;
  bool fine = text_stream_start(&stream, job->generator->tokenizer, prompt->ids, prompt->count, job->error);
  for (int t = 0; fine && t < from->count; t++) fine = text_stream_add(&stream, from->ids[t], &text, job->error);
  fine = fine && text_stream_finish(&stream, &text, job->error) && buffer_check(&text, job->error);
  if (fine && text.size) text.data[stop_strings_find(&job->generator->stops, text.data, text.size)] = 0;
  if (fine) item->text = memory_copy_text(job->error, buffer_string(&text));
  text_stream_free(&stream);
  buffer_free(&text);
  return item->text != NULL;
}

static bool give(struct job *job, const struct prompt *prompt, struct qkv_generated *item, const struct hypothesis *from) {
  static const enum qkv_ending endings[] = {
    [ENDING_NONE] = QKV_ENDED_STUCK, [ENDING_TOKEN] = QKV_ENDED, [ENDING_STOP] = QKV_ENDED_STOP,
    [ENDING_LENGTH] = QKV_ENDED_LENGTH, [ENDING_FULL] = QKV_ENDED_FULL, [ENDING_WATCHER] = QKV_ENDED_CALLER};
  item->ending = endings[from->ending];
  item->score = from->score;
  item->lost = (size_t)from->lost;
  return give_text(job, prompt, item, from) && give_tokens(job, item, from);
}

static bool give_refusal(struct job *job, const struct prompt *prompt, struct qkv_generated *item) {
  item->ending = prompt->count ? QKV_REFUSED_LONG : QKV_REFUSED_EMPTY;
  item->text = memory_copy_text(job->error, "");
  return item->text != NULL;
}

static bool give_prompt(struct job *job, size_t i) {
  const struct asked *asked = &job->prompts[i];
  const struct prompt *prompt = &asked->prompt;
  struct qkv_generation *to = &job->items[i];
  size_t end = i + 1 < job->count ? job->prompts[i + 1].first_request : job->request_count, texts = asked->refused;
  for (size_t r = asked->first_request; r < end; r++) texts += job->found[r]->count;
  struct qkv_generated *items = memory_new(job->error, texts, sizeof *items);
  *to = (struct qkv_generation){.items = items, .prompt_tokens = (size_t)prompt->count, .invalid = prompt->invalid};
  if (!items) return false;
  if (asked->refused) return give_refusal(job, prompt, &items[to->count++]);
  for (size_t r = asked->first_request; r < end; r++)
    for (int k = 0; k < job->found[r]->count; k++)
      if (!give(job, prompt, &items[to->count++], &job->found[r]->hypotheses[k])) return false;
  return true;
}

static void free_generated(struct qkv_generated *item) {
  for (size_t t = 0; t < item->token_count; t++) {
    for (size_t k = 0; k < item->tokens[t].alternative_count; k++) free((char *)item->tokens[t].alternatives[k].text);
    free((struct qkv_alternative *)item->tokens[t].alternatives);
    free((char *)item->tokens[t].text);
  }
  free((struct qkv_generated_token *)item->tokens);
  free((char *)item->text);
}

static void free_items(struct qkv_generation *items, size_t count) {
  for (size_t i = 0; items && i < count; i++) {
    for (size_t k = 0; k < items[i].count; k++) free_generated((struct qkv_generated *)&items[i].items[k]);
    free((struct qkv_generated *)items[i].items);
  }
  free(items);
}

static bool run(struct job *job) {
  struct session *session = job->generator->session;
  bool fine = start_listening(job) && session_run(session, job->requests, job->request_count, job->found, job->error);
  if (fine && job->listening_error.code)
    fine = error_set(job->error, job->listening_error.code, "%s", job->listening_error.message);
  stop_listening(job);
  return fine;
}

static void free_job(struct job *job) {
  for (size_t i = 0; job->found && i < job->request_count; i++) free(job->found[i]);
  for (size_t i = 0; job->prompts && i < job->count; i++) free(job->prompts[i].prompt.ids);
  free(job->found);
  free(job->prompts);
  free(job->requests);
  free(job->prompt_of);
  pthread_mutex_destroy(&job->lock);
}

static struct qkv_generations *generate(struct qkv_context *context, struct qkv_generator *generator,
                                        const struct qkv_strings *texts, const struct qkv_ids *ids, size_t count) {
  struct error *error = public_begin(context);
  struct job job = {.generator = generator, .error = error, .lock = PTHREAD_MUTEX_INITIALIZER};
  struct qkv_generations *generations = memory_new(error, 1, sizeof *generations);
  job.items = memory_new(error, count + 1, sizeof *job.items);
  bool fine = generations && job.items && read_prompts(&job, texts, ids, count) && make_requests(&job) && run(&job);
  for (size_t i = 0; fine && i < job.count; i++) fine = give_prompt(&job, i);
  free_job(&job);
  if (fine) {
    generator->prompts += count;
    *generations = (struct qkv_generations){.items = job.items, .count = count};
    return generations;
  }
  free_items(job.items, count);
  free(generations);
  return NULL;
}

struct qkv_generations *qkv_generate(struct qkv_context *context, struct qkv_generator *generator,
                                     const struct qkv_strings *prompts) {
  return generate(context, generator, prompts, NULL, prompts->count);
}

struct qkv_generations *qkv_generate_ids(struct qkv_context *context, struct qkv_generator *generator,
                                         const struct qkv_ids *prompts, size_t count) {
  return generate(context, generator, NULL, prompts, count);
}

void qkv_generations_free(struct qkv_generations *generations) {
  if (!generations) return;
  free_items((struct qkv_generation *)generations->items, generations->count);
  free(generations);
}
