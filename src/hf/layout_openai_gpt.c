// "openai-gpt": Radford et al. 2018. The norm after each sublayer; the inner layer is always four times as wide as the hidden
// states.
#include "hf/layout_gpt.h"

// transformers' own table for this architecture: its "gelu" is the tanh form.
static const struct knob_name activations[] = {
  {"gelu", ACTIVATION_GELU_TANH}, {"relu", ACTIVATION_RELU}, {"silu", ACTIVATION_SILU}, {"swish", ACTIVATION_SILU}, {0}};

static const struct config_key keys[] = {
  GPT_KEYS(40478, 512, -1, -1), CONFIG_NAMED("afn", activation, ACTIVATION_GELU_TANH, activations), {0}};

static const struct config_pair aliases[] = {GPT_ALIASES, {0}};
static const struct config_pair unsupported[] = {{"is_encoder_decoder", "false"}, {"add_cross_attention", "false"}, {0}};
static const char *const harmless[] = {GPT_HARMLESS, "predict_special_tokens", NULL};

static void constants(struct arch *arch) { gpt_constants(arch, NORM_POST); }

static bool complete(struct arch *arch, const char *path, struct error *error) {
  (void)path, (void)error;
  arch->decoder.kv_heads = arch->decoder.heads;
  arch->decoder.ffn = 4 * arch->hidden;
  return true;
}

static const struct layout_head heads[] = {GPT_HEADS("OpenAIGPT"), {0}};

static const struct tensor_name names[] = {GPT_NAMES("tokens_embed", "positions_embed"), {0}};

const struct layout layout_openai_gpt = {
  .model_type = "openai-gpt", .heads = heads, .keys = keys, .aliases = aliases,
  .unsupported = unsupported, .harmless = harmless, .constants = constants, .complete = complete, .names = names,
  .prefix = "transformer."};
