// "roberta" (Liu et al. 2019) and "xlm-roberta" (Conneau et al. 2020): BERT whose positions begin behind the padding id, and
// whose classifier has a dense layer of its own.
#include "hf/layout_encoders.h"

static const struct config_key keys[] = {
  ENCODER_KEYS(50265, 768, 12, 12, 3072, ACTIVATION_GELU, 0.1, 512, 1, 0, 2),
  CONFIG_WHOLE("type_vocab_size", types, 2, 0, POSITION_LIMIT),
  HEAD_DROPOUT("classifier_dropout", "hidden_dropout_prob"),
  {0}};

static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"position_embedding_type", "\"absolute\""}, {0}};

#define HEADS(name)                                                                                                           \
  {name "Model", HEAD_NONE, .pooler = true, .pooler_activation = ACTIVATION_TANH},                                            \
  {name "ForMaskedLM", HEAD_LANGUAGE, TRANSFORM_GELU},                                                                        \
  {name "ForSequenceClassification", HEAD_CLASSIFY, .pooler = true, .pooler_activation = ACTIVATION_TANH,                     \
   .pooler_dropout = true},                                                                                                   \
  {name "ForTokenClassification", HEAD_TAG},                                                                                  \
  {name "ForQuestionAnswering", HEAD_SPAN},                                                                                   \
  {name "ForMultipleChoice", HEAD_CHOICE, .pooler = true, .pooler_activation = ACTIVATION_TANH}, {0}

static const struct layout_head roberta_heads[] = {HEADS("Roberta")};
static const struct layout_head xlm_heads[] = {HEADS("XLMRoberta")};

static bool complete(struct arch *arch, const char *path, struct error *error) {
  return encoder_complete(arch, path, error) && encoder_positions_after(arch, arch->pad_id, path, error);
}

static const struct tensor_name names[] = {
  ENCODER_TABLES("roberta.embeddings."),
  {"roberta.embeddings.token_type_embeddings.weight", "encoder.types"},
  ENCODER_LAYERS("roberta.encoder.layer.{}."),
  POOLER_NAMES("roberta.pooler.dense", BARE_HEADS),
  ROBERTA_HEAD_NAMES,
  {0}};

#define LAYOUT(type, heads_)                                                                                                  \
  {.model_type = type, .heads = heads_, .prefix = "roberta.", .keys = keys, .unsupported = unsupported,                       \
   .harmless = encoder_harmless, .constants = encoder_constants, .complete = complete, .names = names}

const struct layout layout_roberta = LAYOUT("roberta", roberta_heads);
const struct layout layout_xlm_roberta = LAYOUT("xlm-roberta", xlm_heads);
