#include "train/tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Embeddings are level 0, layer i is level i + 1, and what stands on the last layer comes behind.
static int level_of(const struct weight *weight, int layers) {
  const char *dot = strchr(weight->name, '.');
  if (!dot || (strncmp(weight->name, "encoder.", 8) != 0 && strncmp(weight->name, "decoder.", 8) != 0)) return layers + 1;
  if (dot[1] >= '0' && dot[1] <= '9') return atoi(dot + 1) + 1;
  return strcmp(dot, ".norm.gain") == 0 || strcmp(dot, ".norm.bias") == 0 ? layers + 1 : 0;
}

// The highest level that is frozen; -1: none.
static bool read_freeze(int *frozen, const char *text, int layers, struct error *error) {
  char *end;
  *frozen = -1;
  if (!text) return true;
  if (strcmp(text, "embeddings") == 0) return *frozen = 0, true;
  if (strcmp(text, "all") == 0) return *frozen = layers, true;
  long count = strtol(text, &end, 10);
  if (*text && !*end && count >= 0 && count <= layers) return *frozen = (int)count, true;
  return error_set(error, ERROR_USAGE, "--freeze is \"%s\"; wanted embeddings, all, or how many of the %d layers, from the lowest", text,
                   layers);
}

bool tuning_apply(struct job *job) {
  const struct qkv_train_options *options = &job->options;
  int layers = arch_head_stack(&job->model->arch)->layers, frozen;
  if (!read_freeze(&frozen, options->freeze, layers, job->error)) return false;
  double decay = options->layer_decay > 0 ? options->layer_decay : 1;
  for (int i = 0; i < job->model->weight_count; i++) {
    struct weight *weight = &job->model->weights[i];
    int level = level_of(weight, layers);
    weight->rate = (float)pow(decay, layers + 1 - level);
    if (level <= frozen) weight->trainable = false;
  }
  return true;
}
