// The loss of a model on text that it does not learn from. The scores that a task adds are its own business.
#pragma once
#include "data/batch_plan.h"
#include "model/model.h"

struct validation {
  const struct samples *samples;
  struct batch_plan plan;  // the samples in their order
};

bool validation_open(struct validation *validation, const struct samples *samples, size_t batch_tokens, struct error *error);
void validation_close(struct validation *validation);
// Sums and counts over all samples. What goes wrong is in context->error.
bool validation_loss(const struct validation *validation, struct context *context, const struct model *model, struct loss *sum);
