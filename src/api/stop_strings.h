// Strings before which a generated text ends.
#pragma once
#include "generate/generation.h"
#include "qkv.h"
#include "text/tokenizer.h"

struct stop_strings {
  char **items;
  size_t *sizes;
  size_t count, longest;
  const struct tokenizer *tokenizer;
};

enum { STOP_STRING_MOST = 200 };  // bytes

bool stop_strings_set(struct stop_strings *stops, const struct qkv_strings *strings, const struct tokenizer *tokenizer,
                      struct error *error);
void stop_strings_free(struct stop_strings *stops);
// Makes generation end where one of them stands in the text.
void stop_strings_watch(struct stop_strings *stops, struct generation_options *options);
// Where the first of them begins in the text; its size if none is there.
size_t stop_strings_find(const struct stop_strings *stops, const char *text, size_t size);
// How many bytes at the end of the text could be the beginning of one of them.
size_t stop_strings_begun(const struct stop_strings *stops, const char *text, size_t size);
