// Opens a model directory and saves it: what transformers.sh then hands to transformers.
//
//   resave FROM TO f32|f16|bf16 SHARD_BYTES
//   resave --new LAYOUT TO f32|f16|bf16 SHARD_BYTES     a new model of the kind LAYOUT, LAYOUT-untied or llama-yarn;
//                                                       an encoder as LAYOUT/HEAD, HEAD being a number of enum head_kind
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf/checkpoint.h"
#include "hf/config.h"

static enum number_type type_named(const char *name) {
  return strcmp(name, "f32") == 0 ? TYPE_F32 : strcmp(name, "f16") == 0 ? TYPE_F16 : TYPE_BF16;
}

static void make_decoder(struct arch *arch, const char *kind) {
  arch->family = FAMILY_DECODER;
  arch->source_vocab = 0;
  arch->encoder = (struct stack_arch){0};
  arch->decoder = (struct stack_arch){2, 3, 3, 48, 0};
  arch->head_bias = arch->shared_embeddings = false;
  arch->positions = POSITIONS_LEARNED;
  arch->initial_deviation = 0.02f;
  arch->pad_id = arch->unk_id = arch->decoder_start_id = arch->forced_eos_id = -1;
  if (strncmp(kind, "openai", 6) == 0) return;
  arch->norm_place = NORM_PRE;
  arch->final_norm = true;
  arch->scaled_residuals = true;
  if (strncmp(kind, "llama", 5) != 0) return;
  arch->norm = NORM_RMS;
  arch->positions = POSITIONS_ROTARY;
  arch->rotary.base = 5000;
  if (strstr(kind, "yarn"))
    arch->rotary = (struct rotary_arch){
      .base = 100, .scaling = ROTARY_YARN, .factor = 2, .original_positions = 8, .low = 1, .high = 32};
  arch->decoder.kv_heads = 1;
  arch->gated = true;
  arch->activation = ACTIVATION_SILU;
  arch->attention_bias = arch->ffn_bias = arch->scaled_residuals = false;
  arch->dropout = arch->embedding_dropout = 0;
}

static bool save_new_encoder(const char *layout, const char *directory, struct checkpoint_saving *saving, struct error *error) {
  struct arch arch;
  char name[32];
  size_t length = strcspn(layout, "/");
  snprintf(name, sizeof name, "%.*s", (int)length, layout);
  enum head_kind head = (enum head_kind)atoi(layout + length + 1);
  if (!config_defaults(&arch, name, head, head == HEAD_CLASSIFY || head == HEAD_TAG ? 4 : 0, error)) return false;
  arch.hidden = 12;
  arch.encoder = (struct stack_arch){.layers = 2, .heads = 3, .kv_heads = 3, .ffn = 20, .groups = arch.encoder.groups};
  arch.source_vocab = 11;
  arch.max_positions = 20;
  if (arch.embedding_width) arch.embedding_width = 8;
  struct model *model = model_new(&arch, error);
  bool ok = model && model_initialise(model, 5, error) && checkpoint_save(directory, model, saving, error);
  model_free(model);
  return ok;
}

static bool save_new(const char *layout, const char *directory, struct checkpoint_saving *saving, struct error *error) {
  bool pegasus = strncmp(layout, "pegasus", 7) == 0, tied = strstr(layout, "untied") == NULL;
  struct arch arch = {
    .family = FAMILY_ENCODER_DECODER, .hidden = 12, .source_vocab = 11, .target_vocab = 11, .encoder = {2, 3, 3, 20},
    .decoder = {1, 2, 2, 24}, .norm_epsilon = 1e-5f, .residual = true, .positions = POSITIONS_SINUSOID, .max_positions = 16,
    .embedding_scale = 1, .activation = ACTIVATION_GELU_TANH, .attention_bias = true, .ffn_bias = true, .head_bias = true,
    .shared_embeddings = tied, .tied_head = tied, .dropout = 0.1f, .embedding_dropout = 0.1f, .bos_id = -1, .eos_id = 0, .pad_id = 10, .unk_id = 1,
    .decoder_start_id = 10, .forced_eos_id = 0};
  snprintf(arch.layout, sizeof arch.layout, "%s", layout);
  if (strrchr(arch.layout, '-') && strncmp(layout, "openai", 6) != 0) *strrchr(arch.layout, '-') = 0;
  if (strncmp(layout, "marian", 6) != 0 && !pegasus) make_decoder(&arch, layout);
  if (pegasus) {
    arch.norm_place = NORM_PRE;
    arch.final_norm = true;
  }
  struct model *model = model_new(&arch, error);
  bool ok = model && model_initialise(model, 5, error) && checkpoint_save(directory, model, saving, error);
  model_free(model);
  return ok;
}

static bool save_again(const char *from, const char *to, struct checkpoint_saving *saving, struct error *error) {
  struct checkpoint checkpoint;
  if (!checkpoint_open(from, &checkpoint, error)) return false;
  saving->config = checkpoint.config;
  saving->generation = &checkpoint.generation;
  bool ok = checkpoint_save(to, checkpoint.model, saving, error);
  checkpoint_close(&checkpoint);
  return ok;
}

int main(int count, char **words) {
  bool new_model = count > 1 && strcmp(words[1], "--new") == 0;
  if (count != 5 + new_model) return 2;
  struct checkpoint_saving saving = {.type = type_named(words[count - 2]), .shard_size = strtoul(words[count - 1], NULL, 10)};
  struct error error = {0};
  bool ok = new_model ? (strchr(words[2], '/') ? save_new_encoder : save_new)(words[2], words[3], &saving, &error)
                      : save_again(words[1], words[2], &saving, &error);
  if (!ok) fprintf(stderr, "%s\n", error.message);
  return ok ? 0 : 1;
}
