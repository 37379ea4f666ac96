#include "hf/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "hf/config.h"
#include "hf/json_exact.h"
#include "hf/layout.h"
#include "hf/names.h"

static bool read_config(struct checkpoint *out, const char *directory, struct error *error) {
  char path[4096];
  if (!file_is_directory(directory))
    return error_set(error, ERROR_FILE, "%s: %s", directory,
                     file_exists(directory) ? "a model's directory is wanted, this is a file" : "there is no such directory");
  if (!file_exists(file_join(path, directory, "config.json")))
    return error_set(error, ERROR_FILE, "%s: no config.json there; a model's directory has one", directory);
  out->config = json_read_exact(path, error);
  return out->config && config_read(&out->arch, &out->layout, out->config, path, error);
}

static enum number_type usual_type(const struct safetensors *tensors) {
  size_t bytes[3] = {0};
  for (size_t i = 0; i < tensors->count; i++) {
    const struct stored_tensor *tensor = &tensors->tensors[i];
    if (tensor->type == TENSOR_F32) bytes[TYPE_F32] += tensor->count;
    else if (tensor->type == TENSOR_F16) bytes[TYPE_F16] += tensor->count;
    else if (tensor->type == TENSOR_BF16) bytes[TYPE_BF16] += tensor->count;
  }
  if (bytes[TYPE_F32] >= bytes[TYPE_F16] && bytes[TYPE_F32] >= bytes[TYPE_BF16]) return TYPE_F32;
  return bytes[TYPE_F16] >= bytes[TYPE_BF16] ? TYPE_F16 : TYPE_BF16;
}

// config.json doesn't tell whether a model without a head was made with its pooler: the file does.
static void look_for_pooler(struct checkpoint *out) {
  if (out->arch.head != HEAD_NONE || !out->arch.pooler) return;
  for (const struct tensor_name *row = out->layout->names; row->stored; row++)
    if (strcmp(row->weight, "head.pooler.weight") == 0 && (!row->heads || row->heads & FOR_HEAD(HEAD_NONE)) &&
        names_find(&out->tensors, out->layout, row->stored)) return;
  out->arch.pooler = false;
  out->arch.pooler_activation = ACTIVATION_NONE;
}

static bool load(struct checkpoint *out, const char *directory, const struct head_choice *choice, struct error *error) {
  struct bindings bindings = {0};
  if (!safetensors_open_directory(&out->tensors, directory, error)) return false;
  look_for_pooler(out);
  bool ok = (out->model = model_new(&out->arch, error)) != NULL && bindings_make(&bindings, out->layout, out->model, error) &&
            bindings_load(&bindings, &out->tensors, out->model, directory, choice ? &choice->seed : NULL, error);
  bindings_free(&bindings);
  if (ok) out->type = usual_type(&out->tensors);
  return ok;
}

static bool choose_head(struct checkpoint *out, const struct head_choice *choice, struct error *error) {
  enum head_kind before = out->arch.head;
  // The head that is there keeps its parts: in a mix of knobs no class would say them.
  if (choice && choice->head == before && out->arch.labels) out->arch.labels = choice->labels;
  if (choice && choice->head != before && !heads_choose(&out->arch, choice->head, choice->labels, error)) return false;
  if (choice && out->arch.head == HEAD_CLASSIFY) {
    out->arch.language_too = choice->language_too;
    out->arch.both_orders = choice->both_orders;
  }
  if (choice && choice->pooling) heads_pool(&out->arch, *choice->pooling);
  if (choice && choice->through) {
    out->arch.features = choice->features;
    out->arch.lstm = choice->lstm;
    if (!arch_check(&out->arch, error)) return false;
  }
  if (!out->arch.labels) return true;
  if (!labels_read(&out->labels, out->config, "config.json", error)) return false;
  if (out->labels.count != out->arch.labels || out->arch.head != before) labels_free(&out->labels);
  return arch_check(&out->arch, error);
}

// A model that the file's layout has no words for is a "qkv" model from here on, of which nothing in the old config.json speaks.
static void leave_layout(struct checkpoint *out) {
  struct error refusal = {0};
  if (out->layout == &layout_qkv || config_can_say(out->layout, &out->model->arch, &refusal)) return;
  out->layout = &layout_qkv;
  snprintf(out->arch.layout, sizeof out->arch.layout, "%s", layout_qkv.model_type);
  out->model->arch = out->arch;
}

static bool add_tokens(struct checkpoint *out, const struct head_choice *choice, struct error *error) {
  if (choice->vocabulary <= arch_head_vocabulary(&out->arch)) return true;
  struct model *larger = model_with_vocabulary(out->model, choice->vocabulary, choice->seed, error);
  if (!larger) return false;
  model_free(out->model);
  out->model = larger;
  out->arch = larger->arch;
  return true;
}

static bool suit(struct checkpoint *out, const struct head_choice *choice, struct error *error) {
  if (!choice) return true;
  if (!add_tokens(out, choice, error)) return false;
  leave_layout(out);
  return true;
}

bool checkpoint_arch(const char *directory, struct arch *arch, struct error *error) {
  struct checkpoint checkpoint = {0};
  bool ok = read_config(&checkpoint, directory, error);
  *arch = checkpoint.arch;
  cJSON_Delete(checkpoint.config);
  return ok;
}

bool checkpoint_open(const char *directory, struct checkpoint *out, struct error *error) {
  return checkpoint_open_as(directory, NULL, out, error);
}

bool checkpoint_open_as(const char *directory, const struct head_choice *choice, struct checkpoint *out, struct error *error) {
  *out = (struct checkpoint){0};
  generation_defaults_init(&out->generation);
  bool ok = read_config(out, directory, error) && choose_head(out, choice, error) &&
            generation_defaults_read(&out->generation, directory, out->config, error) && load(out, directory, choice, error) &&
            suit(out, choice, error);
  if (!ok) checkpoint_close(out);
  return ok;
}

void checkpoint_close(struct checkpoint *checkpoint) {
  model_free(checkpoint->model);
  safetensors_close(&checkpoint->tensors);
  cJSON_Delete(checkpoint->config);
  labels_free(&checkpoint->labels);
  generation_defaults_free(&checkpoint->generation);
  *checkpoint = (struct checkpoint){0};
}
