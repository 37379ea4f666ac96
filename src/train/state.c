#include "train/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "hf/safetensors_writer.h"

enum { NAME_SIZE = 96, COPIES = 3 };

static const char *const copies[COPIES] = {"value", "first", "second"};

static float *copy_of(const struct weight *weight, int copy) {
  return copy == 0 ? weight->values : copy == 1 ? weight->first : weight->second;
}

// A statistic that training follows has a value, but no moments.
static bool is_kept(const struct weight *weight, int copy) {
  return weight->followed ? copy == 0 : weight->trainable && weight->first;
}

static void state_path(char path[4096], const char *directory) {
  char last[4096];
  file_join(path, file_join(last, directory, "last"), "state.safetensors");
}

bool state_exists(const char *directory) {
  char path[4096];
  state_path(path, directory);
  return file_exists(path);
}

// --- The position as JSON, by one table for both directions

enum value_kind { VALUE_INTEGER, VALUE_NUMBER, VALUE_BOOLEAN };

static const struct {
  const char *name;
  enum value_kind kind;
  size_t offset;
} values[] = {
#define VALUE(kind, field) {#field, kind, offsetof(struct training_position, field)}
  VALUE(VALUE_INTEGER, step), VALUE(VALUE_INTEGER, epoch), VALUE(VALUE_INTEGER, update), VALUE(VALUE_NUMBER, seconds),
  VALUE(VALUE_INTEGER, tokens), VALUE(VALUE_BOOLEAN, has_best), VALUE(VALUE_NUMBER, best_score),
  VALUE(VALUE_NUMBER, score_loss), VALUE(VALUE_NUMBER, best_loss), VALUE(VALUE_INTEGER, best_step),
  VALUE(VALUE_INTEGER, worse), VALUE(VALUE_INTEGER, validated), VALUE(VALUE_INTEGER, log_size),
  VALUE(VALUE_INTEGER, planned),
#undef VALUE
};

// A double by its bits: the decision which of two scores is better must not depend on digits that were dropped.
static void write_double(struct buffer *out, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  buffer_format(out, "\"%016" PRIx64 "\"", bits);
}

static double read_double(const cJSON *object, const char *name, const char *path, struct error *error) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  if (cJSON_IsNumber(item)) return item->valuedouble;
  uint64_t bits = strtoull(json_text(object, name, "0", path, error), NULL, 16);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void write_position(struct buffer *out, const struct training *training) {
  buffer_char(out, '{');
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    const char *field = (const char *)&training->position + values[i].offset;
    buffer_format(out, "%s\"%s\":", i ? "," : "", values[i].name);
    if (values[i].kind == VALUE_NUMBER) write_double(out, *(const double *)(const void *)field);
    else if (values[i].kind == VALUE_BOOLEAN) buffer_text(out, *(const bool *)(const void *)field ? "true" : "false");
    else buffer_format(out, "%" PRId64, *(const int64_t *)(const void *)field);
  }
  buffer_text(out, ",\"kept\":[");
  for (int i = 0; i < training->average.count; i++) {
    buffer_format(out, "%s{\"step\":%" PRId64 ",\"score\":", i ? "," : "", training->average.kept[i].step);
    write_double(out, training->average.kept[i].score);
    buffer_char(out, '}');
  }
  buffer_text(out, "]}");
}

static bool read_position(struct training *training, const char *text, const char *path, struct error *error) {
  cJSON *document = json_parse(text, strlen(text), path, error);
  if (!document) return false;
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char *field = (char *)&training->position + values[i].offset;
    const char *name = values[i].name;
    if (values[i].kind == VALUE_NUMBER) *(double *)(void *)field = read_double(document, name, path, error);
    else if (values[i].kind == VALUE_BOOLEAN) *(bool *)(void *)field = json_boolean(document, name, false, path, error);
    else *(int64_t *)(void *)field = json_integer(document, name, 0, path, error);
  }
  const cJSON *kept = cJSON_GetObjectItemCaseSensitive(document, "kept");
  struct average *average = &training->average;
  average->count = 0;
  for (const cJSON *item = kept ? kept->child : NULL; item && average->count < average->capacity; item = item->next) {
    average->kept[average->count].step = json_integer(item, "step", 0, path, error);
    average->kept[average->count++].score = read_double(item, "score", path, error);
  }
  bool ok = error->code == ERROR_NONE;
  if (ok && (training->position.step < 0 || (int64_t)training->position.epoch < 0 || (int64_t)training->position.update < 0))
    ok = error_set(error, ERROR_FORMAT, "%s: the position in it is not one", path);
  cJSON_Delete(document);
  return ok;
}

// --- Writing

struct list {
  struct tensor_entry *entries;
  char (*names)[NAME_SIZE];
  size_t count;
};

static void add_entry(struct list *list, const char *kind, const char *name, int64_t size) {
  snprintf(list->names[list->count], NAME_SIZE, "%s.%s", kind, name);
  list->entries[list->count] = (struct tensor_entry){list->names[list->count], TENSOR_F32, 1, {size}};
  list->count++;
}

static bool list_entries(struct list *list, const struct training *training) {
  const struct model *model = training->model;
  size_t most = (size_t)model->weight_count * COPIES + (size_t)training->average.count;
  list->entries = memory_new(training->error, most, sizeof *list->entries);
  list->names = memory_new(training->error, most, sizeof *list->names);
  if (!list->entries || !list->names) return false;
  for (int copy = 0; copy < COPIES; copy++)
    for (int i = 0; i < model->weight_count; i++)
      if (is_kept(&model->weights[i], copy))
        add_entry(list, copies[copy], model->weights[i].name, (int64_t)weight_size(&model->weights[i]));
  for (int i = 0; i < training->average.count; i++) {
    char number[16];
    snprintf(number, sizeof number, "%d", i);
    add_entry(list, "average", number, (int64_t)training->average.size);
  }
  return true;
}

static void write_tensors(struct safetensors_writer *writer, const struct training *training) {
  const struct model *model = training->model;
  for (int copy = 0; copy < COPIES; copy++)
    for (int i = 0; i < model->weight_count; i++)
      if (is_kept(&model->weights[i], copy))
        safetensors_write(writer, copy_of(&model->weights[i], copy), weight_size(&model->weights[i]) * sizeof(float));
  const struct average *average = &training->average;
  for (int i = 0; i < average->count; i++)
    safetensors_write(writer, average->slots + (size_t)i * average->size, average->size * sizeof(float));
}

bool state_save(struct training *training) {
  char path[4096], last[4096];
  state_path(path, training->directory);
  if (!file_make_directory(file_join(last, training->directory, "last"), training->error)) return false;
  struct buffer position = {0};
  write_position(&position, training);
  struct list list = {0};
  const char *metadata[] = {"position", buffer_string(&position), "identity", training->identity, NULL};
  struct safetensors_writer writer;
  bool ok = buffer_check(&position, training->error) && list_entries(&list, training) &&
            safetensors_write_begin(&writer, path, list.entries, list.count, metadata, training->error);
  if (ok) {
    write_tensors(&writer, training);
    ok = safetensors_write_end(&writer, training->error);
  }
  free(list.entries);
  free(list.names);
  buffer_free(&position);
  return ok;
}

// --- Reading

static bool read_tensor(const struct safetensors *file, const char *kind, const char *name, float *to, size_t size,
                        const char *path, struct error *error) {
  char full[NAME_SIZE];
  snprintf(full, sizeof full, "%s.%s", kind, name);
  const struct stored_tensor *tensor = safetensors_find(file, full);
  if (!tensor || tensor->type != TENSOR_F32 || tensor->count != size)
    return error_set(error, ERROR_FORMAT, "%s: %s is %s; %zu f32 numbers are wanted. The state does not belong to this model",
                     path, full, tensor ? "of another size" : "missing", size);
  memcpy(to, tensor->data, size * sizeof *to);
  return true;
}

static bool read_tensors(struct training *training, const struct safetensors *file, const char *path) {
  struct model *model = training->model;
  for (int i = 0; i < model->weight_count; i++) {
    struct weight *weight = &model->weights[i];
    for (int copy = 0; copy < COPIES; copy++)
      if (is_kept(weight, copy) &&
          !read_tensor(file, copies[copy], weight->name, copy_of(weight, copy), weight_size(weight), path, training->error))
        return false;
  }
  struct average *average = &training->average;
  for (int i = 0; i < average->count; i++) {
    char number[16];
    snprintf(number, sizeof number, "%d", i);
    if (!read_tensor(file, "average", number, average->slots + (size_t)i * average->size, average->size, path, training->error))
      return false;
  }
  model_repack(model);
  return true;
}

// Names the first thing that differs between two identities, which are objects of texts and numbers.
static void write_difference(struct buffer *out, const char *before, const char *now) {
  cJSON *a = cJSON_Parse(before), *b = cJSON_Parse(now);
  for (const cJSON *item = b ? b->child : NULL; item; item = item->next) {
    const cJSON *old = cJSON_GetObjectItemCaseSensitive(a, item->string);
    if (cJSON_Compare(old, item, true)) continue;
    char *was = old ? cJSON_PrintUnformatted(old) : NULL, *is = cJSON_PrintUnformatted(item);
    buffer_format(out, "%s%s was %s and is now %s", out->size ? "; " : "", item->string, was ? was : "not said", is ? is : "?");
    free(was);
    free(is);
  }
  if (!out->size) buffer_text(out, "something else is said");
  cJSON_Delete(a);
  cJSON_Delete(b);
}

static bool check_identity(struct training *training, const char *before, bool anyway) {
  if (strcmp(before, training->identity) == 0) return true;
  struct buffer difference = {0};
  write_difference(&difference, before, training->identity);
  if (anyway)
    error_warn(training->error, "resuming although this is not what the training began with: %s", buffer_string(&difference));
  else
    error_set(training->error, ERROR_USAGE,
              "this is not what the training began with: %s; the result would be another one than without the interruption. "
              "--resume-anyway goes on nevertheless",
              buffer_string(&difference));
  buffer_free(&difference);
  return anyway;
}

bool state_load(struct training *training, bool anyway) {
  char path[4096];
  state_path(path, training->directory);
  struct safetensors file;
  if (!safetensors_open(&file, path, training->error)) return false;
  const char *position = safetensors_metadata(&file, "position"), *identity = safetensors_metadata(&file, "identity");
  bool ok = position && identity;
  if (!ok) error_set(training->error, ERROR_FORMAT, "%s: it is not the state of a training", path);
  ok = ok && check_identity(training, identity, anyway) && read_position(training, position, path, training->error) &&
       read_tensors(training, &file, path);
  safetensors_close(&file);
  return ok;
}
