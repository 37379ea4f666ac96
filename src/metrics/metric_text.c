#include "metrics/metric_text.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

enum { INVALID_BYTE = 0x110000, CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, CAPITAL_I_WITH_DOT = 0x130 };

struct metric_text metric_text(const char *text) { return (struct metric_text){text, strlen(text)}; }

int metric_character(const char *text, const char *end, uint32_t *character) {
  int valid;
  int length = utf8_decode(text, end, character, &valid);
  if (!valid) *character = INVALID_BYTE + (unsigned char)*text;
  return length;
}

bool metric_is_space(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool metric_is_alphanumeric(uint32_t c) {
  if (c >= INVALID_BYTE) return false;
  switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return true;
    default: return false;
  }
}

struct metric_text metric_trim_end(struct metric_text text) {
  while (text.size) {
    size_t start = text.size - 1;
    while (start > 0 && text.size - start < 4 && ((unsigned char)text.data[start] & 0xC0) == 0x80) start--;
    uint32_t character;
    int length = metric_character(text.data + start, text.data + text.size, &character);
    if (start + (size_t)length != text.size || !metric_is_space(character)) break;
    text.size = start;
  }
  return text;
}

bool metric_next_word(struct metric_text *rest, struct metric_text *word) {
  const char *at = rest->data, *end = rest->data + rest->size, *start = NULL;
  while (at < end) {
    uint32_t character;
    int length = metric_character(at, end, &character);
    bool space = metric_is_space(character);
    if (space && start) break;
    if (!space && !start) start = at;
    at += length;
  }
  *rest = (struct metric_text){at, (size_t)(end - at)};
  if (!start) return false;
  *word = (struct metric_text){start, (size_t)(at - start)};
  return true;
}

struct range {
  uint32_t first, last;
};

static bool within(const struct range *ranges, size_t count, uint32_t c) {
  for (size_t i = 0; i < count; i++)
    if (c >= ranges[i].first && c <= ranges[i].last) return true;
  return false;
}

#define WITHIN(ranges, c) within(ranges, sizeof(ranges) / sizeof *(ranges), c)

// Two properties of Unicode (14) that utf8proc does not know. Cased: a letter of categories Lu, Ll, Lt, or one of these
// (Other_Lowercase, Other_Uppercase).
static bool is_cased(uint32_t c) {
  static const struct range others[] = {
      {0xAA, 0xAA}, {0xBA, 0xBA}, {0x2B0, 0x2B8}, {0x2C0, 0x2C1}, {0x2E0, 0x2E4}, {0x345, 0x345}, {0x37A, 0x37A},
      {0x1D2C, 0x1D6A}, {0x1D78, 0x1D78}, {0x1D9B, 0x1DBF}, {0x2071, 0x2071}, {0x207F, 0x207F}, {0x2090, 0x209C},
      {0x2160, 0x217F}, {0x24B6, 0x24E9}, {0x2C7C, 0x2C7D}, {0xA69C, 0xA69D}, {0xA770, 0xA770}, {0xA7F8, 0xA7F9},
      {0xAB5C, 0xAB5F}, {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA},
      {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  if (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT) return true;
  return WITHIN(others, c);
}

// Case_Ignorable: marks, format characters, modifiers, and the punctuation that may stand inside a word.
static bool is_case_ignorable(uint32_t c) {
  static const struct range inside_words[] = {
      {'\'', '\''}, {'.', '.'}, {':', ':'}, {0xB7, 0xB7}, {0x387, 0x387}, {0x55F, 0x55F}, {0x5F4, 0x5F4}, {0x2018, 0x2019},
      {0x2024, 0x2024}, {0x2027, 0x2027}, {0xFE13, 0xFE13}, {0xFE52, 0xFE52}, {0xFE55, 0xFE55}, {0xFF07, 0xFF07},
      {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1A}};
  switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return WITHIN(inside_words, c);
  }
}

static bool cased_follows(const char *at, const char *end) {
  while (at < end) {
    uint32_t c;
    at += metric_character(at, end, &c);
    if (!is_case_ignorable(c)) return is_cased(c);
  }
  return false;
}

static void append_character(struct buffer *out, uint32_t c) {
  char bytes[4];
  buffer_append(out, bytes, (size_t)utf8_encode(bytes, c));
}

void metric_lowercase(struct buffer *out, struct metric_text text) {
  const char *at = text.data, *end = text.data + text.size;
  bool after_cased = false;  // the last character that is not ignorable was cased
  while (at < end) {
    uint32_t c;
    int length = metric_character(at, end, &c);
    if (c >= INVALID_BYTE) {
      buffer_append(out, at, (size_t)length);
    } else if (c < 0x80) {
      buffer_char(out, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
    } else if (c == CAPITAL_SIGMA) {
      append_character(out, after_cased && !cased_follows(at + length, end) ? FINAL_SIGMA : SMALL_SIGMA);
    } else if (c == CAPITAL_I_WITH_DOT) {
      buffer_text(out, "i\xCC\x87");
    } else {
      append_character(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
    at += length;
    if (!is_case_ignorable(c)) after_cased = is_cased(c);
  }
}
