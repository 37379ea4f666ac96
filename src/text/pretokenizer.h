// The pre_tokenizer section of tokenizer.json: cuts text into words, none of which a token ever crosses.
#pragma once
#include <cjson/cJSON.h>

#include "text/aligned_text.h"
#include "text/pattern.h"

enum split_behavior { SPLIT_REMOVED, SPLIT_ISOLATED, SPLIT_MERGED_WITH_PREVIOUS, SPLIT_MERGED_WITH_NEXT, SPLIT_CONTIGUOUS };

struct pretokenizer {
  enum pretokenizer_kind {
    PRETOKENIZER_BYTE_LEVEL,
    PRETOKENIZER_WHITESPACE,
    PRETOKENIZER_WHITESPACE_SPLIT,
    PRETOKENIZER_SPLIT,
    PRETOKENIZER_PUNCTUATION,
    PRETOKENIZER_DIGITS,
    PRETOKENIZER_METASPACE,
    PRETOKENIZER_BERT,
    PRETOKENIZER_CHARACTER,  // CharDelimiterSplit
    PRETOKENIZER_FIXED_LENGTH,
  } kind;
  enum split_behavior behavior;                                   // SPLIT, PUNCTUATION
  bool invert;                                                    // SPLIT
  struct pattern *pattern;                                        // SPLIT
  bool add_prefix_space, use_regex;                               // BYTE_LEVEL
  bool raw_bytes;                                                 // BYTE_LEVEL: the last step; the model spells the bytes itself
  bool individual_digits;                                         // DIGITS
  enum { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } prepend;  // METASPACE
  bool split;                                                     // METASPACE
  uint32_t character;                                             // METASPACE's replacement, CHARACTER's delimiter
  size_t length;                                                  // FIXED_LENGTH
};

// Steps are done one after another; Sequences are written flat.
struct pretokenizer_list {
  struct pretokenizer *items;
  size_t count, capacity;
};

// json may be NULL or null: the text is one word. name is the file, for messages.
bool pretokenizer_read(struct pretokenizer_list *list, const cJSON *json, const char *name, struct error *error);
// The last step spells bytes: the model is given raw bytes (see struct bpe) and does that once per word.
bool pretokenizer_leaves_bytes(const struct pretokenizer_list *list);
bool pretokenizer_apply(const struct pretokenizer_list *list, struct working_text *working, struct pattern_scratch **scratch,
                        struct error *error);
void pretokenizer_free(struct pretokenizer_list *list);
