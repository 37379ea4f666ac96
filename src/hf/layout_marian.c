// "marian": the Transformer of 2017. Encoder and decoder, norm after each sublayer, sinusoids with the sines first.
#include "hf/layout_tables.h"

static const struct config_key keys[] = {
  TRANSLATOR_KEYS(58101, 58100, 0),
  {.key = "decoder_vocab_size", .type = CONFIG_INTEGER, .field = FIELD(target_vocab), .low = 1, .high = VOCABULARY_LIMIT,
   .same_as = "vocab_size"},
  CONFIG_SWITCH("share_encoder_decoder_embeddings", shared_embeddings, true),
  {0}};

static const struct config_pair unsupported[] = {{"is_encoder_decoder", "true"}, {0}};
static const struct config_pair ignored[] = {TRANSLATOR_IGNORED("false"), {0}};

static void constants(struct arch *arch) {
  arch->family = FAMILY_ENCODER_DECODER;
  arch->norm = NORM_LAYER;
  arch->norm_place = NORM_POST;
  arch->norm_epsilon = 1e-5f;
  arch->residual = true;
  arch->positions = POSITIONS_SINUSOID;
  arch->attention_bias = arch->ffn_bias = arch->head_bias = true;
  arch->unk_id = 1;
}

static bool complete(struct arch *arch, const char *path, struct error *error) {
  arch->encoder.kv_heads = arch->encoder.heads;
  arch->decoder.kv_heads = arch->decoder.heads;
  if (arch->shared_embeddings && arch->source_vocab != arch->target_vocab)
    return error_set(error, ERROR_FORMAT,
                     "%s: \"decoder_vocab_size\" is %d; with shared embeddings it has to be \"vocab_size\", %d", path,
                     arch->target_vocab, arch->source_vocab);
  // Without tied word embeddings transformers unties everything, and what is shared is used by nobody.
  if (!arch->tied_head) arch->shared_embeddings = false;
  return true;
}

static const struct tensor_name names[] = {
  TRANSLATOR_TABLES,
  {"model.shared.weight", "encoder.embedding", .role = TENSOR_IGNORED},
  {"model.encoder.embed_positions.weight", "encoder.positions", .role = TENSOR_UNSAVED},
  {"model.decoder.embed_positions.weight", "decoder.positions", .role = TENSOR_UNSAVED},
  TRANSLATOR_LAYER("encoder"),
  TRANSLATOR_LAYER("decoder"),
  TRANSLATOR_CROSS,
  {0}};

const struct layout layout_marian = {
  .model_type = "marian", .architecture = "MarianMTModel", .keys = keys, .aliases = translator_aliases,
  .unsupported = unsupported, .ignored = ignored, .harmless = translator_harmless, .constants = constants, .complete = complete,
  .names = names};
