// "gpt2": one causal stack, norm before each sublayer and one after the last, learned positions, tied head. Its products are
// stored transposed (Conv1D), query, key and value as one.
#include "hf/layout_tables.h"

static const struct config_key keys[] = {
  CONFIG_WHOLE("vocab_size", target_vocab, 50257, 1, VOCABULARY_LIMIT),
  CONFIG_WHOLE("n_positions", max_positions, 1024, 1, POSITION_LIMIT),
  CONFIG_WHOLE("n_embd", hidden, 768, 1, WIDTH_LIMIT),
  CONFIG_WHOLE("n_layer", decoder.layers, 12, 1, LAYER_LIMIT),
  CONFIG_WHOLE("n_head", decoder.heads, 12, 1, HEAD_LIMIT),
  CONFIG_WHOLE("n_inner", decoder.ffn, 0, 1, FFN_LIMIT),
  CONFIG_NAMED("activation_function", activation, ACTIVATION_GELU_TANH, activation_choices),
  CONFIG_REAL("layer_norm_epsilon", norm_epsilon, 1e-5, 0, 1),
  CONFIG_SWITCH("tie_word_embeddings", tied_head, true),
  {.key = "initializer_range", .type = CONFIG_NUMBER, .field = FIELD(initial_deviation), .otherwise = 0.02, .high = 1000,
   .incidental = true},
  CONFIG_RATE("resid_pdrop", dropout, 0.1),
  CONFIG_RATE("embd_pdrop", embedding_dropout, 0.1),
  CONFIG_RATE("attn_pdrop", attention_dropout, 0.1),
  CONFIG_TOKEN("bos_token_id", bos_id, 50256),
  CONFIG_TOKEN("eos_token_id", eos_id, 50256),
  CONFIG_TOKEN("pad_token_id", pad_id, -1),
  {0}};

static const struct config_pair aliases[] = {
  {"hidden_size", "n_embd"}, {"max_position_embeddings", "n_positions"}, {"num_attention_heads", "n_head"},
  {"num_hidden_layers", "n_layer"}, {0}};
static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"add_cross_attention", "false"}, {"scale_attn_weights", "true"},
  {"scale_attn_by_inverse_layer_idx", "false"}, {0}};
// The last changes how half precision is computed, nothing else.
static const char *const harmless[] = {"n_ctx", "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
                                       "summary_type", "summary_use_proj", "reorder_and_upcast_attn", NULL};

static void constants(struct arch *arch) {
  arch->family = FAMILY_DECODER;
  arch->norm = NORM_LAYER;
  arch->norm_place = NORM_PRE;
  arch->final_norm = arch->residual = arch->scaled_residuals = arch->padding_learnt = true;
  arch->positions = POSITIONS_LEARNED;
  arch->embedding_scale = 1;
  arch->attention_bias = arch->ffn_bias = true;
  arch->unk_id = arch->decoder_start_id = arch->forced_eos_id = -1;
}

static bool complete(struct arch *arch, const char *path, struct error *error) {
  (void)path, (void)error;
  arch->decoder.kv_heads = arch->decoder.heads;
  if (!arch->decoder.ffn) arch->decoder.ffn = 4 * arch->hidden;
  return true;
}

#define CONV1D(stored, weight, part_) \
  {stored ".weight", weight ".weight", .part = part_, .transposed = true}, { stored ".bias", weight ".bias", .part = part_ }
#define NORM(stored, norm) {stored ".weight", norm ".gain"}, { stored ".bias", norm ".bias" }

static const struct tensor_name names[] = {
  {"transformer.wte.weight", "decoder.embedding"},
  {"transformer.wpe.weight", "decoder.positions"},
  NORM("transformer.h.{}.ln_1", "decoder.{}.self.norm"),
  CONV1D("transformer.h.{}.attn.c_attn", "decoder.{}.self.query_key_value", ALL_PARTS),
  CONV1D("transformer.h.{}.attn.c_proj", "decoder.{}.self.output", 0),
  NORM("transformer.h.{}.ln_2", "decoder.{}.feed_forward.norm"),
  CONV1D("transformer.h.{}.mlp.c_fc", "decoder.{}.feed_forward.up", 0),
  CONV1D("transformer.h.{}.mlp.c_proj", "decoder.{}.feed_forward.down", 0),
  NORM("transformer.ln_f", "decoder.norm"),
  {"lm_head.weight", "head.weight"},
  {"lm_head.weight", "decoder.embedding", .role = TENSOR_TIED},
  // The causal mask, which old files hold.
  {"transformer.h.{}.attn.bias", "decoder.{}.self.output.weight", .role = TENSOR_IGNORED},
  {"transformer.h.{}.attn.masked_bias", "decoder.{}.self.output.weight", .role = TENSOR_IGNORED},
  {0}};

const struct layout layout_gpt2 = {
  .model_type = "gpt2", .architecture = "GPT2LMHeadModel", .keys = keys, .aliases = aliases, .unsupported = unsupported,
  .harmless = harmless, .constants = constants, .complete = complete, .names = names, .prefix = "transformer."};
