// AdamW over all weights of a model, with the gradient clipped to a global norm before.
//
// The gradients lie in the weights, already scaled to a mean over the update's targets. A step that finds a number that is
// not finite changes nothing and says which weight it stands in.
#pragma once
#include "base/buffer.h"
#include "model/model.h"

struct optimizer_options {
  double beta1, beta2, epsilon;
  double weight_decay;   // of matrices (weight.decayed)
  double clip_norm;      // 0: not clipped
};

struct optimizer_options optimizer_defaults(void);  // betas 0.9 and 0.98, epsilon 1e-9, clip at 1, no decay

// step counts from 1 (for the bias correction). *norm receives the gradient's norm before clipping. Afterwards the
// gradients are zero and the packed copies are made anew.
bool optimizer_step(struct model *model, const struct optimizer_options *options, int64_t step, double learning_rate,
                    double *norm, struct error *error);
void optimizer_clear_gradients(struct model *model);
// The norm of the last update's gradient in each layer, before clipping, as a JSON object: {"embedding":0.4,"decoder.0":1.2,...}
void optimizer_write_layers(const struct model *model, struct buffer *out);
