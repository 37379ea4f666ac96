#include "train/translation_task.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parallel.h"
#include "cpu/cpu.h"
#include "hf/checkpoint.h"
#include "text/learn.h"
#include "train/recipe.h"
#include "train/state.h"
#include "train/train_options.h"
#include "train/valid_translator.h"

static const size_t WORK_MEMORY = (size_t)1 << 36;  // of addresses; only what is touched becomes real
static const double HELD_OUT = 0.01;
enum { BEAMS = 5 };
static const size_t HELD_OUT_MOST = 2000;           // lines, so that validating a large corpus stays short

struct task {
  struct qkv_train_options options;
  cJSON *config;                      // owns texts of the options
  struct train_option_lists lists;
  const char *out;
  char parent[4096];                  // where temporary files go before OUT exists
  const struct kernels *kernels;
  struct error *error;
  struct parallel_text train_text, valid_text;
  struct tokenizer *tokenizer;
  struct checkpoint checkpoint;       // of --from, or of OUT when resuming
  struct model *model;                // ours, or the checkpoint's
  struct generation_defaults generation;  // of a new model
  struct corpus train, valid;
  struct buffer said, identity;
  struct validation validation;
  struct valid_translator translator;
  struct training training;
  struct context context;
  bool context_open;
};

static bool has_valid(const struct task *task) { return task->options.valid.count > 0; }

static const struct parallel_text *text_of_valid(const struct task *task) {
  return has_valid(task) ? &task->valid_text : &task->train_text;
}

static double held_out(const struct task *task) {
  if (has_valid(task)) return 0;
  double most = (double)HELD_OUT_MOST / (double)task->train_text.lines;
  return most < HELD_OUT ? most : HELD_OUT;
}

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

static void find_parent(struct task *task) {
  snprintf(task->parent, sizeof task->parent, "%s", task->out ? task->out : "./x");
  size_t size = strlen(task->parent);
  while (size > 1 && task->parent[size - 1] == '/') task->parent[--size] = 0;
  char *slash = strrchr(task->parent, '/');
  if (!slash) strcpy(task->parent, ".");
  else slash[slash == task->parent] = 0;
}

static bool read_options(struct task *task, const struct qkv_train_options *options) {
  task->options = *options;
  static _Thread_local char path[4096];  // of the options, until the task is done
  if (options->resume > 0) {
    if (options->config)
      return error_set(task->error, ERROR_USAGE,
                       "--resume and --config contradict each other: a resumed training has its options in %s",
                       file_join(path, task->out, "training.json"));
    if (!state_exists(task->out))
      return error_set(task->error, ERROR_USAGE, "%s: there is nothing to resume; it holds no last/state.safetensors", task->out);
    task->options.config = file_join(path, task->out, "training.json");
  } else if (task->out && !directory_is_free(task->out, task->error)) {
    return false;
  }
  if (!train_options_check(&task->options, !task->options.config, task->error)) return false;
  if (task->options.config && !train_options_read(&task->options, &task->config, &task->lists, task->error)) return false;
  return train_options_check(&task->options, true, task->error);
}

static bool open_text(struct task *task) {
  const struct qkv_train_options *options = &task->options;
  if (!parallel_text_open(&task->train_text, options->train.items, options->train.count, task->error)) return false;
  return !has_valid(task) || parallel_text_open(&task->valid_text, options->valid.items, options->valid.count, task->error);
}

// --- Tokenizer

struct line_source {
  const struct parallel_text *text;
  double held_out;
  size_t file, line;
  bool target;
};

// Source and target alternate, so that the vocabulary learns from both sides alike.
static bool next_line(void *data, const char **line, size_t *size, struct error *error) {
  struct line_source *at = data;
  while (at->file < at->text->count) {
    const struct line_file *source = &at->text->sources[at->file], *target = &at->text->targets[at->file];
    if (at->line >= source->count) {
      at->file++;
      at->line = 0;
      continue;
    }
    struct text_line text = line_file_get(source, at->line);
    bool wanted = at->held_out <= 0 || !parallel_text_held_out(text, at->held_out);
    if (at->target) text = line_file_get(target, at->line);
    at->line += at->target;
    at->target = !at->target;
    if (!wanted) continue;
    *line = text.text;
    *size = text.size;
    return true;
  }
  return false;
}

static bool learn_tokenizer(struct task *task) {
  const struct qkv_train_options *options = &task->options;
  bool pegasus = strcmp(options->family, "pegasus") == 0;
  struct tokenizer_options wanted = pegasus ? tokenizer_options_pegasus() : tokenizer_options_marian();
  wanted.vocab_size = (size_t)options->vocab_size;
  wanted.lowercase = options->lowercase > 0;
  wanted.model_max_length = (size_t)options->max_length;
  struct line_source source = {.text = &task->train_text, .held_out = held_out(task)};
  double start = clock_seconds();
  task->tokenizer = tokenizer_learn(&wanted, next_line, &source, task->error);
  if (!task->tokenizer) return false;
  char took[32];
  training_say(&task->training, QKV_TRAIN_NOTE, "a vocabulary of %zu pieces, shared by both languages, learnt in %s",
               tokenizer_size(task->tokenizer), clock_text(took, clock_seconds() - start));
  return true;
}

static bool get_tokenizer(struct task *task) {
  const struct qkv_train_options *options = &task->options;
  const char *place = options->resume > 0 ? task->out : options->from ? options->from : options->tokenizer;
  if (!place) return learn_tokenizer(task);
  task->tokenizer = tokenizer_open(place, task->error);
  return task->tokenizer != NULL;
}

// --- Model

static enum activation activation_named(const char *name) {
  static const char *const names[] = {[ACTIVATION_RELU] = "relu",
                                      [ACTIVATION_GELU] = "gelu",
                                      [ACTIVATION_GELU_TANH] = "gelu-tanh",
                                      [ACTIVATION_SILU] = "silu",
                                      [ACTIVATION_TANH] = "tanh"};
  for (int i = ACTIVATION_RELU; i <= ACTIVATION_TANH; i++)
    if (strcmp(names[i], name) == 0) return (enum activation)i;
  return ACTIVATION_RELU;
}

static int wanted_id(const struct task *task, const char *what, int32_t id, const char *token, struct error *error) {
  if (id < 0) id = tokenizer_id(task->tokenizer, token);
  if (id < 0)
    error_set(error, ERROR_FORMAT, "%s: the tokenizer has no %s token, which a translator needs", task->options.tokenizer, what);
  return id;
}

static bool set_ids(const struct task *task, struct arch *arch) {
  struct special_ids ids = tokenizer_special_ids(task->tokenizer);
  arch->bos_id = ids.begin;
  arch->eos_id = wanted_id(task, "end", ids.end, "</s>", task->error);
  arch->unk_id = ids.unknown;
  arch->pad_id = wanted_id(task, "padding", ids.padding, "<pad>", task->error);
  arch->decoder_start_id = arch->pad_id;
  arch->forced_eos_id = arch->eos_id;
  return task->error->code == ERROR_NONE;
}

static bool describe_model(const struct task *task, struct arch *arch) {
  const struct qkv_train_options *options = &task->options;
  bool pegasus = strcmp(options->family, "pegasus") == 0;
  int vocabulary = (int)tokenizer_size(task->tokenizer);
  *arch = (struct arch){.family = FAMILY_ENCODER_DECODER,
                        .hidden = (int)options->hidden,
                        .source_vocab = vocabulary,
                        .target_vocab = vocabulary,
                        .norm = NORM_LAYER,
                        .norm_place = pegasus ? NORM_PRE : NORM_POST,
                        .norm_epsilon = 1e-5f,
                        .final_norm = pegasus,
                        .residual = true,
                        .positions = POSITIONS_SINUSOID,
                        .max_positions = options->max_length > 512 ? (int)options->max_length : 512,
                        .embedding_scale = (float)sqrt((double)options->hidden),
                        .activation = activation_named(options->activation),
                        .attention_bias = true,
                        .ffn_bias = true,
                        .head_bias = true,
                        .shared_embeddings = true,
                        .tied_head = true};
  snprintf(arch->layout, sizeof arch->layout, "%s", options->family);
  arch->encoder = (struct stack_arch){(int)options->encoder_layers, (int)options->heads, (int)options->heads, (int)options->ffn};
  arch->decoder = (struct stack_arch){(int)options->decoder_layers, (int)options->heads, (int)options->heads, (int)options->ffn};
  return set_ids(task, arch) && arch_check(arch, task->error);
}

static bool make_model(struct task *task) {
  struct arch arch;
  if (!describe_model(task, &arch)) return false;
  task->model = model_new(&arch, task->error);
  return task->model && model_initialise(task->model, (uint64_t)task->options.seed, task->error);
}

static bool get_model(struct task *task) {
  struct qkv_train_options *options = &task->options;
  const char *place = options->resume > 0 ? task->out : options->from;
  if (!place && !make_model(task)) return false;
  if (place && !checkpoint_open(place, &task->checkpoint, task->error)) return false;
  if (place) task->model = task->checkpoint.model;
  struct arch *arch = &task->model->arch;
  if (arch->family != FAMILY_ENCODER_DECODER)
    return error_set(task->error, ERROR_UNSUPPORTED, "%s: it is a %s model; --task translation needs an encoder and a decoder",
                     place, arch->layout);
  if (options->dropout < 0) options->dropout = arch->dropout;
  if (options->attention_dropout < 0) options->attention_dropout = arch->attention_dropout;
  if (options->activation_dropout < 0) options->activation_dropout = arch->activation_dropout;
  arch->dropout = (float)options->dropout;
  arch->attention_dropout = (float)options->attention_dropout;
  arch->activation_dropout = (float)options->activation_dropout;
  if (arch->positions != POSITIONS_NONE && options->max_length > arch->max_positions)
    return error_set(task->error, ERROR_USAGE, "--max-length is %" PRId64 ", but the model has only %d positions",
                     options->max_length, arch->max_positions);
  return true;
}

// How a new model is to be searched unless somebody says otherwise: with the beam that translations are measured with.
static bool decide_generation(struct task *task) {
  if (task->checkpoint.model) return true;
  if (!generation_defaults_from_arch(&task->generation, &task->model->arch, task->error)) return false;
  task->generation.num_beams = BEAMS;
  return true;
}

static bool save_model(void *user, const struct model *model, const char *directory, struct error *error) {
  const struct task *task = user;
  bool old = task->checkpoint.model;
  struct checkpoint_saving saving = {.type = TYPE_F32, .config = task->checkpoint.config,
                                     .generation = old ? &task->checkpoint.generation : &task->generation};
  // A copy beside OUT's own model is a model directory too.
  if (strcmp(directory, task->out) != 0 &&
      (!file_make_directory(directory, error) || !tokenizer_save(task->tokenizer, directory, NULL, error)))
    return false;
  return checkpoint_save(directory, model, &saving, error);
}

// --- Corpora

static bool read_corpora(struct task *task) {
  const struct qkv_train_options *options = &task->options;
  const struct arch *arch = &task->model->arch;
  struct corpus_options wanted = {.tokenizer = task->tokenizer, .eos_id = arch->eos_id, .source_vocab = arch->source_vocab,
                                  .target_vocab = arch->target_vocab, .max_tokens = (size_t)options->max_length,
                                  .cut_long = strcmp(options->on_long, "cut") == 0, .held_out = held_out(task),
                                  .fingerprints = true, .directory = task->parent};
  if (options->max_length > options->batch_tokens)
    return error_set(task->error, ERROR_USAGE,
                     "--max-length %" PRId64 " is more than --batch-tokens %" PRId64
                     ": the longest pair would not fit into a batch",
                     options->max_length, options->batch_tokens);
  struct corpus_options valid = wanted;
  valid.part = has_valid(task) ? PART_ALL : PART_HELD_OUT;
  // Validation text is never dropped for its length: that would make scores incomparable.
  valid.cut_long = true;
  if (!corpus_read(&task->valid, text_of_valid(task), &valid, task->error)) return false;
  if (task->valid.count == 0)
    return error_set(task->error, ERROR_FORMAT, "%s; give --valid SOURCE TARGET",
                     has_valid(task) ? "no line of the validation text was kept"
                                     : "the 1 % that is held out for validation is no line at all");
  wanted.part = has_valid(task) ? PART_ALL : PART_KEPT;
  wanted.fingerprints = false;
  wanted.compare = &task->valid;
  return corpus_read(&task->train, &task->train_text, &wanted, task->error);
}

static void say_ledger(const struct task *task, const char *name, const struct corpus *corpus) {
  struct buffer text = {0};
  buffer_format(&text, "%s: %" PRIu64 " pairs read, %" PRIu64 " kept, %" PRIu64 " source and %" PRIu64 " target tokens\n", name,
                corpus->ledger.read, corpus->ledger.kept, corpus->source_tokens, corpus->target_tokens);
  ledger_write_text(&corpus->ledger, &text, corpus->paths, 5);
  training_say(&task->training, QKV_TRAIN_NOTE, "%s", buffer_string(&text));
  buffer_free(&text);
}

static void say_corpora(const struct task *task) {
  say_ledger(task, "training text", &task->train);
  say_ledger(task, "validation text", &task->valid);
  if (!has_valid(task))
    training_say(&task->training, QKV_TRAIN_NOTE, "without --valid, %" PRIu64 " of the lines were held out for validation",
                 task->train.ledger.held_out);
  uint64_t same = task->train.ledger.entries[LEDGER_IN_VALID].count;
  if (same)
    error_warn(task->error,
               "%" PRIu64
               " pairs of the training text also stand in the validation text; its scores look better than "
               "they are",
               same);
}

static bool log_start(struct task *task) {
  struct buffer line = {0};
  cJSON *options = train_options_json(&task->options, task->error);
  char *printed = options ? cJSON_PrintUnformatted(options) : NULL;
  buffer_format(&line,
                "{\"event\":\"start\",\"version\":\"" QKV_VERSION
                "\",\"processor_path\":\"%s\",\"threads\":%d,\"parameters\":%zu,"
                "\"options\":%s}",
                task->kernels->name, parallel_threads(), model_parameters(task->model), printed ? printed : "null");
  buffer_text(&line, "\n{\"event\":\"ledger\",\"train\":");
  ledger_write_json(&task->train.ledger, &line, task->train.paths);
  buffer_text(&line, ",\"valid\":");
  ledger_write_json(&task->valid.ledger, &line, task->valid.paths);
  buffer_char(&line, '}');
  bool ok = printed && buffer_check(&line, task->error) &&
            training_log_line(&task->training.log, buffer_string(&line), task->error);
  free(printed);
  cJSON_Delete(options);
  buffer_free(&line);
  return ok;
}

// --- Identity of a state

static void add_fingerprint(cJSON *identity, const char *name, const struct corpus *corpus) {
  struct text_line all = {(const char *)corpus->tokens,
                          (size_t)(corpus->source_tokens + corpus->target_tokens) * sizeof(int32_t)};
  struct text_line places = {(const char *)corpus->samples, corpus->count * sizeof *corpus->samples};
  char text[40];
  snprintf(text, sizeof text, "%zu pairs, %016" PRIx64, corpus->count, text_fingerprint(text_fingerprint(0, all), places));
  cJSON_AddStringToObject(identity, name, text);
}

// What may change between the runs of one training without changing the result for the updates that both do.
static const char *const changeable[] = {"train", "valid", "max_time", "patience", "keep_every", "from"};

static bool make_identity(struct task *task) {
  cJSON *identity = train_options_json(&task->options, task->error);
  if (!identity) return false;
  for (size_t i = 0; i < sizeof changeable / sizeof *changeable; i++)
    cJSON_DeleteItemFromObjectCaseSensitive(identity, changeable[i]);
  if (!schedule_needs_total(task->training.schedule.kind)) {
    cJSON_DeleteItemFromObjectCaseSensitive(identity, "max_steps");
    cJSON_DeleteItemFromObjectCaseSensitive(identity, "epochs");
  }
  add_fingerprint(identity, "training_text", &task->train);
  add_fingerprint(identity, "validation_text", &task->valid);
  cJSON_AddStringToObject(identity, "processor_path", task->kernels->name);
  cJSON_AddStringToObject(identity, "version", QKV_VERSION);
  char *printed = cJSON_PrintUnformatted(identity);
  if (printed) buffer_text(&task->identity, printed);
  else error_memory(task->error, 0);
  free(printed);
  cJSON_Delete(identity);
  return task->error->code == ERROR_NONE && buffer_check(&task->identity, task->error);
}

// --- The training itself

static void say_beginning(const struct task *task) {
  const struct training *training = &task->training;
  training_say(training, QKV_TRAIN_NOTE, "qkv " QKV_VERSION ": f32 on the %s path of %s, %d thread%s", task->kernels->name,
               cpu_name(), parallel_threads(), parallel_threads() == 1 ? "" : "s");
}

static void say_model(const struct task *task) {
  const struct arch *arch = &task->model->arch;
  training_say(&task->training, QKV_TRAIN_NOTE,
               "a %s model: %d + %d layers, %d wide, %d heads, feed-forward %d, vocabulary %d: %.1f million parameters",
               arch->layout, arch->encoder.layers, arch->decoder.layers, arch->hidden, arch->encoder.heads, arch->encoder.ffn,
               arch->target_vocab, (double)model_parameters(task->model) / 1e6);
}

static int64_t updates_per_epoch(struct task *task) {
  struct batch_plan plan = {0};
  struct batch_plan_options options = {.seed = (uint64_t)task->options.seed, .batch_tokens = (size_t)task->options.batch_tokens,
                                       .window = TRAINING_WINDOW, .shuffled = true, .accumulate = (int)task->options.accumulate};
  int64_t updates = batch_plan_make(&plan, &task->train, &options, 0, task->error) ? (int64_t)plan.update_count : -1;
  batch_plan_free(&plan);
  if (updates == 0) error_set(task->error, ERROR_FORMAT, "no line of the training text was kept; there is nothing to learn from");
  return updates;
}

static bool decide_steps(struct task *task) {
  int64_t updates = updates_per_epoch(task);
  if (updates <= 0) return false;
  struct qkv_train_options *options = &task->options;
  buffer_clear(&task->said);
  recipe_decide_steps(options, task->train_text.lines, updates, &task->said);
  training_say(&task->training, QKV_TRAIN_NOTE, "%s", buffer_string(&task->said));
  int64_t total = options->epochs >= 0 ? options->epochs * updates : options->max_steps;
  if (options->max_steps >= 0 && options->max_steps < total) total = options->max_steps;
  enum schedule_kind kind = SCHEDULE_INVERSE_SQRT;
  schedule_find(&kind, options->schedule);
  task->training.schedule = (struct schedule){kind, options->learning_rate, options->warmup_steps, total};
  training_say(&task->training, QKV_TRAIN_NOTE,
               "%" PRId64 " updates an epoch of up to %" PRId64
               " tokens on the longer side; learning rate up to %g, %s after %" PRId64
               " warm-up updates; dropout %g; label smoothing %g",
               updates, options->batch_tokens * options->accumulate, options->learning_rate, options->schedule,
               options->warmup_steps, options->dropout, options->label_smoothing);
  return true;
}

static bool save_beginning(struct task *task) {
  char path[4096];
  return file_make_directory(task->out, task->error) && tokenizer_save(task->tokenizer, task->out, NULL, task->error) &&
         save_model(task, task->model, task->out, task->error) &&
         train_options_write(&task->options, file_join(path, task->out, "training.json"), task->error);
}

static bool prepare_training(struct task *task) {
  struct training *training = &task->training;
  const struct qkv_train_options *options = &task->options;
  if (!context_open(&task->context, task->kernels, WORK_MEMORY, task->error)) return false;
  task->context_open = true;
  size_t batch_tokens = options->batch_tokens < 4096 ? (size_t)options->batch_tokens : 4096;
  const struct arch *arch = &task->model->arch;
  if (!validation_open(&task->validation, &task->valid, text_of_valid(task), arch->decoder_start_id, batch_tokens, task->error))
    return false;
  if (!valid_translator_open(&task->translator, &task->valid, task->tokenizer, arch, task->error)) return false;
  if (strcmp(options->metric, "loss") != 0)
    task->validation.translator = (struct translator){&task->translator, valid_translator_run};
  training->directory = task->out;
  training->model = task->model;
  training->context = &task->context;
  training->corpus = &task->train;
  training->validation = &task->validation;
  training->optimizer = optimizer_defaults();
  training->optimizer.weight_decay = options->weight_decay;
  training->optimizer.clip_norm = options->clip_norm;
  training->user = task;
  training->save_model = save_model;
  training->identity = buffer_string(&task->identity);
  return model_prepare(task->model, task->kernels, true, task->error);
}

static bool start_training(struct task *task) {
  const struct qkv_train_options *options = &task->options;
  bool resumed = options->resume > 0;
  struct training *training = &task->training;
  if (!resumed && !save_beginning(task)) return false;
  if (!prepare_training(task)) return false;
  if (resumed) {
    if (!average_open(&training->average, (int)options->average, options->average && strcmp(options->average_of, "best") == 0,
                      average_size(task->model), task->out, task->error) ||
        !state_load(training, options->resume_anyway > 0))
      return false;
    training_say(training, QKV_TRAIN_NOTE, "resuming after update %" PRId64, training->position.step);
  }
  if (!training_open(training, resumed)) return false;
  return resumed || log_start(task);
}

static const char *const ends[] = {
  [END_STEPS] = "all updates are done", [END_EPOCHS] = "all epochs are done", [END_TIME] = "the time is up",
  [END_PATIENCE] = "the score has stopped rising", [END_INTERRUPTED] = "interrupted"};

static void say_end(const struct task *task) {
  const struct training *training = &task->training;
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
    training_say(training, QKV_TRAIN_NOTE, "%s holds the mean of %" PRId64 " checkpoints", task->out, training->averaged_count);
  else
    training_say(training, QKV_TRAIN_NOTE, "%s holds the model after update %" PRId64, task->out, position->best_step);
  if (best->loss > 0) training_say(training, QKV_TRAIN_NOTE, "on the validation text: loss %.3f%s", best->loss, score);
  say_corpora(task);
  training_say(training, QKV_TRAIN_NOTE, "next:\n  qkv translate %s FILE\n  qkv eval %s SOURCE TARGET", task->out, task->out);
}

static bool train(struct task *task) {
  if (!start_training(task) || !training_run(&task->training)) return false;
  if (task->training.end == END_INTERRUPTED)
    return error_set(task->error, ERROR_INTERRUPTED,
                     "interrupted after update %" PRId64 "; the state is saved, and `qkv train %s --resume` goes on",
                     task->training.position.step, task->out);
  say_end(task);
  return true;
}

// --- Putting it together

static void set_up(struct task *task, const char *out, const struct qkv_train_listener *listener, struct error *error) {
  *task = (struct task){.out = out, .error = error};
  generation_defaults_init(&task->generation);
  task->training.error = error;
  task->training.listener = listener;
  task->training.options = &task->options;
  find_parent(task);
}

// Everything up to the corpora, the same for training and for showing a batch.
static bool get_ready(struct task *task, const struct qkv_train_options *options) {
  if (!(task->kernels = cpu_kernels(task->error))) return false;
  if (!read_options(task, options) || !open_text(task)) return false;
  say_beginning(task);
  recipe_decide(&task->options, task->train_text.lines, &task->said);
  training_say(&task->training, QKV_TRAIN_NOTE, "%s", buffer_string(&task->said));
  if (!get_tokenizer(task) || !get_model(task) || !decide_generation(task) || !read_corpora(task)) return false;
  say_model(task);
  say_corpora(task);
  return decide_steps(task) && make_identity(task);
}

static void tear_down(struct task *task) {
  training_close(&task->training);
  validation_close(&task->validation);
  valid_translator_close(&task->translator);
  if (task->context_open) context_close(&task->context);
  corpus_close(&task->train);
  corpus_close(&task->valid);
  if (task->checkpoint.model) checkpoint_close(&task->checkpoint);
  else if (task->model) model_free(task->model);
  generation_defaults_free(&task->generation);
  tokenizer_free(task->tokenizer);
  parallel_text_close(&task->train_text);
  parallel_text_close(&task->valid_text);
  buffer_free(&task->said);
  buffer_free(&task->identity);
  train_options_free_lists(&task->lists);
  cJSON_Delete(task->config);
}

bool translation_task_run(const char *out, const struct qkv_train_options *options, const struct qkv_train_listener *listener,
                          struct error *error) {
  struct task task;
  set_up(&task, out, listener, error);
  bool ok = get_ready(&task, options) && train(&task);
  tear_down(&task);
  return ok;
}

// --- --show-batch

static void show_side(struct buffer *out, const struct task *task, const char *name, const int32_t *ids, int count) {
  buffer_format(out, "  %-8s", name);
  for (int i = 0; i < count; i++) {
    const char *token = tokenizer_token(task->tokenizer, ids[i]);
    buffer_format(out, " %s/%d", token ? token : "?", (int)ids[i]);
  }
  buffer_char(out, '\n');
}

static void show_batch(struct buffer *out, const struct task *task, const struct translation_batch *filled) {
  const struct batch *batch = &filled->batch;
  buffer_format(out, "the first batch: %d pairs, %d source and %d target tokens, %d to be learnt; nothing is padded\n",
                batch->sequences, batch->source.rows, batch->target.rows, batch->label_count);
  for (int i = 0; i < batch->sequences; i++) {
    const struct span *source = &batch->source.spans[i], *target = &batch->target.spans[i];
    uint64_t place = batch->lines[i];
    buffer_format(out, "%s:%" PRIu64 ", rows %d to %d of the encoder, %d to %d of the decoder\n",
                  task->train.paths[place_file(place)], place_line(place), source->q0, source->q0 + source->qn - 1, target->q0,
                  target->q0 + target->qn - 1);
    show_side(out, task, "source", batch->source.ids + source->q0, source->qn);
    show_side(out, task, "input", batch->target.ids + target->q0, target->qn);
    show_side(out, task, "learnt", batch->labels + target->q0, target->qn);
  }
}

bool translation_task_show_batch(struct buffer *text, const struct qkv_train_options *options, struct error *error) {
  struct task task;
  struct batch_plan plan = {0};
  struct translation_batch batch = {0};
  set_up(&task, NULL, NULL, error);
  bool ok = options->resume <= 0 || error_set(error, ERROR_USAGE, "--show-batch and --resume contradict each other");
  ok = ok && get_ready(&task, options);
  struct batch_plan_options wanted = {.seed = (uint64_t)task.options.seed, .batch_tokens = (size_t)task.options.batch_tokens,
                                      .window = TRAINING_WINDOW, .shuffled = true, .accumulate = (int)task.options.accumulate};
  ok = ok && batch_plan_make(&plan, &task.train, &wanted, 0, error);
  struct batch_list list = ok ? batch_plan_batch(&plan, 0) : (struct batch_list){0};
  ok = ok &&
       translation_batch_from_corpus(&batch, &task.train, list.samples, list.count, task.model->arch.decoder_start_id, error);
  if (ok) show_batch(text, &task, &batch);
  translation_batch_free(&batch);
  batch_plan_free(&plan);
  tear_down(&task);
  return ok && buffer_check(text, error);
}
