#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct buffer *out, const void *bytes, size_t size) {
  const unsigned char *from = bytes;
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i < 3 ? size - i : 3;
    uint32_t group = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) | (left > 2 ? from[i + 2] : 0);
    char text[4] = {digits[group >> 18], digits[group >> 12 & 63], digits[group >> 6 & 63], digits[group & 63]};
    if (left < 3) text[3] = '=';
    if (left < 2) text[2] = '=';
    buffer_append(out, text, 4);
  }
}

bool base64_read(struct buffer *out, const char *text, size_t size) {
  for (int i = 0; i < 2 && size && text[size - 1] == '='; i++) size--;
  if (size % 4 == 1) return false;
  uint32_t group = 0;
  for (size_t i = 0; i < size; i++) {
    const char *digit = memchr(digits, text[i], 64);
    if (!digit) return false;
    group = group << 6 | (uint32_t)(digit - digits);
    // Every digit but a group's first completes a byte.
    if (i % 4) buffer_char(out, (char)(group >> (6 - 2 * (i % 4))));
  }
  return true;
}
