#include "hf/generation_config.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "hf/json_exact.h"

#define FIELD(name) offsetof(struct generation_defaults, name)

enum { ID_LIMIT = 1 << 24, LIST_LIMIT = 100000 };

static const struct {
  const char *key;
  size_t field;
  int low, high;
} whole_numbers[] = {
  {"max_length", FIELD(max_length), 0, INT_MAX}, {"max_new_tokens", FIELD(max_new_tokens), 0, INT_MAX},
  {"min_length", FIELD(min_length), 0, INT_MAX}, {"min_new_tokens", FIELD(min_new_tokens), 0, INT_MAX},
  {"num_beams", FIELD(num_beams), 1, 1024}, {"no_repeat_ngram_size", FIELD(no_repeat_ngram_size), 0, INT_MAX},
  {"encoder_no_repeat_ngram_size", FIELD(encoder_no_repeat_ngram_size), 0, INT_MAX}, {"top_k", FIELD(top_k), 0, INT_MAX},
  {"bos_token_id", FIELD(bos_id), 0, ID_LIMIT}, {"pad_token_id", FIELD(pad_id), 0, ID_LIMIT},
  {"decoder_start_token_id", FIELD(decoder_start_id), 0, ID_LIMIT}, {"forced_bos_token_id", FIELD(forced_bos_id), 0, ID_LIMIT},
  {"forced_eos_token_id", FIELD(forced_eos_id), 0, ID_LIMIT}};

static const struct {
  const char *key;
  size_t field;
} real_numbers[] = {{"length_penalty", FIELD(length_penalty)}, {"repetition_penalty", FIELD(repetition_penalty)},
                    {"temperature", FIELD(temperature)}, {"top_p", FIELD(top_p)}, {"min_p", FIELD(min_p)}};

// A token's id or a list of them; a list of one is written as a number where that is the custom.
static const struct {
  const char *key;
  size_t ids, count;
  bool or_number;
} id_lists[] = {{"eos_token_id", FIELD(eos_ids), FIELD(eos_count), true},
                {"suppress_tokens", FIELD(suppressed), FIELD(suppressed_count), false},
                {"begin_suppress_tokens", FIELD(begin_suppressed), FIELD(begin_suppressed_count), false}};

// Options of transformers' search that qkv doesn't have, with the values that switch them off.
static const struct {
  const char *key, *off, *also_off;
} unsupported[] = {
  {"num_beam_groups", "1", "0"}, {"diversity_penalty", "0", "0"}, {"penalty_alpha", "0", "0"}, {"typical_p", "1", "1"},
  {"epsilon_cutoff", "0", "0"}, {"eta_cutoff", "0", "0"}, {"encoder_repetition_penalty", "1", "1"},
  {"force_words_ids", "[]", "[]"}, {"constraints", "[]", "[]"}, {"sequence_bias", "[]", "{}"},
  {"exponential_decay_length_penalty", "[]", "[]"}, {"guidance_scale", "1", "1"}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int **list_ids(const struct generation_defaults *defaults, size_t list) {
  return (int **)((char *)defaults + id_lists[list].ids);
}

static size_t *list_count(const struct generation_defaults *defaults, size_t list) {
  return (size_t *)((char *)defaults + id_lists[list].count);
}

void generation_defaults_init(struct generation_defaults *defaults) {
  *defaults = (struct generation_defaults){.early_stopping = EARLY_UNSAID};
  for (size_t i = 0; i < COUNT(whole_numbers); i++) *(int *)((char *)defaults + whole_numbers[i].field) = -1;
  for (size_t i = 0; i < COUNT(real_numbers); i++) *(float *)((char *)defaults + real_numbers[i].field) = NAN;
}

void generation_defaults_free(struct generation_defaults *defaults) {
  for (size_t i = 0; i < COUNT(id_lists); i++) free(*list_ids(defaults, i));
  free(defaults->bad_words);
  free(defaults->bad_word_ends);
  cJSON_Delete(defaults->original);
  generation_defaults_init(defaults);
}

bool generation_defaults_from_arch(struct generation_defaults *defaults, const struct arch *arch, struct error *error) {
  generation_defaults_init(defaults);
  if (arch->positions != POSITIONS_NONE) defaults->max_length = arch->max_positions < 512 ? arch->max_positions : 512;
  defaults->bos_id = arch->bos_id;
  defaults->pad_id = arch->pad_id;
  defaults->decoder_start_id = arch->decoder_start_id;
  defaults->forced_eos_id = arch->forced_eos_id;
  defaults->eos_ids = memory_new(error, 1, sizeof *defaults->eos_ids);
  defaults->bad_words = memory_new(error, 1, sizeof *defaults->bad_words);
  defaults->bad_word_ends = memory_new(error, 1, sizeof *defaults->bad_word_ends);
  if (!defaults->eos_ids || !defaults->bad_words || !defaults->bad_word_ends) return false;
  if (arch->eos_id >= 0) defaults->eos_ids[defaults->eos_count++] = arch->eos_id;
  if (arch->pad_id < 0 || arch->family != FAMILY_ENCODER_DECODER) return true;
  defaults->bad_words[0] = arch->pad_id;
  defaults->bad_word_ends[defaults->bad_word_count++] = 1;
  return true;
}

// --- reading

static bool is_id(const cJSON *item) {
  return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= ID_LIMIT &&
         item->valuedouble == floor(item->valuedouble);
}

static const cJSON *find(const cJSON *json, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
  return cJSON_IsNull(item) ? NULL : item;
}

static bool wants(struct error *error, const char *path, const char *key, const char *what) {
  return error_set(error, ERROR_FORMAT, "%s: \"%s\" has to be %s", path, key, what);
}

static bool read_numbers(struct generation_defaults *defaults, const cJSON *json, const char *path, struct error *error) {
  for (size_t i = 0; i < COUNT(whole_numbers); i++) {
    const cJSON *item = find(json, whole_numbers[i].key);
    if (cJSON_IsArray(item)) item = item->child;  // forced_eos_token_id may be a list
    if (!item) continue;
    double x = item->valuedouble;
    if (!cJSON_IsNumber(item) || x != floor(x)) return wants(error, path, whole_numbers[i].key, "a whole number");
    if (x == -1) continue;  // old files say -1 for "none"
    if (!(x >= whole_numbers[i].low && x <= whole_numbers[i].high))
      return error_set(error, ERROR_FORMAT, "%s: \"%s\" is %g; it has to be from %d to %d", path, whole_numbers[i].key, x,
                       whole_numbers[i].low, whole_numbers[i].high);
    *(int *)((char *)defaults + whole_numbers[i].field) = (int)x;
  }
  for (size_t i = 0; i < COUNT(real_numbers); i++) {
    const cJSON *item = find(json, real_numbers[i].key);
    if (!item) continue;
    if (!cJSON_IsNumber(item)) return wants(error, path, real_numbers[i].key, "a number");
    *(float *)((char *)defaults + real_numbers[i].field) = (float)item->valuedouble;
  }
  return true;
}

static bool read_early_stopping(struct generation_defaults *defaults, const cJSON *json, const char *path, struct error *error) {
  const cJSON *item = find(json, "early_stopping");
  if (!item) return true;
  if (cJSON_IsBool(item)) defaults->early_stopping = cJSON_IsTrue(item) ? EARLY_TRUE : EARLY_FALSE;
  else if (cJSON_IsString(item) && strcmp(item->valuestring, "never") == 0) defaults->early_stopping = EARLY_NEVER;
  else return wants(error, path, "early_stopping", "true, false or \"never\"");
  return true;
}

static bool read_list(struct generation_defaults *defaults, size_t list, const cJSON *json, const char *path,
                      struct error *error) {
  const char *key = id_lists[list].key;
  const cJSON *item = find(json, key), *id;
  if (!item) return true;
  size_t count = cJSON_IsArray(item) ? (size_t)cJSON_GetArraySize(item) : 1, *filled = list_count(defaults, list);
  if (count > LIST_LIMIT) return wants(error, path, key, "a shorter list");
  int *ids = *list_ids(defaults, list) = memory_new(error, count, sizeof *ids);
  if (!ids) return false;
  if (cJSON_IsArray(item)) item = item->child;
  for (id = item; id && *filled < count; id = id->next) {
    if (!is_id(id)) return wants(error, path, key, "a token's id or a list of them");
    ids[(*filled)++] = (int)id->valuedouble;
  }
  return true;
}

static bool read_lists(struct generation_defaults *defaults, const cJSON *json, const char *path, struct error *error) {
  bool fine = true;
  for (size_t i = 0; fine && i < COUNT(id_lists); i++) fine = read_list(defaults, i, json, path, error);
  return fine;
}

static bool read_bad_words(struct generation_defaults *defaults, const cJSON *json, const char *path, struct error *error) {
  static const char wanted[] = "a list of lists of token ids";
  const cJSON *list = find(json, "bad_words_ids"), *word, *id;
  if (!list) return true;
  if (!cJSON_IsArray(list)) return wants(error, path, "bad_words_ids", wanted);
  size_t capacity = 0, words = 0, used = 0;
  cJSON_ArrayForEach(word, list) {
    if (!cJSON_IsArray(word) || !word->child) return wants(error, path, "bad_words_ids", wanted);
    cJSON_ArrayForEach(id, word) {
      if (!is_id(id)) return wants(error, path, "bad_words_ids", wanted);
      if (!memory_grow(error, &defaults->bad_words, &capacity, used + 1, sizeof *defaults->bad_words)) return false;
      defaults->bad_words[used++] = (int)id->valuedouble;
    }
    if (!memory_grow(error, &defaults->bad_word_ends, &words, defaults->bad_word_count + 1, sizeof *defaults->bad_word_ends))
      return false;
    defaults->bad_word_ends[defaults->bad_word_count++] = used;
  }
  return true;
}

static void warn_unsupported(const cJSON *json, const char *path, struct error *error) {
  for (size_t i = 0; i < COUNT(unsupported); i++) {
    const cJSON *item = find(json, unsupported[i].key);
    if (!item) continue;
    cJSON *off = cJSON_Parse(unsupported[i].off), *also = cJSON_Parse(unsupported[i].also_off);
    if (!cJSON_Compare(item, off, true) && !cJSON_Compare(item, also, true))
      error_warn(error, "%s: qkv's search doesn't know \"%s\"; it is ignored", path, unsupported[i].key);
    cJSON_Delete(off);
    cJSON_Delete(also);
  }
}

static bool read_object(struct generation_defaults *defaults, const cJSON *json, const char *path, struct error *error) {
  if (!cJSON_IsObject(json)) return error_set(error, ERROR_FORMAT, "%s: a JSON object is wanted", path);
  if (!read_numbers(defaults, json, path, error) || !read_early_stopping(defaults, json, path, error) ||
      !read_lists(defaults, json, path, error) || !read_bad_words(defaults, json, path, error))
    return false;
  defaults->do_sample = json_boolean(json, "do_sample", false, path, error);
  defaults->renormalize_logits = json_boolean(json, "renormalize_logits", false, path, error);
  warn_unsupported(json, path, error);
  return error->code == ERROR_NONE;
}

bool generation_defaults_read(struct generation_defaults *defaults, const char *directory, const cJSON *config,
                              struct error *error) {
  generation_defaults_init(defaults);
  char path[4096];
  bool ok;
  if (file_exists(file_join(path, directory, "generation_config.json"))) {
    defaults->original = json_read_exact(path, error);
    ok = defaults->original && read_object(defaults, defaults->original, path, error);
  } else {
    ok = read_object(defaults, config, file_join(path, directory, "config.json"), error);
  }
  if (!ok) generation_defaults_free(defaults);
  return ok;
}

// --- writing

static bool put_numbers(cJSON *json, const struct generation_defaults *defaults, struct error *error) {
  for (size_t i = 0; i < COUNT(whole_numbers); i++) {
    int value = *(const int *)((const char *)defaults + whole_numbers[i].field);
    const cJSON *item = find(json, whole_numbers[i].key);
    if (cJSON_IsArray(item) && item->child && item->child->valuedouble == value) continue;
    if (value < 0) cJSON_DeleteItemFromObjectCaseSensitive(json, whole_numbers[i].key);
    else if (!json_put(json, whole_numbers[i].key, cJSON_CreateNumber(value), error)) return false;
  }
  for (size_t i = 0; i < COUNT(real_numbers); i++) {
    float value = *(const float *)((const char *)defaults + real_numbers[i].field);
    const cJSON *item = find(json, real_numbers[i].key);
    if (cJSON_IsNumber(item) && (float)item->valuedouble == value) continue;
    if (isnan(value)) cJSON_DeleteItemFromObjectCaseSensitive(json, real_numbers[i].key);
    else if (!json_put(json, real_numbers[i].key, json_new_float(value), error)) return false;
  }
  return true;
}

// Sets a key unless it says the same already, and removes it when there is nothing to say. Takes `item`.
static bool put_list(cJSON *json, const char *key, bool said, cJSON *item, struct error *error) {
  if (!said || (item && cJSON_Compare(item, find(json, key), true))) {
    cJSON_Delete(item);
    if (!said) cJSON_DeleteItemFromObjectCaseSensitive(json, key);
    return true;
  }
  return json_put(json, key, item, error);
}

static cJSON *new_bad_words(const struct generation_defaults *defaults) {
  cJSON *words = cJSON_CreateArray();
  size_t begin = 0;
  for (size_t i = 0; words && i < defaults->bad_word_count; begin = defaults->bad_word_ends[i++])
    cJSON_AddItemToArray(words, cJSON_CreateIntArray(defaults->bad_words + begin, (int)(defaults->bad_word_ends[i] - begin)));
  return words;
}

static bool put_lists(cJSON *json, const struct generation_defaults *defaults, struct error *error) {
  bool fine = true;
  for (size_t i = 0; fine && i < COUNT(id_lists); i++) {
    const int *ids = *list_ids(defaults, i);
    size_t count = *list_count(defaults, i);
    cJSON *item = count == 1 && id_lists[i].or_number ? cJSON_CreateNumber(ids[0]) : cJSON_CreateIntArray(ids, (int)count);
    fine = put_list(json, id_lists[i].key, count > 0, item, error);
  }
  return fine && put_list(json, "bad_words_ids", defaults->bad_word_count > 0, new_bad_words(defaults), error);
}

static bool put_switches(cJSON *json, const struct generation_defaults *defaults, struct error *error) {
  const struct {
    const char *key;
    bool value;
  } switches[] = {{"do_sample", defaults->do_sample}, {"renormalize_logits", defaults->renormalize_logits}};
  for (size_t i = 0; i < COUNT(switches); i++) {
    if ((switches[i].value || json_has(json, switches[i].key)) &&
        !json_put(json, switches[i].key, cJSON_CreateBool(switches[i].value), error))
      return false;
  }
  if (defaults->early_stopping == EARLY_UNSAID) {
    cJSON_DeleteItemFromObjectCaseSensitive(json, "early_stopping");
    return true;
  }
  cJSON *early = defaults->early_stopping == EARLY_NEVER ? cJSON_CreateString("never")
                                                         : cJSON_CreateBool(defaults->early_stopping == EARLY_TRUE);
  return json_put(json, "early_stopping", early, error);
}

bool generation_defaults_write(const struct generation_defaults *defaults, const char *directory, struct error *error) {
  char path[4096];
  cJSON *json = defaults->original ? cJSON_Duplicate(defaults->original, true) : cJSON_CreateObject();
  bool ok = json || error_memory(error, 0);
  ok = ok && put_numbers(json, defaults, error) && put_lists(json, defaults, error) && put_switches(json, defaults, error) &&
       json_write_exact(json, file_join(path, directory, "generation_config.json"), error);
  cJSON_Delete(json);
  return ok;
}

static bool copy_array(void *out, const void *from, size_t count, size_t size, struct error *error) {
  void *copy = memory_new(error, count, size);
  if (!copy) return false;
  if (count) memcpy(copy, from, count * size);
  memcpy(out, &copy, sizeof copy);
  return true;
}

bool generation_defaults_copy(struct generation_defaults *out, const struct generation_defaults *from, struct error *error) {
  *out = *from;
  out->eos_ids = out->suppressed = out->begin_suppressed = out->bad_words = NULL;
  out->bad_word_ends = NULL;
  out->original = from->original ? cJSON_Duplicate(from->original, true) : NULL;
  size_t ids = from->bad_word_count ? from->bad_word_ends[from->bad_word_count - 1] : 0;
  bool ok = (!from->original || out->original || error_memory(error, 0)) &&
            copy_array(&out->eos_ids, from->eos_ids, from->eos_count, sizeof *from->eos_ids, error) &&
            copy_array(&out->suppressed, from->suppressed, from->suppressed_count, sizeof *from->suppressed, error) &&
            copy_array(&out->begin_suppressed, from->begin_suppressed, from->begin_suppressed_count,
                       sizeof *from->begin_suppressed, error) &&
            copy_array(&out->bad_words, from->bad_words, ids, sizeof *from->bad_words, error) &&
            copy_array(&out->bad_word_ends, from->bad_word_ends, from->bad_word_count, sizeof *from->bad_word_ends, error);
  if (!ok) generation_defaults_free(out);
  return ok;
}
