// Prompts as ids: what a language model goes on after.
#pragma once
#include "api/public_model.h"

struct prompt {
  int32_t *ids;     // [count], to be freed
  int count;        // 0: the text is empty, and the model names nothing to begin with
  size_t invalid;   // bytes that were not valid UTF-8
};

struct prompt_reader {
  const struct tokenizer *tokenizer;
  const struct generation_defaults *generation;
  int start_id;     // what an empty text is; -1: nothing
  struct encoding encoding;
};

void prompt_reader_open(struct prompt_reader *reader, const struct qkv_model *model, const struct tokenizer *tokenizer);
void prompt_reader_close(struct prompt_reader *reader);
// With what the tokenizer puts before a text, but without the end token that some put behind it: the text goes on.
bool prompt_read(struct prompt *out, struct prompt_reader *reader, const char *text, struct error *error);
