#include "base/buffer.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool reserve(struct buffer *buffer, size_t more) {
  if (buffer->failed) return false;
  struct error ignored = {0};
  if (!memory_grow(&ignored, &buffer->data, &buffer->capacity, buffer->size + more + 1, 1)) buffer->failed = true;
  return !buffer->failed;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t size) {
  if (!reserve(buffer, size)) return;
  if (size) memcpy(buffer->data + buffer->size, bytes, size);
  buffer->size += size;
  buffer->data[buffer->size] = 0;
}

void buffer_text(struct buffer *buffer, const char *text) { buffer_append(buffer, text, strlen(text)); }

void buffer_char(struct buffer *buffer, char c) { buffer_append(buffer, &c, 1); }

void buffer_format(struct buffer *buffer, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (size < 0 || !reserve(buffer, (size_t)size)) return;
  va_start(arguments, format);
  vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, arguments);
  va_end(arguments);
  buffer->size += (size_t)size;
}

void buffer_decimal(struct buffer *buffer, double value, int digits) {
  size_t start = buffer->size;
  buffer_format(buffer, "%.*f", digits, value);
  const char *separator = localeconv()->decimal_point;
  char *found = buffer->failed || !strcmp(separator, ".") ? NULL : strstr(buffer->data + start, separator);
  if (!found) return;
  size_t tail = strlen(found + strlen(separator));
  memmove(found + 1, found + strlen(separator), tail + 1);
  *found = '.';
  buffer->size = (size_t)(found + 1 - buffer->data) + tail;
}

void buffer_clear(struct buffer *buffer) {
  buffer->size = 0;
  if (buffer->data) buffer->data[0] = 0;
}

void buffer_free(struct buffer *buffer) {
  free(buffer->data);
  *buffer = (struct buffer){0};
}

bool buffer_check(const struct buffer *buffer, struct error *error) {
  return !buffer->failed || error_memory(error, buffer->size);
}

const char *buffer_string(const struct buffer *buffer) { return buffer->data ? buffer->data : ""; }
