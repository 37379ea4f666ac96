#include "hf/sentence_modules.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

static const struct {
  const char *key, *name;
  int pooling;
} poolings[] = {
  {"pooling_mode_cls_token", "cls", TEXT_FIRST}, {"pooling_mode_mean_tokens", "mean", TEXT_MEAN},
  {"pooling_mode_max_tokens", "max", TEXT_MAX},  {"pooling_mode_mean_sqrt_len_tokens", "mean-sqrt", TEXT_MEAN_SQRT},
  {"pooling_mode_lasttoken", "last", TEXT_LAST},
};

int text_pooling_find(const char *name) {
  for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++)
    if (strcmp(poolings[i].name, name) == 0) return poolings[i].pooling;
  return 0;
}

static bool read_pooling(struct sentence_modules *modules, const char *directory, const char *folder, struct error *error) {
  char inner[4096], path[4096];
  file_join(path, file_join(inner, directory, folder), "config.json");
  cJSON *config = json_read(path, error);
  if (!config) return false;
  modules->pooling = 0;
  for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++)
    if (json_boolean(config, poolings[i].key, false, path, error)) modules->pooling |= poolings[i].pooling;
  if (json_boolean(config, "pooling_mode_weightedmean_tokens", false, path, error))
    error_set(error, ERROR_UNSUPPORTED, "%s: pooling_mode_weightedmean_tokens cannot be done; --pooling chooses another one",
              path);
  if (!modules->pooling) error_set(error, ERROR_FORMAT, "%s: no pooling_mode is true", path);
  cJSON_Delete(config);
  return error->code == ERROR_NONE;
}

static bool read_module(struct sentence_modules *modules, const cJSON *module, const char *directory, const char *path,
                        struct error *error) {
  const char *type = json_text(module, "type", "", path, error), *folder = json_text(module, "path", "", path, error);
  const char *name = strrchr(type, '.');
  name = name ? name + 1 : type;
  if (error->code != ERROR_NONE) return false;
  if (strcmp(name, "Transformer") == 0) return true;
  if (strcmp(name, "Pooling") == 0) return read_pooling(modules, directory, folder, error);
  if (strcmp(name, "Normalize") == 0) return modules->normalized = true;
  return error_set(error, ERROR_UNSUPPORTED,
                   "%s: the module \"%s\" cannot be done; wanted Transformer, Pooling, Normalize (--pooling ignores the file)",
                   path, type);
}

static bool read_length(struct sentence_modules *modules, const char *directory, struct error *error) {
  char path[4096];
  if (!file_exists(file_join(path, directory, "sentence_bert_config.json"))) return true;
  cJSON *config = json_read(path, error);
  if (!config) return false;
  long long length = json_integer(config, "max_seq_length", 0, path, error);
  cJSON_Delete(config);
  modules->max_length = length > 0 && length < 1 << 24 ? (int)length : 0;
  return error->code == ERROR_NONE;
}

bool sentence_modules_read(struct sentence_modules *modules, const char *directory, struct error *error) {
  char path[4096];
  *modules = (struct sentence_modules){0};
  if (!file_exists(file_join(path, directory, "modules.json"))) return true;
  cJSON *list = json_read(path, error);
  if (!list) return false;
  modules->found = true;
  const cJSON *module;
  bool ok = cJSON_IsArray(list) || error_set(error, ERROR_FORMAT, "%s: wanted a list of modules", path);
  cJSON_ArrayForEach(module, list) ok = ok && read_module(modules, module, directory, path, error);
  if (ok && !modules->pooling) ok = error_set(error, ERROR_FORMAT, "%s: there is no Pooling module", path);
  cJSON_Delete(list);
  return ok && read_length(modules, directory, error);
}
