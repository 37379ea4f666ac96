#include "text/pretokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/bytes_alphabet.h"
#include "text/character.h"
#include "text/split.h"

// Reading --------------------------------------------------------------------------------------------------------------

static bool read_behavior(enum split_behavior *out, const cJSON *json, const char *otherwise, const char *name,
                          struct error *error) {
  static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
  const char *text = json_text(json, "behavior", otherwise, name, error);
  for (int i = 0; text && i < 5; i++)
    if (strcmp(text, names[i]) == 0) {
      *out = (enum split_behavior)i;
      return true;
    }
  return error_set(
      error, ERROR_FORMAT,
      "%s: pre_tokenizer: the behavior \"%s\" is none of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous", name,
      text ? text : "(none)");
}

static bool read_character(uint32_t *out, const cJSON *json, const char *key, const char *name, struct error *error) {
  const char *text = json_text(json, key, "", name, error);
  size_t size = strlen(text);
  if (size == 0 || (size_t)utf8_decode(text, text + size, out, NULL) != size)
    return error_set(error, ERROR_FORMAT, "%s: pre_tokenizer: \"%s\" has to be one character, not \"%s\"", name, key, text);
  return true;
}

static bool read_split(struct pretokenizer *step, const cJSON *json, const char *name, struct error *error) {
  const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(json, "pattern");
  const char *text = json_text(pattern, "String", NULL, name, error), *regex = json_text(pattern, "Regex", NULL, name, error);
  step->invert = json_boolean(json, "invert", false, name, error);
  if (!read_behavior(&step->behavior, json, NULL, name, error)) return false;
  if (!text && !regex)
    return error_set(error, ERROR_FORMAT, "%s: pre_tokenizer: Split has neither a String nor a Regex as its pattern", name);
  step->pattern = text ? pattern_text(text, error) : pattern_regex(regex, name, error);
  return step->pattern != NULL;
}

static bool read_metaspace(struct pretokenizer *step, const cJSON *json, const char *name, struct error *error) {
  const char *prepend = json_text(json, "prepend_scheme", "always", name, error);
  if (!read_character(&step->character, json, "replacement", name, error)) return false;
  step->split = json_boolean(json, "split", true, name, error);
  step->prepend = strcmp(prepend, "first") == 0 ? PREPEND_FIRST : strcmp(prepend, "never") == 0 ? PREPEND_NEVER : PREPEND_ALWAYS;
  if (step->prepend == PREPEND_ALWAYS && strcmp(prepend, "always") != 0)
    return error_set(error, ERROR_FORMAT, "%s: pre_tokenizer: the prepend_scheme \"%s\" is none of always, first, never", name,
                     prepend);
  if (!json_boolean(json, "add_prefix_space", true, name, error)) step->prepend = PREPEND_NEVER;  // spelling of older files
  return true;
}

static bool read_fixed_length(struct pretokenizer *step, const cJSON *json, const char *name, struct error *error) {
  long long length = json_integer(json, "length", 5, name, error);
  if (length < 1)
    return error_set(error, ERROR_FORMAT, "%s: pre_tokenizer: FixedLength has the length %lld; 1 or more is wanted", name,
                     length);
  step->length = (size_t)length;
  return true;
}

static bool read_step(struct pretokenizer_list *list, const cJSON *json, const char *type, const char *name,
                      struct error *error) {
  static const struct {
    const char *name;
    enum pretokenizer_kind kind;
  } kinds[] = {{"ByteLevel", PRETOKENIZER_BYTE_LEVEL},
               {"Whitespace", PRETOKENIZER_WHITESPACE},
               {"WhitespaceSplit", PRETOKENIZER_WHITESPACE_SPLIT},
               {"Split", PRETOKENIZER_SPLIT},
               {"Punctuation", PRETOKENIZER_PUNCTUATION},
               {"Digits", PRETOKENIZER_DIGITS},
               {"Metaspace", PRETOKENIZER_METASPACE},
               {"BertPreTokenizer", PRETOKENIZER_BERT},
               {"CharDelimiterSplit", PRETOKENIZER_CHARACTER},
               {"FixedLength", PRETOKENIZER_FIXED_LENGTH}};
  if (!memory_grow(error, &list->items, &list->capacity, list->count + 1, sizeof *list->items)) return false;
  struct pretokenizer *step = &list->items[list->count];
  *step = (struct pretokenizer){0};
  size_t i = 0;
  while (i < sizeof kinds / sizeof kinds[0] && strcmp(type, kinds[i].name) != 0) i++;
  if (i == sizeof kinds / sizeof kinds[0])
    return error_set(error, ERROR_UNSUPPORTED, "%s: the pre_tokenizer \"%s\" is not one that qkv knows", name, type);
  list->count++;
  step->kind = kinds[i].kind;
  switch (step->kind) {
    case PRETOKENIZER_BYTE_LEVEL:
      step->add_prefix_space = json_boolean(json, "add_prefix_space", true, name, error);
      step->use_regex = json_boolean(json, "use_regex", true, name, error);
      return error->code == 0;
    case PRETOKENIZER_SPLIT: return read_split(step, json, name, error);
    case PRETOKENIZER_PUNCTUATION: return read_behavior(&step->behavior, json, "Isolated", name, error);
    case PRETOKENIZER_DIGITS:
      step->individual_digits = json_boolean(json, "individual_digits", false, name, error);
      return error->code == 0;
    case PRETOKENIZER_METASPACE: return read_metaspace(step, json, name, error);
    case PRETOKENIZER_CHARACTER: return read_character(&step->character, json, "delimiter", name, error);
    case PRETOKENIZER_FIXED_LENGTH: return read_fixed_length(step, json, name, error);
    default: return true;
  }
}

static bool read_any(struct pretokenizer_list *list, const cJSON *json, const char *name, struct error *error) {
  const char *type = json_text(json, "type", "", name, error);
  if (strcmp(type, "Sequence") != 0) return read_step(list, json, type, name, error);
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "pretokenizers")) {
    if (!read_any(list, item, name, error)) return false;
  }
  return true;
}

bool pretokenizer_read(struct pretokenizer_list *list, const cJSON *json, const char *name, struct error *error) {
  if (!json || cJSON_IsNull(json)) return true;
  if (!read_any(list, json, name, error)) return false;
  if (list->count && list->items[list->count - 1].kind == PRETOKENIZER_BYTE_LEVEL) list->items[list->count - 1].raw_bytes = true;
  return error->code == 0;
}

bool pretokenizer_leaves_bytes(const struct pretokenizer_list *list) {
  return list->count && list->items[list->count - 1].raw_bytes;
}

void pretokenizer_free(struct pretokenizer_list *list) {
  for (size_t i = 0; i < list->count; i++) pattern_free(list->items[i].pattern);
  free(list->items);
  *list = (struct pretokenizer_list){0};
}

// Doing ----------------------------------------------------------------------------------------------------------------

static bool is_space(uint32_t c, const void *data) { return character_is_space(c); }
static bool is_punctuation(uint32_t c, const void *data) { return character_is_punctuation(c); }
static bool is_number(uint32_t c, const void *data) { return character_is_number(c); }
static bool is_the_one(uint32_t c, const void *data) { return c == *(const uint32_t *)data; }

static bool split_fixed(struct working_text *working, struct piece piece, size_t length, struct error *error) {
  const char *text = working_current(working)->data;
  for (size_t start = piece.start, i = start; start < piece.end; start = i) {
    uint32_t ignored;
    for (size_t n = 0; n < length && i < piece.end; n++) i += (size_t)utf8_decode(text + i, text + piece.end, &ignored, NULL);
    if (!piece_add(&working->next_pieces, (uint32_t)start, (uint32_t)i, -1, error)) return false;
  }
  return true;
}

static bool split_piece(const struct pretokenizer *step, struct working_text *working, struct piece piece,
                        struct pattern_scratch **scratch, struct error *error) {
  switch (step->kind) {
    case PRETOKENIZER_BYTE_LEVEL:
      if (step->use_regex) return split_as_gpt2(working, piece, error);
      return piece_add(&working->next_pieces, piece.start, piece.end, -1, error);
    case PRETOKENIZER_WHITESPACE: return split_as_words(working, piece, error);
    case PRETOKENIZER_WHITESPACE_SPLIT: return split_at_characters(working, piece, is_space, NULL, SPLIT_REMOVED, error);
    case PRETOKENIZER_SPLIT: return split_at_pattern(working, piece, step->pattern, step->behavior, step->invert, scratch, error);
    case PRETOKENIZER_PUNCTUATION: return split_at_characters(working, piece, is_punctuation, NULL, step->behavior, error);
    case PRETOKENIZER_DIGITS:
      return split_at_characters(working, piece, is_number, NULL, step->individual_digits ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS,
                                 error);
    case PRETOKENIZER_METASPACE:
      if (step->split) return split_at_characters(working, piece, is_the_one, &step->character, SPLIT_MERGED_WITH_NEXT, error);
      return piece_add(&working->next_pieces, piece.start, piece.end, -1, error);
    case PRETOKENIZER_CHARACTER: return split_at_characters(working, piece, is_the_one, &step->character, SPLIT_REMOVED, error);
    case PRETOKENIZER_FIXED_LENGTH: return split_fixed(working, piece, step->length, error);
    case PRETOKENIZER_BERT: break;
  }
  return false;
}

// Cuts every piece that is not an added token.
static bool split_pieces(const struct pretokenizer *step, struct working_text *working, struct pattern_scratch **scratch,
                         struct error *error) {
  for (size_t i = 0; i < working->pieces.count; i++) {
    struct piece piece = working->pieces.items[i];
    bool ok = piece.token >= 0 ? piece_add(&working->next_pieces, piece.start, piece.end, piece.token, error)
                               : split_piece(step, working, piece, scratch, error);
    if (!ok) return false;
  }
  working_take_pieces(working);
  return true;
}

typedef void rewrite_piece(const struct pretokenizer *step, struct rewriter *rewriter, struct piece piece);

// Rewrites every piece that is not an added token.
static bool rewrite_pieces(const struct pretokenizer *step, struct working_text *working, rewrite_piece *rewrite,
                           struct error *error) {
  struct rewriter rewriter = rewrite_begin(working, error);
  for (size_t i = 0; i < working->pieces.count; i++) {
    struct piece piece = working->pieces.items[i];
    rewrite_skip(&rewriter, piece.start - rewriter.offset);  // what an earlier step removed
    uint32_t start = (uint32_t)rewriter.to->own.size;
    if (piece.token >= 0) rewrite_copy(&rewriter, piece.end - piece.start);
    else rewrite(step, &rewriter, piece);
    uint32_t end = (uint32_t)rewriter.to->own.size;
    if (!piece_add(&working->next_pieces, start, end, piece.token, error)) return false;
  }
  if (!rewrite_end(&rewriter)) return false;
  working_take_pieces(working);
  return true;
}

// Puts c before the piece's first character, whose place in the original it takes and shares.
static void prepend(struct rewriter *rewriter, struct piece piece, uint32_t c) {
  uint32_t first;
  utf8_decode(rewriter->from->data + piece.start, rewriter->from->data + piece.end, &first, NULL);
  rewrite_character(rewriter, c, 0);
  rewrite_character(rewriter, first, 1);
}

static void rewrite_space(const struct pretokenizer *step, struct rewriter *rewriter, struct piece piece) {
  if (rewriter->from->data[piece.start] != ' ') prepend(rewriter, piece, ' ');
  rewrite_copy(rewriter, piece.end - rewriter->offset);
}

static bool wants_space(const struct working_text *working) {
  for (size_t i = 0; i < working->pieces.count; i++)
    if (working->pieces.items[i].token < 0 && working_current(working)->data[working->pieces.items[i].start] != ' ') return true;
  return false;
}

static void rewrite_metaspace(const struct pretokenizer *step, struct rewriter *rewriter, struct piece piece) {
  const struct aligned_text *from = rewriter->from;
  uint32_t first, mark = step->character;
  utf8_decode(from->data + piece.start, from->data + piece.end, &first, NULL);
  bool starts_with_mark = first == mark || first == ' ';
  bool wanted = step->prepend == PREPEND_ALWAYS ||
                (step->prepend == PREPEND_FIRST && working_original(from, piece.start, piece.start + 1).start == 0);
  if (wanted && !starts_with_mark) prepend(rewriter, piece, mark);
  while (rewriter->offset < piece.end) {
    const char *at = from->data + rewriter->offset, *blank = memchr(at, ' ', piece.end - rewriter->offset);
    if (blank != at) rewrite_copy(rewriter, blank ? (size_t)(blank - at) : piece.end - rewriter->offset);
    if (blank) rewrite_character(rewriter, mark, 0);
    if (rewriter->error->code) return;
  }
}

static void rewrite_bytes(const struct pretokenizer *step, struct rewriter *rewriter, struct piece piece) {
  const struct aligned_text *from = rewriter->from;
  for (size_t i = piece.start; i < piece.end;) {
    uint32_t ignored;
    size_t length = (size_t)utf8_decode(from->data + i, from->data + piece.end, &ignored, NULL);
    for (size_t k = 0; k < length; k++)
      rewrite_character(rewriter, bytes_alphabet_character((unsigned char)from->data[i + k]), k > 0);
    if (rewriter->error->code) return;
    i += length;
  }
}

static bool apply_bert(const struct pretokenizer *step, struct working_text *working, struct pattern_scratch **scratch,
                       struct error *error) {
  struct pretokenizer blanks = {.kind = PRETOKENIZER_WHITESPACE_SPLIT},
                      punctuation = {.kind = PRETOKENIZER_PUNCTUATION, .behavior = SPLIT_ISOLATED};
  return split_pieces(&blanks, working, scratch, error) && split_pieces(&punctuation, working, scratch, error);
}

static bool apply_step(const struct pretokenizer *step, struct working_text *working, struct pattern_scratch **scratch,
                       struct error *error) {
  if (step->kind == PRETOKENIZER_BERT) return apply_bert(step, working, scratch, error);
  bool spaced = step->kind == PRETOKENIZER_BYTE_LEVEL && step->add_prefix_space && wants_space(working);
  if (spaced && !rewrite_pieces(step, working, rewrite_space, error)) return false;
  if (step->kind == PRETOKENIZER_METASPACE && !rewrite_pieces(step, working, rewrite_metaspace, error)) return false;
  if (!split_pieces(step, working, scratch, error)) return false;
  return step->kind != PRETOKENIZER_BYTE_LEVEL || step->raw_bytes || rewrite_pieces(step, working, rewrite_bytes, error);
}

bool pretokenizer_apply(const struct pretokenizer_list *list, struct working_text *working, struct pattern_scratch **scratch,
                        struct error *error) {
  for (size_t i = 0; i < list->count; i++)
    if (!apply_step(&list->items[i], working, scratch, error)) return false;
  return true;
}
