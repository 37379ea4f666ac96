// Text to ids and back, as Hugging Face's `tokenizers` does it from a tokenizer.json:
//
//   text -> added tokens cut out -> normalizer -> pre-tokenizer (words) -> model (ids) -> post-processor (special tokens)
//   ids -> tokens -> decoder -> text
//
// A tokenizer does not change after it was opened or learnt and may be used by any number of threads at once (its
// cache of words is written without locks and never changes a result). Each thread has its own `struct encoding`.
//
// Text need not be valid UTF-8: every byte that is not part of a valid character is read as U+FFFD and counted.
#pragma once
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct tokenizer;

// The result of encoding, reused from call to call; `= {0}` before the first. All arrays have `count` elements.
// Start and end are byte offsets into the text that was given (the second text for tokens of sequence 1); special tokens
// that the post-processor added have 0 and 0.
struct encoding {
  size_t count;
  int32_t *ids;
  int32_t *types;  // token_type_ids
  uint32_t *starts, *ends;
  int8_t *sequences;  // 0: from the first text, 1: from the second, -1: added by the post-processor
  size_t invalid;     // bytes of the input that were not valid UTF-8
  size_t cut;         // tokens that the truncation section of tokenizer.json removed
  bool keep_all;      // set by the caller: ignore that truncation section
  size_t capacity;
  struct encoding_scratch *scratch;
};

void encoding_free(struct encoding *encoding);

// path: a directory with tokenizer.json, or older files (tokenizer_files.h); or the path of a tokenizer.json or of a
// SentencePiece model (NAME.model).
struct tokenizer *tokenizer_open(const char *path, struct error *error);
// The same from the bytes of such a file. name says which kind it is, and is used in messages.
struct tokenizer *tokenizer_parse(const char *bytes, size_t size, const char *name, struct error *error);
void tokenizer_free(struct tokenizer *tokenizer);  // NULL is fine

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size, bool add_special_tokens,
                      struct encoding *out, struct error *error);
bool tokenizer_encode_pair(const struct tokenizer *tokenizer, const char *text, size_t size, const char *pair, size_t pair_size,
                           bool add_special_tokens, struct encoding *out, struct error *error);

// Appends to `out`. Ids outside the vocabulary are skipped, as in `tokenizers`.
bool tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens,
                      struct buffer *out, struct error *error);

size_t tokenizer_size(const struct tokenizer *tokenizer);                    // largest id + 1, added tokens included
const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id);  // NULL if there is no such id
int32_t tokenizer_id(const struct tokenizer *tokenizer, const char *token);  // -1 if there is no such token
bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id);

// From tokenizer_config.json and special_tokens_map.json, or else the special tokens that BERT and RoBERTa are known by; -1 where
// the tokenizer has none.
struct special_ids {
  int32_t begin, end, unknown, padding, separator, classification, mask;
};
struct special_ids tokenizer_special_ids(const struct tokenizer *tokenizer);
// The token that stands for what the vocabulary lacks: the one by name, or else the one that the model gives. -1: there is none.
int32_t tokenizer_unknown(const struct tokenizer *tokenizer);

// Special tokens around texts: start TEXT extract, and start TEXT delimiter PAIR extract (Radford et al., 2018, figure 1).
struct text_form {
  const char *start, *delimiter, *extract;
};
// Puts them there from now on, in place of what the tokenizer puts there; those that it does not have are added behind the
// vocabulary. Only while nobody else uses the tokenizer. On failure it is of no more use.
bool tokenizer_set_form(struct tokenizer *tokenizer, const struct text_form *form, struct error *error);

// Writes tokenizer.json and tokenizer_config.json (of an opened tokenizer: what was read, unknown keys kept).
// extra: the text of a JSON object whose keys are set in tokenizer_config.json, or NULL, such as {"model_max_length": 512}.
bool tokenizer_save(const struct tokenizer *tokenizer, const char *directory, const char *extra, struct error *error);
