#include "hf/layout_tables.h"

// transformers' names (activations.py). Its other functions are none of ours.
const struct knob_name activation_choices[] = {
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
