#include "hf/heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "hf/json_exact.h"
#include "hf/layout_tables.h"

// --- labels

static bool make_labels(struct labels *out, int count, struct error *error) {
  *out = (struct labels){memory_new(error, (size_t)count, sizeof *out->names), count};
  return out->names != NULL;
}

static bool plain_labels(struct labels *out, int count, struct error *error) {
  bool ok = make_labels(out, count, error);
  for (int i = 0; ok && i < count; i++) {
    char name[32];
    snprintf(name, sizeof name, "LABEL_%d", i);
    ok = (out->names[i] = memory_copy_text(error, name)) != NULL;
  }
  if (!ok) labels_free(out);
  return ok;
}

static bool read_label(struct labels *out, const cJSON *item, const char *path, struct error *error) {
  char *end;
  long id = strtol(item->string, &end, 10);
  if (*end || end == item->string || id < 0 || id >= out->count || out->names[id] || !cJSON_IsString(item))
    return error_set(error, ERROR_FORMAT, "%s: \"id2label\" has the entry \"%.80s\"; wanted is a name for each of 0 to %d", path,
                     item->string, out->count - 1);
  out->names[id] = memory_copy_text(error, item->valuestring);
  return out->names[id] != NULL;
}

bool labels_read(struct labels *out, const cJSON *config, const char *path, struct error *error) {
  *out = (struct labels){0};
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(config, "id2label"), *item;
  if (!names || cJSON_IsNull(names)) {
    long long count = json_integer(config, "num_labels", json_integer(config, "_num_labels", 2, path, error), path, error);
    if (error->code) return false;
    if (count < 1 || count > LABEL_LIMIT)
      return error_set(error, ERROR_FORMAT, "%s: \"num_labels\" is %lld; it has to be from 1 to %d", path, count, LABEL_LIMIT);
    return plain_labels(out, (int)count, error);
  }
  int count = cJSON_GetArraySize(names);
  if (!cJSON_IsObject(names) || count < 1 || count > LABEL_LIMIT)
    return error_set(error, ERROR_FORMAT, "%s: \"id2label\" has to be an object of 1 to %d names by number", path, LABEL_LIMIT);
  bool ok = make_labels(out, count, error);
  if (ok) cJSON_ArrayForEach(item, names) ok = ok && read_label(out, item, path, error);
  if (!ok) labels_free(out);
  return ok;
}

bool labels_copy(struct labels *out, const struct labels *from, struct error *error) {
  *out = (struct labels){0};
  if (!from->count) return true;
  bool ok = make_labels(out, from->count, error);
  for (int i = 0; ok && i < from->count; i++) ok = (out->names[i] = memory_copy_text(error, from->names[i])) != NULL;
  if (!ok) labels_free(out);
  return ok;
}

int labels_find(const struct labels *labels, const char *name) {
  for (int i = 0; i < labels->count; i++)
    if (strcmp(labels->names[i], name) == 0) return i;
  return -1;
}

void labels_free(struct labels *labels) {
  for (int i = 0; labels->names && i < labels->count; i++) free(labels->names[i]);
  free(labels->names);
  *labels = (struct labels){0};
}

static bool write_labels(cJSON *config, const struct labels *labels, struct error *error) {
  cJSON *names = cJSON_CreateObject(), *ids = cJSON_CreateObject();
  bool ok = names && ids;
  for (int i = 0; ok && i < labels->count; i++) {
    char id[16];
    snprintf(id, sizeof id, "%d", i);
    ok = cJSON_AddStringToObject(names, id, labels->names[i]) && cJSON_AddNumberToObject(ids, labels->names[i], i);
  }
  if (!ok) {
    cJSON_Delete(names);
    cJSON_Delete(ids);
    return error_memory(error, 0);
  }
  cJSON_DeleteItemFromObjectCaseSensitive(config, "num_labels");
  cJSON_DeleteItemFromObjectCaseSensitive(config, "_num_labels");
  bool put = json_put(config, "id2label", names, error);
  return json_put(config, "label2id", ids, error) && put;
}

// --- heads

static bool has_labels(enum head_kind head) { return head == HEAD_CLASSIFY || head == HEAD_TAG; }

static const char *architecture_of(const cJSON *config) {
  const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(config, "architectures"), 0);
  return cJSON_GetStringValue(first);
}

static const struct layout_head *head_named(const struct layout *layout, const char *architecture) {
  for (const struct layout_head *head = layout->heads; architecture && head->architecture; head++)
    if (strcmp(head->architecture, architecture) == 0) return head;
  return NULL;
}

static const struct layout_head *head_of_kind(const struct layout *layout, enum head_kind kind) {
  for (const struct layout_head *head = layout->heads; head->architecture; head++)
    if (head->kind == kind) return head;
  return NULL;
}

static void apply(struct arch *arch, const struct layout_head *head, int labels) {
  arch->head = head->kind;
  if (head->kind != HEAD_CLASSIFY) arch->language_too = arch->both_orders = false;
  arch->labels = has_labels(head->kind) ? labels : 0;
  arch->head_transform = head->transform != NO_TRANSFORM;
  arch->head_activation = !head->transform ? ACTIVATION_NONE :
                          head->transform == TRANSFORM_GELU ? ACTIVATION_GELU : arch->activation;
  arch->head_bias = arch->head_bias_trainable = arch->head_transform && head->kind != HEAD_REPLACED;
  arch->pooling = head->pooling;
  arch->pooler = head->pooler;
  arch->pooler_activation = head->pooler ? head->pooler_activation : ACTIVATION_NONE;
  arch->pooler_dropout = head->pooler_dropout;
  arch->classifier_bias = arch_head_outputs(arch) && !head->unbiased;
}

bool heads_read(struct arch *arch, const struct layout *layout, const cJSON *config, const char *path, struct error *error) {
  if (!layout->heads) return true;
  const char *architecture = architecture_of(config);
  const struct layout_head *head = head_named(layout, architecture);
  if (architecture && !head)
    error_warn(error, "%s: the class \"%.80s\" is not known; the model is read as a %s", path, architecture,
               layout->heads->architecture);
  if (!head) head = layout->heads;
  struct labels labels = {0};
  if (has_labels(head->kind) && !labels_read(&labels, config, path, error)) return false;
  apply(arch, head, labels.count);
  labels_free(&labels);
  if (head->kind == HEAD_NONE && !json_boolean(config, "add_pooling_layer", true, path, error)) arch->pooler = false;
  if (!arch->pooler) arch->pooler_activation = ACTIVATION_NONE;
  return error->code == ERROR_NONE;
}

static bool write_label_names(cJSON *config, int count, const struct labels *names, struct error *error) {
  struct labels now = {0}, plain = {0};
  struct error ignored = {0};
  if (names && names->count == count) return write_labels(config, names, error);
  bool same = json_has(config, "id2label") && labels_read(&now, config, "", &ignored) && now.count == count;
  labels_free(&now);
  if (same) return true;
  bool ok = plain_labels(&plain, count, error) && write_labels(config, &plain, error);
  labels_free(&plain);
  return ok;
}

bool heads_write(cJSON *config, const struct layout *layout, const struct arch *arch, const struct labels *labels,
                 struct error *error) {
  if (arch->labels && !write_label_names(config, arch->labels, labels, error)) return false;
  const char *architecture = layout->architecture;
  if (layout->heads) {
    const struct layout_head *now = head_named(layout, architecture_of(config)), *wanted = head_of_kind(layout, arch->head);
    if (!wanted)
      return error_set(error, ERROR_UNSUPPORTED, "a %s model can't have %s; save it as \"qkv\"", layout->model_type,
                       heads_name(arch->head));
    if (wanted->kind == HEAD_NONE && wanted->pooler &&
        arch->pooler != json_boolean(config, "add_pooling_layer", true, "", error) &&
        !json_put(config, "add_pooling_layer", cJSON_CreateBool(arch->pooler), error))
      return false;
    if (now == wanted) return true;
    architecture = wanted->architecture;
  } else if (json_has(config, "architectures")) {
    return true;
  }
  return json_put(config, "architectures", cJSON_CreateStringArray(&(const char *){architecture}, 1), error);
}

bool heads_set(struct arch *arch, enum head_kind head, int labels, struct error *error) {
  const struct layout *layout = layout_find(arch->layout);
  static const struct layout_head own = {.architecture = "QkvModel"};
  struct layout_head free_choice = own;
  const struct layout_head *found = layout && layout->heads ? head_of_kind(layout, head) : NULL;
  if (layout == &layout_qkv) {
    free_choice.kind = head;
    free_choice.pooling = arch->family == FAMILY_DECODER ? POOLING_LAST : POOLING_FIRST;
    // What pre-training taught the pooler goes into heads for texts, as in BERT's classes.
    free_choice.pooler = arch->pooler && head_has_texts(head);
    free_choice.pooler_activation = arch->pooler_activation;
    found = &free_choice;
  }
  if (!found && head == HEAD_LANGUAGE && arch->head == HEAD_LANGUAGE) return true;
  if (!found)
    return error_set(error, ERROR_UNSUPPORTED, "a %s model can't have %s", arch->layout, heads_name(head));
  bool bias = arch->head_bias, trainable = arch->head_bias_trainable;
  apply(arch, found, labels);
  if (found == &free_choice && arch_has_vocabulary(arch)) {
    arch->head_bias = bias;
    arch->head_bias_trainable = trainable;
  }
  return true;
}

bool heads_choose(struct arch *arch, enum head_kind head, int labels, struct error *error) {
  struct error refusal = {0};
  char layout[sizeof arch->layout];
  bool may_leave = head == HEAD_DOUBLE && arch->family == FAMILY_DECODER;
  if (heads_set(arch, head, labels, may_leave ? &refusal : error)) return true;
  if (!may_leave) return false;
  memcpy(layout, arch->layout, sizeof layout);
  snprintf(arch->layout, sizeof arch->layout, "%s", layout_qkv.model_type);
  bool ok = heads_set(arch, head, labels, error);
  arch->classifier_bias = false;
  memcpy(arch->layout, layout, sizeof layout);
  return ok;
}

void heads_pool(struct arch *arch, enum pooling pooling) {
  if (arch->pooling == pooling) return;
  arch->pooling = pooling;
  arch->pooler = arch->pooler_dropout = false;
  arch->pooler_activation = ACTIVATION_NONE;
}

const char *heads_architecture(const struct layout *layout, const struct arch *arch) {
  const struct layout_head *head = layout->heads ? head_of_kind(layout, arch->head) : NULL;
  return head ? head->architecture : layout->architecture;
}

const char *heads_name(enum head_kind head) {
  switch (head) {
    case HEAD_LANGUAGE: return "a language head";
    case HEAD_NONE: return "no head";
    case HEAD_PRETRAINING: return "a head for pre-training";
    case HEAD_NEXT_SENTENCE: return "a next-sentence head";
    case HEAD_CLASSIFY: return "a head for sequence classification";
    case HEAD_TAG: return "a head for token classification";
    case HEAD_SPAN: return "a head for question answering";
    case HEAD_CHOICE: return "a head for multiple choice";
    case HEAD_DOUBLE: return "double heads";
    case HEAD_REPLACED: return "a head for replaced words";
  }
  return "?";
}

bool heads_refuse(const struct arch *arch, const char *directory, enum head_kind wanted, struct error *error) {
  static const char *const tasks[] = {[HEAD_LANGUAGE] = "mlm",      [HEAD_PRETRAINING] = "mlm", [HEAD_NEXT_SENTENCE] = "mlm",
                                      [HEAD_CLASSIFY] = "classify", [HEAD_TAG] = "tag",         [HEAD_SPAN] = "span",
                                      [HEAD_CHOICE] = "choice",     [HEAD_DOUBLE] = "lm",       [HEAD_NONE] = "mlm",
                                      [HEAD_REPLACED] = "mlm"};
  if (arch->family == FAMILY_ENCODER_DECODER)
    return error_set(error, ERROR_USAGE,
                     "%s: this %s model is an encoder-decoder, which has %s; %s is needed, which models of one stack "
                     "such as bert have",
                     directory, arch->layout, heads_name(arch->head), heads_name(wanted));
  const char *task = wanted == HEAD_LANGUAGE && arch->family == FAMILY_DECODER ? "lm" : tasks[wanted];
  return error_set(error, ERROR_USAGE,
                   "%s: this %s model has %s, but %s is needed; make one with: qkv train OUT --task %s --from %s ...", directory,
                   arch->layout, heads_name(arch->head), heads_name(wanted), task, directory);
}
