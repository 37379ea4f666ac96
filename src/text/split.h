// Cutting pieces of text where something matches, with the five ways of treating what matched.
#pragma once
#include "text/pretokenizer.h"

// Gathers cuts of one piece; matches and what lies between them come in order.
struct splitter {
  struct working_text *working;  // pieces go to next_pieces
  enum split_behavior behavior;
  bool invert;  // what lies between matches counts as the match
  bool previous_match;
  bool open;  // [start, end) has been gathered and not added yet
  uint32_t start, end;
  struct error *error;
};

struct splitter split_begin(struct working_text *working, enum split_behavior behavior, bool invert, struct error *error);
bool split_add(struct splitter *splitter, size_t start, size_t end, bool is_match);
bool split_end(struct splitter *splitter);

// Cuts at characters of a kind.
bool split_at_characters(struct working_text *working, struct piece piece, bool (*is_match)(uint32_t character, const void *data),
                         const void *data, enum split_behavior behavior, struct error *error);
bool split_at_pattern(struct working_text *working, struct piece piece, const struct pattern *pattern,
                      enum split_behavior behavior, bool invert, struct pattern_scratch **scratch, struct error *error);
// GPT-2's pattern: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
bool split_as_gpt2(struct working_text *working, struct piece piece, struct error *error);
// \w+|[^\w\s]+
bool split_as_words(struct working_text *working, struct piece piece, struct error *error);
