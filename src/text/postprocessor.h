// The post_processor section of tokenizer.json: narrows offsets to what is not blank, and puts special tokens around one
// text or a pair of texts.
#pragma once
#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/error.h"

// A place in the result: all tokens of a text (sequence 0 or 1), or one special token.
struct template_piece {
  int sequence;  // -1: the special token
  int32_t id, type;
};

struct template {
  struct template_piece *items;
  size_t count, capacity;
};

struct postprocessor {
  bool trim_offsets, add_prefix_space;
  bool has_template;
  struct template single, pair;
};

// vocabulary_size bounds the ids of special tokens. name is the file, for messages.
bool postprocessor_read(struct postprocessor *post, const cJSON *json, size_t vocabulary_size, const char *name,
                        struct error *error);
size_t postprocessor_added(const struct postprocessor *post, bool pair);  // how many special tokens it adds
void postprocessor_free(struct postprocessor *post);
