#include "generate/session.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
  WORKER_ROWS = 64,         // hypotheses that a worker's step works on
  ROWS_FOR_A_WORKER = 24,   // with fewer, threads do more good inside the kernels than beside each other
  SOURCE_TOKENS = 1024,     // that join together; more would only take more memory
};

static const size_t CACHE_MEMORY = (size_t)4 << 30;  // of all workers together, and not more than half of the machine's

struct worker {
  struct session *session;
  struct search search;
  bool open;
  struct error error;
};

struct queued {
  int length;
  size_t index;
};

struct session {
  const struct model *const *models;
  int model_count;
  const struct generation_options *options;
  struct worker *workers;
  int worker_count;
  // of the present run
  const struct generation_request *requests;
  struct generation **results;
  size_t *queue;  // [count] indexes, longest source first
  size_t count;
  int running;    // workers that share the queue
  atomic_int busy;  // of these, that have not ended
  atomic_size_t next;
  atomic_bool failed;
};

struct session *session_open(const struct model *const *models, int count, const struct generation_options *options,
                             struct error *error) {
  if (!generation_options_check(options, &models[0]->arch, error)) return NULL;
  struct session *session = memory_new(error, 1, sizeof *session);
  if (!session) return NULL;
  session->models = models;
  session->model_count = count;
  session->options = options;
  session->worker_count = parallel_threads();
  session->workers = memory_new(error, session->worker_count, sizeof *session->workers);
  if (!session->workers) {
    free(session);
    return NULL;
  }
  for (int i = 0; i < session->worker_count; i++) session->workers[i].session = session;
  return session;
}

static void close_worker(struct worker *worker) {
  if (worker->open) search_close(&worker->search);
  worker->open = false;
}

void session_close(struct session *session) {
  if (!session) return;
  for (int i = 0; i < session->worker_count; i++) close_worker(&session->workers[i]);
  free(session->workers);
  free(session);
}

static bool check_ids(const char *what, const int32_t *ids, int count, int vocabulary, size_t index, struct error *error) {
  for (int i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= vocabulary)
      return error_set(error, ERROR_USAGE, "sentence %zu: id %d of its %s is %d; the vocabulary has the ids 0 to %d", index + 1,
                       i, what, ids[i], vocabulary - 1);
  return true;
}

// A prompt may be as long as the positions are: it leaves no room then, which the result says; a longer one has to slide.
static bool check_prompt(const struct session *session, const struct generation_request *request, size_t index,
                         struct error *error) {
  int most = generation_most_length(&session->models[0]->arch);
  if (request->prefix_count < 1)
    return error_set(error, ERROR_USAGE, "prompt %zu has no tokens, and nothing says what a text starts with", index + 1);
  if (request->prefix_count > most && !session->options->slide)
    return error_set(error, ERROR_USAGE, "prompt %zu has %d tokens and the model takes %d: cut it, or let the text slide",
                     index + 1, request->prefix_count, most);
  return check_ids("prompt", request->prefix, request->prefix_count, session->models[0]->arch.target_vocab, index, error);
}

static bool check_sentence(const struct session *session, const struct generation_request *request, size_t index,
                           struct error *error) {
  const struct arch *arch = &session->models[0]->arch;
  int most = generation_most_length(arch);
  if (request->source_count < 1 || request->source_count > most)
    return error_set(error, ERROR_USAGE, "sentence %zu has %d tokens; wanted 1 to %d", index + 1, request->source_count, most);
  if (request->prefix_count < 0 || request->prefix_count >= most)
    return error_set(error, ERROR_USAGE, "the prefix of sentence %zu has %d tokens; wanted 0 to %d", index + 1,
                     request->prefix_count, most - 1);
  return check_ids("source", request->source, request->source_count, arch->source_vocab, index, error) &&
         check_ids("prefix", request->prefix, request->prefix_count, arch->target_vocab, index, error);
}

static bool check_requests(const struct session *session, const struct generation_request *requests, size_t count,
                           struct error *error) {
  bool encodes = session->models[0]->arch.family == FAMILY_ENCODER_DECODER;
  for (size_t i = 0; i < count; i++) {
    if (requests[i].samples > session->options->samples || requests[i].samples < 0)
      return error_set(error, ERROR_USAGE, "%d samples are wanted of input %zu; the session was opened for %d",
                       requests[i].samples, i + 1, session->options->samples);
    if (!(encodes ? check_sentence : check_prompt)(session, &requests[i], i, error)) return false;
  }
  return true;
}

// What a request brings that has to be fed before its first token.
static int request_length(const struct generation_request *request) { return request->source_count + request->prefix_count; }

static int longer_first(const void *a, const void *b) {
  const struct queued *x = a, *y = b;
  if (x->length != y->length) return x->length > y->length ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static bool fill_queue(struct session *session, struct error *error) {
  struct queued *queued = memory_new(error, session->count, sizeof *queued);
  session->queue = memory_new(error, session->count, sizeof *session->queue);
  if (queued && session->queue) {
    for (size_t i = 0; i < session->count; i++) queued[i] = (struct queued){request_length(&session->requests[i]), i};
    qsort(queued, session->count, sizeof *queued, longer_first);
    for (size_t i = 0; i < session->count; i++) session->queue[i] = queued[i].index;
  }
  free(queued);
  return error->code == ERROR_NONE;
}

// How many of the waiting sentences a worker takes: what it has room for, but not more than its share of what is left, so that
// all workers end together.
static size_t take(struct session *session, int room, const size_t **taken) {
  size_t start = atomic_load(&session->next), n;
  do {
    size_t left = session->count - start, share = (left + session->running - 1) / session->running, tokens = 0;
    if (share > (size_t)room) share = room;
    for (n = 0; n < share; n++) {
      tokens += request_length(&session->requests[session->queue[start + n]]);
      if (n && tokens > SOURCE_TOKENS) break;
    }
  } while (n && !atomic_compare_exchange_weak(&session->next, &start, start + n));
  *taken = session->queue + start;
  return n;
}

// Sentences that had to go for lack of memory come first; then the queue.
static bool refill(struct worker *worker) {
  struct search *search = &worker->search;
  // Sources are encoded together, a prompt is fed beside what runs: it joins at once.
  int room = search_room(search), enough = search->encodes ? (search->place_count + 3) / 4 : 1;
  if (room == 0 || (search->active && room < enough)) return true;
  if (search->returned_count) {
    size_t index = search->returned[--search->returned_count];
    return search_admit(search, &index, 1);
  }
  const size_t *taken;
  size_t n = take(worker->session, room, &taken);
  return n == 0 || search_admit(search, taken, (int)n);
}

static size_t cache_memory(void) {
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  size_t half = pages > 0 && size > 0 ? (size_t)pages * (size_t)size / 2 : CACHE_MEMORY;
  return half < CACHE_MEMORY ? half : CACHE_MEMORY;
}

static int workers_for(size_t requests, const struct generation_options *options, int most) {
  size_t wanted = requests * generation_width(options) / ROWS_FOR_A_WORKER;
  return wanted < 1 ? 1 : wanted < (size_t)most ? (int)wanted : most;
}

// Encoding is what takes most work memory beside the pages of keys; a step has few rows, but a row of logits each.
static size_t encoding_memory(const struct model *model, int rows) {
  const struct arch *arch = &model->arch;
  const struct stack_arch *stack = arch->family == FAMILY_ENCODER_DECODER ? &arch->encoder : &arch->decoder;
  size_t inner = (size_t)stack->ffn * (arch->gated ? 3 : 1), attention = (size_t)arch->hidden * 4;
  return (size_t)rows * ((size_t)arch->hidden * 4 + (inner > attention ? inner : attention)) * sizeof(float);
}

// Each layer's keys and values have a range of their own, of which the beginning is touched: whole large pages of the system.
static size_t touched_pages(const struct model *model, const struct kernels *kernels, size_t pages) {
  enum { LARGE_PAGE = 2 << 20 };
  size_t ranges = 2 * (size_t)model->arch.decoder.layers;
  size_t each = pages * page_cache_page_size(&model, 1, kernels) / ranges + LARGE_PAGE / 2;
  return ranges * ((each + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE);
}

size_t session_memory(const struct model *model, const struct kernels *kernels, const struct generation_options *options,
                      size_t requests, int longest) {
  int workers = workers_for(requests, options, parallel_threads()), width = generation_width(options);
  size_t rows = requests * (size_t)width / (size_t)workers + (size_t)width;
  if (rows > WORKER_ROWS) rows = WORKER_ROWS;
  size_t self = rows * (size_t)pages_for(generation_max_length(options, &model->arch, 1));
  size_t cross = rows * (size_t)pages_for(longest), most = 2 * cache_memory() / (size_t)workers;
  size_t keys = touched_pages(model, kernels, self) + touched_pages(model, kernels, cross);
  if (keys > most) keys = most;
  size_t tokens = rows * (size_t)longest;
  size_t encoding = encoding_memory(model, tokens < SOURCE_TOKENS ? (int)tokens : SOURCE_TOKENS);
  size_t logits = rows * (size_t)model->arch.target_vocab * sizeof(float);
  return (size_t)workers * (keys + (encoding > logits ? encoding : logits));
}

static bool open_worker(struct worker *worker) {
  struct session *session = worker->session;
  if (worker->open) return true;
  int width = generation_width(session->options), rows = WORKER_ROWS > width ? WORKER_ROWS : width;
  worker->open = search_open(&worker->search, session->models, session->model_count, session->options, rows,
                             cache_memory() / session->worker_count, &worker->error);
  return worker->open;
}

// A worker that is left alone with what runs ends, too: the last sentences go on outside, with all threads inside the kernels.
static bool is_alone(struct session *session) {
  return session->running > 1 && atomic_load(&session->busy) == 1 && atomic_load(&session->next) >= session->count;
}

static bool work(struct worker *worker) {
  struct session *session = worker->session;
  struct search *search = &worker->search;
  if (!open_worker(worker)) return false;
  search->requests = session->requests;
  search->results = session->results;
  for (;;) {
    if (atomic_load_explicit(&session->failed, memory_order_relaxed)) return false;
    if (!refill(worker)) return false;
    if (search->active == 0 && search->returned_count == 0 && atomic_load(&session->next) >= session->count) return true;
    if (parallel_inside() && is_alone(session)) return true;
    if (search->active && !search_step(search)) return false;
  }
}

static void worker_task(void *data, size_t index, int thread) {
  struct session *session = data;
  struct worker *worker = &session->workers[index];
  worker->error = (struct error){0};
  if (!work(worker)) atomic_store(&session->failed, true);
  atomic_fetch_sub(&session->busy, 1);
}

// What workers left when they were alone.
static void finish_workers(struct session *session) {
  for (int i = 0; i < session->running; i++)
    if (!work(&session->workers[i])) atomic_store(&session->failed, true);
}

static bool gather_errors(struct session *session, struct error *error) {
  if (!atomic_load(&session->failed)) return true;
  for (int i = 0; i < session->running; i++) {
    struct worker *worker = &session->workers[i];
    if (worker->error.code) error_set(error, worker->error.code, "%s", worker->error.message);
  }
  for (int i = 0; i < session->worker_count; i++) close_worker(&session->workers[i]);  // stopped anywhere: start afresh next time
  for (size_t i = 0; i < session->count; i++) {
    free(session->results[i]);
    session->results[i] = NULL;
  }
  return false;
}

bool session_run(struct session *session, const struct generation_request *requests, size_t count, struct generation **results,
                 struct error *error) {
  memset(results, 0, count * sizeof *results);
  if (count == 0) return true;
  if (!check_requests(session, requests, count, error)) return false;
  session->requests = requests;
  session->results = results;
  session->count = count;
  atomic_store(&session->next, 0);
  atomic_store(&session->failed, false);
  bool fine = fill_queue(session, error);
  if (fine) {
    session->running = workers_for(count, session->options, session->worker_count);
    atomic_store(&session->busy, session->running);
    parallel_for(session->running, worker_task, session);
    finish_workers(session);
    fine = gather_errors(session, error);
  }
  free(session->queue);
  session->queue = NULL;
  return fine;
}
