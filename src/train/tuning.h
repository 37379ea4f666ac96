// Fine-tuning with care for what a model knows: lower layers learn more slowly, or not at all.
#pragma once
#include "train/task.h"

// Sets the rates of the model's weights from --layer-decay and freezes what --freeze names.
bool tuning_apply(struct job *job);
