// From what a model's makers want (generation_config.json) to the options of a search.
#pragma once
#include "generate/generation.h"
#include "hf/checkpoint.h"

// What the files say nothing about: a beam search of this width for translators.
enum { DEFAULT_BEAMS = 5 };

// Free with generation_options_free, also after a failure.
bool public_generation_options(struct generation_options *options, const struct checkpoint *checkpoint, struct error *error);
