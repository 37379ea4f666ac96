// "mpnet" (Song et al. 2020): an encoder without segments whose attention also has learnt biases by distance, the same for all
// layers. Positions begin behind id 1, whatever the padding is.
#include "hf/layout_encoders.h"

enum { BUCKETS = 32, DISTANCE = 128, PADDING = 1 };

static const struct config_key keys[] = {
  ENCODER_KEYS(30527, 768, 12, 12, 3072, ACTIVATION_GELU, 0.1, 512, PADDING, 0, 2),
  HEAD_DROPOUT("classifier_dropout", "hidden_dropout_prob"),
  {0}};

static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"position_embedding_type", "\"absolute\""}, {"relative_attention_num_buckets", "32"}, {0}};

static const struct layout_head heads[] = {
  {"MPNetModel", HEAD_NONE, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"MPNetForMaskedLM", HEAD_LANGUAGE, TRANSFORM_GELU},
  {"MPNetForSequenceClassification", HEAD_CLASSIFY, .pooler = true, .pooler_activation = ACTIVATION_TANH, .pooler_dropout = true},
  {"MPNetForTokenClassification", HEAD_TAG},
  {"MPNetForQuestionAnswering", HEAD_SPAN},
  {"MPNetForMultipleChoice", HEAD_CHOICE, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {0}};

static void constants(struct arch *arch) {
  encoder_constants(arch);
  arch->relative_buckets = BUCKETS;
  arch->relative_distance = DISTANCE;
}

static bool complete(struct arch *arch, const char *path, struct error *error) {
  return encoder_complete(arch, path, error) && encoder_positions_after(arch, PADDING, path, error);
}

static const struct tensor_name names[] = {
  ENCODER_TABLES("mpnet.embeddings."),
  {"mpnet.encoder.relative_attention_bias.weight", "encoder.relative"},
  ENCODER_PART("mpnet.encoder.layer.{}.attention.attn.q", 0),
  ENCODER_PART("mpnet.encoder.layer.{}.attention.attn.k", 1),
  ENCODER_PART("mpnet.encoder.layer.{}.attention.attn.v", 2),
  ENCODER_LINEAR("mpnet.encoder.layer.{}.attention.attn.o", "encoder.{}.self.output"),
  ENCODER_NORM("mpnet.encoder.layer.{}.attention.LayerNorm", "encoder.{}.self.norm"),
  ENCODER_FEED_FORWARD("mpnet.encoder.layer.{}."),
  POOLER_NAMES("mpnet.pooler.dense", BARE_HEADS),
  ROBERTA_HEAD_NAMES,
  {0}};

const struct layout layout_mpnet = {
  .model_type = "mpnet", .heads = heads, .prefix = "mpnet.", .keys = keys, .unsupported = unsupported,
  .harmless = encoder_harmless, .constants = constants, .complete = complete, .names = names};
