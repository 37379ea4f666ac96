// What the tables of BERT and its kin share.
#pragma once
#include "hf/layout_tables.h"

#define ENCODER_KEYS(vocabulary, hidden_, layers_, heads_, ffn_, activation_, dropout_, positions, pad, bos, eos)              \
  CONFIG_WHOLE("vocab_size", source_vocab, vocabulary, 1, VOCABULARY_LIMIT),                                                  \
  CONFIG_WHOLE("hidden_size", hidden, hidden_, 1, WIDTH_LIMIT),                                                               \
  CONFIG_WHOLE("num_hidden_layers", encoder.layers, layers_, 1, LAYER_LIMIT),                                                 \
  CONFIG_WHOLE("num_attention_heads", encoder.heads, heads_, 1, HEAD_LIMIT),                                                  \
  CONFIG_WHOLE("intermediate_size", encoder.ffn, ffn_, 1, FFN_LIMIT),                                                         \
  CONFIG_NAMED("hidden_act", activation, activation_, activation_choices),                                                    \
  CONFIG_RATE("hidden_dropout_prob", dropout, dropout_),                                                                      \
  CONFIG_RATE("attention_probs_dropout_prob", attention_dropout, dropout_),                                                   \
  CONFIG_REAL("layer_norm_eps", norm_epsilon, 1e-12, 0, 1),                                                                   \
  ENCODER_COMMON_KEYS(positions, pad, bos, eos)

#define ENCODER_COMMON_KEYS(positions, pad, bos, eos)                                                                         \
  {.key = "max_position_embeddings", .type = CONFIG_TABLE_ROWS, .field = FIELD(max_positions), .otherwise = positions,        \
   .low = 1, .high = POSITION_LIMIT},                                                                                         \
  {.key = "initializer_range", .type = CONFIG_NUMBER, .field = FIELD(initial_deviation), .otherwise = 0.02, .high = 1000,     \
   .incidental = true},                                                                                                       \
  CONFIG_SWITCH("tie_word_embeddings", tied_head, true),                                                                      \
  CONFIG_TOKEN("pad_token_id", pad_id, pad),                                                                                  \
  CONFIG_TOKEN("bos_token_id", bos_id, bos),                                                                                  \
  CONFIG_TOKEN("eos_token_id", eos_id, eos)

#define CONFIG_NARROW_EMBEDDING(otherwise_)                                                                                   \
  {.key = "embedding_size", .type = CONFIG_TABLE_WIDTH, .field = FIELD(embedding_width), .otherwise = otherwise_, .low = 1,   \
   .high = WIDTH_LIMIT}

// The dropout before the classifier; where the key is missing or null, the dropout of another key.
#define HEAD_DROPOUT(key_, otherwise_key)                                                                                     \
  {.key = key_, .type = CONFIG_NUMBER, .field = FIELD(head_dropout), .high = 0.999, .same_as = otherwise_key, .incidental = true}

enum {
  LANGUAGE_HEADS = FOR_HEAD(HEAD_LANGUAGE) | FOR_HEAD(HEAD_PRETRAINING),
  NEXT_SENTENCE_HEADS = FOR_HEAD(HEAD_NEXT_SENTENCE) | FOR_HEAD(HEAD_PRETRAINING),
  BARE_HEADS = FOR_HEAD(HEAD_NONE) | FOR_HEAD(HEAD_CHOICE),  // whose pooler is that of the model without a head
  LABEL_HEADS = FOR_HEAD(HEAD_CLASSIFY) | FOR_HEAD(HEAD_TAG) | FOR_HEAD(HEAD_CHOICE),
};

// The position ids of old files are a buffer that counts from 0.
#define ENCODER_TABLES(place)                                                                                                 \
  {place "word_embeddings.weight", "encoder.embedding"},                                                                      \
  {place "position_embeddings.weight", "encoder.positions"},                                                                  \
  {place "position_ids", "encoder.positions", .role = TENSOR_IGNORED},                                                        \
  {place "LayerNorm.weight", "encoder.embedding_norm.gain"},                                                                  \
  {place "LayerNorm.bias", "encoder.embedding_norm.bias"}

#define ENCODER_LINEAR(stored, weight_) {stored ".weight", weight_ ".weight"}, {stored ".bias", weight_ ".bias"}
#define ENCODER_NORM(stored, weight_) {stored ".weight", weight_ ".gain"}, {stored ".bias", weight_ ".bias"}
#define ENCODER_PART(stored, part_)                                                                                           \
  {stored ".weight", "encoder.{}.self.query_key_value.weight", part_},                                                        \
  {stored ".bias", "encoder.{}.self.query_key_value.bias", part_}

#define ENCODER_LAYERS(place)                                                                                                 \
  ENCODER_PART(place "attention.self.query", 0), ENCODER_PART(place "attention.self.key", 1),                                 \
  ENCODER_PART(place "attention.self.value", 2), ENCODER_LINEAR(place "attention.output.dense", "encoder.{}.self.output"),    \
  ENCODER_NORM(place "attention.output.LayerNorm", "encoder.{}.self.norm"),                                                   \
  ENCODER_FEED_FORWARD(place)

#define ENCODER_FEED_FORWARD(place)                                                                                           \
  ENCODER_LINEAR(place "intermediate.dense", "encoder.{}.feed_forward.up"),                                                   \
  ENCODER_LINEAR(place "output.dense", "encoder.{}.feed_forward.down"),                                                       \
  ENCODER_NORM(place "output.LayerNorm", "encoder.{}.feed_forward.norm")

// The matrix of the vocabulary, tied or of its own, and its bias.
#define VOCABULARY_NAMES(matrix, bias)                                                                                        \
  {matrix, "head.weight"}, {matrix, "encoder.embedding", .role = TENSOR_TIED, .heads = LANGUAGE_HEADS}, {bias, "head.bias"}
// transformers has the bias twice: `own`, and that of the layer that multiplies, which is tied to it if the matrix is tied.
// Without the tie the layer's counts, and the other one is used by nobody.
#define VOCABULARY_NAMES_TWICE(layer, own)                                                                                    \
  {layer ".weight", "head.weight"}, {layer ".weight", "encoder.embedding", .role = TENSOR_TIED, .heads = LANGUAGE_HEADS},     \
  {own, "head.bias", .tie = WHEN_TIED}, {layer ".bias", "head.bias", .role = TENSOR_TIED, .tie = WHEN_TIED},                  \
  {layer ".bias", "head.bias", .tie = WHEN_UNTIED}, {own, "head.bias", .role = TENSOR_COPY, .tie = WHEN_UNTIED}

#define POOLER_NAMES(stored, heads_)                                                                                          \
  {stored ".weight", "head.pooler.weight", .heads = heads_}, {stored ".bias", "head.pooler.bias", .heads = heads_}
#define TRANSFORM_NAMES(dense, norm) ENCODER_LINEAR(dense, "head.transform"), ENCODER_NORM(norm, "head.transform.norm")
#define CLASSIFIER_NAMES(stored, heads_)                                                                                      \
  {stored ".weight", "head.classifier.weight", .heads = heads_}, {stored ".bias", "head.classifier.bias", .heads = heads_}

void encoder_constants(struct arch *arch);
bool encoder_complete(struct arch *arch, const char *path, struct error *error);
// Positions that are counted from the row behind that of the padding id.
bool encoder_positions_after(struct arch *arch, int padding, const char *path, struct error *error);
extern const char *const encoder_harmless[];

// The heads of RoBERTa, which MPNet took over.
#define ROBERTA_HEAD_NAMES \
  POOLER_NAMES("classifier.dense", FOR_HEAD(HEAD_CLASSIFY)), \
  TRANSFORM_NAMES("lm_head.dense", "lm_head.layer_norm"), \
  VOCABULARY_NAMES_TWICE("lm_head.decoder", "lm_head.bias"), \
  CLASSIFIER_NAMES("classifier.out_proj", FOR_HEAD(HEAD_CLASSIFY)), \
  CLASSIFIER_NAMES("classifier", FOR_HEAD(HEAD_TAG) | FOR_HEAD(HEAD_CHOICE)), \
  CLASSIFIER_NAMES("qa_outputs", FOR_HEAD(HEAD_SPAN))
