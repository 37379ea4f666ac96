// A training from its options to its last line, for every task: options, text, tokenizer, model, samples, updates.
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "cpu/cpu.h"
#include "train/forecast.h"
#include "train/recipe.h"
#include "train/state.h"
#include "train/task.h"

// --- Options

static bool directory_is_free(const char *path, struct error *error) {
  if (!file_exists(path)) return true;
  DIR *directory = opendir(path);
  int entries = 0;
  while (directory && readdir(directory)) entries++;
  if (directory) closedir(directory);
  if (directory && entries <= 2) return true;
  return error_set(error, ERROR_USAGE,
                   "%s exists already; choose another name, remove it, or go on with the training in it with --resume", path);
}

static void find_parent(struct job *job) {
  snprintf(job->parent, sizeof job->parent, "%s", job->out ? job->out : "./x");
  size_t size = strlen(job->parent);
  while (size > 1 && job->parent[size - 1] == '/') job->parent[--size] = 0;
  char *slash = strrchr(job->parent, '/');
  if (!slash) strcpy(job->parent, ".");
  else slash[slash == job->parent] = 0;
}

static bool read_options(struct job *job, const struct qkv_train_options *options) {
  job->options = *options;
  char *path = job->config_path;
  if (options->resume > 0) {
    if (options->config)
      return error_set(job->error, ERROR_USAGE,
                       "--resume and --config contradict each other: a resumed training has its options in %s",
                       file_join(path, job->out, "training.json"));
    job->options.config = file_join(path, job->out, "training.json");
    if (!file_exists(path) && !state_exists(job->out))
      return error_set(
        job->error, ERROR_USAGE,
        "%s: there is nothing to resume; it holds neither last/state.safetensors nor training.json. If it is of a training "
        "that was stopped before it had begun, remove it and start again",
        job->out);
  } else if (job->out && !directory_is_free(job->out, job->error)) {
    return false;
  }
  if (!train_options_check(&job->options, !job->options.config, job->error)) return false;
  if (job->options.config && !train_options_read(&job->options, &job->config, &job->lists, job->error)) return false;
  return train_options_check(&job->options, true, job->error);
}

// --- The training itself

static void say_beginning(const struct job *job) {
  job_say(job, "qkv " QKV_VERSION ": %s on the %s path of %s, %d thread%s", job->kernels->dtype, job->kernels->name, cpu_name(),
          parallel_threads(), parallel_threads() == 1 ? "" : "s");
}

static void say_model(const struct job *job) {
  const struct arch *arch = &job->model->arch;
  const struct stack_arch *stack = arch->encoder.layers ? &arch->encoder : &arch->decoder;
  char layers[40];
  if (arch->encoder.layers && arch->decoder.layers)
    snprintf(layers, sizeof layers, "%d + %d", arch->encoder.layers, arch->decoder.layers);
  else snprintf(layers, sizeof layers, "%d", stack->layers);
  job_say(job, "a %s model: %s layers, %d wide, %d heads, feed-forward %d, vocabulary %d: %.1f million parameters", arch->layout,
          layers, arch->hidden, stack->heads, stack->ffn, arch->decoder.layers ? arch->target_vocab : arch->source_vocab,
          (double)model_parameters(job->model) / 1e6);
  if (strcmp(arch->layout, "qkv") == 0)
    job_say(job, "no class of transformers has this mix of knobs: it is saved as model_type qkv, which qkv alone opens");
}

static int64_t updates_per_epoch(struct job *job) {
  struct batch_plan plan = {0};
  struct batch_plan_options options = training_plan_options(&job->options);
  int64_t updates = batch_plan_make(&plan, &job->train, &options, 0, job->error) ? (int64_t)plan.update_count : -1;
  batch_plan_free(&plan);
  if (updates == 0) error_set(job->error, ERROR_FORMAT, "no line of the training text was kept; there is nothing to learn from");
  return updates;
}

static bool decide_steps(struct job *job) {
  int64_t updates = updates_per_epoch(job);
  if (updates <= 0) return false;
  struct qkv_train_options *options = &job->options;
  buffer_clear(&job->said);
  recipe_decide_steps(options, job->amount, updates, &job->said);
  job_say(job, "%s", buffer_string(&job->said));
  int64_t total = options->epochs >= 0 ? options->epochs * updates : options->max_steps;
  if (options->max_steps >= 0 && options->max_steps < total) total = options->max_steps;
  enum schedule_kind kind = SCHEDULE_INVERSE_SQRT;
  schedule_find(&kind, options->schedule);
  job->training.schedule = (struct schedule){kind, options->learning_rate, options->warmup_steps, total,
                                             options->min_learning_rate > 0 ? options->min_learning_rate : 0};
  job->training.timed = schedule_needs_total(kind) && total < 0;
  char smoothing[40] = "";
  if (options->label_smoothing >= 0) snprintf(smoothing, sizeof smoothing, "; label smoothing %g", options->label_smoothing);
  job_say(job,
          "%" PRId64 " updates an epoch of up to %" PRId64 " tokens%s; learning rate up to %g, %s after %" PRId64
          " warm-up updates; dropout %g%s",
          updates, options->batch_tokens * options->accumulate,
          job->model->arch.family == FAMILY_ENCODER_DECODER ? " on the longer side" : "", options->learning_rate,
          options->schedule, options->warmup_steps, (double)job->model->arch.dropout, smoothing);
  if (job->training.timed)
    job_say(job, "the learning rate falls over the time (--max-time): how many updates that is follows from the speed, measured "
                 "whenever a state is saved");
  return true;
}

static bool save_beginning(struct job *job) {
  char path[4096];
  return file_make_directory(job->out, job->error) && tokenizer_save(job->tokenizer, job->out, NULL, job->error) &&
         job_save_model(job, job->out) &&
         train_options_write(&job->options, file_join(path, job->out, "training.json"), job->error);
}

static bool validate(void *user, struct scores *scores) {
  struct job *job = user;
  return job->task->validate(job, scores);
}

static void show_validation(void *user) {
  const struct job *job = user;
  if (job->task->show_validation) job->task->show_validation(job);
}

static bool save_model(void *user, const char *directory) { return job_save_model(user, directory); }

size_t job_validation_tokens(const struct qkv_train_options *options) {
  return options->batch_tokens < 4096 ? (size_t)options->batch_tokens : 4096;
}

static bool prepare_training(struct job *job) {
  struct training *training = &job->training;
  const struct qkv_train_options *options = &job->options;
  if (!context_open(&job->context, job->kernels, WORK_MEMORY, job->error)) return false;
  job->context_open = true;
  if (!validation_open(&job->validation, &job->valid, job_validation_tokens(options), job->error)) return false;
  job->context.recompute = options->recompute > 0;
  training->directory = job->out;
  training->model = job->model;
  training->context = &job->context;
  training->samples = &job->train;
  training->optimizer = optimizer_defaults();
  training->optimizer.weight_decay = options->weight_decay;
  training->optimizer.clip_norm = options->clip_norm;
  if (options->beta1 >= 0) training->optimizer.beta1 = options->beta1;
  if (options->beta2 >= 0) training->optimizer.beta2 = options->beta2;
  if (options->adam_epsilon >= 0) training->optimizer.epsilon = options->adam_epsilon;
  training->user = job;
  training->validate = validate;
  training->show_validation = show_validation;
  training->save_model = save_model;
  training->curves = job->task->curves;
  training->identity = buffer_string(&job->identity);
  return model_prepare(job->model, job->kernels, true, job->error);
}

static bool start_training(struct job *job) {
  const struct qkv_train_options *options = &job->options;
  bool resumed = options->resume > 0;
  struct training *training = &job->training;
  // Stopped between training.json, the last of its first files, and its first state: it begins with these files.
  bool from_state = resumed && state_exists(job->out);
  if (!resumed && !save_beginning(job)) return false;
  if (!prepare_training(job)) return false;
  if (resumed) {
    char last[4096];
    file_remove_unfinished(job->out);
    file_remove_unfinished(file_join(last, job->out, "last"));
  }
  if (resumed && !from_state) job_say(job, "resuming at the beginning: there is no state yet");
  if (from_state) {
    if (!average_open(&training->average, (int)options->average, options->average && strcmp(options->average_of, "best") == 0,
                      average_size(job->model), job->out, job->error) ||
        !state_load(training, options->resume_anyway > 0))
      return false;
    job_say(job, "resuming after update %" PRId64, training->position.step);
  }
  training->saved_step = training->position.step;
  if (!training_open(training, from_state)) return false;
  return from_state || job_log_start(job);
}

static const char *const ends[] = {
  [END_STEPS] = "all updates are done", [END_EPOCHS] = "all epochs are done", [END_TIME] = "the time is up",
  [END_PATIENCE] = "the score has stopped rising", [END_INTERRUPTED] = "interrupted"};

static void say_scores(const struct job *job) {
  const struct scores *best = &job->training.best_scores;
  const struct training_position *position = &job->training.position;
  // The best model may be of an earlier run, of which the state keeps the loss alone.
  if (best->loss <= 0 && position->has_best)
    job_say(job, "on the validation text: loss %.3f", position->score_loss);
  if (best->loss <= 0) return;
  struct buffer text = {0};
  buffer_text(&text, "loss ");
  buffer_decimal(&text, best->loss, 3);
  size_t size = text.size;
  scores_write_text(best, true, &text);
  if (text.size > size && job->task->scored) buffer_format(&text, " (%s)", job->task->scored);
  job_say(job, "on the validation text: %s", buffer_string(&text));
  buffer_free(&text);
}

static void say_end(const struct job *job) {
  const struct training *training = &job->training;
  const struct training_position *position = &training->position;
  double seconds = position->seconds + clock_seconds() - training->started;
  char took[32];
  clock_text(took, seconds);
  job_say(job, "done (%s): %" PRId64 " updates, %.1f epochs, %.1f million tokens in %s", ends[training->end], position->step,
          (double)position->epoch + (double)position->update / (double)training->plan.update_count,
          (double)position->tokens / 1e6, took);
  if (training->averaged) job_say(job, "%s holds the mean of %" PRId64 " checkpoints", job->out, training->averaged_count);
  else job_say(job, "%s holds the model after update %" PRId64, job->out, position->best_step);
  say_scores(job);
  job->task->say_text(job);
  job->task->say_next(job);
}

static bool train(struct job *job) {
  if (!start_training(job) || !training_run(&job->training)) return false;
  if (job->training.end == END_INTERRUPTED)
    return error_set(job->error, ERROR_INTERRUPTED,
                     "interrupted after update %" PRId64 "; the state is saved, and `qkv train %s --resume` goes on",
                     job->training.position.step, job->out);
  say_end(job);
  return true;
}

// --- Putting it together

static void set_up(struct job *job, const char *out, const struct qkv_train_listener *listener, struct error *error) {
  *job = (struct job){.out = out, .error = error};
  generation_defaults_init(&job->generation);
  job->training.error = error;
  job->training.listener = listener;
  job->training.options = &job->options;
  for (int head = 0; head < TARGET_HEADS; head++) job->training.weights[head] = 1;
  find_parent(job);
}

static bool choose_task(struct job *job) {
  job->task = task_find(job->options.task);
  job->state = memory_new(job->error, 1, job->task->state_size);
  return job->state != NULL;
}

static bool choose_kernels(struct job *job) {
  enum precision precision = PRECISION_AUTO;
  if (job->options.dtype && !precision_read(&precision, job->options.dtype, job->error)) return false;
  job->kernels = cpu_kernels(precision, job->error);
  return job->kernels != NULL;
}

// Everything up to the samples, the same for training and for showing a batch.
static bool get_ready(struct job *job, const struct qkv_train_options *options) {
  if (!read_options(job, options) || !choose_task(job) || !choose_kernels(job) || !job->task->open_text(job)) return false;
  say_beginning(job);
  recipe_decide(&job->options, job->amount, &job->said);
  job_say(job, "%s", buffer_string(&job->said));
  if (!job_get_tokenizer(job) || !job_get_model(job) || !job->task->read_samples(job)) return false;
  say_model(job);
  job->task->say_text(job);
  struct forecast forecast;
  if (!forecast_fit(job, &forecast) || !decide_steps(job)) return false;
  forecast_say(job, &forecast);
  return job_make_identity(job);
}

static void tear_down(struct job *job) {
  training_close(&job->training);
  validation_close(&job->validation);
  if (job->context_open) context_close(&job->context);
  if (job->state) job->task->close(job);
  free(job->state);
  if (job->checkpoint.model) checkpoint_close(&job->checkpoint);
  else if (job->model) model_free(job->model);
  generation_defaults_free(&job->generation);
  labels_free(&job->labels);
  tokenizer_free(job->tokenizer);
  buffer_free(&job->said);
  buffer_free(&job->identity);
  train_options_free_lists(&job->lists);
  cJSON_Delete(job->config);
}

bool job_run(const char *out, const struct qkv_train_options *options, const struct qkv_train_listener *listener,
             struct error *error) {
  struct job job;
  set_up(&job, out, listener, error);
  bool ok = get_ready(&job, options) && train(&job);
  tear_down(&job);
  return ok;
}

// Line ends and tabs would tear the line.
static void show_token(struct buffer *out, const char *token) {
  for (; *token; token++) {
    const char *found = strchr("\nn\tt\rr", *token);
    if (found && (unsigned char)*token < ' ') buffer_char(out, '\\'), buffer_char(out, found[1]);
    else buffer_char(out, *token);
  }
}

void job_show_tokens(const struct job *job, struct buffer *out, const char *name, const int32_t *ids, int count) {
  buffer_format(out, "  %-8s", name);
  for (int i = 0; i < count; i++) {
    const char *token = tokenizer_token(job->tokenizer, ids[i]);
    buffer_char(out, ' ');
    if (ids[i] < 0) {
      buffer_char(out, '-');
      continue;
    }
    show_token(out, token ? token : "?");
    buffer_format(out, "/%d", (int)ids[i]);
  }
  buffer_char(out, '\n');
}

static bool show_first_batch(struct job *job, struct buffer *text) {
  struct batch_plan plan = {0};
  struct batch_plan_options options = training_plan_options(&job->options);
  const struct batch *batch = NULL;
  if (batch_plan_make(&plan, &job->train, &options, 0, job->error)) {
    struct batch_list list = batch_plan_batch(&plan, 0);
    batch = job->train.fill(job->train.user, 0, list.samples, list.count, job->error);
  }
  if (batch) job->task->show_batch(job, batch, text);
  batch_plan_free(&plan);
  return batch && buffer_check(text, job->error);
}

bool job_show_batch(struct buffer *text, const struct qkv_train_options *options, struct error *error) {
  struct job job;
  set_up(&job, NULL, NULL, error);
  bool ok = options->resume <= 0 || error_set(error, ERROR_USAGE, "--show-batch and --resume contradict each other");
  ok = ok && get_ready(&job, options) && show_first_batch(&job, text);
  tear_down(&job);
  return ok;
}
