#include "train/translation_task.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parallel.h"
#include "cpu/cpu.h"
#include "train/recipe.h"
#include "train/state.h"
#include "train/translation_job.h"

static const size_t WORK_MEMORY = (size_t)1 << 36;  // of addresses; only what is touched becomes real

static bool has_valid(const struct translation_job *job) { return job->options.valid.count > 0; }

// --- Options and text

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

static void find_parent(struct translation_job *job) {
  snprintf(job->parent, sizeof job->parent, "%s", job->out ? job->out : "./x");
  size_t size = strlen(job->parent);
  while (size > 1 && job->parent[size - 1] == '/') job->parent[--size] = 0;
  char *slash = strrchr(job->parent, '/');
  if (!slash) strcpy(job->parent, ".");
  else slash[slash == job->parent] = 0;
}

static bool read_options(struct translation_job *job, const struct qkv_train_options *options) {
  job->options = *options;
  char *path = job->config_path;
  if (options->resume > 0) {
    if (options->config)
      return error_set(job->error, ERROR_USAGE,
                       "--resume and --config contradict each other: a resumed training has its options in %s",
                       file_join(path, job->out, "training.json"));
    if (!state_exists(job->out))
      return error_set(job->error, ERROR_USAGE, "%s: there is nothing to resume; it holds no last/state.safetensors", job->out);
    job->options.config = file_join(path, job->out, "training.json");
  } else if (job->out && !directory_is_free(job->out, job->error)) {
    return false;
  }
  if (!train_options_check(&job->options, !job->options.config, job->error)) return false;
  if (job->options.config && !train_options_read(&job->options, &job->config, &job->lists, job->error)) return false;
  return train_options_check(&job->options, true, job->error);
}

static bool open_text(struct translation_job *job) {
  const struct qkv_train_options *options = &job->options;
  if (!parallel_text_open(&job->train_text, options->train.items, options->train.count, job->error)) return false;
  return !has_valid(job) || parallel_text_open(&job->valid_text, options->valid.items, options->valid.count, job->error);
}

// --- The training itself

static void say_beginning(const struct translation_job *job) {
  const struct training *training = &job->training;
  training_say(training, QKV_TRAIN_NOTE, "qkv " QKV_VERSION ": %s on the %s path of %s, %d thread%s", job->kernels->dtype,
               job->kernels->name, cpu_name(), parallel_threads(), parallel_threads() == 1 ? "" : "s");
}

static void say_model(const struct translation_job *job) {
  const struct arch *arch = &job->model->arch;
  training_say(&job->training, QKV_TRAIN_NOTE,
               "a %s model: %d + %d layers, %d wide, %d heads, feed-forward %d, vocabulary %d: %.1f million parameters",
               arch->layout, arch->encoder.layers, arch->decoder.layers, arch->hidden, arch->encoder.heads, arch->encoder.ffn,
               arch->target_vocab, (double)model_parameters(job->model) / 1e6);
  if (strcmp(arch->layout, "qkv") == 0)
    training_say(&job->training, QKV_TRAIN_NOTE, "no class of transformers has this mix of knobs: it is saved as model_type qkv, which qkv alone opens");
}

static int64_t updates_per_epoch(struct translation_job *job) {
  struct batch_plan plan = {0};
  struct batch_plan_options options = {.seed = (uint64_t)job->options.seed, .batch_tokens = (size_t)job->options.batch_tokens,
                                       .window = TRAINING_WINDOW, .shuffled = true, .accumulate = (int)job->options.accumulate};
  int64_t updates = batch_plan_make(&plan, &job->train, &options, 0, job->error) ? (int64_t)plan.update_count : -1;
  batch_plan_free(&plan);
  if (updates == 0) error_set(job->error, ERROR_FORMAT, "no line of the training text was kept; there is nothing to learn from");
  return updates;
}

static bool decide_steps(struct translation_job *job) {
  int64_t updates = updates_per_epoch(job);
  if (updates <= 0) return false;
  struct qkv_train_options *options = &job->options;
  buffer_clear(&job->said);
  recipe_decide_steps(options, job->train_text.lines, updates, &job->said);
  training_say(&job->training, QKV_TRAIN_NOTE, "%s", buffer_string(&job->said));
  int64_t total = options->epochs >= 0 ? options->epochs * updates : options->max_steps;
  if (options->max_steps >= 0 && options->max_steps < total) total = options->max_steps;
  enum schedule_kind kind = SCHEDULE_INVERSE_SQRT;
  schedule_find(&kind, options->schedule);
  job->training.schedule = (struct schedule){kind, options->learning_rate, options->warmup_steps, total};
  training_say(&job->training, QKV_TRAIN_NOTE,
               "%" PRId64 " updates an epoch of up to %" PRId64
               " tokens on the longer side; learning rate up to %g, %s after %" PRId64
               " warm-up updates; dropout %g; label smoothing %g",
               updates, options->batch_tokens * options->accumulate, options->learning_rate, options->schedule,
               options->warmup_steps, options->dropout, options->label_smoothing);
  return true;
}

static bool save_beginning(struct translation_job *job) {
  char path[4096];
  return file_make_directory(job->out, job->error) && tokenizer_save(job->tokenizer, job->out, NULL, job->error) &&
         translation_job_save_model(job, job->model, job->out, job->error) &&
         train_options_write(&job->options, file_join(path, job->out, "training.json"), job->error);
}

static bool prepare_training(struct translation_job *job) {
  struct training *training = &job->training;
  const struct qkv_train_options *options = &job->options;
  if (!context_open(&job->context, job->kernels, WORK_MEMORY, job->error)) return false;
  job->context_open = true;
  size_t batch_tokens = options->batch_tokens < 4096 ? (size_t)options->batch_tokens : 4096;
  const struct arch *arch = &job->model->arch;
  if (!validation_open(&job->validation, &job->valid, translation_job_valid_text(job), arch->decoder_start_id, batch_tokens,
                       job->error))
    return false;
  if (!valid_translator_open(&job->translator, &job->valid, job->tokenizer, arch, job->error)) return false;
  if (strcmp(options->metric, "loss") != 0)
    job->validation.translator = (struct translator){&job->translator, valid_translator_run};
  training->directory = job->out;
  training->model = job->model;
  training->context = &job->context;
  training->corpus = &job->train;
  training->validation = &job->validation;
  training->optimizer = optimizer_defaults();
  training->optimizer.weight_decay = options->weight_decay;
  training->optimizer.clip_norm = options->clip_norm;
  training->user = job;
  training->save_model = translation_job_save_model;
  training->identity = buffer_string(&job->identity);
  return model_prepare(job->model, job->kernels, true, job->error);
}

static bool start_training(struct translation_job *job) {
  const struct qkv_train_options *options = &job->options;
  bool resumed = options->resume > 0;
  struct training *training = &job->training;
  if (!resumed && !save_beginning(job)) return false;
  if (!prepare_training(job)) return false;
  if (resumed) {
    if (!average_open(&training->average, (int)options->average, options->average && strcmp(options->average_of, "best") == 0,
                      average_size(job->model), job->out, job->error) ||
        !state_load(training, options->resume_anyway > 0))
      return false;
    training_say(training, QKV_TRAIN_NOTE, "resuming after update %" PRId64, training->position.step);
  }
  if (!training_open(training, resumed)) return false;
  return resumed || translation_job_log_start(job);
}

static const char *const ends[] = {
  [END_STEPS] = "all updates are done", [END_EPOCHS] = "all epochs are done", [END_TIME] = "the time is up",
  [END_PATIENCE] = "the score has stopped rising", [END_INTERRUPTED] = "interrupted"};

static void say_end(const struct translation_job *job) {
  const struct training *training = &job->training;
  const struct training_position *position = &training->position;
  double seconds = position->seconds + clock_seconds() - training->started;
  char took[32], score[64] = "";
  clock_text(took, seconds);
  const struct validation_scores *best = &training->best_scores;
  if (best->translated) snprintf(score, sizeof score, ", BLEU %.2f, chrF %.2f (greedy)", best->bleu, best->chrf);
  training_say(training, QKV_TRAIN_NOTE, "done (%s): %" PRId64 " updates, %.1f epochs, %.1f million tokens in %s",
               ends[training->end], position->step,
               (double)position->epoch + (double)position->update / (double)training->plan.update_count,
               (double)position->tokens / 1e6, took);
  if (training->averaged)
    training_say(training, QKV_TRAIN_NOTE, "%s holds the mean of %" PRId64 " checkpoints", job->out, training->averaged_count);
  else
    training_say(training, QKV_TRAIN_NOTE, "%s holds the model after update %" PRId64, job->out, position->best_step);
  if (best->loss > 0) training_say(training, QKV_TRAIN_NOTE, "on the validation text: loss %.3f%s", best->loss, score);
  translation_job_say_corpora(job);
  training_say(training, QKV_TRAIN_NOTE, "next:\n  qkv translate %s FILE\n  qkv eval %s SOURCE TARGET", job->out, job->out);
}

static bool train(struct translation_job *job) {
  if (!start_training(job) || !training_run(&job->training)) return false;
  if (job->training.end == END_INTERRUPTED)
    return error_set(job->error, ERROR_INTERRUPTED,
                     "interrupted after update %" PRId64 "; the state is saved, and `qkv train %s --resume` goes on",
                     job->training.position.step, job->out);
  say_end(job);
  return true;
}

// --- Putting it together

static void set_up(struct translation_job *job, const char *out, const struct qkv_train_listener *listener, struct error *error) {
  *job = (struct translation_job){.out = out, .error = error};
  generation_defaults_init(&job->generation);
  job->training.error = error;
  job->training.listener = listener;
  job->training.options = &job->options;
  find_parent(job);
}

static bool choose_kernels(struct translation_job *job) {
  enum precision precision = PRECISION_AUTO;
  if (job->options.dtype && !precision_read(&precision, job->options.dtype, job->error)) return false;
  job->kernels = cpu_kernels(precision, job->error);
  return job->kernels != NULL;
}

// Everything up to the corpora, the same for training and for showing a batch.
static bool get_ready(struct translation_job *job, const struct qkv_train_options *options) {
  if (!read_options(job, options) || !choose_kernels(job) || !open_text(job)) return false;
  say_beginning(job);
  recipe_decide(&job->options, job->train_text.lines, &job->said);
  training_say(&job->training, QKV_TRAIN_NOTE, "%s", buffer_string(&job->said));
  if (!translation_job_get_tokenizer(job) || !translation_job_get_model(job) || !translation_job_read_corpora(job)) return false;
  say_model(job);
  translation_job_say_corpora(job);
  return decide_steps(job) && translation_job_make_identity(job);
}

static void tear_down(struct translation_job *job) {
  training_close(&job->training);
  validation_close(&job->validation);
  valid_translator_close(&job->translator);
  if (job->context_open) context_close(&job->context);
  corpus_close(&job->train);
  corpus_close(&job->valid);
  if (job->checkpoint.model) checkpoint_close(&job->checkpoint);
  else if (job->model) model_free(job->model);
  generation_defaults_free(&job->generation);
  tokenizer_free(job->tokenizer);
  parallel_text_close(&job->train_text);
  parallel_text_close(&job->valid_text);
  buffer_free(&job->said);
  buffer_free(&job->identity);
  train_options_free_lists(&job->lists);
  cJSON_Delete(job->config);
}

bool translation_task_run(const char *out, const struct qkv_train_options *options, const struct qkv_train_listener *listener,
                          struct error *error) {
  struct translation_job job;
  set_up(&job, out, listener, error);
  bool ok = get_ready(&job, options) && train(&job);
  tear_down(&job);
  return ok;
}

// --- --show-batch

static void show_side(struct buffer *out, const struct translation_job *job, const char *name, const int32_t *ids, int count) {
  buffer_format(out, "  %-8s", name);
  for (int i = 0; i < count; i++) {
    const char *token = tokenizer_token(job->tokenizer, ids[i]);
    buffer_format(out, " %s/%d", token ? token : "?", (int)ids[i]);
  }
  buffer_char(out, '\n');
}

static void show_batch(struct buffer *out, const struct translation_job *job, const struct translation_batch *filled) {
  const struct batch *batch = &filled->batch;
  buffer_format(out, "the first batch: %d pairs, %d source and %d target tokens, %d to be learnt; nothing is padded\n",
                batch->sequences, batch->source.rows, batch->target.rows, batch->label_count);
  for (int i = 0; i < batch->sequences; i++) {
    const struct span *source = &batch->source.spans[i], *target = &batch->target.spans[i];
    uint64_t place = batch->lines[i];
    buffer_format(out, "%s:%" PRIu64 ", rows %d to %d of the encoder, %d to %d of the decoder\n",
                  job->train.paths[place_file(place)], place_line(place), source->q0, source->q0 + source->qn - 1, target->q0,
                  target->q0 + target->qn - 1);
    show_side(out, job, "source", batch->source.ids + source->q0, source->qn);
    show_side(out, job, "input", batch->target.ids + target->q0, target->qn);
    show_side(out, job, "learnt", batch->labels + target->q0, target->qn);
  }
}

bool translation_task_show_batch(struct buffer *text, const struct qkv_train_options *options, struct error *error) {
  struct translation_job job;
  struct batch_plan plan = {0};
  struct translation_batch batch = {0};
  set_up(&job, NULL, NULL, error);
  bool ok = options->resume <= 0 || error_set(error, ERROR_USAGE, "--show-batch and --resume contradict each other");
  ok = ok && get_ready(&job, options);
  struct batch_plan_options wanted = {.seed = (uint64_t)job.options.seed, .batch_tokens = (size_t)job.options.batch_tokens,
                                      .window = TRAINING_WINDOW, .shuffled = true, .accumulate = (int)job.options.accumulate};
  ok = ok && batch_plan_make(&plan, &job.train, &wanted, 0, error);
  struct batch_list list = ok ? batch_plan_batch(&plan, 0) : (struct batch_list){0};
  ok = ok &&
       translation_batch_from_corpus(&batch, &job.train, list.samples, list.count, job.model->arch.decoder_start_id, error);
  if (ok) show_batch(text, &job, &batch);
  translation_batch_free(&batch);
  batch_plan_free(&plan);
  tear_down(&job);
  return ok && buffer_check(text, error);
}
