// Every pair of knobs at a tiny size: the model trains, is saved in the layout that can say it, opens again as the same arch,
// and gives the same logits to the bit; or arch_check refuses it with a reason.
#include "../model/tiny.h"
#include "cpu/cpu.h"
#include "hf/checkpoint.h"
#include "hf/config.h"
#include "hf_test.h"
#include "train/optimizer.h"

enum { STEPS = 25 };

static void norm_rms(struct arch *arch) { arch->norm = NORM_RMS; }
static void norm_none(struct arch *arch) { arch->norm = NORM_NONE; }
static void encoder_only(struct arch *arch) {
  arch->family = FAMILY_ENCODER, arch->decoder = (struct stack_arch){0}, arch->target_vocab = 0, arch->shared_embeddings = false;
}
static void norm_batch(struct arch *arch) { encoder_only(arch), arch->norm = NORM_BATCH; }
static void norm_instance(struct arch *arch) { encoder_only(arch), arch->norm = NORM_INSTANCE; }
static void norm_group(struct arch *arch) { encoder_only(arch), arch->norm = NORM_GROUP, arch->norm_groups = 4; }
static void epsilon_outside(struct arch *arch) { arch->norm_epsilon_outside = true, arch->norm_epsilon = 1e-3f; }
static void pre(struct arch *arch) { arch->norm_place = NORM_PRE; }
static void pre_and_final(struct arch *arch) { arch->norm_place = NORM_PRE, arch->final_norm = true; }
static void epsilon(struct arch *arch) { arch->norm_epsilon = 1e-3f; }
static void embedding_norm(struct arch *arch) { arch->embedding_norm = true; }
static void no_residual(struct arch *arch) { arch->residual = false; }
static void no_positions(struct arch *arch) { arch->positions = POSITIONS_NONE, arch->max_positions = 0; }
static void interleaved(struct arch *arch) { arch->positions = POSITIONS_SINUSOID_INTERLEAVED; }
static void learned(struct arch *arch) { arch->positions = POSITIONS_LEARNED; }
static void offset(struct arch *arch) { arch->position_offset = 2; }
static void unscaled(struct arch *arch) { arch->embedding_scale = 1; }
static void gelu(struct arch *arch) { arch->activation = ACTIVATION_GELU; }
static void gelu_tanh(struct arch *arch) { arch->activation = ACTIVATION_GELU_TANH; }
static void silu(struct arch *arch) { arch->activation = ACTIVATION_SILU; }
static void hyperbolic(struct arch *arch) { arch->activation = ACTIVATION_TANH; }
static void linear(struct arch *arch) { arch->activation = ACTIVATION_NONE; }
static void no_attention_bias(struct arch *arch) { arch->attention_bias = false; }
static void no_ffn_bias(struct arch *arch) { arch->ffn_bias = false; }
static void head_bias(struct arch *arch) { arch->head_bias = true; }
static void learnt_head_bias(struct arch *arch) { arch->head_bias = arch->head_bias_trainable = true; }
static void unshared(struct arch *arch) { arch->shared_embeddings = false, arch->source_vocab = TINY_VOCABULARY + 2; }
static void untied(struct arch *arch) { arch->tied_head = false; }
static void shared_keys(struct arch *arch) { arch->encoder.kv_heads = arch->decoder.kv_heads = 1; }
static void wide_heads(struct arch *arch) { arch->head_width = 5; }
static void many_heads(struct arch *arch) { arch->encoder.heads = arch->encoder.kv_heads = 12; }
static void attention_scale(struct arch *arch) { arch->attention_scale = 0.7f; }
static void cosine(struct arch *arch) { arch->attention_score = SCORE_COSINE; }
static void general(struct arch *arch) { arch->attention_score = SCORE_GENERAL; }
static void additive(struct arch *arch) { arch->attention_score = SCORE_ADDITIVE; }
static void bare(struct arch *arch) { arch->attention_bare = true; }
static void window(struct arch *arch) { arch->attention_window = 2; }
static void normal_start(struct arch *arch) { arch->initial_deviation = 0.1f; }
static void dropouts(struct arch *arch) {
  arch->dropout = arch->embedding_dropout = 0.1f, arch->attention_dropout = 0.2f, arch->activation_dropout = 0.15f;
}
static void one_layer(struct arch *arch) { arch->encoder.layers = 1; }
static void decoder_only(struct arch *arch) {
  arch->family = FAMILY_DECODER, arch->encoder = (struct stack_arch){0}, arch->source_vocab = 0, arch->shared_embeddings = false;
}
static void embedding_dropout(struct arch *arch) { arch->embedding_dropout = 0.2f; }
static void padding_learnt(struct arch *arch) { arch->padding_learnt = true; }
static void scaled_residuals(struct arch *arch) { arch->scaled_residuals = true, arch->initial_deviation = 0.1f; }
static void gpt2(struct arch *arch) {
  decoder_only(arch);
  arch->norm_place = NORM_PRE, arch->positions = POSITIONS_LEARNED, arch->activation = ACTIVATION_GELU_TANH;
  arch->final_norm = arch->scaled_residuals = true;
  arch->embedding_scale = 1, arch->initial_deviation = 0.1f;
  arch->bos_id = arch->eos_id, arch->pad_id = arch->decoder_start_id = arch->forced_eos_id = arch->unk_id = -1;
}
static void rotary(struct arch *arch) { arch->positions = POSITIONS_ROTARY, arch->rotary.base = 100; }
static void rotary_linear(struct arch *arch) { rotary(arch), arch->rotary.scaling = ROTARY_LINEAR, arch->rotary.factor = 2.5f; }
static void rotary_llama3(struct arch *arch) {
  arch->positions = POSITIONS_ROTARY;
  arch->rotary = (struct rotary_arch){
    .base = 100, .scaling = ROTARY_LLAMA3, .factor = 4, .original_positions = 5, .low = 1, .high = 4};
}
static void rotary_yarn(struct arch *arch) {
  arch->positions = POSITIONS_ROTARY;
  arch->rotary = (struct rotary_arch){.base = 100,
                                      .scaling = ROTARY_YARN,
                                      .factor = 4,
                                      .original_positions = 5,
                                      .low = 1,
                                      .high = 32,
                                      .mscale = 0.5f,
                                      .mscale_all = 0.7f,
                                      .truncated = true};
}
static void gated(struct arch *arch);
static void llama(struct arch *arch) {
  decoder_only(arch), gated(arch), rotary(arch);
  arch->norm = NORM_RMS, arch->norm_place = NORM_PRE, arch->final_norm = true, arch->activation = ACTIVATION_SILU;
  arch->attention_bias = arch->ffn_bias = false, arch->embedding_scale = 1, arch->initial_deviation = 0.1f;
  arch->decoder.kv_heads = 1, arch->bos_id = arch->eos_id, arch->decoder_start_id = arch->forced_eos_id = arch->unk_id = -1;
}
static void gated(struct arch *arch) { arch->gated = true; }

static void (*const knobs[])(struct arch *) = {
  norm_rms, norm_none, encoder_only, norm_batch, norm_instance, norm_group, epsilon_outside, pre, pre_and_final, epsilon,
  embedding_norm, no_residual, no_positions, interleaved, learned, offset,
  unscaled, gelu, gelu_tanh, silu, hyperbolic, linear, no_attention_bias, no_ffn_bias, head_bias, learnt_head_bias, unshared,
  untied, shared_keys, wide_heads, many_heads, attention_scale, cosine, general, additive, bare, window, normal_start, dropouts,
  one_layer, decoder_only, embedding_dropout, padding_learnt,
  scaled_residuals, gpt2, rotary, rotary_linear, rotary_llama3, rotary_yarn, llama, gated};

enum { KNOBS = sizeof knobs / sizeof *knobs };

struct trial {
  int first, second;
  struct context context;
  struct tiny_batch tiny;
  struct model *model;
  char folder[4096];
};

#define require(statement, text) \
  do { \
    if (!(statement)) fail_msg("knobs %d and %d: %s", trial->first, trial->second, text); \
  } while (0)

// Batch norm's running statistics follow slowly: its progress shows with those of the batch.
static double loss_now(struct trial *trial) {
  struct loss loss = {0};
  context_begin(&trial->context, false, trial->model->arch.norm == NORM_BATCH, 1, 0);
  require(model_loss(&trial->context, trial->model, &trial->tiny.batch, 0, (struct loss_scale){0}, &loss, NULL),
          trial->context.error->message);
  return loss.sum;
}

static void train(struct trial *trial) {
  struct optimizer_options options = optimizer_defaults();
  double before = loss_now(trial);
  for (int step = 1; step <= STEPS; step++) {
    struct loss loss = {0};
    double norm;
    context_begin(&trial->context, true, true, 1, (uint64_t)step);
    require(model_loss(&trial->context, trial->model, &trial->tiny.batch, 0.1f,
                       (struct loss_scale){1.0f / (float)trial->tiny.batch.label_count, 0}, &loss, NULL) &&
              optimizer_step(trial->model, &options, step, 0.002, &norm, trial->context.error),
            trial->context.error->message);
  }
  double after = loss_now(trial);
  char text[100];
  snprintf(text, sizeof text, "the loss goes from %g to %g", before, after);
  require(after < 0.98 * before, text);
}

// The logits of the batch, in memory that the caller frees.
static float *logits(struct trial *trial, const struct model *model, size_t *size) {
  struct context *context = &trial->context;
  const struct batch *batch = &trial->tiny.batch;
  context_begin(context, false, false, 1, 0);
  struct tensor *hidden = model_hidden(context, model, batch);
  struct tensor *result = model_logits(context, model, hidden, NULL, 0);
  require(result, context->error->message);
  *size = (size_t)result->rows * (size_t)result->cols * sizeof(float);
  float *copy = malloc(*size);
  memcpy(copy, result->data, *size);
  return copy;
}

static void save_and_open(struct trial *trial) {
  struct error *error = trial->context.error;
  struct checkpoint checkpoint;
  struct checkpoint_saving saving = {.type = TYPE_F32};
  snprintf(trial->model->arch.layout, sizeof trial->model->arch.layout, "%s", layout_for(&trial->model->arch)->model_type);
  require(checkpoint_save(trial->folder, trial->model, &saving, error), error->message);
  require(checkpoint_open(trial->folder, &checkpoint, error), error->message);
  struct arch read = checkpoint.arch;
  read.unk_id = trial->model->arch.unk_id;  // marian and pegasus leave it to the tokenizer
  read.initial_deviation = trial->model->arch.initial_deviation;
  read.scaled_residuals = trial->model->arch.scaled_residuals;
  if (read.pad_id < 0) read.padding_learnt = trial->model->arch.padding_learnt;  // no padding, no difference
  require(config_same(layout_qkv.keys, &read, &trial->model->arch), "another arch came back");
  require(model_prepare(checkpoint.model, trial->context.kernels, false, error), error->message);
  size_t size, size_again;
  float *before = logits(trial, trial->model, &size), *after = logits(trial, checkpoint.model, &size_again);
  require(size == size_again && memcmp(before, after, size) == 0, "other logits came back");
  free(before);
  free(after);
  checkpoint_close(&checkpoint);
}

// False if no such model exists; the refusal has a reason then.
static bool try_pair(struct trial *trial) {
  struct error *error = trial->context.error;
  struct arch arch = tiny_arch();
  knobs[trial->first](&arch);
  knobs[trial->second](&arch);
  tiny_batch_fill(&trial->tiny);
  if (arch.family == FAMILY_ENCODER) tiny_head_batch(&trial->tiny, &arch);
  if (arch.family == FAMILY_DECODER) {
    trial->tiny.batch.source = (struct batch_side){0};
    trial->tiny.batch.cross_count = 0;
  }
  trial->model = model_new(&arch, error);
  if (!trial->model) {
    require(error->code == ERROR_UNSUPPORTED && strlen(error->message) > 20, error->message);
    error_clear(error);
    return false;
  }
  require(model_initialise(trial->model, 3, error) && model_prepare(trial->model, trial->context.kernels, true, error),
          error->message);
  train(trial);
  save_and_open(trial);
  model_free(trial->model);
  return true;
}

static void every_pair(void **state) {
  (void)state;
  struct error error = {0};
  struct trial trial = {0};
  if (file_is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 0);
  make_folder(trial.folder);
  assert_true(context_open(&trial.context, cpu_kernels(PRECISION_F32, &error), (size_t)1 << 30, &error));
  int refused = 0, fine = 0;
  for (trial.first = 0; trial.first < KNOBS; trial.first++) {
    for (trial.second = trial.first; trial.second < KNOBS; trial.second++) {
      if (try_pair(&trial)) fine++;
      else refused++;
    }
  }
  print_message("%d pairs are fine, %d refused\n", fine, refused);
  assert_true(fine > 400 && refused < 60);
  context_close(&trial.context);
  remove_folder(trial.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_pair)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
