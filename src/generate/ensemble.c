#include "generate/ensemble.h"

#include <math.h>

#include "base/parallel.h"

static bool check_number(const char *what, int value, int wanted, const char *name, const char *first, struct error *error) {
  if (value == wanted) return true;
  return error_set(error, ERROR_FORMAT, "%s: %s is %d, that of %s is %d; models of an ensemble have to agree in this", name,
                   what, value, first, wanted);
}

bool ensemble_check(const struct model *const *models, const char *const *names, int count, struct error *error) {
  if (count < 1 || count > ENSEMBLE_MODELS)
    return error_set(error, ERROR_USAGE, "an ensemble of %d models is wanted; it may have 1 to %d", count, ENSEMBLE_MODELS);
  for (int m = 0; m < count; m++) {
    const struct arch *arch = &models[m]->arch, *first = &models[0]->arch;
    if (arch->family != FAMILY_ENCODER_DECODER)
      return error_set(error, ERROR_UNSUPPORTED, "%s: this model has no encoder and decoder; translating needs both", names[m]);
    if (!check_number("the source vocabulary's size", arch->source_vocab, first->source_vocab, names[m], names[0], error) ||
        !check_number("the target vocabulary's size", arch->target_vocab, first->target_vocab, names[m], names[0], error) ||
        !check_number("the number of positions", arch->max_positions, first->max_positions, names[m], names[0], error) ||
        !check_number("the end token's id", arch->eos_id, first->eos_id, names[m], names[0], error) ||
        !check_number("the id that the decoder starts with", arch->decoder_start_id, first->decoder_start_id, names[m], names[0],
                      error))
      return false;
    if (models[m]->kernels != models[0]->kernels)
      return error_set(error, ERROR_USAGE, "%s is to run in %s and %s in %s; open the models of an ensemble with the same dtype",
                       names[m], models[m]->kernels->dtype, names[0], models[0]->kernels->dtype);
  }
  return true;
}

float ensemble_mean(const float *values, int count) {
  int best = 0;
  for (int m = 1; m < count; m++)
    if (values[m] > values[best]) best = m;
  float sum = 1;
  for (int m = 0; m < count; m++)
    if (m != best) sum += expf(values[m] - values[best]);
  return values[best] + logf(sum / (float)count);
}

struct averaging {
  struct tensor **logits;
  int count;
};

static void average_row(void *data, size_t row, int worker) {
  const struct averaging *averaging = data;
  int columns = averaging->logits[0]->cols;
  for (size_t i = row * columns; i < (row + 1) * columns; i++) {
    float values[ENSEMBLE_MODELS] = {averaging->logits[0]->data[i]};
    for (int m = 1; m < averaging->count; m++) values[m] = averaging->logits[m]->data[i];
    averaging->logits[0]->data[i] = ensemble_mean(values, averaging->count);
  }
}

void ensemble_average(const struct kernels *kernels, struct tensor **logits, int count) {
  for (int m = 0; m < count; m++) kernels->log_softmax(logits[m]->data, logits[m]->cols, logits[m]->rows, logits[m]->cols);
  struct averaging averaging = {logits, count};
  parallel_for(logits[0]->rows, average_row, &averaging);
}
