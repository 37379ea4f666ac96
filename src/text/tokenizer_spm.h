// SentencePiece's models as the tokenizer.json that stands for them.
#pragma once
#include <cjson/cJSON.h>

#include "base/error.h"

// bytes: the content of a spiece.model. family: a tokenizer class, a model type or "". config: what tokenizer_config.json says,
// may be NULL. NULL with an error when it cannot be read.
cJSON *tokenizer_spm_read(const char *bytes, size_t size, const char *name, const char *family, const cJSON *config,
                          struct error *error);
