// "llama": today's decoder (Touvron et al. 2023). RMS norm before each sublayer, rotary positions, gated silu, grouped heads.
#include <string.h>

#include "hf/config.h"
#include "hf/json_exact.h"
#include "hf/layout_tables.h"

static const struct config_key keys[] = {
  CONFIG_WHOLE("vocab_size", target_vocab, 32000, 1, VOCABULARY_LIMIT),
  CONFIG_WHOLE("hidden_size", hidden, 4096, 1, WIDTH_LIMIT),
  CONFIG_WHOLE("intermediate_size", decoder.ffn, 11008, 1, FFN_LIMIT),
  CONFIG_WHOLE("num_hidden_layers", decoder.layers, 32, 1, LAYER_LIMIT),
  CONFIG_WHOLE("num_attention_heads", decoder.heads, 32, 1, HEAD_LIMIT),
  {.key = "num_key_value_heads", .type = CONFIG_INTEGER, .field = FIELD(decoder.kv_heads), .low = 1, .high = HEAD_LIMIT,
   .same_as = "num_attention_heads"},
  CONFIG_NAMED("hidden_act", activation, ACTIVATION_SILU, activation_choices),
  CONFIG_WHOLE("max_position_embeddings", max_positions, 2048, 1, POSITION_LIMIT),
  CONFIG_REAL("rms_norm_eps", norm_epsilon, 1e-6, 0, 1),
  CONFIG_SWITCH("tie_word_embeddings", tied_head, false),
  CONFIG_SWITCH("attention_bias", attention_bias, false),
  CONFIG_SWITCH("mlp_bias", ffn_bias, false),
  {.key = "initializer_range", .type = CONFIG_NUMBER, .field = FIELD(initial_deviation), .otherwise = 0.02, .high = 1000,
   .incidental = true},
  CONFIG_RATE("attention_dropout", attention_dropout, 0),
  CONFIG_TOKEN("bos_token_id", bos_id, 1),
  CONFIG_TOKEN("eos_token_id", eos_id, 2),
  CONFIG_TOKEN("pad_token_id", pad_id, -1),
  {0}};

// The last two would change the frequencies from outside of the object that says them.
static const struct config_pair unsupported[] = {
  {"is_encoder_decoder", "false"}, {"add_cross_attention", "false"}, {"original_max_position_embeddings", "null"},
  {"partial_rotary_factor", "1"}, {0}};
static const char *const harmless[] = {"head_dim", "pretraining_tp", "rope_parameters", "rope_scaling", "rope_theta", NULL};

static void constants(struct arch *arch) {
  arch->family = FAMILY_DECODER;
  arch->norm = NORM_RMS;
  arch->norm_place = NORM_PRE;
  arch->final_norm = arch->residual = arch->gated = true;
  arch->positions = POSITIONS_ROTARY;
  arch->embedding_scale = 1;
  arch->unk_id = arch->decoder_start_id = arch->forced_eos_id = -1;
}

static bool complete(struct arch *arch, const char *path, struct error *error) {
  if (arch->hidden % arch->decoder.heads == 0) return true;
  return error_set(error, ERROR_UNSUPPORTED, "%s: \"hidden_size\" is %d, which \"num_attention_heads\", %d, does not divide",
                   path, arch->hidden, arch->decoder.heads);
}

// --- head_dim: 0 in struct arch where it follows from the width

static const struct config_key head_keys[] = {CONFIG_WHOLE("head_dim", head_width, 0, 1, WIDTH_LIMIT), {0}};

static bool read_head(struct arch *arch, const cJSON *config, const char *path, struct error *error) {
  if (!config_read_keys(arch, head_keys, NULL, config, path, error)) return false;
  if (arch->head_width * arch->decoder.heads == arch->hidden) arch->head_width = 0;
  return true;
}

static bool write_head(cJSON *config, const struct arch *arch, struct error *error) {
  struct arch said = *arch;
  if (!said.head_width && arch->decoder.heads) said.head_width = arch->hidden / arch->decoder.heads;  // an encoder has none
  return config_put_keys(config, head_keys, &said, error);
}

// --- rotary positions: "rope_parameters", or "rope_theta" and "rope_scaling" as older versions have it

static const struct knob_name kinds[] = {{"default", ROTARY_PLAIN}, {"linear", ROTARY_LINEAR}, {"dynamic", ROTARY_DYNAMIC},
                                             {"llama3", ROTARY_LLAMA3}, {"yarn", ROTARY_YARN},     {0}};

static const struct config_pair kind_aliases[] = {{"type", "rope_type"}, {0}};
static const struct config_key kind_keys[] = {CONFIG_NAMED("rope_type", rotary.scaling, ROTARY_PLAIN, kinds), {0}};
static const struct config_key base_keys[] = {CONFIG_REAL("rope_theta", rotary.base, 10000, 1, 1e12), {0}};

#define FACTOR CONFIG_REAL("factor", rotary.factor, 0, 1e-6, 1e6)
#define ORIGINAL CONFIG_WHOLE("original_max_position_embeddings", rotary.original_positions, 0, 1, POSITION_LIMIT)
#define UNSAID(key_, name) \
  {.key = key_, .type = CONFIG_NUMBER, .field = FIELD(rotary.name), .high = 1e6, .unsaid_at_zero = true}
static const struct config_key factor_keys[] = {FACTOR, {0}};
static const struct config_key llama3_keys[] = {FACTOR,
                                                ORIGINAL,
                                                CONFIG_REAL("low_freq_factor", rotary.low, 0, 1e-6, 1e6),
                                                CONFIG_REAL("high_freq_factor", rotary.high, 0, 1e-6, 1e6),
                                                {0}};
static const struct config_key yarn_keys[] = {FACTOR,
                                              ORIGINAL,
                                              CONFIG_REAL("beta_slow", rotary.low, 1, 1e-6, 1e6),
                                              CONFIG_REAL("beta_fast", rotary.high, 32, 1e-6, 1e6),
                                              UNSAID("attention_factor", attention_factor),
                                              UNSAID("mscale", mscale),
                                              UNSAID("mscale_all_dim", mscale_all),
                                              CONFIG_SWITCH("truncate", rotary.truncated, true),
                                              {0}};

static const struct config_key *keys_of(enum rotary_scaling scaling) {
  switch (scaling) {
    case ROTARY_LINEAR:
    case ROTARY_DYNAMIC: return factor_keys;
    case ROTARY_LLAMA3: return llama3_keys;
    case ROTARY_YARN: return yarn_keys;
    case ROTARY_PLAIN: break;
  }
  return factor_keys + 1;  // none
}

static const cJSON *object_in(const cJSON *config, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, key);
  return cJSON_IsNull(item) ? NULL : item;
}

static bool check_rope(const struct arch *arch, const cJSON *rope, const char *path, struct error *error) {
  const struct config_key *own = keys_of(arch->rotary.scaling);
  const cJSON *item;
  if (arch->rotary.scaling != ROTARY_PLAIN && !object_in(rope, "factor"))
    return error_set(error, ERROR_FORMAT, "%s: \"%s\" has no \"factor\", which its kind of scaling needs", path, rope->string);
  if (arch->rotary.scaling == ROTARY_LLAMA3 && (!object_in(rope, "low_freq_factor") || !object_in(rope, "high_freq_factor")))
    return error_set(error, ERROR_FORMAT, "%s: \"%s\" needs \"low_freq_factor\" and \"high_freq_factor\"", path, rope->string);
  cJSON_ArrayForEach(item, rope) {
    bool known =
      strcmp(item->string, "rope_type") == 0 || strcmp(item->string, "type") == 0 || strcmp(item->string, "rope_theta") == 0;
    for (const struct config_key *key = own; key->key; key++) known |= strcmp(key->key, item->string) == 0;
    if (known || cJSON_IsNull(item)) continue;
    if (strcmp(item->string, "partial_rotary_factor") == 0 && item->valuedouble != 1)
      return error_set(error, ERROR_UNSUPPORTED, "%s: \"partial_rotary_factor\" is %g; qkv's llama models only know 1", path,
                       item->valuedouble);
    error_warn(error, "%s: unknown and ignored: \"%.80s\" of \"%s\"", path, item->string, rope->string);
  }
  return true;
}

// transformers: what "rope_scaling" says goes before "rope_parameters", and the object's own rope_theta before the one outside.
static bool read_rope(struct arch *arch, const cJSON *config, const char *path, struct error *error) {
  const cJSON *scaling = object_in(config, "rope_scaling"), *rope = scaling ? scaling : object_in(config, "rope_parameters");
  if (rope && !cJSON_IsObject(rope)) return error_set(error, ERROR_FORMAT, "%s: \"%s\" has to be an object", path, rope->string);
  if (!config_read_keys(arch, base_keys, NULL, object_in(rope, "rope_theta") ? rope : config, path, error)) return false;
  if (!rope) return true;
  if (!config_read_keys(arch, kind_keys, kind_aliases, rope, path, error)) return false;
  const struct config_key *own = keys_of(arch->rotary.scaling);
  if (!check_rope(arch, rope, path, error) || !config_read_keys(arch, own, NULL, rope, path, error)) return false;
  if ((own == llama3_keys || own == yarn_keys) && !arch->rotary.original_positions)
    arch->rotary.original_positions = arch->max_positions;
  return true;
}

static bool same_rope(const struct arch *a, const struct arch *b) {
  return config_same(kind_keys, a, b) && config_same(base_keys, a, b) && config_same(keys_of(a->rotary.scaling), a, b);
}

// What is there stays if it says the same. Otherwise the older spelling, which every version reads, unless the newer one is used.
static bool write_rope(cJSON *config, const struct arch *arch, struct error *error) {
  struct arch read = {.max_positions = arch->max_positions};
  struct error ignored = {0};
  bool newer = object_in(config, "rope_parameters") != NULL,
       there = newer || object_in(config, "rope_theta") || object_in(config, "rope_scaling");
  if (there && read_rope(&read, config, "", &ignored) && same_rope(&read, arch)) return true;
  cJSON *rope = newer || arch->rotary.scaling != ROTARY_PLAIN ? cJSON_CreateObject() : cJSON_CreateNull();
  if (!rope) return error_memory(error, 0);
  if (cJSON_IsObject(rope) &&
      !(config_put_keys(rope, kind_keys, arch, error) && config_put_keys(rope, keys_of(arch->rotary.scaling), arch, error))) {
    cJSON_Delete(rope);
    return false;
  }
  cJSON_DeleteItemFromObjectCaseSensitive(config, newer ? "rope_scaling" : "rope_parameters");
  if (newer) cJSON_DeleteItemFromObjectCaseSensitive(config, "rope_theta");
  return json_put(config, newer ? "rope_parameters" : "rope_scaling", rope, error) &&
         config_put_keys(newer ? rope : config, base_keys, arch, error);
}

static bool read(struct arch *arch, const cJSON *config, const char *path, struct error *error) {
  return read_head(arch, config, path, error) && read_rope(arch, config, path, error);
}

static bool write(cJSON *config, const struct arch *arch, struct error *error) {
  return write_head(config, arch, error) && write_rope(config, arch, error);
}

// --- heads and tensors

static const struct layout_head heads[] = {
  {"LlamaForCausalLM", HEAD_LANGUAGE},
  {"LlamaModel", HEAD_NONE},
  {"LlamaForSequenceClassification", HEAD_CLASSIFY, .pooling = POOLING_LAST, .unbiased = true},
  {"LlamaForTokenClassification", HEAD_TAG},
  {0}};

#define LINEAR(stored, weight, part) {stored ".weight", weight ".weight", part}, { stored ".bias", weight ".bias", part }

static const struct tensor_name names[] = {
  {"model.embed_tokens.weight", "decoder.embedding"},
  {"model.layers.{}.input_layernorm.weight", "decoder.{}.self.norm.gain"},
  LINEAR("model.layers.{}.self_attn.q_proj", "decoder.{}.self.query_key_value", 0),
  LINEAR("model.layers.{}.self_attn.k_proj", "decoder.{}.self.query_key_value", 1),
  LINEAR("model.layers.{}.self_attn.v_proj", "decoder.{}.self.query_key_value", 2),
  LINEAR("model.layers.{}.self_attn.o_proj", "decoder.{}.self.output", 0),
  {"model.layers.{}.post_attention_layernorm.weight", "decoder.{}.feed_forward.norm.gain"},
  LINEAR("model.layers.{}.mlp.up_proj", "decoder.{}.feed_forward.up", 0),
  LINEAR("model.layers.{}.mlp.gate_proj", "decoder.{}.feed_forward.up", 1),
  LINEAR("model.layers.{}.mlp.down_proj", "decoder.{}.feed_forward.down", 0),
  {"model.norm.weight", "decoder.norm.gain"},
  {"lm_head.weight", "head.weight"},
  {"lm_head.weight", "decoder.embedding", .role = TENSOR_TIED, .heads = FOR_HEAD(HEAD_LANGUAGE)},
  LINEAR("score", "head.classifier", 0),
  // The frequencies, which old files hold.
  {"model.layers.{}.self_attn.rotary_emb.inv_freq", "decoder.{}.self.output.weight", .role = TENSOR_IGNORED},
  {0}};

const struct layout layout_llama = {
  .model_type = "llama", .heads = heads, .keys = keys, .unsupported = unsupported, .harmless = harmless,
  .constants = constants, .read = read, .write = write, .complete = complete, .names = names, .prefix = "model."};
