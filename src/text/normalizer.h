// The normalizer section of tokenizer.json: rewrites text before it is cut into words.
#pragma once
#include <cjson/cJSON.h>

#include "text/aligned_text.h"
#include "text/charsmap.h"
#include "text/pattern.h"

struct normalizer {
  enum normalizer_kind {
    NORMALIZER_NFC,
    NORMALIZER_NFD,
    NORMALIZER_NFKC,
    NORMALIZER_NFKD,
    NORMALIZER_LOWERCASE,
    NORMALIZER_STRIP,
    NORMALIZER_STRIP_ACCENTS,
    NORMALIZER_REPLACE,
    NORMALIZER_PREPEND,
    NORMALIZER_NMT,
    NORMALIZER_BERT,
    NORMALIZER_BYTE_LEVEL,
    NORMALIZER_PRECOMPILED,
  } kind;
  bool strip_left, strip_right;                                     // STRIP
  struct pattern *pattern;                                          // REPLACE
  char *text;                                                       // REPLACE's content, PREPEND
  struct charsmap *charsmap;                                        // PRECOMPILED; NULL: nothing is changed
  bool clean_text, handle_chinese_chars, strip_accents, lowercase;  // BERT
};

// Steps are done one after another; Sequences are written flat.
struct normalizer_list {
  struct normalizer *items;
  size_t count, capacity;
};

// json may be NULL or null: nothing is changed. name is the file, for messages.
bool normalizer_read(struct normalizer_list *list, const cJSON *json, const char *name, struct error *error);
// Works on the whole text, before it has pieces.
bool normalizer_apply(const struct normalizer_list *list, struct working_text *working, struct pattern_scratch **scratch,
                      struct error *error);
// The same for a text alone, without alignments.
bool normalizer_text(const struct normalizer_list *list, const char *text, size_t size, struct buffer *out, struct error *error);
void normalizer_free(struct normalizer_list *list);

// unicode_form.c: NFC, NFD, NFKC and NFKD with the alignments that `tokenizers` gives.
bool unicode_form_apply(struct working_text *working, bool compose, bool compatibility, struct error *error);
