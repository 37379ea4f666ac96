// The text that is looked at, as the model reads it: the tokens of each side, with a label for people and their place in the
// text.
#pragma once
#include "inspect/pass_record.h"
#include "text/tokenizer.h"

struct inspected_side {
  int32_t *ids, *types;
  uint32_t *starts, *ends;  // bytes of its text; both 0 for tokens that stand around it
  int8_t *sequences;        // 0: from the first text, 1: from the second, -1: a special token around them
  char **labels;            // the token's text without the blanks around it, or its name where it has no text
  int count;
  size_t capacity;
};

struct inspected_text {
  struct inspected_side source;   // what the encoder reads
  struct inspected_side inputs;   // what the decoder reads
  struct inspected_side outputs;  // translators: what it has to predict from them, token for token
};

// An encoder-decoder reads `first` and predicts `second`; an encoder reads both as a pair; a decoder reads `first` alone.
// second may be NULL except for an encoder-decoder.
bool inspected_text_make(struct inspected_text *text, const struct arch *arch, const struct tokenizer *tokenizer,
                         const char *first, const char *second, struct error *error);
void inspected_text_free(struct inspected_text *text);
struct pass_sides inspected_text_sides(const struct inspected_text *text);

// The caller frees it.
char *inspected_label(const struct tokenizer *tokenizer, int32_t id, struct error *error);
