// The tokenizer and the model of a training: from nothing, from another model, or from the training's own directory.
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "hf/layout.h"
#include "model/knob_names.h"
#include "train/task.h"

bool job_get_tokenizer(struct job *job) {
  const struct qkv_train_options *options = &job->options;
  const char *place = options->resume > 0 ? job->out : options->from ? options->from : options->tokenizer;
  if (!place) return job->task->learn_tokenizer(job);
  job->tokenizer = tokenizer_open(place, job->error);
  return job->tokenizer != NULL;
}

int job_special_id(const struct job *job, const char *role, int32_t id, const char *token) {
  if (id < 0) id = tokenizer_id(job->tokenizer, token);
  if (id < 0)
    error_set(job->error, ERROR_FORMAT, "%s: the tokenizer has no %s token, which --task %s needs",
              job->options.tokenizer ? job->options.tokenizer : "this text", role, job->task->name);
  return id;
}

static bool is_on(const char *option) { return strcmp(option, "on") == 0; }

// --attention-score has two names for products, which differ in their scale.
static enum attention_score score_of(const char *name) {
  bool product = strcmp(name, "scaled") == 0 || strcmp(name, "dot") == 0;
  return product ? SCORE_PRODUCT : (enum attention_score)knob_find_value(score_names, name);
}

static void describe_attention(const struct qkv_train_options *options, struct arch *arch) {
  arch->attention_score = score_of(options->attention_score);
  if (strcmp(options->attention_score, "dot") == 0) arch->attention_scale = 1;
  if (options->attention_scale > 0) arch->attention_scale = (float)options->attention_scale;
  arch->attention_bare = !is_on(options->attention_weights);
  if (options->attention_window > 0) arch->attention_window = (int)options->attention_window;
}

// As many groups as Wu and He 2018 had, where the columns can be parted so and each group has some.
static int default_groups(int columns) {
  int groups = columns < 64 ? columns / 2 : 32;
  while (groups > 1 && columns % groups) groups--;
  return groups > 1 ? groups : 1;
}

// What the task's own description of a model may have set, and an option says otherwise.
static void describe_norm(struct qkv_train_options *options, struct arch *arch) {
  if (arch_norm_spans_rows(arch)) arch->norm_epsilon = 1e-5f;  // as in PyTorch: columns of few tokens vary little
  if (options->norm_epsilon >= 0) arch->norm_epsilon = (float)options->norm_epsilon;
  else if (arch->norm != NORM_NONE) options->norm_epsilon = arch->norm_epsilon;
  if (arch->norm == NORM_GROUP && options->norm_groups < 0) options->norm_groups = default_groups(arch->hidden);
  if (options->norm_groups > 0) arch->norm_groups = (int)options->norm_groups;
}

// The names were checked when the options were read.
static bool describe_model(struct job *job, struct arch *arch) {
  struct qkv_train_options *options = &job->options;
  bool pre = strcmp(options->norm_place, "pre") == 0;
  *arch = (struct arch){.hidden = (int)options->hidden,
                        .norm = (enum norm_kind)knob_find_value(norm_names, options->norm),
                        .norm_place = pre ? NORM_PRE : NORM_POST,
                        .norm_epsilon = 1e-5f,
                        .norm_epsilon_outside = strcmp(options->norm_epsilon_place, "outside") == 0,
                        .residual = is_on(options->residual),
                        .positions = (enum position_kind)knob_find_value(position_names, options->positions),
                        .activation = (enum activation)knob_find_value(activation_names, options->activation),
                        .gated = is_on(options->gated),
                        .attention_bias = is_on(options->bias),
                        .ffn_bias = is_on(options->bias),
                        .embedding_scale = 1,
                        .tied_head = true,
                        .bos_id = -1, .eos_id = -1, .pad_id = -1, .unk_id = -1, .decoder_start_id = -1, .forced_eos_id = -1};
  arch->dropout = arch->embedding_dropout = (float)options->dropout;
  arch->attention_dropout = (float)options->attention_dropout;
  arch->activation_dropout = (float)options->activation_dropout;
  arch->final_norm = pre && arch->norm != NORM_NONE;
  if (arch->positions == POSITIONS_ROTARY) arch->rotary.base = 10000;
  if (!job->task->describe_model(job, arch)) return false;
  describe_norm(options, arch);
  describe_attention(options, arch);
  if (!arch_check(arch, job->error)) return false;
  snprintf(arch->layout, sizeof arch->layout, "%s", layout_for(arch)->model_type);
  return true;
}

static bool make_model(struct job *job) {
  struct arch arch;
  if (!describe_model(job, &arch)) return false;
  job->model = model_new(&arch, job->error);
  return job->model && model_initialise(job->model, (uint64_t)job->options.seed, job->error) &&
         generation_defaults_from_arch(&job->generation, &job->model->arch, job->error);
}

// Where nothing is given a model keeps its own, and training.json says nothing: so does a run that takes its options from there.
static void set_rate(float *rate, double option) {
  if (option >= 0) *rate = (float)option;
}

static bool open_model(struct job *job, const char *place) {
  struct head_choice choice = {.seed = (uint64_t)job->options.seed};
  if (!job->task->choose_head) return checkpoint_open(place, &job->checkpoint, job->error);
  return job->task->choose_head(job, &choice) && checkpoint_open_as(place, &choice, &job->checkpoint, job->error);
}

bool job_get_model(struct job *job) {
  struct qkv_train_options *options = &job->options;
  const char *place = options->resume > 0 ? job->out : options->from;
  if (!place && !make_model(job)) return false;
  if (place && !open_model(job, place)) return false;
  if (place) job->model = job->checkpoint.model;
  struct arch *arch = &job->model->arch;
  if (!job->task->check_model(job)) return false;
  // A resumed training finds in its own config.json what its beginning decided.
  if (options->dropout >= 0 && options->resume <= 0) {
    arch->embedding_dropout = (float)options->dropout;
    if (arch_head_outputs(arch)) arch->head_dropout = (float)options->dropout;
  }
  set_rate(&arch->dropout, options->dropout);
  set_rate(&arch->attention_dropout, options->attention_dropout);
  set_rate(&arch->activation_dropout, options->activation_dropout);
  if (arch->positions != POSITIONS_NONE && options->max_length > arch->max_positions)
    return error_set(job->error, ERROR_USAGE, "--max-length is %" PRId64 ", but the model has only %d positions",
                     options->max_length, arch->max_positions);
  return true;
}

bool job_save_model(struct job *job, const char *directory) {
  bool old = job->checkpoint.model;
  struct checkpoint_saving saving = {.type = TYPE_F32, .config = job->checkpoint.config,
                                     .labels = job->labels.count ? &job->labels : NULL,
                                     .generation = old ? &job->checkpoint.generation : &job->generation};
  // A copy beside OUT's own model is a model directory too.
  if (strcmp(directory, job->out) != 0 &&
      (!file_make_directory(directory, job->error) || !tokenizer_save(job->tokenizer, directory, NULL, job->error)))
    return false;
  return checkpoint_save(directory, job->model, &saving, job->error);
}
