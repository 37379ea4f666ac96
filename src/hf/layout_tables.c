#include "hf/layout_tables.h"

#include "hf/layout_encoders.h"

// transformers' names (activations.py). Its other functions are none of ours.
const struct config_choice activation_choices[] = {
  {"relu", ACTIVATION_RELU}, {"gelu", ACTIVATION_GELU}, {"gelu_python", ACTIVATION_GELU}, {"gelu_new", ACTIVATION_GELU_TANH},
  {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH}, {"gelu_fast", ACTIVATION_GELU_TANH}, {"gelu_python_tanh", ACTIVATION_GELU_TANH},
  {"gelu_accurate", ACTIVATION_GELU_TANH}, {"silu", ACTIVATION_SILU}, {"swish", ACTIVATION_SILU}, {"tanh", ACTIVATION_TANH},
  {"linear", ACTIVATION_NONE}, {NULL, 0}};

const struct config_pair translator_aliases[] = {
  {"hidden_size", "d_model"}, {"num_hidden_layers", "encoder_layers"}, {"num_attention_heads", "encoder_attention_heads"},
  {NULL, NULL}};

const char *const translator_harmless[] = {
  "classif_dropout", "classifier_dropout", "do_blenderbot_90_layernorm", "extra_pos_embeddings",
  "force_bos_token_to_be_generated", "output_past", "total_flos", NULL};

const char *const encoder_harmless[] = {
  "cls_token_id", "directionality", "mask_token_id", "pooler_fc_size", "pooler_num_attention_heads",
  "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", "add_pooling_layer", "unk_token_id", NULL};

void encoder_constants(struct arch *arch) {
  arch->family = FAMILY_ENCODER;
  arch->norm = NORM_LAYER;
  arch->norm_place = NORM_POST;
  arch->embedding_norm = arch->residual = true;
  arch->positions = POSITIONS_LEARNED;
  arch->embedding_scale = 1;
  arch->attention_bias = arch->ffn_bias = true;
  arch->unk_id = arch->decoder_start_id = arch->forced_eos_id = -1;
}

bool encoder_complete(struct arch *arch, const char *path, struct error *error) {
  (void)path;
  (void)error;
  arch->encoder.kv_heads = arch->encoder.heads;
  return true;
}
