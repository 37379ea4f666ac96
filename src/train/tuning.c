#include "train/tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Layers that share one group of weights.
static int group_size(const struct stack_arch *stack) { return stack->groups ? stack->layers / stack->groups : 1; }

// Embeddings are level 0, layer i is level i + 1, weights that several layers share are those of the highest, and what stands on
// the last layer comes behind.
static int level_of(const struct weight *weight, const struct arch *arch) {
  const struct stack_arch *stack = arch_head_stack(arch);
  const char *dot = strchr(weight->name, '.');
  if (!dot || (strncmp(weight->name, "encoder.", 8) != 0 && strncmp(weight->name, "decoder.", 8) != 0)) return stack->layers + 1;
  if (dot[1] >= '0' && dot[1] <= '9') return (atoi(dot + 1) + 1) * group_size(stack);
  bool last_norm = strcmp(dot, ".norm.gain") == 0 || strcmp(dot, ".norm.bias") == 0;
  // Features are read behind the last norm, too, which then is one with its layer.
  return !last_norm ? 0 : arch_has_features(arch) ? stack->layers : stack->layers + 1;
}

// The highest level that is frozen; -1: none.
static bool read_freeze(int *frozen, const char *text, const struct stack_arch *stack, struct error *error) {
  char *end;
  int each = group_size(stack);
  *frozen = -1;
  if (!text) return true;
  if (strcmp(text, "embeddings") == 0) return *frozen = 0, true;
  if (strcmp(text, "all") == 0) return *frozen = stack->layers, true;
  long count = strtol(text, &end, 10);
  if (!*text || *end || count < 0 || count > stack->layers)
    return error_set(error, ERROR_USAGE,
                     "--freeze is \"%s\"; wanted embeddings, all, or how many of the %d layers, from the lowest", text,
                     stack->layers);
  if (count % each)
    return error_set(
        error, ERROR_USAGE,
        "--freeze is %ld, but %d layers at a time share their weights in this model, and stay or learn together; give a "
        "multiple of %d",
        count, each, each);
  return *frozen = (int)count, true;
}

bool tuning_apply(struct job *job) {
  const struct qkv_train_options *options = &job->options;
  const struct arch *arch = &job->model->arch;
  const struct stack_arch *stack = arch_head_stack(arch);
  int frozen;
  if (!read_freeze(&frozen, options->freeze, stack, job->error)) return false;
  double decay = options->layer_decay > 0 ? options->layer_decay : 1;
  for (int i = 0; i < job->model->weight_count; i++) {
    struct weight *weight = &job->model->weights[i];
    int level = level_of(weight, arch);
    weight->rate = (float)pow(decay, stack->layers + 1 - level);
    if (level <= frozen) weight->trainable = false;
  }
  return true;
}
