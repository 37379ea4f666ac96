#include "text/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/bytes_alphabet.h"

// Reading --------------------------------------------------------------------------------------------------------------

static bool read_character(uint32_t *out, const cJSON *json, const char *key, const char *name, struct error *error) {
  const char *text = json_text(json, key, "", name, error);
  size_t size = strlen(text);
  if (size && (size_t)utf8_decode(text, text + size, out, NULL) == size) return true;
  return error_set(error, ERROR_FORMAT, "%s: decoder: \"%s\" has to be one character, not \"%s\"", name, key, text);
}

static bool copy_text(struct decoder *step, const cJSON *json, const char *key, const char *otherwise, const char *name,
                      struct error *error) {
  step->text = memory_copy_text(error, json_text(json, key, otherwise, name, error));
  return step->text && error->code == 0;
}

static bool read_replace(struct decoder *step, const cJSON *json, const char *name, struct error *error) {
  const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(json, "pattern");
  const char *text = json_text(pattern, "String", NULL, name, error), *regex = json_text(pattern, "Regex", NULL, name, error);
  if (!text && !regex)
    return error_set(error, ERROR_FORMAT, "%s: decoder: Replace has neither a String nor a Regex as its pattern", name);
  step->pattern = text ? pattern_text(text, error) : pattern_regex(regex, name, error);
  return step->pattern && copy_text(step, json, "content", "", name, error);
}

static bool read_strip(struct decoder *step, const cJSON *json, const char *name, struct error *error) {
  long long start = json_integer(json, "start", 0, name, error), stop = json_integer(json, "stop", 0, name, error);
  if (start < 0 || stop < 0) return error_set(error, ERROR_FORMAT, "%s: decoder: Strip has a negative length", name);
  step->start = (size_t)start;
  step->stop = (size_t)stop;
  return read_character(&step->character, json, "content", name, error);
}

static bool read_metaspace(struct decoder *step, const cJSON *json, const char *name, struct error *error) {
  step->prepended = strcmp(json_text(json, "prepend_scheme", "always", name, error), "never") != 0 &&
                    json_boolean(json, "add_prefix_space", true, name, error);
  return read_character(&step->character, json, "replacement", name, error);
}

static bool read_step(struct decoder_list *list, const cJSON *json, const char *type, const char *name, struct error *error) {
  static const char *const names[] = {"ByteLevel", "Metaspace", "BPEDecoder", "ByteFallback",
                                      "Fuse",      "Replace",   "Strip",      "WordPiece"};
  if (!memory_grow(error, &list->items, &list->capacity, list->count + 1, sizeof *list->items)) return false;
  struct decoder *step = &list->items[list->count];
  *step = (struct decoder){0};
  size_t i = 0, count = sizeof names / sizeof names[0];
  while (i < count && strcmp(type, names[i]) != 0) i++;
  if (i == count) return error_set(error, ERROR_UNSUPPORTED, "%s: the decoder \"%s\" is not one that qkv knows", name, type);
  list->count++;
  step->kind = (enum decoder_kind)i;
  switch (step->kind) {
    case DECODER_METASPACE: return read_metaspace(step, json, name, error);
    case DECODER_BPE: return copy_text(step, json, "suffix", "</w>", name, error);
    case DECODER_REPLACE: return read_replace(step, json, name, error);
    case DECODER_STRIP: return read_strip(step, json, name, error);
    case DECODER_WORD_PIECE:
      step->cleanup = json_boolean(json, "cleanup", true, name, error);
      return copy_text(step, json, "prefix", "##", name, error);
    default: return true;
  }
}

bool decoder_read(struct decoder_list *list, const cJSON *json, const char *name, struct error *error) {
  if (!json || cJSON_IsNull(json)) return true;
  const char *type = json_text(json, "type", "", name, error);
  if (strcmp(type, "Sequence") != 0) return read_step(list, json, type, name, error);
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "decoders")) {
    if (!decoder_read(list, item, name, error)) return false;
  }
  return error->code == 0;
}

void decoder_free(struct decoder_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    free(list->items[i].text);
    pattern_free(list->items[i].pattern);
  }
  free(list->items);
  *list = (struct decoder_list){0};
}

// Lists of texts -------------------------------------------------------------------------------------------------------

static bool end_text(struct text_list *list, struct error *error) {
  if (list->count == list->capacity && !memory_grow(error, &list->ends, &list->capacity, list->count + 1, sizeof *list->ends))
    return false;
  list->ends[list->count++] = list->text.size;
  return true;
}

bool text_list_add(struct text_list *list, const char *text, size_t size, struct error *error) {
  buffer_append(&list->text, text, size);
  return end_text(list, error);
}

void text_list_free(struct text_list *list) {
  buffer_free(&list->text);
  free(list->ends);
  *list = (struct text_list){0};
}

// Bytes to text --------------------------------------------------------------------------------------------------------

// How many bytes at `at` are replaced by one U+FFFD: the longest start of a character that is valid as far as it goes.
static size_t invalid_length(const unsigned char *at, const unsigned char *end) {
  unsigned char lead = at[0], low = 0x80, high = 0xBF;
  size_t wanted = lead >= 0xC2 && lead <= 0xDF   ? 2
                  : lead >= 0xE0 && lead <= 0xEF ? 3
                  : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                 : 1,
         n = 1;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  for (; n < wanted && at + n < end && at[n] >= low && at[n] <= high; n++) {
    low = 0x80;
    high = 0xBF;
  }
  return n;
}

static void append_valid(struct buffer *out, const char *bytes, size_t size) {
  for (size_t i = 0; i < size;) {
    size_t valid = utf8_invalid(bytes + i, size - i);
    buffer_append(out, bytes + i, valid);
    i += valid;
    if (i == size) break;
    buffer_append(out, "\xEF\xBF\xBD", 3);
    i += invalid_length((const unsigned char *)bytes + i, (const unsigned char *)bytes + size);
  }
}

// A token whose characters are all in the bytes' alphabet gives those bytes, any other its own.
static void append_spelled(struct buffer *bytes, const char *token, size_t size) {
  size_t before = bytes->size;
  for (size_t i = 0; i < size;) {
    uint32_t c;
    i += (size_t)utf8_decode(token + i, token + size, &c, NULL);
    int byte = bytes_alphabet_byte(c);
    if (byte < 0) {
      bytes->size = before;
      buffer_append(bytes, token, size);
      return;
    }
    buffer_char(bytes, (char)byte);
  }
}

// Steps: each reads the list `from` and fills the empty list `to` ------------------------------------------------------

static bool decode_bytes(const struct text_list *from, struct text_list *to, struct error *error) {
  struct buffer bytes = {0};
  for (size_t i = 0, start = 0; i < from->count; start = from->ends[i++])
    append_spelled(&bytes, from->text.data + start, from->ends[i] - start);
  append_valid(&to->text, buffer_string(&bytes), bytes.size);
  bool ok = buffer_check(&bytes, error) && end_text(to, error);
  buffer_free(&bytes);
  return ok;
}

static void decode_metaspace(const struct decoder *step, struct buffer *out, const char *token, size_t size, bool first) {
  for (size_t i = 0; i < size;) {
    uint32_t c;
    size_t length = (size_t)utf8_decode(token + i, token + size, &c, NULL);
    if (c != step->character) buffer_append(out, token + i, length);
    else if (!first || !step->prepended) buffer_char(out, ' ');
    i += length;
  }
}

static void replace_text(struct buffer *out, const char *text, size_t size, const char *old, const char *new) {
  size_t length = strlen(old);
  while (length) {
    const char *found = memmem(text, size, old, length);
    if (!found) break;
    buffer_append(out, text, (size_t)(found - text));
    buffer_text(out, new);
    size -= (size_t)(found - text) + length;
    text = found + length;
  }
  buffer_append(out, text, size);
}

static int fallback_byte(const char *token, size_t size) {
  if (size != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return -1;
  int value = 0;
  for (int i = 3; i < 5; i++) {
    const char *digits = "0123456789abcdef",
               *at = memchr(digits, token[i] >= 'A' && token[i] <= 'F' ? token[i] + 32 : token[i], 16);
    if (!at) return token[3] == '+' && i == 3 ? fallback_byte((const char[]){'<', '0', 'x', '0', token[4], '>'}, 6) : -1;
    value = value * 16 + (int)(at - digits);
  }
  return value;
}

static bool end_bytes(struct text_list *to, struct buffer *bytes, struct error *error) {
  bool valid = utf8_invalid(buffer_string(bytes), bytes->size) == bytes->size, ok = true;
  if (bytes->size && valid) ok = text_list_add(to, bytes->data, bytes->size, error);
  for (size_t i = 0; !valid && ok && i < bytes->size; i++) ok = text_list_add(to, "\xEF\xBF\xBD", 3, error);
  buffer_clear(bytes);
  return ok;
}

static bool decode_fallback(const struct text_list *from, struct text_list *to, struct error *error) {
  struct buffer bytes = {0};
  bool ok = true;
  for (size_t i = 0, start = 0; ok && i < from->count; start = from->ends[i++]) {
    const char *token = from->text.data + start;
    size_t size = from->ends[i] - start;
    int byte = fallback_byte(token, size);
    if (byte >= 0) buffer_char(&bytes, (char)byte);
    else ok = end_bytes(to, &bytes, error) && text_list_add(to, token, size, error);
  }
  ok = ok && end_bytes(to, &bytes, error) && buffer_check(&bytes, error);
  buffer_free(&bytes);
  return ok;
}

static bool decode_replace(const struct decoder *step, struct buffer *out, const char *token, size_t size,
                           struct pattern_scratch **scratch, struct error *error) {
  size_t start, end, from = 0, copied = 0, matched_end = SIZE_MAX;
  while (from <= size && size) {
    int found = pattern_match(step->pattern, token, size, from, &start, &end, scratch, error);
    if (found < 0) return false;
    if (found == 0) break;
    if (start == end && start == matched_end) {
      uint32_t ignored;
      from = end < size ? end + (size_t)utf8_decode(token + end, token + size, &ignored, NULL) : size + 1;
      continue;
    }
    buffer_append(out, token + copied, start - copied);
    buffer_text(out, step->text);
    copied = from = matched_end = end;
  }
  buffer_append(out, token + copied, size - copied);
  return true;
}

static void decode_strip(const struct decoder *step, struct buffer *out, const char *token, size_t size) {
  char mark[4];
  size_t length = (size_t)utf8_encode(mark, step->character), first = 0, last = size;
  for (size_t n = 0; n < step->start && first + length <= size && memcmp(token + first, mark, length) == 0; n++) first += length;
  for (size_t n = 0; n < step->stop && last >= first + length && memcmp(token + last - length, mark, length) == 0; n++)
    last -= length;
  buffer_append(out, token + first, last - first);
}

static void clean_up(struct buffer *text, struct buffer *spare) {
  static const char *const pairs[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                         {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                         {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    if (!strstr(buffer_string(text), pairs[i][0])) continue;
    buffer_clear(spare);
    replace_text(spare, buffer_string(text), text->size, pairs[i][0], pairs[i][1]);
    struct buffer old = *text;
    *text = *spare;
    *spare = old;
  }
}

static void decode_word_piece(const struct decoder *step, struct buffer *out, const char *token, size_t size, bool first) {
  struct buffer word = {0}, spare = {0};
  size_t prefix = strlen(step->text);
  bool continues = !first && size >= prefix && memcmp(token, step->text, prefix) == 0;
  if (!first && !continues) buffer_char(&word, ' ');
  buffer_append(&word, token + (continues ? prefix : 0), size - (continues ? prefix : 0));
  if (step->cleanup) clean_up(&word, &spare);
  buffer_append(out, buffer_string(&word), word.size);
  out->failed |= word.failed || spare.failed;
  buffer_free(&word);
  buffer_free(&spare);
}

static bool decode_each(const struct decoder *step, const struct text_list *from, struct text_list *to,
                        struct pattern_scratch **scratch, struct error *error) {
  for (size_t i = 0, start = 0; i < from->count; start = from->ends[i++]) {
    const char *token = from->text.data + start;
    size_t size = from->ends[i] - start;
    bool ok = true;
    switch (step->kind) {
      case DECODER_METASPACE: decode_metaspace(step, &to->text, token, size, i == 0); break;
      case DECODER_BPE: replace_text(&to->text, token, size, step->text, i + 1 == from->count ? "" : " "); break;
      case DECODER_REPLACE: ok = decode_replace(step, &to->text, token, size, scratch, error); break;
      case DECODER_STRIP: decode_strip(step, &to->text, token, size); break;
      case DECODER_WORD_PIECE: decode_word_piece(step, &to->text, token, size, i == 0); break;
      default: break;
    }
    if (!ok || !end_text(to, error)) return false;
  }
  return true;
}

static bool apply_step(const struct decoder *step, struct text_list *from, struct text_list *to, struct pattern_scratch **scratch,
                       struct error *error) {
  buffer_clear(&to->text);
  to->count = 0;
  switch (step->kind) {
    case DECODER_BYTE_LEVEL: return decode_bytes(from, to, error);
    case DECODER_BYTE_FALLBACK: return decode_fallback(from, to, error);
    case DECODER_FUSE: buffer_append(&to->text, buffer_string(&from->text), from->text.size); return end_text(to, error);
    default: return decode_each(step, from, to, scratch, error);
  }
}

static void join(const struct text_list *list, const char *between, struct buffer *out) {
  for (size_t i = 0, start = 0; i < list->count; start = list->ends[i++]) {
    if (i > 0) buffer_text(out, between);
    buffer_append(out, buffer_string(&list->text) + start, list->ends[i] - start);
  }
}

bool decoder_apply(const struct decoder_list *list, struct text_list *tokens, struct buffer *out, struct error *error) {
  struct text_list other = {0}, *from = tokens, *to = &other;
  struct pattern_scratch *scratch = NULL;
  bool ok = buffer_check(&tokens->text, error);
  for (size_t i = 0; ok && i < list->count; i++) {
    ok = apply_step(&list->items[i], from, to, &scratch, error) && buffer_check(&to->text, error);
    struct text_list *old = from;
    from = to;
    to = old;
  }
  if (ok) join(from, list->count ? "" : " ", out);
  text_list_free(&other);
  pattern_scratch_free(scratch);
  return ok && buffer_check(out, error);
}
