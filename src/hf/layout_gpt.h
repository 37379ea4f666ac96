// What the layouts "openai-gpt" and "gpt2" share: one causal stack with learned positions and a tied head, whose products are
// stored transposed (transformers' Conv1D), query, key and value as one.
#pragma once
#include "hf/layout_tables.h"

// What neither layout says in config.json.
static inline void gpt_constants(struct arch *arch, enum norm_place norm_place) {
  arch->family = FAMILY_DECODER;
  arch->norm = NORM_LAYER;
  arch->norm_place = norm_place;
  arch->residual = arch->padding_learnt = true;
  arch->positions = POSITIONS_LEARNED;
  arch->embedding_scale = 1;
  arch->attention_bias = arch->ffn_bias = true;
  arch->unk_id = arch->decoder_start_id = arch->forced_eos_id = -1;
}

#define GPT_KEYS(vocabulary, positions, bos, eos)                                                                             \
  CONFIG_WHOLE("vocab_size", target_vocab, vocabulary, 1, VOCABULARY_LIMIT),                                                  \
  CONFIG_WHOLE("n_positions", max_positions, positions, 1, POSITION_LIMIT),                                                   \
  CONFIG_WHOLE("n_embd", hidden, 768, 1, WIDTH_LIMIT),                                                                        \
  CONFIG_WHOLE("n_layer", decoder.layers, 12, 1, LAYER_LIMIT),                                                                \
  CONFIG_WHOLE("n_head", decoder.heads, 12, 1, HEAD_LIMIT),                                                                   \
  CONFIG_REAL("layer_norm_epsilon", norm_epsilon, 1e-5, 0, 1),                                                                \
  CONFIG_SWITCH("tie_word_embeddings", tied_head, true),                                                                      \
  {.key = "initializer_range", .type = CONFIG_NUMBER, .field = FIELD(initial_deviation), .otherwise = 0.02, .high = 1000,     \
   .incidental = true},                                                                                                       \
  CONFIG_RATE("resid_pdrop", dropout, 0.1),                                                                                   \
  CONFIG_RATE("embd_pdrop", embedding_dropout, 0.1),                                                                          \
  CONFIG_RATE("attn_pdrop", attention_dropout, 0.1),                                                                          \
  {.key = "summary_first_dropout", .type = CONFIG_NUMBER, .field = FIELD(head_dropout), .high = 0.999, .incidental = true},   \
  CONFIG_TOKEN("bos_token_id", bos_id, bos),                                                                                  \
  CONFIG_TOKEN("eos_token_id", eos_id, eos),                                                                                  \
  CONFIG_TOKEN("pad_token_id", pad_id, -1)

#define GPT_ALIASES                                                                                                           \
  {"hidden_size", "n_embd"}, {"max_position_embeddings", "n_positions"}, {"num_attention_heads", "n_head"},                   \
  {"num_hidden_layers", "n_layer"}

#define GPT_HARMLESS                                                                                                          \
  "n_ctx", "n_special", "summary_activation", "summary_proj_to_labels", "summary_type", "summary_use_proj"

#define GPT_CONV1D(stored, weight, part_)                                                                                     \
  {stored ".weight", weight ".weight", .part = part_, .transposed = true}, { stored ".bias", weight ".bias", .part = part_ }
#define GPT_NORM(stored, norm) {stored ".weight", norm ".gain"}, { stored ".bias", norm ".bias" }

// The heads of text read the last token; that of two heads has one score a text.
#define GPT_HEADS(name) \
  {name "LMHeadModel", HEAD_LANGUAGE}, {name "Model", HEAD_NONE}, \
  {name "DoubleHeadsModel", HEAD_DOUBLE, .pooling = POOLING_LAST}, \
  {name "ForSequenceClassification", HEAD_CLASSIFY, .pooling = POOLING_LAST, .unbiased = true}

#define GPT_VOCABULARY (FOR_HEAD(HEAD_LANGUAGE) | FOR_HEAD(HEAD_DOUBLE))

// The last two are the causal mask, which old files hold.
#define GPT_NAMES(tokens, positions)                                                                                          \
  {"transformer." tokens ".weight", "decoder.embedding"},                                                                     \
  {"transformer." positions ".weight", "decoder.positions"},                                                                  \
  GPT_NORM("transformer.h.{}.ln_1", "decoder.{}.self.norm"),                                                                  \
  GPT_CONV1D("transformer.h.{}.attn.c_attn", "decoder.{}.self.query_key_value", ALL_PARTS),                                   \
  GPT_CONV1D("transformer.h.{}.attn.c_proj", "decoder.{}.self.output", 0),                                                    \
  GPT_NORM("transformer.h.{}.ln_2", "decoder.{}.feed_forward.norm"),                                                          \
  GPT_CONV1D("transformer.h.{}.mlp.c_fc", "decoder.{}.feed_forward.up", 0),                                                   \
  GPT_CONV1D("transformer.h.{}.mlp.c_proj", "decoder.{}.feed_forward.down", 0),                                               \
  {"lm_head.weight", "head.weight"},                                                                                          \
  {"lm_head.weight", "decoder.embedding", .role = TENSOR_TIED, .heads = GPT_VOCABULARY},                                      \
  {"score.weight", "head.classifier.weight", .heads = FOR_HEAD(HEAD_CLASSIFY)},                                               \
  {"multiple_choice_head.summary.weight", "head.classifier.weight", .heads = FOR_HEAD(HEAD_DOUBLE)},                          \
  {"multiple_choice_head.summary.bias", "head.classifier.bias", .heads = FOR_HEAD(HEAD_DOUBLE)},                              \
  {"transformer.h.{}.attn.bias", "decoder.{}.self.output.weight", .role = TENSOR_IGNORED},                                    \
  {"transformer.h.{}.attn.masked_bias", "decoder.{}.self.output.weight", .role = TENSOR_IGNORED}
