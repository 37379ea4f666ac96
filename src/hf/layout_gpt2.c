// "gpt2": Radford et al. 2019. The norm before each sublayer and one after the last; residual branches start smaller.
#include "hf/config.h"
#include "hf/json_exact.h"
#include "hf/layout_gpt.h"

static const struct config_key keys[] = {
  GPT_KEYS(50257, 1024, 50256, 50256),
  CONFIG_NAMED("activation_function", activation, ACTIVATION_GELU_TANH, activation_choices),
  {0}};

static const struct config_pair aliases[] = {GPT_ALIASES, {0}};
static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"add_cross_attention", "false"}, {"scale_attn_weights", "true"},
  {"scale_attn_by_inverse_layer_idx", "false"}, {0}};
// The last changes how half precision is computed, nothing else.
static const char *const harmless[] = {GPT_HARMLESS, "n_inner", "reorder_and_upcast_attn", NULL};

// Missing or null: four times the width.
static const struct config_key inner_keys[] = {CONFIG_WHOLE("n_inner", decoder.ffn, 0, 1, FFN_LIMIT), {0}};

static bool read_inner(struct arch *arch, const cJSON *config, const char *path, struct error *error) {
  if (!config_read_keys(arch, inner_keys, NULL, config, path, error)) return false;
  if (!arch->decoder.ffn) arch->decoder.ffn = 4 * arch->hidden;
  return true;
}

static bool write_inner(cJSON *config, const struct arch *arch, struct error *error) {
  bool said = !cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(config, "n_inner")) && json_has(config, "n_inner");
  return (!said && arch->decoder.ffn == 4 * arch->hidden) || config_put_keys(config, inner_keys, arch, error);
}

static void constants(struct arch *arch) {
  gpt_constants(arch, NORM_PRE);
  arch->final_norm = arch->scaled_residuals = true;
}

static bool complete(struct arch *arch, const char *path, struct error *error) {
  (void)path, (void)error;
  arch->decoder.kv_heads = arch->decoder.heads;
  return true;
}

static const struct layout_head heads[] = {
  GPT_HEADS("GPT2"), {"GPT2ForTokenClassification", HEAD_TAG}, {"GPT2ForQuestionAnswering", HEAD_SPAN}, {0}};

static const struct tensor_name names[] = {
  GPT_NAMES("wte", "wpe"),
  GPT_NORM("transformer.ln_f", "decoder.norm"),
  {"classifier.weight", "head.classifier.weight", .heads = FOR_HEAD(HEAD_TAG)},
  {"classifier.bias", "head.classifier.bias", .heads = FOR_HEAD(HEAD_TAG)},
  {"qa_outputs.weight", "head.classifier.weight", .heads = FOR_HEAD(HEAD_SPAN)},
  {"qa_outputs.bias", "head.classifier.bias", .heads = FOR_HEAD(HEAD_SPAN)},
  {0}};

const struct layout layout_gpt2 = {.model_type = "gpt2",
                                   .heads = heads,
                                   .keys = keys,
                                   .aliases = aliases,
                                   .unsupported = unsupported,
                                   .harmless = harmless,
                                   .constants = constants,
                                   .read = read_inner,
                                   .write = write_inner,
                                   .complete = complete,
                                   .names = names,
                                   .prefix = "transformer."};
