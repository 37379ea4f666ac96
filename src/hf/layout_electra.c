// "electra" (Clark et al. 2020): BERT with embeddings that may be narrower than the hidden states. The discriminator tells which
// words are not the original ones; a generator has the head for masked words.
#include "hf/layout_encoders.h"

static const struct config_key keys[] = {
  ENCODER_KEYS(30522, 256, 12, 4, 1024, ACTIVATION_GELU, 0.1, 512, 0, -1, -1),
  CONFIG_NARROW_EMBEDDING(128),
  CONFIG_WHOLE("type_vocab_size", types, 2, 0, POSITION_LIMIT),
  HEAD_DROPOUT("classifier_dropout", "hidden_dropout_prob"),
  {0}};

static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"position_embedding_type", "\"absolute\""}, {"summary_type", "\"first\""},
  {"summary_use_proj", "true"}, {"summary_activation", "\"gelu\""}, {0}};

static const struct layout_head heads[] = {
  {"ElectraModel", HEAD_NONE},
  {"ElectraForPreTraining", HEAD_REPLACED, TRANSFORM_AS_LAYERS},
  {"ElectraForMaskedLM", HEAD_LANGUAGE, TRANSFORM_GELU},
  {"ElectraForSequenceClassification", HEAD_CLASSIFY, .pooler = true, .pooler_activation = ACTIVATION_GELU,
   .pooler_dropout = true},
  {"ElectraForTokenClassification", HEAD_TAG},
  {"ElectraForQuestionAnswering", HEAD_SPAN},
  {"ElectraForMultipleChoice", HEAD_CHOICE, .pooler = true, .pooler_activation = ACTIVATION_GELU},
  {0}};

// No projection where there is nothing to project.
static bool complete(struct arch *arch, const char *path, struct error *error) {
  if (arch->embedding_width == arch->hidden) arch->embedding_width = 0;
  return encoder_complete(arch, path, error);
}

static const struct tensor_name names[] = {
  ENCODER_TABLES("electra.embeddings."),
  {"electra.embeddings.token_type_embeddings.weight", "encoder.types"},
  ENCODER_LINEAR("electra.embeddings_project", "encoder.embedding_projection"),
  ENCODER_LAYERS("electra.encoder.layer.{}."),
  POOLER_NAMES("classifier.dense", FOR_HEAD(HEAD_CLASSIFY)),
  POOLER_NAMES("sequence_summary.summary", FOR_HEAD(HEAD_CHOICE)),
  {"generator_predictions.dense.weight", "head.transform.weight", .heads = LANGUAGE_HEADS},
  {"generator_predictions.dense.bias", "head.transform.bias", .heads = LANGUAGE_HEADS},
  ENCODER_NORM("generator_predictions.LayerNorm", "head.transform.norm"),
  {"discriminator_predictions.dense.weight", "head.transform.weight", .heads = FOR_HEAD(HEAD_REPLACED)},
  {"discriminator_predictions.dense.bias", "head.transform.bias", .heads = FOR_HEAD(HEAD_REPLACED)},
  CLASSIFIER_NAMES("discriminator_predictions.dense_prediction", FOR_HEAD(HEAD_REPLACED)),
  VOCABULARY_NAMES("generator_lm_head.weight", "generator_lm_head.bias"),
  CLASSIFIER_NAMES("classifier.out_proj", FOR_HEAD(HEAD_CLASSIFY)),
  CLASSIFIER_NAMES("classifier", FOR_HEAD(HEAD_TAG) | FOR_HEAD(HEAD_CHOICE)),
  CLASSIFIER_NAMES("qa_outputs", FOR_HEAD(HEAD_SPAN)),
  {0}};

const struct layout layout_electra = {
  .model_type = "electra", .heads = heads, .prefix = "electra.", .keys = keys, .unsupported = unsupported,
  .harmless = encoder_harmless, .constants = encoder_constants, .complete = complete, .names = names};
