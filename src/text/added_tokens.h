// The added_tokens section of tokenizer.json: tokens that are cut out of the text before the model sees it, some of them
// before normalization and some after it.
//
// Invariant: items are in the order of their ids; a matcher finds the leftmost longest token of its texts.
#pragma once
#include <cjson/cJSON.h>

#include "text/normalizer.h"
#include "text/vocabulary.h"

struct added_token {
  int32_t id;
  char *content;     // as in the file
  char *normalized;  // what is looked for in the normalized text and used in decoding; NULL: content itself
  bool special, single_word, lstrip, rstrip, after_normalizer;
};

struct added_matcher {
  struct vocabulary texts;  // text -> index in items
  uint32_t *lengths;        // the texts' different lengths, longest first
  size_t length_count;
  uint64_t starts[65536 / 64];  // which two bytes a text can begin with
};

struct added_tokens {
  struct added_token *items;
  size_t count, capacity;
  struct vocabulary contents;  // content -> id
  struct vocabulary specials;  // content of special tokens -> id
  struct added_matcher raw, normalized;
};

struct added_match {
  size_t start, end;  // with the blanks that the token takes
  const struct added_token *token;
};

// model: the model's vocabulary, with which ids must agree.
bool added_tokens_read(struct added_tokens *added, const cJSON *json, const struct vocabulary *model,
                       const struct normalizer_list *normalizer, const char *name, struct error *error);
// The next token in text at or after *from; *from moves on. `taken`: where the token before ended, with its blanks.
bool added_tokens_next(const struct added_tokens *added, const struct added_matcher *matcher, const char *text, size_t size,
                       size_t *from, size_t taken, struct added_match *match);
const struct added_token *added_tokens_find(const struct added_tokens *added, int32_t id);  // NULL: not an added token
void added_tokens_free(struct added_tokens *added);
