// Several models that translate as one: what they think probable is averaged (the logarithm of the mean probability). They
// need the same vocabularies, positions and conventions.
#pragma once
#include "model/model.h"

enum { ENSEMBLE_MODELS = 16 };

// names: for messages, such as the models' directories.
bool ensemble_check(const struct model *const *models, const char *const *names, int count, struct error *error);
// logits[0] becomes the log-probabilities of the ensemble; the others are used up.
void ensemble_average(const struct kernels *kernels, struct tensor **logits, int count);
// log(mean(exp(values[0 .. count])))
float ensemble_mean(const float *values, int count);
