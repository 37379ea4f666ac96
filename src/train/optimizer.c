#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "tensor/profile.h"

struct optimizer_options optimizer_defaults(void) {
  return (struct optimizer_options){.beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-9, .clip_norm = 1};
}

static bool is_trained(const struct weight *weight) { return weight->trainable && weight->gradient; }

// The norm of all gradients; names the first weight with a number that is not finite.
static bool gradient_norm(struct model *model, int64_t step, double *norm, struct error *error) {
  double sum = 0;
  for (int i = 0; i < model->weight_count; i++) {
    struct weight *weight = &model->weights[i];
    if (!is_trained(weight)) continue;
    double squares = model->kernels->sum_squares(weight->gradient, weight_size(weight));
    if (!isfinite(squares))
      return error_set(error, ERROR_NUMERIC, "update %lld: the gradient of %s is not finite", (long long)step, weight->name);
    sum += weight->gradient_squares = squares;
  }
  *norm = sqrt(sum);
  return true;
}

bool optimizer_step(struct model *model, const struct optimizer_options *options, int64_t step, double learning_rate,
                    double *norm, struct error *error) {
  if (!gradient_norm(model, step, norm, error)) return false;
  double scale = 1;
  if (options->clip_norm > 0 && *norm > options->clip_norm) scale = options->clip_norm / (*norm + 1e-6);
  float correction1 = (float)(1 - pow(options->beta1, (double)step));
  float correction2 = (float)(1 - pow(options->beta2, (double)step));
  for (int i = 0; i < model->weight_count; i++) {
    struct weight *weight = &model->weights[i];
    if (!is_trained(weight)) continue;
    model->kernels->adamw(weight->values, weight->gradient, weight->first, weight->second, weight_size(weight), (float)scale,
                          (float)(learning_rate * weight->rate), weight->decayed ? (float)options->weight_decay : 0, (float)options->beta1,
                          (float)options->beta2, (float)options->epsilon, correction1, correction2);
  }
  bool packed = model_repack(model, error);
  profile_done("optimizer", PROFILE_UPDATE);
  return packed;
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
