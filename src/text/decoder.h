// The decoder section of tokenizer.json: turns tokens back into text.
#pragma once
#include <stdint.h>

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/buffer.h"
#include "text/pattern.h"

struct decoder {
  enum decoder_kind {
    DECODER_BYTE_LEVEL,
    DECODER_METASPACE,
    DECODER_BPE,
    DECODER_BYTE_FALLBACK,
    DECODER_FUSE,
    DECODER_REPLACE,
    DECODER_STRIP,
    DECODER_WORD_PIECE,
  } kind;
  uint32_t character;       // METASPACE's replacement, STRIP
  bool prepended;           // METASPACE: the first token's mark stands for nothing
  char *text;               // BPE's suffix, REPLACE's content, WORD_PIECE's prefix
  bool cleanup;             // WORD_PIECE
  struct pattern *pattern;  // REPLACE
  size_t start, stop;       // STRIP
};

// Steps are done one after another; Sequences are written flat.
struct decoder_list {
  struct decoder *items;
  size_t count, capacity;
};

// Texts one after another in one buffer; ends[i] is where text i ends.
struct text_list {
  struct buffer text;
  size_t *ends;
  size_t count, capacity;
};

bool decoder_read(struct decoder_list *list, const cJSON *json, const char *name, struct error *error);
bool text_list_add(struct text_list *list, const char *text, size_t size, struct error *error);
void text_list_free(struct text_list *list);
// Appends the decoded tokens to out. Without a decoder (count 0) tokens are joined by blanks. Uses up `tokens`.
bool decoder_apply(const struct decoder_list *list, struct text_list *tokens, struct buffer *out, struct error *error);
void decoder_free(struct decoder_list *list);
