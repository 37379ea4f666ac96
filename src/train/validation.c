#include "train/validation.h"

bool validation_open(struct validation *validation, const struct samples *samples, size_t batch_tokens, struct error *error) {
  *validation = (struct validation){.samples = samples};
  struct batch_plan_options options = {.batch_tokens = batch_tokens};
  return batch_plan_make(&validation->plan, samples, &options, 0, error);
}

void validation_close(struct validation *validation) {
  batch_plan_free(&validation->plan);
  *validation = (struct validation){0};
}

bool validation_loss(const struct validation *validation, struct context *context, const struct model *model, struct loss *sum) {
  const struct samples *samples = validation->samples;
  *sum = (struct loss){0};
  for (size_t i = 0; i < validation->plan.batch_count; i++) {
    struct batch_list list = batch_plan_batch(&validation->plan, i);
    const struct batch *batch = samples->fill(samples->user, 0, list.samples, list.count, context->error);
    if (!batch) return false;
    context_begin(context, false, false, 0, 0);
    struct loss loss = {0};
    if (!model_loss(context, model, batch, 0, (struct loss_scale){0}, &loss, NULL)) return false;
    loss_add(sum, &loss);
  }
  return true;
}
