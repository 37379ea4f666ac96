// "pegasus": the Transformer of 2017 with the norm before each sublayer and one after the last.
#include "hf/layout_tables.h"

static const struct config_key keys[] = {TRANSLATOR_KEYS(50265, 0, 1), {0}};

static const struct config_pair unsupported[] = {{"is_encoder_decoder", "true"}, {0}};
static const struct config_pair ignored[] = {TRANSLATOR_IGNORED("true"), {0}};

static void constants(struct arch *arch) {
  arch->family = FAMILY_ENCODER_DECODER;
  arch->norm = NORM_LAYER;
  arch->norm_place = NORM_PRE;
  arch->norm_epsilon = 1e-5f;
  arch->final_norm = arch->residual = true;
  arch->positions = POSITIONS_SINUSOID;
  arch->attention_bias = arch->ffn_bias = arch->head_bias = true;
  arch->unk_id = -1;
}

static bool complete(struct arch *arch, const char *path, struct error *error) {
  arch->encoder.kv_heads = arch->encoder.heads;
  arch->decoder.kv_heads = arch->decoder.heads;
  arch->target_vocab = arch->source_vocab;
  arch->shared_embeddings = arch->tied_head;
  return true;
}

static const struct tensor_name names[] = {
  TRANSLATOR_TABLES,
  {"model.shared.weight", "encoder.embedding", .role = TENSOR_COPY},
  {"model.encoder.embed_positions.weight", "encoder.positions", .role = TENSOR_OPTIONAL},
  {"model.decoder.embed_positions.weight", "decoder.positions", .role = TENSOR_OPTIONAL},
  TRANSLATOR_LAYER("encoder"),
  TRANSLATOR_LAYER("decoder"),
  TRANSLATOR_CROSS,
  {"model.encoder.layer_norm.weight", "encoder.norm.gain"},
  {"model.encoder.layer_norm.bias", "encoder.norm.bias"},
  {"model.decoder.layer_norm.weight", "decoder.norm.gain"},
  {"model.decoder.layer_norm.bias", "decoder.norm.bias"},
  {0}};

const struct layout layout_pegasus = {
  .model_type = "pegasus", .architecture = "PegasusForConditionalGeneration", .keys = keys, .aliases = translator_aliases,
  .unsupported = unsupported, .ignored = ignored, .harmless = translator_harmless, .constants = constants,
  .complete = complete, .names = names};
