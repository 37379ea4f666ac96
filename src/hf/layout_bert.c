// "bert" (Devlin et al. 2019): an encoder with the norm after each sublayer, learned positions and segments.
#include "hf/layout_encoders.h"

static const struct config_key keys[] = {
  ENCODER_KEYS(30522, 768, 12, 12, 3072, ACTIVATION_GELU, 0.1, 512, 0, -1, -1),
  CONFIG_WHOLE("type_vocab_size", types, 2, 0, POSITION_LIMIT),
  HEAD_DROPOUT("classifier_dropout", "hidden_dropout_prob"),
  {0}};

static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"position_embedding_type", "\"absolute\""}, {0}};

static const struct layout_head heads[] = {
  {"BertModel", HEAD_NONE, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"BertForPreTraining", HEAD_PRETRAINING, TRANSFORM_AS_LAYERS, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"BertForMaskedLM", HEAD_LANGUAGE, TRANSFORM_AS_LAYERS},
  {"BertForNextSentencePrediction", HEAD_NEXT_SENTENCE, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"BertForSequenceClassification", HEAD_CLASSIFY, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"BertForTokenClassification", HEAD_TAG},
  {"BertForQuestionAnswering", HEAD_SPAN},
  {"BertForMultipleChoice", HEAD_CHOICE, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {0}};

static const struct tensor_name names[] = {
  ENCODER_TABLES("bert.embeddings."),
  {"bert.embeddings.token_type_embeddings.weight", "encoder.types"},
  ENCODER_LAYERS("bert.encoder.layer.{}."),
  POOLER_NAMES("bert.pooler.dense", 0),
  TRANSFORM_NAMES("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"),
  VOCABULARY_NAMES_TWICE("cls.predictions.decoder", "cls.predictions.bias"),
  CLASSIFIER_NAMES("cls.seq_relationship", NEXT_SENTENCE_HEADS),
  CLASSIFIER_NAMES("classifier", LABEL_HEADS),
  CLASSIFIER_NAMES("qa_outputs", FOR_HEAD(HEAD_SPAN)),
  {0}};

const struct layout layout_bert = {
  .model_type = "bert", .heads = heads, .prefix = "bert.", .keys = keys, .unsupported = unsupported, .harmless = encoder_harmless,
  .constants = encoder_constants, .complete = encoder_complete, .names = names};
