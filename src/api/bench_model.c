#include "api/bench_model.h"

#include <stdlib.h>
#include <string.h>

#include "api/public_generation.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "generate/session.h"
#include "train/optimizer.h"

enum {
  MOST_TOKENS = 4096,   // of a batch
  FEW_TOKENS = 256,     // of the first one, which tells how many are affordable
  LONGEST = 32,         // tokens of a sentence
  SENTENCES = 128,      // that are generated together
};

static const double AFFORDABLE = 2;                  // seconds for one batch
static const double LONG_ENOUGH = 1.5;                 // for each rate

// --- A batch of random tokens for whatever head the model has

struct made_up {
  struct batch batch;
  int32_t *ids, *positions, *labels;
  uint64_t *row_keys;
  struct span *spans;
  struct batch_text *texts;
};

static void free_batch(struct made_up *made) {
  free(made->ids);
  free(made->positions);
  free(made->labels);
  free(made->row_keys);
  free(made->spans);
  free(made->texts);
  *made = (struct made_up){0};
}

static int sentence_length(const struct arch *arch) {
  int longest = arch->positions == POSITIONS_NONE ? LONGEST : arch->max_positions;
  return longest < LONGEST ? longest : LONGEST;
}

static int smallest_vocabulary(const struct arch *arch) {
  int source = arch->family == FAMILY_DECODER ? arch->target_vocab : arch->source_vocab;
  int target = arch->family == FAMILY_ENCODER ? arch->source_vocab : arch->target_vocab;
  return source < target ? source : target;
}

// What is learnt of row r: everything in a causal model, every seventh token in one that fills masks.
static int32_t label_of(const struct arch *arch, int32_t id, int row) {
  if (arch->head == HEAD_TAG) return id % arch->labels;
  if (arch->head == HEAD_REPLACED) return id % 2;
  return arch->family != FAMILY_ENCODER || row % 7 == 0 ? id : -1;
}

static bool make_batch(struct made_up *made, const struct arch *arch, int tokens, struct error *error) {
  int length = sentence_length(arch), count = 2 * ((tokens / length + 1) / 2), rows = count * length;
  *made = (struct made_up){.ids = memory_new(error, (size_t)rows, sizeof *made->ids),
                           .positions = memory_new(error, (size_t)rows, sizeof *made->positions),
                           .labels = memory_new(error, (size_t)rows, sizeof *made->labels),
                           .row_keys = memory_new(error, (size_t)rows, sizeof *made->row_keys),
                           .spans = memory_new(error, (size_t)count, sizeof *made->spans),
                           .texts = memory_new(error, (size_t)count, sizeof *made->texts)};
  if (error->code) return false;
  struct batch *batch = &made->batch;
  struct random_key key = random_key(1, 2);
  uint64_t vocabulary = (uint64_t)smallest_vocabulary(arch);
  for (int r = 0; r < rows; r++) {
    made->ids[r] = (int32_t)(random_bits(key, (uint64_t)r) % vocabulary);
    made->positions[r] = r % length;
    made->row_keys[r] = (uint64_t)(r / length) << 24 | (uint64_t)(r % length);
    made->labels[r] = label_of(arch, made->ids[r], r);
    batch->label_count += made->labels[r] >= 0;
  }
  for (int s = 0; s < count; s++) {
    int first = s * length;
    made->spans[s] = (struct span){.q0 = first, .qn = length, .k0 = first, .kn = length};
    bool choice = arch_has_choices(arch);
    int row = arch->pooling == POOLING_LAST ? first + length - 1 : first;
    made->texts[s] = (struct batch_text){.first = first, .count = length, .row = row, .second = arch->both_orders ? first + 1 : 0,
                                         .group = s / 2, .label = choice ? s % 2 : 0};
  }
  struct batch_side side = {.rows = rows, .ids = made->ids, .positions = made->positions, .row_keys = made->row_keys,
                            .spans = made->spans, .span_count = count};
  if (arch->family != FAMILY_DECODER) batch->source = side;
  if (arch->family != FAMILY_ENCODER) batch->target = side;
  batch->cross = arch->family == FAMILY_ENCODER_DECODER ? made->spans : NULL;
  batch->cross_count = batch->cross ? count : 0;
  batch->labels = made->labels;
  batch->texts = made->texts;
  batch->text_count = batch->text_label_count = batch->sequences = count;
  return true;
}

static int tokens_of(const struct batch *batch) { return batch->source.rows + batch->target.rows; }

// --- The work

struct bench {
  struct model *model;
  struct context *context;
  struct error *error;
  struct made_up made;
  int64_t step;
};

static bool update(struct bench *bench) {
  struct loss loss = {0};
  struct loss_scale scale = {1e-3f, 1e-3f};
  struct optimizer_options options = optimizer_defaults();
  double norm;
  context_begin(bench->context, true, true, 1, (uint64_t)++bench->step);
  return model_loss(bench->context, bench->model, &bench->made.batch, 0.1f, scale, &loss, NULL) &&
         optimizer_step(bench->model, &options, bench->step, 1e-9, &norm, bench->error);
}

static bool pass(struct bench *bench) {
  struct head_outputs outputs;
  context_begin(bench->context, false, false, 0, 0);
  struct tensor *hidden = model_hidden(bench->context, bench->model, &bench->made.batch);
  return hidden && model_head_outputs(bench->context, bench->model, &bench->made.batch, hidden, NULL, 0, &outputs);
}

// Repeats `work`; a first time, which is not timed, touches the memory and tells how many operations it takes.
static bool repeat(struct bench *bench, bool (*work)(struct bench *), struct bench_rate *rate) {
  double before = profile_operations();
  if (!work(bench)) return false;
  int tokens = tokens_of(&bench->made.batch), times = 0;
  rate->operations = (profile_operations() - before) / tokens;
  double started = clock_seconds(), seconds;
  do {
    if (!work(bench)) return false;
    times++;
    seconds = clock_seconds() - started;
  } while (seconds < LONG_ENOUGH);
  rate->rate = (double)times * tokens / seconds;
  return true;
}

static bool fit_batch(struct bench *bench, bool (*work)(struct bench *)) {
  const struct arch *arch = &bench->model->arch;
  if (!make_batch(&bench->made, arch, FEW_TOKENS, bench->error) || !work(bench)) return false;
  double started = clock_seconds();
  if (!work(bench)) return false;
  double tokens = FEW_TOKENS * AFFORDABLE / (clock_seconds() - started);
  free_batch(&bench->made);
  int affordable = tokens < FEW_TOKENS ? FEW_TOKENS : tokens > MOST_TOKENS ? MOST_TOKENS : (int)tokens;
  return make_batch(&bench->made, arch, affordable, bench->error);
}

static bool run(struct qkv_model *model, bool training, bool (*work)(struct bench *), struct bench_rate *rate,
                struct error *error) {
  struct checkpoint checkpoint;
  if (!checkpoint_open(model->directory, &checkpoint, error)) return false;
  struct context context;
  struct bench bench = {.model = checkpoint.model, .context = &context, .error = error};
  bool ok = model_prepare(checkpoint.model, profile_wrap(model->kernels), training, error) &&
            context_open(&context, checkpoint.model->kernels, WORK_MEMORY, error);
  if (ok) {
    ok = fit_batch(&bench, work) && repeat(&bench, work, rate);
    context_close(&context);
  }
  free_batch(&bench.made);
  checkpoint_close(&checkpoint);
  return ok;
}

// --- Generation

static bool generate(struct session *session, const struct generation_request *requests, size_t count, double *seconds,
                     struct error *error) {
  struct generation *results[SENTENCES] = {0};
  double started = clock_seconds();
  bool ok = session_run(session, requests, count, results, error);
  *seconds = clock_seconds() - started;
  for (size_t i = 0; i < count; i++) free(results[i]);
  return ok;
}

// Every sentence becomes as long as its source, and every prompt twice as long, so that the rate says something about the
// machine, not about the text.
static bool run_search(struct qkv_model *model, int beams, struct bench_rate *rate, struct error *error) {
  const struct model *ready = public_model_ready(model, error);
  if (!ready) return false;
  struct made_up made = {0};
  struct generation_options options = {0};
  int length = sentence_length(&ready->arch);
  bool translates = ready->arch.family == FAMILY_ENCODER_DECODER;
  int given = translates ? length : length / 2, made_up = length - (translates ? 1 : given);
  bool ok = make_batch(&made, &ready->arch, SENTENCES * length, error) &&
            public_generation_options(&options, &model->checkpoint, error);
  options.beams = beams;
  options.nbest = 1;
  options.sampling = false;
  options.min_new_tokens = options.max_new_tokens = made_up;
  struct session *session = ok ? session_open(&ready, 1, &options, error) : NULL;
  struct generation_request requests[SENTENCES] = {0};
  for (int i = 0; session && i < SENTENCES; i++) {
    const int32_t *ids = made.ids + i * length;
    if (translates) requests[i] = (struct generation_request){.source = ids, .source_count = given};
    else requests[i] = (struct generation_request){.prefix = ids, .prefix_count = given};
  }
  // A few first: they make the memory real, and tell how many are affordable.
  size_t few = SENTENCES / 16, count = SENTENCES;
  double seconds = 0;
  ok = session && generate(session, requests, few, &seconds, error);
  if (ok && seconds > AFFORDABLE / 8) count = few;
  if (ok && seconds < AFFORDABLE) ok = generate(session, requests, count, &seconds, error);
  if (ok) rate->rate = (double)count * made_up / seconds;
  session_close(session);
  generation_options_free(&options);
  free_batch(&made);
  return ok;
}

static bool measure(struct qkv_model *model, struct bench_rate *rates, int *count, struct error *error) {
  const struct arch *arch = &model->checkpoint.arch;
  bool translates = arch->family == FAMILY_ENCODER_DECODER;
  if (arch->head != HEAD_NONE) {
    rates[*count] = (struct bench_rate){.what = "training, tokens of all sides"};
    if (!run(model, true, update, &rates[(*count)++], error)) return false;
  }
  rates[*count] = (struct bench_rate){.what = "one pass, tokens of all sides"};
  if (!run(model, false, pass, &rates[(*count)++], error)) return false;
  if (arch->family == FAMILY_ENCODER || !arch_has_vocabulary(arch)) return true;
  rates[*count] = (struct bench_rate){.what = translates ? "greedy translation, target tokens" : "greedy generation, new tokens"};
  if (!run_search(model, 1, &rates[(*count)++], error)) return false;
  rates[*count] = (struct bench_rate){.what = translates ? "beam 5 translation, target tokens" : "beam 5 generation, new tokens"};
  return run_search(model, 5, &rates[(*count)++], error);
}

int bench_model(struct qkv_model *model, struct bench_rate rates[BENCH_RATES], struct error *error) {
  int count = 0;
  return measure(model, rates, &count, error) ? count : 0;
}
