// Tokenizers from before tokenizer.json: BERT's vocab.txt, GPT-2's and RoBERTa's vocab.json with merges.txt, and SentencePiece's
// models. Each becomes the tokenizer.json that stands for it.
#pragma once
#include <cjson/cJSON.h>

#include "base/error.h"

// What lies in the directory as a tokenizer.json; `file`, for messages, becomes the path of what was read. config: what
// tokenizer_config.json says, may be NULL. NULL with an error when there is nothing to read.
cJSON *tokenizer_files_read(const char *directory, const cJSON *config, char file[4096], struct error *error);
