#include "api/public_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/public_context.h"
#include "base/memory.h"
#include "cpu/cpu.h"

static bool choose_kernels(struct qkv_model *model, const char *dtype, struct error *error) {
  enum precision precision = PRECISION_AUTO;
  if (dtype && !precision_read(&precision, dtype, error)) return false;
  model->kernels = cpu_kernels(precision, error);
  if (!model->kernels) return false;
  snprintf(model->path, sizeof model->path, "%s on the %s path of %s", model->kernels->dtype, model->kernels->name, cpu_name());
  return true;
}

struct qkv_model *qkv_model_open(struct qkv_context *context, const char *directory, const char *dtype) {
  struct error *error = public_begin(context);
  struct qkv_model *model = memory_new(error, 1, sizeof *model);
  if (!model) return NULL;
  model->directory = memory_copy_text(error, directory);
  if (!model->directory || !choose_kernels(model, dtype, error) || !checkpoint_open(directory, &model->checkpoint, error)) {
    free(model->directory);
    free(model);
    return NULL;
  }
  pthread_mutex_init(&model->lock, NULL);
  return model;
}

void qkv_model_free(struct qkv_model *model) {
  if (!model) return;
  tokenizer_free(model->tokenizer);
  checkpoint_close(&model->checkpoint);
  pthread_mutex_destroy(&model->lock);
  free(model->directory);
  free(model);
}

const char *qkv_model_path(const struct qkv_model *model) { return model->path; }

const struct model *public_model_ready(struct qkv_model *model, struct error *error) {
  pthread_mutex_lock(&model->lock);
  if (!model->prepared) model->prepared = model_prepare(model->checkpoint.model, model->kernels, false, error);
  bool fine = model->prepared;
  pthread_mutex_unlock(&model->lock);
  return fine ? model->checkpoint.model : NULL;
}

const struct tokenizer *public_model_tokenizer(struct qkv_model *model, struct error *error) {
  pthread_mutex_lock(&model->lock);
  if (!model->tokenizer) model->tokenizer = tokenizer_open(model->directory, error);
  const struct tokenizer *tokenizer = model->tokenizer;
  pthread_mutex_unlock(&model->lock);
  return tokenizer;
}
