// "distilbert" (Sanh et al. 2019): BERT without segments and without a pooler; its classifier has a dense layer with relu.
#include "hf/layout_encoders.h"

static const struct config_key keys[] = {
  CONFIG_WHOLE("vocab_size", source_vocab, 30522, 1, VOCABULARY_LIMIT),
  CONFIG_WHOLE("dim", hidden, 768, 1, WIDTH_LIMIT),
  CONFIG_WHOLE("n_layers", encoder.layers, 6, 1, LAYER_LIMIT),
  CONFIG_WHOLE("n_heads", encoder.heads, 12, 1, HEAD_LIMIT),
  CONFIG_WHOLE("hidden_dim", encoder.ffn, 3072, 1, FFN_LIMIT),
  CONFIG_NAMED("activation", activation, ACTIVATION_GELU, activation_choices),
  CONFIG_RATE("dropout", dropout, 0.1),
  CONFIG_RATE("attention_dropout", attention_dropout, 0.1),
  ENCODER_COMMON_KEYS(512, 0, -1, -1),
  {.key = "seq_classif_dropout", .type = CONFIG_NUMBER, .field = FIELD(head_dropout), .otherwise = 0.2, .high = 0.999,
   .incidental = true},
  {0}};

static const struct config_pair aliases[] = {
  {"hidden_size", "dim"}, {"num_hidden_layers", "n_layers"}, {"num_attention_heads", "n_heads"}, {0}};
static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"position_embedding_type", "\"absolute\""}, {0}};
// Sinusoids are only what the learned positions started from.
static const char *const harmless[] = {"sinusoidal_pos_embds", "output_past", "qa_dropout", "tie_weights_", "cls_token_id",
                                       "mask_token_id", "unk_token_id", "add_pooling_layer", NULL};

static const struct layout_head heads[] = {
  {"DistilBertModel", HEAD_NONE},
  {"DistilBertForMaskedLM", HEAD_LANGUAGE, TRANSFORM_AS_LAYERS},
  {"DistilBertForSequenceClassification", HEAD_CLASSIFY, .pooler = true, .pooler_activation = ACTIVATION_RELU},
  {"DistilBertForTokenClassification", HEAD_TAG},
  {"DistilBertForQuestionAnswering", HEAD_SPAN},
  {"DistilBertForMultipleChoice", HEAD_CHOICE, .pooler = true, .pooler_activation = ACTIVATION_RELU},
  {0}};

static void constants(struct arch *arch) {
  encoder_constants(arch);
  arch->norm_epsilon = 1e-12f;
}

static const struct tensor_name names[] = {
  ENCODER_TABLES("distilbert.embeddings."),
  ENCODER_PART("distilbert.transformer.layer.{}.attention.q_lin", 0),
  ENCODER_PART("distilbert.transformer.layer.{}.attention.k_lin", 1),
  ENCODER_PART("distilbert.transformer.layer.{}.attention.v_lin", 2),
  ENCODER_LINEAR("distilbert.transformer.layer.{}.attention.out_lin", "encoder.{}.self.output"),
  ENCODER_NORM("distilbert.transformer.layer.{}.sa_layer_norm", "encoder.{}.self.norm"),
  ENCODER_LINEAR("distilbert.transformer.layer.{}.ffn.lin1", "encoder.{}.feed_forward.up"),
  ENCODER_LINEAR("distilbert.transformer.layer.{}.ffn.lin2", "encoder.{}.feed_forward.down"),
  ENCODER_NORM("distilbert.transformer.layer.{}.output_layer_norm", "encoder.{}.feed_forward.norm"),
  POOLER_NAMES("pre_classifier", 0),
  TRANSFORM_NAMES("vocab_transform", "vocab_layer_norm"),
  VOCABULARY_NAMES("vocab_projector.weight", "vocab_projector.bias"),
  CLASSIFIER_NAMES("classifier", LABEL_HEADS),
  CLASSIFIER_NAMES("qa_outputs", FOR_HEAD(HEAD_SPAN)),
  {0}};

const struct layout layout_distilbert = {
  .model_type = "distilbert", .heads = heads, .prefix = "distilbert.", .keys = keys, .aliases = aliases,
  .unsupported = unsupported, .harmless = harmless, .constants = constants, .complete = encoder_complete, .names = names};
