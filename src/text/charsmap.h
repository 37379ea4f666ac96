// The table of replacements that SentencePiece compiles into its models (precompiled_charsmap): texts of a few characters and
// what becomes of them.
//
// As bytes: the size of a double-array trie (Darts) in 4 bytes, its units of 4 bytes, both little-endian, then the replacements,
// each ended by a zero byte; the trie's values are where replacements begin. The bytes are hostile: every step is checked.
#pragma once
#include <stdint.h>

#include "text/aligned_text.h"

struct charsmap {
  struct buffer bytes;
  const char *units;
  size_t unit_count;
  const char *texts;
  size_t text_size;
  bool replaced[128];  // ASCII characters that are replaced
};

// Takes the bytes over, also on failure.
struct charsmap *charsmap_new(struct buffer *bytes, const char *name, struct error *error);
void charsmap_free(struct charsmap *map);  // NULL is fine
// Replaces grapheme clusters, or else characters, as `tokenizers` does.
bool charsmap_apply(const struct charsmap *map, struct working_text *working, struct error *error);
