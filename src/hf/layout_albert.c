// "albert" (Lan et al. 2020): BERT with narrow embeddings and layers that share their weights; it learns the order of two
// sentences instead of whether they follow each other, by the same head.
#include "hf/layout_encoders.h"

static const struct config_key keys[] = {
  ENCODER_KEYS(30000, 4096, 12, 64, 16384, ACTIVATION_GELU_TANH, 0, 512, 0, 2, 3),
  CONFIG_NARROW_EMBEDDING(128),
  CONFIG_WHOLE("num_hidden_groups", encoder.groups, 1, 1, LAYER_LIMIT),
  CONFIG_WHOLE("type_vocab_size", types, 2, 0, POSITION_LIMIT),
  {.key = "classifier_dropout_prob", .type = CONFIG_NUMBER, .field = FIELD(head_dropout), .otherwise = 0.1, .high = 0.999,
   .incidental = true},
  {0}};

static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"position_embedding_type", "\"absolute\""}, {"inner_group_num", "1"}, {0}};
static const char *const harmless[] = {"down_scale_factor", "gap_size", "layers_to_keep", "net_structure_type",
                                       "num_memory_blocks", "cls_token_id", "mask_token_id", "unk_token_id", "add_pooling_layer", NULL};

static const struct layout_head heads[] = {
  {"AlbertModel", HEAD_NONE, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"AlbertForPreTraining", HEAD_PRETRAINING, TRANSFORM_AS_LAYERS, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"AlbertForMaskedLM", HEAD_LANGUAGE, TRANSFORM_AS_LAYERS},
  {"AlbertForSequenceClassification", HEAD_CLASSIFY, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {"AlbertForTokenClassification", HEAD_TAG},
  {"AlbertForQuestionAnswering", HEAD_SPAN},
  {"AlbertForMultipleChoice", HEAD_CHOICE, .pooler = true, .pooler_activation = ACTIVATION_TANH},
  {0}};

#define LAYER "albert.encoder.albert_layer_groups.{}.albert_layers.0."

static const struct tensor_name names[] = {
  ENCODER_TABLES("albert.embeddings."),
  {"albert.embeddings.token_type_embeddings.weight", "encoder.types"},
  ENCODER_LINEAR("albert.encoder.embedding_hidden_mapping_in", "encoder.embedding_projection"),
  ENCODER_PART(LAYER "attention.query", 0),
  ENCODER_PART(LAYER "attention.key", 1),
  ENCODER_PART(LAYER "attention.value", 2),
  ENCODER_LINEAR(LAYER "attention.dense", "encoder.{}.self.output"),
  ENCODER_NORM(LAYER "attention.LayerNorm", "encoder.{}.self.norm"),
  ENCODER_LINEAR(LAYER "ffn", "encoder.{}.feed_forward.up"),
  ENCODER_LINEAR(LAYER "ffn_output", "encoder.{}.feed_forward.down"),
  ENCODER_NORM(LAYER "full_layer_layer_norm", "encoder.{}.feed_forward.norm"),
  POOLER_NAMES("albert.pooler", 0),
  TRANSFORM_NAMES("predictions.dense", "predictions.LayerNorm"),
  VOCABULARY_NAMES_TWICE("predictions.decoder", "predictions.bias"),
  CLASSIFIER_NAMES("sop_classifier.classifier", FOR_HEAD(HEAD_PRETRAINING)),
  CLASSIFIER_NAMES("classifier", LABEL_HEADS),
  CLASSIFIER_NAMES("qa_outputs", FOR_HEAD(HEAD_SPAN)),
  {0}};

const struct layout layout_albert = {
  .model_type = "albert", .heads = heads, .prefix = "albert.", .keys = keys, .unsupported = unsupported, .harmless = harmless,
  .constants = encoder_constants, .complete = encoder_complete, .names = names};
