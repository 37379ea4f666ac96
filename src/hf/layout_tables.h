// What the tables of several layouts share.
#pragma once
#include <stddef.h>

#include "hf/layout.h"

#define FIELD(name) offsetof(struct arch, name)

#define CONFIG_WHOLE(key_, name, otherwise_, low_, high_) \
  {.key = key_, .type = CONFIG_INTEGER, .field = FIELD(name), .otherwise = otherwise_, .low = low_, .high = high_}
#define CONFIG_TOKEN(key_, name, otherwise_) \
  {.key = key_, .type = CONFIG_ID, .field = FIELD(name), .otherwise = otherwise_, .low = 0, .high = VOCABULARY_LIMIT}
#define CONFIG_RATE(key_, name, otherwise_) \
  {.key = key_, .type = CONFIG_NUMBER, .field = FIELD(name), .otherwise = otherwise_, .low = 0, .high = 0.999}
#define CONFIG_REAL(key_, name, otherwise_, low_, high_) \
  {.key = key_, .type = CONFIG_NUMBER, .field = FIELD(name), .otherwise = otherwise_, .low = low_, .high = high_}
#define CONFIG_SWITCH(key_, name, otherwise_) {.key = key_, .type = CONFIG_BOOLEAN, .field = FIELD(name), .otherwise = otherwise_}
#define CONFIG_NAMED(key_, name, otherwise_, choices_) \
  {.key = key_, .type = CONFIG_CHOICE, .field = FIELD(name), .otherwise = otherwise_, .choices = choices_}

// Larger than anything that exists; products of two of them stay far from overflow.
enum {
  LAYER_LIMIT = 1000,
  WIDTH_LIMIT = 1 << 15,
  FFN_LIMIT = 1 << 20,
  VOCABULARY_LIMIT = 1 << 24,
  POSITION_LIMIT = 1 << 24,
  HEAD_LIMIT = 128,
  LABEL_LIMIT = 1 << 20,
};

// Of the translators of transformers (Marian, Pegasus), which took theirs from BART.
extern const struct knob_name activation_choices[];
#define TRANSLATOR_KEYS(vocabulary, pad, eos)                                                        \
  CONFIG_WHOLE("vocab_size", source_vocab, vocabulary, 1, VOCABULARY_LIMIT),                         \
  CONFIG_WHOLE("d_model", hidden, 1024, 1, WIDTH_LIMIT),                                             \
  CONFIG_WHOLE("encoder_layers", encoder.layers, 12, 1, LAYER_LIMIT),                                \
  CONFIG_WHOLE("encoder_attention_heads", encoder.heads, 16, 1, HEAD_LIMIT),                         \
  CONFIG_WHOLE("encoder_ffn_dim", encoder.ffn, 4096, 1, FFN_LIMIT),                                  \
  CONFIG_WHOLE("decoder_layers", decoder.layers, 12, 1, LAYER_LIMIT),                                \
  CONFIG_WHOLE("decoder_attention_heads", decoder.heads, 16, 1, HEAD_LIMIT),                         \
  CONFIG_WHOLE("decoder_ffn_dim", decoder.ffn, 4096, 1, FFN_LIMIT),                                  \
  CONFIG_WHOLE("max_position_embeddings", max_positions, 1024, 1, POSITION_LIMIT),                   \
  CONFIG_NAMED("activation_function", activation, ACTIVATION_GELU, activation_choices),              \
  {.key = "scale_embedding", .type = CONFIG_SCALED_BY_WIDTH, .field = FIELD(embedding_scale)},       \
  CONFIG_SWITCH("tie_word_embeddings", tied_head, true),                                             \
  {.key = "init_std", .type = CONFIG_NUMBER, .field = FIELD(initial_deviation), .otherwise = 0.02,   \
   .high = 1000, .incidental = true},                                                                \
  CONFIG_RATE("dropout", dropout, 0.1),                                                              \
  CONFIG_RATE("attention_dropout", attention_dropout, 0),                                            \
  CONFIG_RATE("activation_dropout", activation_dropout, 0),                                          \
  CONFIG_TOKEN("bos_token_id", bos_id, -1),                                                          \
  CONFIG_TOKEN("eos_token_id", eos_id, eos),                                                         \
  CONFIG_TOKEN("pad_token_id", pad_id, pad),                                                         \
  CONFIG_TOKEN("decoder_start_token_id", decoder_start_id, pad),                                     \
  CONFIG_TOKEN("forced_eos_token_id", forced_eos_id, eos)

// Names by which transformers also sets some of these keys.
extern const struct config_pair translator_aliases[];
extern const char *const translator_harmless[];

// Dropped layers in training, and keys of the original code: transformers' classes do as the family does, whatever they say.
#define TRANSLATOR_IGNORED(pre_norm)                                                                                          \
  {"encoder_layerdrop", "0"}, {"decoder_layerdrop", "0"}, {"normalize_before", pre_norm}, {"add_final_layer_norm", pre_norm}, \
  {"normalize_embedding", "false"}, {"add_bias_logits", "false"}, {"static_position_embeddings", "true"}

#define TRANSLATOR_LAYER(side)                                                                                                \
  {"model." side ".layers.{}.self_attn.q_proj.weight", side ".{}.self.query_key_value.weight", 0},                            \
  {"model." side ".layers.{}.self_attn.q_proj.bias", side ".{}.self.query_key_value.bias", 0},                                \
  {"model." side ".layers.{}.self_attn.k_proj.weight", side ".{}.self.query_key_value.weight", 1},                            \
  {"model." side ".layers.{}.self_attn.k_proj.bias", side ".{}.self.query_key_value.bias", 1},                                \
  {"model." side ".layers.{}.self_attn.v_proj.weight", side ".{}.self.query_key_value.weight", 2},                            \
  {"model." side ".layers.{}.self_attn.v_proj.bias", side ".{}.self.query_key_value.bias", 2},                                \
  {"model." side ".layers.{}.self_attn.out_proj.weight", side ".{}.self.output.weight"},                                      \
  {"model." side ".layers.{}.self_attn.out_proj.bias", side ".{}.self.output.bias"},                                          \
  {"model." side ".layers.{}.self_attn_layer_norm.weight", side ".{}.self.norm.gain"},                                        \
  {"model." side ".layers.{}.self_attn_layer_norm.bias", side ".{}.self.norm.bias"},                                          \
  {"model." side ".layers.{}.fc1.weight", side ".{}.feed_forward.up.weight"},                                                 \
  {"model." side ".layers.{}.fc1.bias", side ".{}.feed_forward.up.bias"},                                                     \
  {"model." side ".layers.{}.fc2.weight", side ".{}.feed_forward.down.weight"},                                               \
  {"model." side ".layers.{}.fc2.bias", side ".{}.feed_forward.down.bias"},                                                   \
  {"model." side ".layers.{}.final_layer_norm.weight", side ".{}.feed_forward.norm.gain"},                                    \
  {"model." side ".layers.{}.final_layer_norm.bias", side ".{}.feed_forward.norm.bias"}

#define TRANSLATOR_CROSS                                                                                                      \
  {"model.decoder.layers.{}.encoder_attn.q_proj.weight", "decoder.{}.cross.query.weight"},                                    \
  {"model.decoder.layers.{}.encoder_attn.q_proj.bias", "decoder.{}.cross.query.bias"},                                        \
  {"model.decoder.layers.{}.encoder_attn.k_proj.weight", "decoder.{}.cross.key_value.weight", 0},                             \
  {"model.decoder.layers.{}.encoder_attn.k_proj.bias", "decoder.{}.cross.key_value.bias", 0},                                 \
  {"model.decoder.layers.{}.encoder_attn.v_proj.weight", "decoder.{}.cross.key_value.weight", 1},                             \
  {"model.decoder.layers.{}.encoder_attn.v_proj.bias", "decoder.{}.cross.key_value.bias", 1},                                 \
  {"model.decoder.layers.{}.encoder_attn.out_proj.weight", "decoder.{}.cross.output.weight"},                                 \
  {"model.decoder.layers.{}.encoder_attn.out_proj.bias", "decoder.{}.cross.output.bias"},                                     \
  {"model.decoder.layers.{}.encoder_attn_layer_norm.weight", "decoder.{}.cross.norm.gain"},                                   \
  {"model.decoder.layers.{}.encoder_attn_layer_norm.bias", "decoder.{}.cross.norm.bias"}

#define TRANSLATOR_TABLES                                                                                                     \
  {"model.shared.weight", "embedding"},                                                                                       \
  {"model.encoder.embed_tokens.weight", "encoder.embedding"},                                                                 \
  {"model.decoder.embed_tokens.weight", "decoder.embedding"},                                                                 \
  {"lm_head.weight", "head.weight"},                                                                                          \
  {"model.encoder.embed_tokens.weight", "embedding", .role = TENSOR_TIED},                                                    \
  {"model.decoder.embed_tokens.weight", "embedding", .role = TENSOR_TIED},                                                    \
  {"lm_head.weight", "embedding", .role = TENSOR_TIED},                                                                       \
  {"lm_head.weight", "decoder.embedding", .role = TENSOR_TIED},                                                               \
  {"final_logits_bias", "head.bias", .role = TENSOR_OPTIONAL, .row = true}
