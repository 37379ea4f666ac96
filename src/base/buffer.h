// A growing run of bytes that is always followed by a zero byte, so that it can be used as text.
//
// Failure is sticky: after one append failed for lack of memory, later ones do nothing, and `failed` stays set; callers
// check it once at the end (buffer_check).
#pragma once
#include "base/error.h"

struct buffer {
  char *data;  // NULL while empty and never written
  size_t size, capacity;
  bool failed;
};

void buffer_append(struct buffer *buffer, const void *bytes, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_char(struct buffer *buffer, char c);
void buffer_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_decimal(struct buffer *buffer, double value, int digits);  // "41.02": always with a point, whatever the locale
void buffer_clear(struct buffer *buffer);  // keeps the memory
void buffer_free(struct buffer *buffer);
bool buffer_check(const struct buffer *buffer, struct error *error);
const char *buffer_string(const struct buffer *buffer);  // never NULL
