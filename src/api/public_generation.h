// From what a model's makers want (generation_config.json) to the options of a search.
#pragma once
#include "generate/generation.h"
#include "api/public_model.h"

// What the files say nothing about: a beam search of this width for translators.
enum { DEFAULT_BEAMS = 5 };

// Free with generation_options_free, also after a failure.
bool public_generation_options(struct generation_options *options, const struct checkpoint *checkpoint, struct error *error);

// Whether it is a language model with a decoder only; otherwise the error says what it is.
bool public_continues_text(const struct qkv_model *model, struct error *error);
