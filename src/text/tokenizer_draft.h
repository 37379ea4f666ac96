// A tokenizer.json in the making, from the older files of a tokenizer.
#pragma once
#include <string.h>

#include "base/json.h"
#include "text/token_model.h"

struct draft_token {
  int32_t id;
  const char *content;
  bool special, lstrip, rstrip, single_word, normalized;
  size_t order;  // of arrival
};

// The sections are JSON texts; an empty one is null.
struct draft {
  const cJSON *config;
  const char *name;  // of the file that is read
  struct token_model model;
  struct draft_token *tokens;  // added tokens
  size_t token_count, token_capacity;
  struct buffer normalizer, pretokenizer, postprocessor, decoder, settings;  // settings: of the model, without the braces
};

// The tokens that a template's letters stand for.
struct template_tokens {
  const char *begin, *end;  // 'b' and 'e'
};

static inline const char *draft_boolean(bool value) { return value ? "true" : "false"; }
static inline void draft_text(struct buffer *out, const char *text) { json_write_text(out, text, strlen(text)); }

// Of several tokens of one id the first counts.
bool draft_add_token(struct draft *draft, struct draft_token token, struct error *error);
int32_t draft_find(const struct draft *draft, const char *token);  // in the model's vocabulary; -1: not there, or NULL
// "cls_token": "[CLS]", or {"content": "[CLS]", ...}; NULL where the file says that there is none.
const char *draft_role(const struct draft *draft, const char *role, const char *otherwise);
// Every role's token that the vocabulary has is an added token, which nothing cuts.
bool draft_add_role(struct draft *draft, const char *role, const char *otherwise, bool lstrip, struct error *error);
// tokenizer_config.json's added_tokens_decoder; what it says counts before what is usual, so it comes first.
bool draft_add_listed_tokens(struct draft *draft, struct error *error);
// Templates as "b0 A0 e0": what stands where, each with its type; A and B are the texts. They use only tokens that the vocabulary
// has.
bool draft_set_template(struct draft *draft, const char *single, const char *pair, struct template_tokens tokens,
                        struct error *error);
cJSON *draft_finish(struct draft *draft, struct error *error);
void draft_free(struct draft *draft);
// Whether the name is one of `names`, which have blanks between them.
bool tokenizer_is_one_of(const char *name, const char *names);
