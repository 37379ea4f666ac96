// generation_config.json: which of its keys are used, which are harmless, and which nothing here can honour.
#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "generate/generation.h"

// True of these values the key changes nothing: absent and null always are.
enum neutral { ANY, ZERO, ONE, FALSE };

static const struct refused {
  const char *key;
  enum neutral neutral;
} REFUSED[] = {
  {"num_beam_groups", ONE}, {"diversity_penalty", ZERO}, {"encoder_repetition_penalty", ONE}, {"guidance_scale", ONE},
  {"sequence_bias", FALSE}, {"exponential_decay_length_penalty", FALSE}, {"begin_suppress_tokens", FALSE},
  {"forced_decoder_ids", FALSE}, {"constraints", FALSE}, {"force_words_ids", FALSE}, {"stop_strings", FALSE},
  {"penalty_alpha", ZERO}, {"dola_layers", FALSE}, {"watermarking_config", FALSE},
};

static bool is_neutral(const cJSON *value, enum neutral neutral) {
  if (!value || cJSON_IsNull(value) || cJSON_IsFalse(value)) return true;
  if (cJSON_IsArray(value) && cJSON_GetArraySize(value) == 0) return true;
  if (neutral == ZERO) return cJSON_IsNumber(value) && value->valuedouble == 0;
  return neutral == ONE && cJSON_IsNumber(value) && value->valuedouble == 1;
}

static void warn_of_refused(const cJSON *object, const char *name, struct error *error) {
  for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
    if (!is_neutral(cJSON_GetObjectItemCaseSensitive(object, REFUSED[i].key), REFUSED[i].neutral))
      error_warn(error, "%s: \"%s\" is not supported and has no effect here", name, REFUSED[i].key);
  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "do_sample")))
    error_warn(error, "%s: \"do_sample\" is true; translating searches for the best sentence and draws nothing at random", name);
}

static bool read_id(const cJSON *value, const char *key, const char *name, int32_t *id, struct error *error) {
  if (cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble < INT_MAX && value->valuedouble == (int32_t)value->valuedouble) {
    *id = (int32_t)value->valuedouble;
    return true;
  }
  return error_set(error, ERROR_FORMAT, "%s: \"%s\" holds something that is not an id; wanted an integer from 0 on", name, key);
}

// One id or a list of them. Absent or null: the ids stay as they are.
static bool read_ids(const cJSON *object, const char *key, const char *name, int *ids, int *count, struct error *error) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key), *item;
  if (!value || cJSON_IsNull(value)) return true;
  *count = 0;
  if (!cJSON_IsArray(value)) return read_id(value, key, name, &ids[(*count)++], error);
  cJSON_ArrayForEach(item, value) {
    if (*count == EOS_IDS) return error_set(error, ERROR_UNSUPPORTED, "%s: \"%s\" has more than %d ids", name, key, EOS_IDS);
    if (!read_id(item, key, name, &ids[(*count)++], error)) return false;
  }
  return true;
}

static bool read_one_id(const cJSON *object, const char *key, const char *name, int *id, struct error *error) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
  return !value || cJSON_IsNull(value) || read_id(value, key, name, id, error);
}

static bool add_bad_word(struct id_lists *lists, const cJSON *word, const char *name, struct error *error) {
  int32_t ids[1024];
  int count = 0;
  const cJSON *item;
  cJSON_ArrayForEach(item, word) {
    if (count == 1024) return error_set(error, ERROR_UNSUPPORTED, "%s: \"bad_words_ids\" has a list of more than 1024 ids", name);
    if (!read_id(item, "bad_words_ids", name, &ids[count++], error)) return false;
  }
  return count == 0 || id_lists_add(lists, ids, count, error);
}

// bad_words_ids is a list of lists; the ids of suppress_tokens are words of one id.
static bool read_bad_words(struct id_lists *lists, const cJSON *object, const char *name, struct error *error) {
  const cJSON *words = cJSON_GetObjectItemCaseSensitive(object, "bad_words_ids"), *item;
  cJSON_ArrayForEach(item, words) {
    if (!cJSON_IsArray(item)) return error_set(error, ERROR_FORMAT, "%s: \"bad_words_ids\" is not a list of lists of ids", name);
    if (!add_bad_word(lists, item, name, error)) return false;
  }
  const cJSON *suppressed = cJSON_GetObjectItemCaseSensitive(object, "suppress_tokens");
  cJSON_ArrayForEach(item, suppressed) {
    int32_t id;
    if (!read_id(item, "suppress_tokens", name, &id, error) || !id_lists_add(lists, &id, 1, error)) return false;
  }
  return true;
}

static bool read_early_stopping(struct generation_options *options, const cJSON *object, const char *name, struct error *error) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "early_stopping");
  if (!value || cJSON_IsNull(value)) return true;
  if (cJSON_IsBool(value)) options->early_stopping = cJSON_IsTrue(value) ? EARLY_STOPPING_YES : EARLY_STOPPING_NO;
  else if (cJSON_IsString(value) && strcmp(value->valuestring, "never") == 0) options->early_stopping = EARLY_STOPPING_NEVER;
  else return error_set(error, ERROR_FORMAT, "%s: \"early_stopping\" is neither true nor false nor \"never\"", name);
  return true;
}

static void read_integer(int *field, const cJSON *object, const char *key, const char *name, struct error *error) {
  long long value = json_integer(object, key, *field, name, error);
  if (value < 0 || value > 1000000000) error_set(error, ERROR_FORMAT, "%s: \"%s\" is %lld; wanted 0 to 1000000000", name, key, value);
  else *field = (int)value;
}

static bool read_object(struct generation_options *options, const cJSON *object, const char *name, struct error *error) {
  read_integer(&options->beams, object, "num_beams", name, error);
  read_integer(&options->nbest, object, "num_return_sequences", name, error);
  read_integer(&options->max_length, object, "max_length", name, error);
  read_integer(&options->max_new_tokens, object, "max_new_tokens", name, error);
  read_integer(&options->min_length, object, "min_length", name, error);
  read_integer(&options->min_new_tokens, object, "min_new_tokens", name, error);
  read_integer(&options->no_repeat_ngram_size, object, "no_repeat_ngram_size", name, error);
  read_integer(&options->encoder_no_repeat_ngram_size, object, "encoder_no_repeat_ngram_size", name, error);
  options->length_penalty = json_number(object, "length_penalty", options->length_penalty, name, error);
  options->repetition_penalty = json_number(object, "repetition_penalty", options->repetition_penalty, name, error);
  options->renormalize = json_boolean(object, "renormalize_logits", options->renormalize, name, error);
  options->forced_eos_count = 0;  // where this file exists, config.json's does not count
  return error->code == ERROR_NONE && read_early_stopping(options, object, name, error) &&
         read_one_id(object, "decoder_start_token_id", name, &options->start_id, error) &&
         read_one_id(object, "forced_bos_token_id", name, &options->forced_bos_id, error) &&
         read_ids(object, "eos_token_id", name, options->eos_ids, &options->eos_count, error) &&
         read_ids(object, "forced_eos_token_id", name, options->forced_eos_ids, &options->forced_eos_count, error) &&
         read_bad_words(&options->bad_words, object, name, error);
}

bool generation_options_read(struct generation_options *options, const char *directory, struct error *error) {
  char path[4096];
  if (!file_exists(file_join(path, directory, "generation_config.json"))) return true;
  cJSON *object = json_read(path, error);
  if (!object) return false;
  bool fine = cJSON_IsObject(object) || error_set(error, ERROR_FORMAT, "%s: it is not a JSON object", path);
  fine = fine && read_object(options, object, path, error);
  if (fine) warn_of_refused(object, path, error);
  cJSON_Delete(object);
  return fine;
}
