// The tokenizer and the model of a translator's training: from nothing, from another model, or from the training's own
// directory.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "hf/layout.h"
#include "text/learn.h"
#include "train/translation_job.h"

enum { BEAMS = 5 };

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

static bool learn_tokenizer(struct translation_job *job) {
  const struct qkv_train_options *options = &job->options;
  bool pegasus = strcmp(options->family, "pegasus") == 0;
  struct tokenizer_options wanted = pegasus ? tokenizer_options_pegasus() : tokenizer_options_marian();
  wanted.vocab_size = (size_t)options->vocab_size;
  wanted.lowercase = options->lowercase > 0;
  wanted.model_max_length = (size_t)options->max_length;
  struct line_source source = {.text = &job->train_text, .held_out = translation_job_held_out(job)};
  double start = clock_seconds();
  job->tokenizer = tokenizer_learn(&wanted, next_line, &source, job->error);
  if (!job->tokenizer) return false;
  char took[32];
  training_say(&job->training, QKV_TRAIN_NOTE, "a vocabulary of %zu pieces, shared by both languages, learnt in %s",
               tokenizer_size(job->tokenizer), clock_text(took, clock_seconds() - start));
  return true;
}

bool translation_job_get_tokenizer(struct translation_job *job) {
  const struct qkv_train_options *options = &job->options;
  const char *place = options->resume > 0 ? job->out : options->from ? options->from : options->tokenizer;
  if (!place) return learn_tokenizer(job);
  job->tokenizer = tokenizer_open(place, job->error);
  return job->tokenizer != NULL;
}

// --- Model

struct choice {
  const char *name;
  int value;
};

static const struct choice activations[] = {{"relu", ACTIVATION_RELU}, {"gelu", ACTIVATION_GELU}, {"gelu-tanh", ACTIVATION_GELU_TANH},
                                            {"silu", ACTIVATION_SILU}, {"tanh", ACTIVATION_TANH}, {0}};
static const struct choice norms[] = {{"layer", NORM_LAYER}, {"rms", NORM_RMS}, {"none", NORM_NONE}, {0}};
static const struct choice position_kinds[] = {{"sinusoid", POSITIONS_SINUSOID}, {"sinusoid-interleaved", POSITIONS_SINUSOID_INTERLEAVED},
                                               {"learned", POSITIONS_LEARNED}, {"none", POSITIONS_NONE}, {0}};

// The names were checked when the options were read.
static int chosen(const struct choice *choices, const char *name) {
  while (choices->name && strcmp(choices->name, name) != 0) choices++;
  return choices->value;
}

static int wanted_id(const struct translation_job *job, const char *what, int32_t id, const char *token, struct error *error) {
  if (id < 0) id = tokenizer_id(job->tokenizer, token);
  if (id < 0)
    error_set(error, ERROR_FORMAT, "%s: the tokenizer has no %s token, which a translator needs", job->options.tokenizer, what);
  return id;
}

static bool set_ids(const struct translation_job *job, struct arch *arch) {
  struct special_ids ids = tokenizer_special_ids(job->tokenizer);
  arch->bos_id = ids.begin;
  arch->eos_id = wanted_id(job, "end", ids.end, "</s>", job->error);
  arch->unk_id = ids.unknown;
  arch->pad_id = wanted_id(job, "padding", ids.padding, "<pad>", job->error);
  arch->decoder_start_id = arch->pad_id;
  arch->forced_eos_id = arch->eos_id;
  return job->error->code == ERROR_NONE;
}

static bool describe_model(const struct translation_job *job, struct arch *arch) {
  const struct qkv_train_options *options = &job->options;
  bool pre = strcmp(options->norm_place, "pre") == 0;
  if (pre != (strcmp(options->family, "pegasus") == 0))
    return error_set(job->error, ERROR_USAGE, "--family %s has the norm %s each sublayer, which --norm-place %s contradicts; give one of the two",
                     options->family, pre ? "behind" : "before", options->norm_place);
  int vocabulary = (int)tokenizer_size(job->tokenizer);
  *arch = (struct arch){.family = FAMILY_ENCODER_DECODER,
                        .hidden = (int)options->hidden,
                        .source_vocab = vocabulary,
                        .target_vocab = vocabulary,
                        .norm = (enum norm_kind)chosen(norms, options->norm),
                        .norm_place = pre ? NORM_PRE : NORM_POST,
                        .norm_epsilon = 1e-5f,
                        .residual = strcmp(options->residual, "on") == 0,
                        .positions = (enum position_kind)chosen(position_kinds, options->positions),
                        .max_positions = options->max_length > 512 ? (int)options->max_length : 512,
                        .embedding_scale = (float)sqrt((double)options->hidden),
                        .activation = (enum activation)chosen(activations, options->activation),
                        .attention_bias = true,
                        .ffn_bias = true,
                        .head_bias = true,
                        .shared_embeddings = true,
                        .tied_head = true};
  arch->final_norm = arch->norm_place == NORM_PRE && arch->norm != NORM_NONE;
  arch->encoder = (struct stack_arch){(int)options->encoder_layers, (int)options->heads, (int)options->kv_heads, (int)options->ffn};
  arch->decoder = (struct stack_arch){(int)options->decoder_layers, (int)options->heads, (int)options->kv_heads, (int)options->ffn};
  if (!set_ids(job, arch) || !arch_check(arch, job->error)) return false;
  snprintf(arch->layout, sizeof arch->layout, "%s", layout_for(arch)->model_type);
  return true;
}

static bool make_model(struct translation_job *job) {
  struct arch arch;
  if (!describe_model(job, &arch)) return false;
  job->model = model_new(&arch, job->error);
  return job->model && model_initialise(job->model, (uint64_t)job->options.seed, job->error);
}

// How a new model is to be searched unless somebody says otherwise: with the beam that translations are measured with.
static bool decide_generation(struct translation_job *job) {
  if (job->checkpoint.model) return true;
  if (!generation_defaults_from_arch(&job->generation, &job->model->arch, job->error)) return false;
  job->generation.num_beams = BEAMS;
  return true;
}

bool translation_job_get_model(struct translation_job *job) {
  struct qkv_train_options *options = &job->options;
  const char *place = options->resume > 0 ? job->out : options->from;
  if (!place && !make_model(job)) return false;
  if (place && !checkpoint_open(place, &job->checkpoint, job->error)) return false;
  if (place) job->model = job->checkpoint.model;
  struct arch *arch = &job->model->arch;
  if (arch->family != FAMILY_ENCODER_DECODER)
    return error_set(job->error, ERROR_UNSUPPORTED, "%s: it is a %s model; --task translation needs an encoder and a decoder",
                     place, arch->layout);
  if (options->dropout < 0) options->dropout = arch->dropout;
  else arch->embedding_dropout = (float)options->dropout;
  if (options->attention_dropout < 0) options->attention_dropout = arch->attention_dropout;
  if (options->activation_dropout < 0) options->activation_dropout = arch->activation_dropout;
  arch->dropout = (float)options->dropout;
  arch->attention_dropout = (float)options->attention_dropout;
  arch->activation_dropout = (float)options->activation_dropout;
  if (arch->positions != POSITIONS_NONE && options->max_length > arch->max_positions)
    return error_set(job->error, ERROR_USAGE, "--max-length is %" PRId64 ", but the model has only %d positions",
                     options->max_length, arch->max_positions);
  return decide_generation(job);
}

bool translation_job_save_model(void *user, const struct model *model, const char *directory, struct error *error) {
  const struct translation_job *job = user;
  bool old = job->checkpoint.model;
  struct checkpoint_saving saving = {.type = TYPE_F32, .config = job->checkpoint.config,
                                     .generation = old ? &job->checkpoint.generation : &job->generation};
  // A copy beside OUT's own model is a model directory too.
  if (strcmp(directory, job->out) != 0 &&
      (!file_make_directory(directory, error) || !tokenizer_save(job->tokenizer, directory, NULL, error)))
    return false;
  return checkpoint_save(directory, model, &saving, error);
}

