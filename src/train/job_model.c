// The tokenizer and the model of a training: from nothing, from another model, or from the training's own directory.
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "hf/layout.h"
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

struct choice {
  const char *name;
  int value;
};

static const struct choice activations[] = {{"relu", ACTIVATION_RELU},           {"gelu", ACTIVATION_GELU},
                                            {"gelu-tanh", ACTIVATION_GELU_TANH}, {"silu", ACTIVATION_SILU},
                                            {"tanh", ACTIVATION_TANH},           {0}};
static const struct choice norms[] = {{"layer", NORM_LAYER}, {"rms", NORM_RMS}, {"none", NORM_NONE},
                                      {"batch", NORM_BATCH}, {"instance", NORM_INSTANCE}, {"group", NORM_GROUP}, {0}};
static const struct choice position_kinds[] = {
  {"sinusoid", POSITIONS_SINUSOID}, {"sinusoid-interleaved", POSITIONS_SINUSOID_INTERLEAVED},
  {"learned", POSITIONS_LEARNED},   {"rotary", POSITIONS_ROTARY},
  {"none", POSITIONS_NONE},         {0}};

// The names were checked when the options were read.
static int chosen(const struct choice *choices, const char *name) {
  while (choices->name && strcmp(choices->name, name) != 0) choices++;
  return choices->value;
}

static bool is_on(const char *option) { return strcmp(option, "on") == 0; }

static const struct choice scores[] = {{"scaled", SCORE_PRODUCT},   {"dot", SCORE_PRODUCT},       {"cosine", SCORE_COSINE},
                                       {"general", SCORE_GENERAL}, {"additive", SCORE_ADDITIVE}, {0}};

static void describe_attention(const struct qkv_train_options *options, struct arch *arch) {
  arch->attention_score = (enum attention_score)chosen(scores, options->attention_score);
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

static bool describe_model(struct job *job, struct arch *arch) {
  struct qkv_train_options *options = &job->options;
  bool pre = strcmp(options->norm_place, "pre") == 0;
  *arch = (struct arch){.hidden = (int)options->hidden,
                        .norm = (enum norm_kind)chosen(norms, options->norm),
                        .norm_place = pre ? NORM_PRE : NORM_POST,
                        .norm_epsilon = 1e-5f,
                        .norm_epsilon_outside = strcmp(options->norm_epsilon_place, "outside") == 0,
                        .residual = is_on(options->residual),
                        .positions = (enum position_kind)chosen(position_kinds, options->positions),
                        .activation = (enum activation)chosen(activations, options->activation),
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
