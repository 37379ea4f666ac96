#include "hf/config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "hf/heads.h"
#include "hf/json_exact.h"

// A hostile file could hold millions of keys, each of which is looked up.
enum { KEY_LIMIT = 4096 };

// Keys that change nothing about what a model computes from ids: bookkeeping, labels of other heads, and options of the
// search, which generation_config.c reads.
static const char *const harmless_everywhere[] = {
  "_attn_implementation", "_attn_implementation_autoset", "_name_or_path", "_num_labels", "add_cross_attention", "architectures",
  "bad_words_ids", "begin_suppress_tokens", "chunk_size_feed_forward", "cross_attention_hidden_size", "diversity_penalty",
  "do_sample", "dtype", "early_stopping", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "finetuning_task",
  "forced_bos_token_id", "gradient_checkpointing", "id2label", "is_encoder_decoder", "label2id", "length_penalty", "max_length",
  "min_length", "model_type", "name_or_path", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_labels",
  "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores", "prefix", "problem_type",
  "remove_invalid_values", "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens",
  "task_specific_params", "temperature", "tf_legacy_loss", "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript",
  "transformers_version", "transformers_weights", "typical_p", "use_bfloat16", "use_cache", NULL};

static const struct config_pair unsupported_everywhere[] = {
  {"auto_map", "null"}, {"is_decoder", "false"}, {"layer_types", "null"}, {"per_layer_config", "null"}, {"pruned_heads", "{}"},
  {"quantization_config", "null"}, {"rope_parameters", "null"}, {"rope_scaling", "null"}, {"tie_encoder_decoder", "false"},
  {NULL, NULL}};

// --- fields of struct arch, all as double

_Static_assert(sizeof(enum norm_kind) == sizeof(int) && sizeof(enum activation) == sizeof(int), "enums are read as int");

static double get(const struct arch *arch, const struct config_key *key) {
  const char *field = (const char *)arch + key->field;
  if (key->type == CONFIG_BOOLEAN) return *(const bool *)field;
  if (key->type == CONFIG_NUMBER || key->type == CONFIG_SCALED_BY_WIDTH) return (double)*(const float *)field;
  if (key->type == CONFIG_TABLE_ROWS) return arch->max_positions + arch->position_offset;
  if (key->type == CONFIG_TABLE_WIDTH) return arch_embedding_width(arch);
  return *(const int *)field;
}

static void set(struct arch *arch, const struct config_key *key, double value) {
  char *field = (char *)arch + key->field;
  if (key->type == CONFIG_BOOLEAN) *(bool *)field = value != 0;
  else if (key->type == CONFIG_NUMBER || key->type == CONFIG_SCALED_BY_WIDTH) *(float *)field = (float)value;
  else *(int *)field = (int)value;
}

static float scale_by_width(const struct arch *arch) { return sqrtf((float)arch->hidden); }

// --- reading one value

static bool wants(struct error *error, const char *path, const char *key, const char *what) {
  return error_set(error, ERROR_FORMAT, "%s: \"%s\" has to be %s", path, key, what);
}

static bool read_choice(double *value, const struct config_key *key, const cJSON *item, const char *path, struct error *error) {
  if (!cJSON_IsString(item)) return wants(error, path, key->key, "a text");
  struct buffer known = {0};
  for (const struct knob_name *choice = key->choices; choice->name; choice++) {
    if (strcmp(choice->name, item->valuestring) == 0) {
      *value = choice->value;
      buffer_free(&known);
      return true;
    }
    buffer_format(&known, "%s%s", known.size ? ", " : "", choice->name);
  }
  error_set(error, ERROR_UNSUPPORTED, "%s: \"%s\" is \"%.80s\"; qkv has %s", path, key->key, item->valuestring,
            buffer_string(&known));
  buffer_free(&known);
  return false;
}

static bool read_boolean(double *value, const struct config_key *key, const cJSON *item, const char *path, struct error *error) {
  if (!cJSON_IsBool(item)) return wants(error, path, key->key, "true or false");
  *value = cJSON_IsTrue(item);
  return true;
}

static bool read_number(double *value, const struct config_key *key, const cJSON *item, const char *path, struct error *error) {
  if (key->type == CONFIG_ID && cJSON_IsArray(item)) item = item->child;
  bool whole = key->type != CONFIG_NUMBER;
  if (!cJSON_IsNumber(item)) return wants(error, path, key->key, whole ? "a whole number" : "a number");
  double x = item->valuedouble;
  if (whole && x != floor(x)) return wants(error, path, key->key, "a whole number");
  if (!(x >= key->low && x <= key->high))
    return error_set(error, ERROR_FORMAT, "%s: \"%s\" is %.10g; it has to be from %.10g to %.10g", path, key->key, x,
                     key->low, key->high);
  *value = x;
  return true;
}

static bool read_value(struct arch *arch, const struct config_key *key, const cJSON *item, const char *path,
                       struct error *error) {
  double value = 0;
  bool ok;
  switch (key->type) {
    case CONFIG_CHOICE: ok = read_choice(&value, key, item, path, error); break;
    case CONFIG_BOOLEAN: ok = read_boolean(&value, key, item, path, error); break;
    case CONFIG_SCALED_BY_WIDTH:
      ok = read_boolean(&value, key, item, path, error);
      value = value != 0 ? (double)scale_by_width(arch) : 1;
      break;
    default: ok = read_number(&value, key, item, path, error);
  }
  if (ok) set(arch, key, value);
  return ok;
}

// --- reading all of them

static const struct config_key *find_key(const struct config_key *keys, const char *name) {
  for (const struct config_key *key = keys; key->key; key++) {
    if (strcmp(key->key, name) == 0) return key;
  }
  return NULL;
}

static const struct config_pair *find_pair(const struct config_pair *pairs, const char *name) {
  for (; pairs && pairs->key; pairs++) {
    if (strcmp(pairs->key, name) == 0) return pairs;
  }
  return NULL;
}

static bool is_harmless(const char *const *list, const char *name) {
  for (; list && *list; list++) {
    if (strcmp(*list, name) == 0) return true;
  }
  return false;
}

// The value under a key or its alias; NULL if missing or null.
static const cJSON *find_value(const cJSON *config, const struct config_pair *aliases, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, key);
  if (item && !cJSON_IsNull(item)) return item;
  for (const struct config_pair *alias = aliases; alias && alias->key; alias++) {
    if (strcmp(alias->other, key) != 0) continue;
    item = cJSON_GetObjectItemCaseSensitive(config, alias->key);
    if (item && !cJSON_IsNull(item)) return item;
  }
  return NULL;
}

bool config_read_keys(struct arch *arch, const struct config_key *keys, const struct config_pair *aliases, const cJSON *config,
                      const char *path, struct error *error) {
  for (const struct config_key *key = keys; key->key; key++) {
    const cJSON *item = find_value(config, aliases, key->key);
    // null means "there is none" for an id, and "the default" elsewhere.
    const cJSON *written = cJSON_GetObjectItemCaseSensitive(config, key->key);
    if (item) {
      if (!read_value(arch, key, item, path, error)) return false;
    } else if (key->same_as) {
      set(arch, key, get(arch, find_key(keys, key->same_as)));
    } else if (key->type == CONFIG_ID && written) {
      set(arch, key, -1);
    } else {
      set(arch, key, key->type == CONFIG_SCALED_BY_WIDTH && key->otherwise != 0 ? (double)scale_by_width(arch) :
                     key->type == CONFIG_SCALED_BY_WIDTH ? 1 : key->otherwise);
    }
  }
  return true;
}

static bool has_value(const cJSON *item, const char *json) {
  cJSON *only = cJSON_Parse(json);
  bool same = cJSON_IsNull(item) || cJSON_Compare(item, only, true);
  cJSON_Delete(only);
  return same;
}

static bool check_alias(const cJSON *item, const cJSON *config, const struct config_pair *alias, const char *path,
                        struct error *error) {
  const cJSON *other = cJSON_GetObjectItemCaseSensitive(config, alias->other);
  if (!other || cJSON_IsNull(other) || cJSON_IsNull(item) || cJSON_Compare(item, other, true)) return true;
  return error_set(error, ERROR_FORMAT, "%s: \"%s\" and \"%s\" are two names of one thing, but have different values", path,
                   alias->key, alias->other);
}

static bool refuse_value(const cJSON *item, const struct layout *layout, const char *only, const char *path,
                         struct error *error) {
  char *value = cJSON_PrintUnformatted(item);
  error_set(error, ERROR_UNSUPPORTED, "%s: \"%s\" is %.100s; qkv's %s models only know %s", path, item->string,
            value ? value : "?", layout->model_type, only);
  free(value);
  return false;
}

static void warn_ignored(const cJSON *item, const char *path, struct error *error) {
  char *value = cJSON_PrintUnformatted(item);
  error_warn(error, "%s: \"%s\" is %.100s; qkv ignores it", path, item->string, value ? value : "?");
  free(value);
}

static bool check_key(const cJSON *item, const cJSON *config, const struct layout *layout, struct buffer *unknown,
                      const char *path, struct error *error) {
  const char *key = item->string;
  const struct config_pair *pair;
  if (find_key(layout->keys, key) || is_harmless(layout->harmless, key)) return true;
  if ((pair = find_pair(layout->aliases, key))) return check_alias(item, config, pair, path, error);
  if ((pair = find_pair(layout->unsupported, key)) || (pair = find_pair(unsupported_everywhere, key))) {
    if (has_value(item, pair->other)) return true;
    return refuse_value(item, layout, pair->other, path, error);
  }
  if ((pair = find_pair(layout->ignored, key))) {
    if (!has_value(item, pair->other)) warn_ignored(item, path, error);
    return true;
  }
  if (!is_harmless(harmless_everywhere, key))
    buffer_format(unknown, "%s\"%.80s\"", unknown->size ? ", " : "", key);
  return true;
}

static bool check_keys(const cJSON *config, const struct layout *layout, const char *path, struct error *error) {
  struct buffer unknown = {0};
  bool ok = true;
  const cJSON *item;
  cJSON_ArrayForEach(item, config) {
    ok = check_key(item, config, layout, &unknown, path, error);
    if (ok && cJSON_GetObjectItemCaseSensitive(config, item->string) != item)
      ok = error_set(error, ERROR_FORMAT, "%s: the key \"%.80s\" is there twice", path, item->string);
    if (!ok) break;
  }
  if (ok && unknown.size) error_warn(error, "%s: unknown and ignored: %s", path, buffer_string(&unknown));
  buffer_free(&unknown);
  return ok;
}

static bool says_field(const struct layout *layout, size_t field) {
  for (const struct config_key *key = layout->keys; key->key; key++)
    if (key->field == field) return true;
  return false;
}

// A knob that turns nothing has one value.
static void forget_unused(struct arch *arch) {
  if (arch->pad_id < 0) arch->padding_learnt = false;
}

static bool read_as(struct arch *arch, const struct layout *layout, const cJSON *config, const char *path, struct error *error) {
  *arch = (struct arch){0};
  snprintf(arch->layout, sizeof arch->layout, "%s", layout->model_type);
  if (layout->constants) layout->constants(arch);
  if (!config_read_keys(arch, layout->keys, layout->aliases, config, path, error)) return false;
  if (!heads_read(arch, layout, config, path, error)) return false;
  if (layout->read && !layout->read(arch, config, path, error)) return false;
  // Most families have one rate for both.
  if (!says_field(layout, offsetof(struct arch, embedding_dropout))) arch->embedding_dropout = arch->dropout;
  forget_unused(arch);
  return !layout->complete || layout->complete(arch, path, error);
}

static bool find_layout(const struct layout **layout, const cJSON *config, const char *path, struct error *error) {
  if (!cJSON_IsObject(config)) return error_set(error, ERROR_FORMAT, "%s: a JSON object is wanted", path);
  if (cJSON_GetArraySize(config) > KEY_LIMIT) return error_set(error, ERROR_FORMAT, "%s: more than %d keys", path, KEY_LIMIT);
  const char *type = json_text(config, "model_type", "", path, error);
  if (error->code) return false;
  *layout = layout_find(type);
  if (*layout) return true;
  struct buffer known = {0};
  layout_list(&known);
  if (!*type) error_set(error, ERROR_FORMAT, "%s: no \"model_type\" there; qkv reads %s", path, buffer_string(&known));
  else error_set(error, ERROR_UNSUPPORTED, "%s: \"model_type\" is \"%.80s\"; qkv reads %s", path, type, buffer_string(&known));
  buffer_free(&known);
  return false;
}

// Special ids are looked up in tables. The one of the beginning is not used by the models that are here.
static bool check_ids(const struct arch *arch, const struct layout *layout, const char *path, struct error *error) {
  int vocabulary = arch->source_vocab > arch->target_vocab ? arch->source_vocab : arch->target_vocab;
  for (const struct config_key *key = layout->keys; key->key; key++) {
    if (key->type != CONFIG_ID || key->incidental || key->field == offsetof(struct arch, bos_id)) continue;
    if (get(arch, key) >= vocabulary)
      return error_set(error, ERROR_FORMAT, "%s: \"%s\" is %g; the vocabulary has the ids 0 to %d", path, key->key,
                       get(arch, key), vocabulary - 1);
  }
  return true;
}

// What no model can be, and which file says that it is.
static bool check_arch(const struct arch *arch, const char *path, struct error *error) {
  struct error refusal = {0};
  return arch_check(arch, &refusal) || error_set(error, refusal.code, "%s: %s", path, refusal.message);
}

bool config_read(struct arch *arch, const struct layout **layout, const cJSON *config, const char *path, struct error *error) {
  return find_layout(layout, config, path, error) && check_keys(config, *layout, path, error) &&
         read_as(arch, *layout, config, path, error) && check_ids(arch, *layout, path, error) && check_arch(arch, path, error);
}

bool config_defaults(struct arch *arch, const char *model_type, enum head_kind head, int labels, struct error *error) {
  const struct layout *layout = layout_find(model_type);
  if (!layout) return error_set(error, ERROR_USAGE, "there is no layout \"%s\"", model_type);
  cJSON *empty = cJSON_CreateObject();
  bool ok = (empty || error_memory(error, 0)) && read_as(arch, layout, empty, "config.json", error) &&
            heads_set(arch, head, labels, error);
  cJSON_Delete(empty);
  return ok;
}

// --- writing

static cJSON *new_value(const struct arch *arch, const struct config_key *key) {
  double value = get(arch, key);
  switch (key->type) {
    case CONFIG_BOOLEAN: return cJSON_CreateBool(value != 0);
    case CONFIG_SCALED_BY_WIDTH: return cJSON_CreateBool((float)value == scale_by_width(arch));
    case CONFIG_NUMBER: return json_new_float((float)value);
    case CONFIG_ID: return value < 0 ? cJSON_CreateNull() : cJSON_CreateNumber(value);
    case CONFIG_INTEGER:
    case CONFIG_TABLE_WIDTH:
    case CONFIG_TABLE_ROWS: return cJSON_CreateNumber(value);
    case CONFIG_CHOICE: break;
  }
  const char *name = knob_find_name(key->choices, (int)value);
  return name ? cJSON_CreateString(name) : cJSON_CreateNull();  // NULL: config_can_say refuses such an arch before
}

static bool says(const cJSON *item, const struct arch *arch, const struct config_key *key) {
  if (!item) return false;
  struct arch read = {.hidden = arch->hidden};
  struct error ignored = {0};
  if (cJSON_IsNull(item)) set(&read, key, -1);
  else if (!read_value(&read, key, item, "", &ignored)) return false;
  return get(&read, key) == get(arch, key);
}

bool config_put_keys(cJSON *config, const struct config_key *keys, const struct arch *arch, struct error *error) {
  for (const struct config_key *key = keys; key->key; key++) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(config, key->key);
    // No id where there is none by default; and no init_std of 0, which is our Xavier but nobody else's.
    bool no_id = key->type == CONFIG_ID && key->otherwise < 0 && get(arch, key) < 0;
    bool unsaid = (key->unsaid_at_zero || (key->type == CONFIG_NUMBER && key->incidental)) && get(arch, key) == 0;
    bool absent = !item && (no_id || unsaid);
    if (absent || says(item, arch, key)) continue;
    if (!json_put(config, key->key, new_value(arch, key), error)) return false;
  }
  return true;
}

static bool put_all(cJSON *config, const struct layout *layout, const struct arch *arch, struct error *error) {
  if (!config_put_keys(config, layout->keys, arch, error)) return false;
  if (layout->write && !layout->write(config, arch, error)) return false;
  for (const struct config_pair *alias = layout->aliases; alias && alias->key; alias++) {
    if (!json_has(config, alias->key)) continue;
    if (!json_put(config, alias->key, cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(config, alias->other), true), error))
      return false;
  }
  return true;
}

bool config_same(const struct config_key *keys, const struct arch *a, const struct arch *b) {
  for (const struct config_key *key = keys; key->key; key++)
    if (get(a, key) != get(b, key)) return false;
  return true;
}

bool config_write(cJSON *config, const struct layout *layout, const struct arch *arch, const struct labels *labels,
                  enum number_type type, struct error *error) {
  static const char *const types[] = {[TYPE_F32] = "float32", [TYPE_F16] = "float16", [TYPE_BF16] = "bfloat16"};
  if (!config_can_say(layout, arch, error)) return false;
  if (!heads_write(config, layout, arch, labels, error)) return false;
  if (!json_has(config, "is_encoder_decoder") && arch->family == FAMILY_ENCODER_DECODER &&
      !json_put(config, "is_encoder_decoder", cJSON_CreateTrue(), error))
    return false;
  bool old = json_has(config, "torch_dtype");  // transformers 4 wrote this name
  return json_put(config, "model_type", cJSON_CreateString(layout->model_type), error) &&
         json_put(config, old ? "torch_dtype" : "dtype", cJSON_CreateString(types[type]), error) &&
         put_all(config, layout, arch, error);
}

bool config_can_say(const struct layout *layout, const struct arch *arch, struct error *error) {
  cJSON *config = cJSON_CreateObject();
  struct arch back, wanted = *arch;
  forget_unused(&wanted);
  struct error refusal = {0};
  if (!config) return error_memory(error, 0);
  bool ok = heads_write(config, layout, arch, NULL, &refusal) && put_all(config, layout, arch, error);
  if (refusal.code) error_set(error, refusal.code, "%s", refusal.message);
  if (ok && !read_as(&back, layout, config, "config.json", &refusal))
    ok = error_set(error, ERROR_UNSUPPORTED, "a %s model can't have this (%.500s); save it as \"qkv\"", layout->model_type,
                   refusal.message);
  cJSON_Delete(config);
  // layout_qkv has a word for every knob.
  for (const struct config_key *key = layout_qkv.keys; ok && key->key; key++) {
    if (get(&back, key) == get(&wanted, key) || key->incidental) continue;
    ok = error_set(error, ERROR_UNSUPPORTED, "a %s model can't have \"%s\" %g, only %g; save it as \"qkv\"", layout->model_type,
                   key->key, get(&wanted, key), get(&back, key));
  }
  return ok;
}
