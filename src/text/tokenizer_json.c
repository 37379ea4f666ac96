// A tokenizer from and to its files: tokenizer.json, tokenizer_config.json, special_tokens_map.json; older files become a
// tokenizer.json first. What was read is kept as JSON and written back, so that unknown keys survive.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/tokenizer_files.h"
#include "text/tokenizer_parts.h"
#include "text/tokenizer_spm.h"

enum { CACHE_SLOTS = 1 << 16 };

// Reading the parts ----------------------------------------------------------------------------------------------------

// cJSON texts end at a zero byte, so such a token would be cut short in silence.
static bool refuse_zero_bytes(const char *json, size_t size, const char *name, struct error *error) {
  const char *at = json, *end = json + size;
  while ((at = memmem(at, (size_t)(end - at), "\\u0000", 6))) {
    size_t backslashes = 0;
    while (at - backslashes > json && at[-1 - (ptrdiff_t)backslashes] == '\\') backslashes++;
    if (backslashes % 2 == 0)
      return error_set(error, ERROR_UNSUPPORTED, "%s: a token has the character U+0000 in it, which qkv cannot do", name);
    at += 6;
  }
  return true;
}

static bool read_truncation(struct truncation *truncation, const cJSON *json, const char *name, struct error *error) {
  if (!json || cJSON_IsNull(json)) return true;
  static const char *const strategies[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};
  long long max = json_integer(json, "max_length", 512, name, error);
  const char *strategy = json_text(json, "strategy", "LongestFirst", name, error),
             *direction = json_text(json, "direction", "Right", name, error);
  if (error->code) return false;
  if (max < 1) return error_set(error, ERROR_FORMAT, "%s: truncation: max_length is %lld; 1 or more is wanted", name, max);
  int i = 0;
  while (i < 3 && strcmp(strategy, strategies[i]) != 0) i++;
  if (i == 3)
    return error_set(error, ERROR_UNSUPPORTED, "%s: truncation: the strategy \"%s\" is not one that qkv knows", name, strategy);
  truncation->max_length = (size_t)max;
  truncation->strategy = i;
  truncation->left = strcmp(direction, "Left") == 0;
  return true;
}

static size_t largest_id(const struct tokenizer *tokenizer) {
  size_t model = token_model_vocabulary(&tokenizer->model)->size, added = tokenizer->added.contents.size;
  return model > added ? model : added;
}

static bool read_parts(struct tokenizer *tokenizer, const char *name, struct error *error) {
  const cJSON *json = tokenizer->json;
  const cJSON *model = cJSON_GetObjectItemCaseSensitive(json, "model");
  if (!cJSON_IsObject(json)) return error_set(error, ERROR_FORMAT, "%s: a JSON object is wanted", name);
  const char *version = json_text(json, "version", "1.0", name, error);
  if (strcmp(version, "1.0") != 0)
    return error_set(error, ERROR_UNSUPPORTED, "%s: the version is \"%s\"; 1.0 is the one that qkv knows", name, version);
  if (!normalizer_read(&tokenizer->normalizer, cJSON_GetObjectItemCaseSensitive(json, "normalizer"), name, error) ||
      !pretokenizer_read(&tokenizer->pretokenizer, cJSON_GetObjectItemCaseSensitive(json, "pre_tokenizer"), name, error))
    return false;
  bool bytes = pretokenizer_leaves_bytes(&tokenizer->pretokenizer);
  if (!token_model_read(&tokenizer->model, model, bytes, name, error)) return false;
  if (bytes && tokenizer->model.kind != MODEL_BPE)
    tokenizer->pretokenizer.items[tokenizer->pretokenizer.count - 1].raw_bytes = false;
  if (!added_tokens_read(&tokenizer->added, cJSON_GetObjectItemCaseSensitive(json, "added_tokens"),
                         token_model_vocabulary(&tokenizer->model), &tokenizer->normalizer, name, error))
    return false;
  tokenizer->size = largest_id(tokenizer);
  return postprocessor_read(&tokenizer->postprocessor, cJSON_GetObjectItemCaseSensitive(json, "post_processor"), tokenizer->size,
                            name, error) &&
         decoder_read(&tokenizer->decoder, cJSON_GetObjectItemCaseSensitive(json, "decoder"), name, error) &&
         read_truncation(&tokenizer->truncation, cJSON_GetObjectItemCaseSensitive(json, "truncation"), name, error) &&
         word_cache_open(&tokenizer->cache, CACHE_SLOTS, error);
}

static int32_t usual_id(const struct tokenizer *tokenizer, const char *token) {
  int32_t id = tokenizer_id(tokenizer, token);
  return id >= 0 && tokenizer_is_special(tokenizer, id) ? id : -1;
}

// "eos_token": "</s>" or {"content": "</s>", ...}. Published checkpoints leave it to their class to know the token: then it is
// BERT's, or, where there is a <mask>, RoBERTa's, if the tokenizer has it as a special token.
static int32_t special_id(const struct tokenizer *tokenizer, const char *key, const char *bert, const char *roberta) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(tokenizer->config, key);
  if (cJSON_IsObject(item)) item = cJSON_GetObjectItemCaseSensitive(item, "content");
  if (item) return cJSON_IsString(item) ? tokenizer_id(tokenizer, item->valuestring) : -1;
  int32_t id = bert ? usual_id(tokenizer, bert) : -1;
  return id < 0 && usual_id(tokenizer, "<mask>") >= 0 ? usual_id(tokenizer, roberta) : id;
}

struct tokenizer *tokenizer_from_json(cJSON *json, cJSON *config, const char *name, struct error *error) {
  struct tokenizer *tokenizer = memory_new(error, 1, sizeof *tokenizer);
  if (!tokenizer) {
    cJSON_Delete(json);
    cJSON_Delete(config);
    return NULL;
  }
  tokenizer->json = json;
  tokenizer->config = config;
  if (!read_parts(tokenizer, name, error)) {
    tokenizer_free(tokenizer);
    return NULL;
  }
  cJSON *model = cJSON_GetObjectItemCaseSensitive(json, "model");
  cJSON_DeleteItemFromObjectCaseSensitive(model, "vocab");
  cJSON_DeleteItemFromObjectCaseSensitive(model, "merges");
  tokenizer->special_ids = (struct special_ids){.begin = special_id(tokenizer, "bos_token", NULL, "<s>"),
                                                .end = special_id(tokenizer, "eos_token", NULL, "</s>"),
                                                .unknown = special_id(tokenizer, "unk_token", "[UNK]", "<unk>"),
                                                .padding = special_id(tokenizer, "pad_token", "[PAD]", "<pad>"),
                                                .separator = special_id(tokenizer, "sep_token", "[SEP]", "</s>"),
                                                .classification = special_id(tokenizer, "cls_token", "[CLS]", "<s>"),
                                                .mask = special_id(tokenizer, "mask_token", "[MASK]", "<mask>")};
  return tokenizer;
}

// Opening --------------------------------------------------------------------------------------------------------------

// Texts of the file come together with valid text, and patterns are matched unchecked.
static bool refuse_invalid_bytes(const char *json, size_t size, const char *name, struct error *error) {
  size_t valid = utf8_invalid(json, size);
  return valid == size || error_set(error, ERROR_FORMAT, "%s: byte %zu is not valid UTF-8", name, valid);
}

static cJSON *parse(const char *json, size_t size, const char *name, struct error *error) {
  return refuse_invalid_bytes(json, size, name, error) && refuse_zero_bytes(json, size, name, error)
           ? json_parse(json, size, name, error)
           : NULL;
}

static bool is_sentencepiece(const char *name) {
  size_t length = strlen(name);
  return length > 6 && strcmp(name + length - 6, ".model") == 0;
}

struct tokenizer *tokenizer_parse(const char *bytes, size_t size, const char *name, struct error *error) {
  cJSON *value = is_sentencepiece(name) ? tokenizer_spm_read(bytes, size, name, "", NULL, error)
                                        : parse(bytes, size, name, error);
  return value ? tokenizer_from_json(value, NULL, name, error) : NULL;
}

static cJSON *read_json(const char *path, struct error *error) {
  struct file_map map;
  if (!file_map_open(&map, path, error)) return NULL;
  cJSON *value = parse(map.data, map.size, path, error);
  file_map_close(&map);
  return value;
}

static struct tokenizer *open_file(const char *path, struct error *error) {
  struct file_map map;
  if (!file_map_open(&map, path, error)) return NULL;
  struct tokenizer *tokenizer = tokenizer_parse(map.data, map.size, path, error);
  file_map_close(&map);
  return tokenizer;
}

// tokenizer_config.json, completed by special_tokens_map.json. NULL without error: neither is there.
static cJSON *read_config(const char *directory, struct error *error) {
  char path[4096];
  cJSON *config = NULL, *map = NULL;
  if (file_exists(file_join(path, directory, "tokenizer_config.json")) && !(config = json_read(path, error))) return NULL;
  if (file_exists(file_join(path, directory, "special_tokens_map.json")) && !(map = json_read(path, error))) {
    cJSON_Delete(config);
    return NULL;
  }
  if (map && !config) config = cJSON_CreateObject();
  cJSON *item = map ? map->child : NULL;
  while (item) {
    cJSON *next = item->next;
    if (!cJSON_GetObjectItemCaseSensitive(config, item->string)) {
      char *key = item->string;
      cJSON_AddItemToObject(config, key, cJSON_DetachItemViaPointer(map, item));
    }
    item = next;
  }
  cJSON_Delete(map);
  return config;
}

struct tokenizer *tokenizer_open(const char *path, struct error *error) {
  char file[4096];
  if (!file_is_directory(path)) return open_file(path, error);
  cJSON *config = read_config(path, error);
  if (error->code) return NULL;
  bool new = file_exists(file_join(file, path, "tokenizer.json"));
  cJSON *json = new ? read_json(file, error) : tokenizer_files_read(path, config, file, error);
  if (json) return tokenizer_from_json(json, config, file, error);
  cJSON_Delete(config);
  return NULL;
}

// Saving ---------------------------------------------------------------------------------------------------------------

// Keys come in the order of `tokenizers`: the vocabulary last.
static bool save_json(const struct tokenizer *tokenizer, const char *directory, struct error *error) {
  char path[4096];
  cJSON *json = cJSON_Duplicate(tokenizer->json, true);
  bool ok = json || error_memory(error, 0);
  ok = ok && token_model_write(&tokenizer->model, cJSON_GetObjectItemCaseSensitive(json, "model"), error);
  ok = ok && json_keep_digits(json, error) && json_write_file(json, file_join(path, directory, "tokenizer.json"), error);
  cJSON_Delete(json);
  return ok;
}

// BERT's older file: a token a line. It holds no gaps and no line ends, so not every vocabulary can be written so.
static bool save_vocabulary_text(const struct tokenizer *tokenizer, const char *directory, struct error *error) {
  char path[4096];
  const struct vocabulary *vocabulary = token_model_vocabulary(&tokenizer->model);
  struct buffer out = {0};
  bool possible = tokenizer->model.kind == MODEL_WORD_PIECE;
  for (size_t id = 0; possible && id < vocabulary->size; id++) {
    const char *token = vocabulary_token(vocabulary, (int32_t)id, NULL);
    possible = token && !strpbrk(token, "\r\n");
    if (!possible) break;
    buffer_text(&out, token);
    buffer_char(&out, '\n');
  }
  bool ok = !possible || (buffer_check(&out, error) &&
                          file_write_all(file_join(path, directory, "vocab.txt"), buffer_string(&out), out.size, error));
  buffer_free(&out);
  return ok;
}

// Sets every key of `extra` in `config`.
static bool set_keys(cJSON *config, const char *extra, struct error *error) {
  cJSON *keys = json_parse(extra, strlen(extra), "extra keys of tokenizer_config.json", error);
  if (!keys) return false;
  for (cJSON *item = keys->child, *next; item; item = next) {
    next = item->next;
    cJSON *copy = cJSON_Duplicate(item, true);
    cJSON_DeleteItemFromObjectCaseSensitive(config, item->string);
    if (!copy || !cJSON_AddItemToObject(config, item->string, copy)) {
      cJSON_Delete(keys);
      return error_memory(error, 0);
    }
  }
  cJSON_Delete(keys);
  return true;
}

static bool save_config(const struct tokenizer *tokenizer, const char *directory, const char *extra, struct error *error) {
  char path[4096];
  cJSON *config = tokenizer->config ? cJSON_Duplicate(tokenizer->config, true) : cJSON_CreateObject();
  bool ok = config || error_memory(error, 0);
  // A class that needs nothing but tokenizer.json.
  if (ok && !cJSON_GetObjectItemCaseSensitive(config, "tokenizer_class") &&
      !cJSON_AddStringToObject(config, "tokenizer_class", "PreTrainedTokenizerFast"))
    ok = error_memory(error, 0);
  ok = ok && (!extra || set_keys(config, extra, error)) &&
       json_write_file(config, file_join(path, directory, "tokenizer_config.json"), error);
  cJSON_Delete(config);
  return ok;
}

bool tokenizer_save(const struct tokenizer *tokenizer, const char *directory, const char *extra, struct error *error) {
  return file_make_directory(directory, error) && save_json(tokenizer, directory, error) &&
         save_vocabulary_text(tokenizer, directory, error) && save_config(tokenizer, directory, extra, error);
}
