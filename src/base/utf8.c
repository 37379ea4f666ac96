#include "base/utf8.h"

#include <string.h>

static int length_by_lead(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

int utf8_decode(const char *text, const char *end, uint32_t *character, int *valid) {
  static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *bytes = (const unsigned char *)text;
  int length = length_by_lead(bytes[0]);
  if (valid) *valid = 1;
  if (length == 1) {
    *character = bytes[0];
    return 1;
  }
  uint32_t value = length ? bytes[0] & (0x7F >> length) : 0;
  int ok = length && end - text >= length;
  for (int i = 1; ok && i < length; i++) {
    ok = (bytes[i] & 0xC0) == 0x80;
    value = value << 6 | (bytes[i] & 0x3F);
  }
  ok = ok && value >= smallest[length] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
  if (!ok) {
    if (valid) *valid = 0;
    *character = 0xFFFD;
    return 1;
  }
  *character = value;
  return length;
}

int utf8_encode(char out[4], uint32_t c) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 63));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 63));
    out[2] = (char)(0x80 | (c & 63));
    return 3;
  }
  out[0] = (char)(0xF0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 63));
  out[2] = (char)(0x80 | (c >> 6 & 63));
  out[3] = (char)(0x80 | (c & 63));
  return 4;
}

size_t utf8_invalid(const char *text, size_t size) {
  size_t i = 0;
  while (i < size) {
    uint64_t eight;
    if (size - i >= 8 && (memcpy(&eight, text + i, 8), (eight & 0x8080808080808080u) == 0)) {
      i += 8;
      continue;
    }
    uint32_t character;
    int valid, length = utf8_decode(text + i, text + size, &character, &valid);
    if (!valid) return i;
    i += (size_t)length;
  }
  return size;
}

size_t utf8_length(const char *text, size_t size) {
  size_t count = 0;
  for (size_t i = 0; i < size; i++) count += (text[i] & 0xC0) != 0x80;
  return count;
}
