// OUT/last/state.safetensors: one file with all that going on with a training needs.
//
//   value.NAME, first.NAME, second.NAME   f32   of each trained weight
//   average.N                             f32   the copies that are to be averaged
//   metadata "position", "identity"             JSON
//
// The identity says what the state belongs to: options, text, processor path. Another one than at the beginning would give
// another model than the run that was not interrupted, so it is refused unless asked for.
#pragma once
#include "train/training.h"

bool state_save(struct training *training);
// Sets weights, moments, averages and position. anyway: also when the identity differs, with a warning.
bool state_load(struct training *training, bool anyway);
bool state_exists(const char *directory);
