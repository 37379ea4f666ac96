#include "text/normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/bytes_alphabet.h"
#include "text/character.h"

// Reading --------------------------------------------------------------------------------------------------------------

static bool read_replace(struct normalizer *step, const cJSON *json, const char *name, struct error *error) {
  const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(json, "pattern");
  const char *text = json_text(pattern, "String", NULL, name, error), *regex = json_text(pattern, "Regex", NULL, name, error);
  const char *content = json_text(json, "content", "", name, error);
  if (error->code) return false;
  if (!text && !regex)
    return error_set(error, ERROR_FORMAT, "%s: normalizer: Replace has neither a String nor a Regex as its pattern", name);
  step->pattern = text ? pattern_text(text, error) : pattern_regex(regex, name, error);
  step->text = memory_copy_text(error, content);
  return step->pattern && step->text;
}

static bool read_bert(struct normalizer *step, const cJSON *json, const char *name, struct error *error) {
  step->clean_text = json_boolean(json, "clean_text", true, name, error);
  step->handle_chinese_chars = json_boolean(json, "handle_chinese_chars", true, name, error);
  step->lowercase = json_boolean(json, "lowercase", true, name, error);
  step->strip_accents = json_boolean(json, "strip_accents", step->lowercase, name, error);
  return error->code == 0;
}

// An empty table changes nothing.
static bool read_charsmap(struct normalizer *step, const cJSON *json, const char *name, struct error *error) {
  const char *text = json_text(json, "precompiled_charsmap", "", name, error);
  struct buffer bytes = {0};
  if (error->code) return false;
  bool ok = base64_read(&bytes, text, strlen(text)) ||
            error_set(error, ERROR_FORMAT, "%s: normalizer: the precompiled_charsmap is not base64", name);
  if (ok && bytes.size && buffer_check(&bytes, error)) step->charsmap = charsmap_new(&bytes, name, error);
  buffer_free(&bytes);
  return error->code == 0;
}

static bool read_step(struct normalizer_list *list, const cJSON *json, const char *type, const char *name, struct error *error) {
  static const char *const names[] = {"NFC",          "NFD",     "NFKC",    "NFKD", "Lowercase",      "Strip",
                                      "StripAccents", "Replace", "Prepend", "Nmt",  "BertNormalizer", "ByteLevel",
                                      "Precompiled"};
  if (!memory_grow(error, &list->items, &list->capacity, list->count + 1, sizeof *list->items)) return false;
  struct normalizer *step = &list->items[list->count];
  *step = (struct normalizer){0};
  size_t i = 0, count = sizeof names / sizeof names[0];
  while (i < count && strcmp(type, names[i]) != 0) i++;
  if (i == count) return error_set(error, ERROR_UNSUPPORTED, "%s: the normalizer \"%s\" is not one that qkv knows", name, type);
  list->count++;
  step->kind = (enum normalizer_kind)i;
  switch (step->kind) {
    case NORMALIZER_STRIP:
      step->strip_left = json_boolean(json, "strip_left", true, name, error);
      step->strip_right = json_boolean(json, "strip_right", true, name, error);
      return error->code == 0;
    case NORMALIZER_REPLACE: return read_replace(step, json, name, error);
    case NORMALIZER_PREPEND:
      return (step->text = memory_copy_text(error, json_text(json, "prepend", "", name, error))) && error->code == 0;
    case NORMALIZER_BERT: return read_bert(step, json, name, error);
    case NORMALIZER_PRECOMPILED: return read_charsmap(step, json, name, error);
    default: return true;
  }
}

bool normalizer_read(struct normalizer_list *list, const cJSON *json, const char *name, struct error *error) {
  if (!json || cJSON_IsNull(json)) return true;
  const char *type = json_text(json, "type", "", name, error);
  if (strcmp(type, "Sequence") != 0) return read_step(list, json, type, name, error);
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "normalizers")) {
    if (!normalizer_read(list, item, name, error)) return false;
  }
  return error->code == 0;
}

void normalizer_free(struct normalizer_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    pattern_free(list->items[i].pattern);
    free(list->items[i].text);
    charsmap_free(list->items[i].charsmap);
  }
  free(list->items);
  *list = (struct normalizer_list){0};
}

// Character by character -----------------------------------------------------------------------------------------------

enum { LEFT_OUT = UINT32_MAX };

// What becomes of each character: up to three others, or LEFT_OUT.
typedef int map_character(uint32_t c, uint32_t out[3]);

static bool changes_anything(const struct aligned_text *text, map_character *map) {
  for (size_t i = 0; i < text->size;) {
    uint32_t c, out[3];
    i += (size_t)utf8_decode(text->data + i, text->data + text->size, &c, NULL);
    if (map(c, out) != 1 || out[0] != c) return true;
  }
  return false;
}

static bool map_text(struct working_text *working, map_character *map, struct error *error) {
  const struct aligned_text *text = working_current(working);
  if (!changes_anything(text, map)) return true;
  struct rewriter rewriter = rewrite_begin(working, error);
  while (rewriter.offset < text->size && error->code == 0) {
    uint32_t c, out[3];
    size_t length = (size_t)utf8_decode(text->data + rewriter.offset, text->data + text->size, &c, NULL);
    int count = map(c, out);
    if (out[0] == (uint32_t)LEFT_OUT) rewrite_skip(&rewriter, length);
    else
      for (int i = 0; i < count; i++) rewrite_character(&rewriter, out[i], i > 0);
  }
  return rewrite_end(&rewriter);
}

static int map_to(uint32_t *out, uint32_t c) {
  *out = c;
  return 1;
}

static int without_accents(uint32_t c, uint32_t out[3]) { return map_to(out, character_is_mark(c) ? LEFT_OUT : c); }

static int without_nonspacing(uint32_t c, uint32_t out[3]) { return map_to(out, character_is_nonspacing_mark(c) ? LEFT_OUT : c); }

static int nmt(uint32_t c, uint32_t out[3]) {
  if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
    return map_to(out, LEFT_OUT);
  bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
               c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
  return map_to(out, blank ? ' ' : c);
}

static int bert_clean(uint32_t c, uint32_t out[3]) {
  if (c == 0 || c == 0xFFFD || character_is_control(c)) return map_to(out, LEFT_OUT);
  return map_to(out, character_is_space(c) ? ' ' : c);
}

static bool is_chinese(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static int bert_chinese(uint32_t c, uint32_t out[3]) {
  if (!is_chinese(c)) return map_to(out, c);
  out[0] = out[2] = ' ';
  out[1] = c;
  return 3;
}

// Lower case keeps nearly every character's length: then the alignments stay as they are.
static bool lowercase(struct working_text *working, struct error *error) {
  const struct aligned_text *from = working_current(working);
  if (!changes_anything(from, character_lower)) return true;
  if (from->alignments) return map_text(working, character_lower, error);
  struct aligned_text *to = &working->texts[!working->current];
  buffer_clear(&to->own);
  for (size_t i = 0; i < from->size;) {
    uint32_t c, out[3];
    char bytes[4];
    int length = utf8_decode(from->data + i, from->data + from->size, &c, NULL);
    if (character_lower(c, out) != 1 || utf8_encode(bytes, out[0]) != length) return map_text(working, character_lower, error);
    buffer_append(&to->own, bytes, (size_t)length);
    i += (size_t)length;
  }
  if (!buffer_check(&to->own, error)) return false;
  to->data = buffer_string(&to->own);
  to->size = from->size;
  to->base = from->base;
  to->alignments = NULL;
  working->current = !working->current;
  return true;
}

// Other steps ----------------------------------------------------------------------------------------------------------

static size_t leading_blanks(const char *text, size_t size) {
  size_t i = 0;
  while (i < size) {
    uint32_t c;
    size_t length = (size_t)utf8_decode(text + i, text + size, &c, NULL);
    if (!character_is_space(c)) break;
    i += length;
  }
  return i;
}

static size_t trailing_blanks(const char *text, size_t size) {
  size_t end = size;
  while (end > 0) {
    size_t start = end - 1;
    while (start > 0 && (text[start] & 0xC0) == 0x80) start--;
    uint32_t c;
    utf8_decode(text + start, text + end, &c, NULL);
    if (!character_is_space(c)) break;
    end = start;
  }
  return size - end;
}

static bool strip(const struct normalizer *step, struct working_text *working, struct error *error) {
  const struct aligned_text *text = working_current(working);
  size_t left = step->strip_left ? leading_blanks(text->data, text->size) : 0;
  size_t right = step->strip_right && left < text->size ? trailing_blanks(text->data, text->size) : 0;
  if (left + right == 0) return true;
  struct rewriter rewriter = rewrite_begin(working, error);
  rewrite_skip(&rewriter, left);
  rewrite_copy(&rewriter, text->size - left - right);
  return rewrite_end(&rewriter);
}

static bool prepend(const struct normalizer *step, struct working_text *working, struct error *error) {
  const struct aligned_text *text = working_current(working);
  if (text->size == 0 || *step->text == 0) return true;
  struct rewriter rewriter = rewrite_begin(working, error);
  uint32_t first, c;
  utf8_decode(text->data, text->data + text->size, &first, NULL);
  const char *end = step->text + strlen(step->text);
  for (const char *p = step->text; p < end;) {
    p += utf8_decode(p, end, &c, NULL);
    rewrite_character(&rewriter, c, rewriter.offset > 0);
  }
  rewrite_character(&rewriter, first, 1);
  rewrite_copy(&rewriter, text->size - rewriter.offset);
  return rewrite_end(&rewriter);
}

static void put_content(struct rewriter *rewriter, const char *content) {
  const char *end = content + strlen(content);
  while (content < end) {
    uint32_t c;
    content += utf8_decode(content, end, &c, NULL);
    rewrite_character(rewriter, c, 1);
  }
}

static bool replace(const struct normalizer *step, struct working_text *working, struct pattern_scratch **scratch,
                    struct error *error) {
  const struct aligned_text *text = working_current(working);
  size_t start, end, from = 0, matched_end = SIZE_MAX;
  int found = text->size ? pattern_match(step->pattern, text->data, text->size, 0, &start, &end, scratch, error) : 0;
  if (found <= 0) return found == 0;
  struct rewriter rewriter = rewrite_begin(working, error);
  while (from <= text->size && error->code == 0) {
    found = pattern_match(step->pattern, text->data, text->size, from, &start, &end, scratch, error);
    if (found <= 0) break;
    if (start == end && start == matched_end) {  // an empty match right behind the last one does not count
      uint32_t ignored;
      from = end < text->size ? end + (size_t)utf8_decode(text->data + end, text->data + text->size, &ignored, NULL)
                              : text->size + 1;
      continue;
    }
    if (start > rewriter.offset) rewrite_copy(&rewriter, start - rewriter.offset);
    rewrite_skip(&rewriter, end - start);
    put_content(&rewriter, step->text);
    from = matched_end = end;
  }
  if (error->code) return false;
  if (rewriter.offset < text->size) rewrite_copy(&rewriter, text->size - rewriter.offset);
  return rewrite_end(&rewriter);
}

static bool spell_bytes(struct working_text *working, struct error *error) {
  const struct aligned_text *text = working_current(working);
  if (text->size == 0) return true;
  struct rewriter rewriter = rewrite_begin(working, error);
  for (size_t i = 0; i < text->size && error->code == 0;) {
    uint32_t ignored;
    size_t length = (size_t)utf8_decode(text->data + i, text->data + text->size, &ignored, NULL);
    for (size_t k = 0; k < length; k++)
      rewrite_character(&rewriter, bytes_alphabet_character((unsigned char)text->data[i + k]), k > 0);
    i += length;
  }
  return rewrite_end(&rewriter);
}

static bool bert(const struct normalizer *step, struct working_text *working, struct error *error) {
  if (step->clean_text && !map_text(working, bert_clean, error)) return false;
  if (step->handle_chinese_chars && !map_text(working, bert_chinese, error)) return false;
  if (step->strip_accents && !(unicode_form_apply(working, false, false, error) && map_text(working, without_nonspacing, error)))
    return false;
  return !step->lowercase || lowercase(working, error);
}

static bool apply_step(const struct normalizer *step, struct working_text *working, struct pattern_scratch **scratch,
                       struct error *error) {
  switch (step->kind) {
    case NORMALIZER_NFC: return unicode_form_apply(working, true, false, error);
    case NORMALIZER_NFD: return unicode_form_apply(working, false, false, error);
    case NORMALIZER_NFKC: return unicode_form_apply(working, true, true, error);
    case NORMALIZER_NFKD: return unicode_form_apply(working, false, true, error);
    case NORMALIZER_LOWERCASE: return lowercase(working, error);
    case NORMALIZER_STRIP: return strip(step, working, error);
    case NORMALIZER_STRIP_ACCENTS: return map_text(working, without_accents, error);
    case NORMALIZER_REPLACE: return replace(step, working, scratch, error);
    case NORMALIZER_PREPEND: return prepend(step, working, error);
    case NORMALIZER_NMT: return map_text(working, nmt, error);
    case NORMALIZER_BERT: return bert(step, working, error);
    case NORMALIZER_BYTE_LEVEL: return spell_bytes(working, error);
    case NORMALIZER_PRECOMPILED: return !step->charsmap || charsmap_apply(step->charsmap, working, error);
  }
  return false;
}

bool normalizer_apply(const struct normalizer_list *list, struct working_text *working, struct pattern_scratch **scratch,
                      struct error *error) {
  for (size_t i = 0; i < list->count; i++)
    if (!apply_step(&list->items[i], working, scratch, error)) return false;
  if (list->count == 0) return true;
  working->pieces.count = 0;
  size_t size = working_current(working)->size;
  return size == 0 || piece_add(&working->pieces, 0, (uint32_t)size, -1, error);
}

bool normalizer_text(const struct normalizer_list *list, const char *text, size_t size, struct buffer *out, struct error *error) {
  struct working_text working = {0};
  struct pattern_scratch *scratch = NULL;
  bool ok = working_begin(&working, text, size, 0, error) && normalizer_apply(list, &working, &scratch, error);
  if (ok) {
    buffer_append(out, working_current(&working)->data, working_current(&working)->size);
    ok = buffer_check(out, error);
  }
  working_free(&working);
  pattern_scratch_free(scratch);
  return ok;
}
