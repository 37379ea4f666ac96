#include "text/split.h"

#include <string.h>

#include "base/utf8.h"
#include "text/character.h"

struct splitter split_begin(struct working_text *working, enum split_behavior behavior, bool invert, struct error *error) {
  return (struct splitter){working, behavior, invert, false, false, 0, 0, error};
}

static bool flush(struct splitter *splitter) {
  bool open = splitter->open && splitter->start < splitter->end;
  splitter->open = false;
  return !open || piece_add(&splitter->working->next_pieces, splitter->start, splitter->end, -1, splitter->error);
}

static bool start_new(struct splitter *splitter, size_t start, size_t end) {
  if (!flush(splitter)) return false;
  splitter->open = true;
  splitter->start = (uint32_t)start;
  splitter->end = (uint32_t)end;
  return true;
}

// MERGED_WITH_NEXT is decided from the right: a match joins what follows unless that is a match, too.
static bool add_merged_with_next(struct splitter *splitter, size_t start, size_t end, bool is_match) {
  bool join = splitter->open && splitter->previous_match && !is_match;
  splitter->previous_match = is_match;
  if (!join) return start_new(splitter, start, end);
  splitter->end = (uint32_t)end;
  return true;
}

bool split_add(struct splitter *splitter, size_t start, size_t end, bool is_match) {
  is_match ^= splitter->invert;
  bool join = false;
  switch (splitter->behavior) {
    case SPLIT_REMOVED:
      if (is_match) return true;
      break;
    case SPLIT_ISOLATED: break;
    case SPLIT_CONTIGUOUS: join = splitter->open && is_match == splitter->previous_match; break;
    case SPLIT_MERGED_WITH_PREVIOUS: join = splitter->open && is_match && !splitter->previous_match; break;
    case SPLIT_MERGED_WITH_NEXT: return add_merged_with_next(splitter, start, end, is_match);
  }
  splitter->previous_match = is_match;
  if (!join) return start_new(splitter, start, end);
  splitter->end = (uint32_t)end;
  return true;
}

bool split_end(struct splitter *splitter) { return flush(splitter); }

bool split_at_characters(struct working_text *working, struct piece piece, bool (*is_match)(uint32_t, const void *),
                         const void *data, enum split_behavior behavior, struct error *error) {
  const char *text = working_current(working)->data;
  struct splitter splitter = split_begin(working, behavior, false, error);
  size_t last = piece.start;
  for (size_t i = piece.start; i < piece.end;) {
    uint32_t character;
    size_t length = (size_t)utf8_decode(text + i, text + piece.end, &character, NULL);
    if (is_match(character, data)) {
      if (last < i && !split_add(&splitter, last, i, false)) return false;
      if (!split_add(&splitter, i, i + length, true)) return false;
      last = i + length;
    }
    i += length;
  }
  if (last < piece.end && !split_add(&splitter, last, piece.end, false)) return false;
  return split_end(&splitter);
}

bool split_at_pattern(struct working_text *working, struct piece piece, const struct pattern *pattern,
                      enum split_behavior behavior, bool invert, struct pattern_scratch **scratch, struct error *error) {
  const char *text = working_current(working)->data + piece.start;
  size_t size = piece.end - piece.start, last = 0, from = 0, matched_end = SIZE_MAX, start, end;
  struct splitter splitter = split_begin(working, behavior, invert, error);
  while (from <= size) {
    int found = pattern_match(pattern, text, size, from, &start, &end, scratch, error);
    if (found < 0) return false;
    if (found == 0) break;
    if (start == end && start == matched_end) {  // an empty match right behind the last one does not count
      uint32_t ignored;
      from = end < size ? end + (size_t)utf8_decode(text + end, text + size, &ignored, NULL) : size + 1;
      continue;
    }
    if (last != start && !split_add(&splitter, piece.start + last, piece.start + start, false)) return false;
    if (!split_add(&splitter, piece.start + start, piece.start + end, true)) return false;
    last = from = matched_end = end;
  }
  if (last != size && !split_add(&splitter, piece.start + last, piece.end, false)) return false;
  return split_end(&splitter);
}

// GPT-2's pattern by hand ----------------------------------------------------------------------------------------------

enum kind { LETTER, NUMBER, SPACE, OTHER, END };

static enum kind kind_of(uint32_t c) {
  if (character_is_letter(c)) return LETTER;
  if (character_is_number(c)) return NUMBER;
  return character_is_space(c) ? SPACE : OTHER;
}

static const uint8_t ascii_kinds[128] = {
    [0 ... 8] = OTHER,   [9 ... 13] = SPACE,     [14 ... 31] = OTHER,  [' '] = SPACE,
    [33 ... 47] = OTHER, ['0' ... '9'] = NUMBER, [58 ... 64] = OTHER,  ['A' ... 'Z'] = LETTER,
    [91 ... 96] = OTHER, ['a' ... 'z'] = LETTER, [123 ... 127] = OTHER};

static inline enum kind kind_at(const char *at, const char *end, size_t *length) {
  *length = 1;
  if (at >= end) return END;
  unsigned char first = (unsigned char)*at;
  if (first < 0x80) return (enum kind)ascii_kinds[first];
  uint32_t character;
  *length = (size_t)utf8_decode(at, end, &character, NULL);
  return kind_of(character);
}

static const char *skip_kind(const char *at, const char *end, enum kind kind) {
  size_t length;
  while (kind_at(at, end, &length) == kind) at += length;
  return at;
}

// The length of 's, 't, 're, 've, 'm, 'll or 'd at `at`, or 0.
static size_t contraction(const char *at, const char *end) {
  if (*at != '\'' || end - at < 2) return 0;
  if (strchr("stmd", at[1]) && at[1]) return 2;
  if (end - at < 3) return 0;
  return memcmp(at + 1, "re", 2) == 0 || memcmp(at + 1, "ve", 2) == 0 || memcmp(at + 1, "ll", 2) == 0 ? 3 : 0;
}

// Where the match that begins at `at` ends.
static const char *gpt2_match(const char *at, const char *end) {
  size_t length = contraction(at, end);
  if (length) return at + length;
  enum kind kind = kind_at(at, end, &length);
  if (kind != SPACE) return skip_kind(at + length, end, kind);
  if (*at == ' ') {
    enum kind next = kind_at(at + 1, end, &length);
    if (next != SPACE && next != END) return skip_kind(at + 1 + length, end, next);
  }
  // A run of blanks leaves its last one to the word that follows, if it is not alone.
  const char *last = at;
  const char *stop = at;
  while (kind_at(stop, end, &length) == SPACE) {
    last = stop;
    stop += length;
  }
  return stop == end || last == at ? stop : last;
}

bool split_as_gpt2(struct working_text *working, struct piece piece, struct error *error) {
  const char *text = working_current(working)->data, *end = text + piece.end;
  for (const char *at = text + piece.start; at < end;) {
    const char *stop = gpt2_match(at, end);
    if (!piece_add(&working->next_pieces, (uint32_t)(at - text), (uint32_t)(stop - text), -1, error)) return false;
    at = stop;
  }
  return true;
}

bool split_as_words(struct working_text *working, struct piece piece, struct error *error) {
  const char *text = working_current(working)->data;
  enum { BLANK, WORD, SYMBOL } before = BLANK;
  size_t start = piece.start;
  for (size_t i = piece.start; i <= piece.end;) {
    uint32_t c = ' ';
    size_t length = i < piece.end ? (size_t)utf8_decode(text + i, text + piece.end, &c, NULL) : 1;
    int now = character_is_word(c) ? WORD : character_is_space(c) ? BLANK : SYMBOL;
    if (now != (int)before) {
      if (before != BLANK && !piece_add(&working->next_pieces, (uint32_t)start, (uint32_t)i, -1, error)) return false;
      start = i;
      before = now;
    }
    i += length;
  }
  return true;
}
