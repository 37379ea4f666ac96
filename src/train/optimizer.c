#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "tensor/profile.h"

struct optimizer_options optimizer_defaults(void) {
  return (struct optimizer_options){.beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-9, .clip_norm = 1};
}

static bool is_trained(const struct weight *weight) { return weight->trainable && weight->gradient; }

static void sum_squares(void *data, struct weight *weight) {
  const struct model *model = data;
  if (is_trained(weight)) weight->gradient_squares = model->kernels->sum_squares(weight->gradient, weight_size(weight));
  profile_done("optimizer", PROFILE_UPDATE);
}

// The norm of all gradients; names the first weight with a number that is not finite.
static bool gradient_norm(struct model *model, int64_t step, double *norm, struct error *error) {
  double sum = 0;
  model_each_weight(model, sum_squares, model);
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    if (!is_trained(weight)) continue;
    if (!isfinite(weight->gradient_squares))
      return error_set(error, ERROR_NUMERIC, "update %lld: the gradient of %s is not finite", (long long)step, weight->name);
    sum += weight->gradient_squares;
  }
  *norm = sqrt(sum);
  return true;
}

struct descent {
  const struct kernels *kernels;
  const struct optimizer_options *options;
  double learning_rate;
  float scale, correction1, correction2;
};

static void descend(void *data, struct weight *weight) {
  const struct descent *descent = data;
  const struct optimizer_options *options = descent->options;
  if (is_trained(weight))
    descent->kernels->adamw(weight->values, weight->gradient, weight->first, weight->second, weight_size(weight), descent->scale,
                            (float)(descent->learning_rate * weight->rate), weight->decayed ? (float)options->weight_decay : 0,
                            (float)options->beta1, (float)options->beta2, (float)options->epsilon, descent->correction1,
                            descent->correction2);
  profile_done("optimizer", PROFILE_UPDATE);
}

bool optimizer_step(struct model *model, const struct optimizer_options *options, int64_t step, double learning_rate,
                    double *norm, struct error *error) {
  if (!gradient_norm(model, step, norm, error)) return false;
  struct descent descent = {.kernels = model->kernels, .options = options, .learning_rate = learning_rate, .scale = 1};
  if (options->clip_norm > 0 && *norm > options->clip_norm) descent.scale = (float)(options->clip_norm / (*norm + 1e-6));
  descent.correction1 = (float)(1 - pow(options->beta1, (double)step));
  descent.correction2 = (float)(1 - pow(options->beta2, (double)step));
  model_each_weight(model, descend, &descent);
  model_repack(model);
  return true;
}

void optimizer_clear_gradients(struct model *model) {
  for (int i = 0; i < model->weight_count; i++) {
    struct weight *weight = &model->weights[i];
    if (is_trained(weight)) memset(weight->gradient, 0, weight_size(weight) * sizeof(float));
  }
}

// Weights are called STACK.LAYER.rest, STACK.part.rest or part.rest.
static int part_length(const char *name) {
  size_t length = strcspn(name, ".");
  bool of_stack = strncmp(name, "encoder.", 8) == 0 || strncmp(name, "decoder.", 8) == 0;
  return (int)(of_stack ? length + 1 + strcspn(name + length + 1, ".") : length);
}

void optimizer_write_layers(const struct model *model, struct buffer *out) {
  char separator = '{';
  for (int i = 0, next; i < model->weight_count; i = next) {
    const char *name = model->weights[i].name;
    int length = part_length(name);
    double squares = 0;
    bool trained = false;
    for (next = i; next < model->weight_count; next++) {
      const struct weight *weight = &model->weights[next];
      if (part_length(weight->name) != length || strncmp(weight->name, name, (size_t)length) != 0) break;
      if (!is_trained(weight)) continue;
      squares += weight->gradient_squares;
      trained = true;
    }
    if (!trained) continue;
    buffer_format(out, "%c\"%.*s\":", separator, length, name);
    json_write_number(out, sqrt(squares));
    separator = ',';
  }
  buffer_text(out, separator == '{' ? "{}" : "}");
}
