// Filling and scoring by a model of masked words, behind the public functions that also do it by language models.
#pragma once
#include "api/public_model.h"

// Whether the model predicts masked words.
bool masked_language_is(const struct qkv_model *model);
// Fills items [texts->count]; on failure the caller frees what they hold.
bool masked_language_fill(struct qkv_model *model, const struct qkv_strings *texts, const struct qkv_fill_options *options,
                          struct qkv_filling *items, struct error *error);
// Pseudo-log-likelihoods: a block of [texts->count], whose tokens are blocks of their own.
struct qkv_probability *masked_language_score(struct qkv_model *model, const struct qkv_strings *texts, struct error *error);
