#include "base/error.h"

#include <stdio.h>

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
  if (error->code != ERROR_NONE) return false;
  error->code = code;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return false;
}

bool error_memory(struct error *error, size_t bytes) {
  return error_set(error, ERROR_MEMORY, "out of memory: %zu bytes were refused by the system", bytes);
}

void error_warn(struct error *error, const char *format, ...) {
  error->warnings++;
  if (!error->warn) return;
  char message[sizeof error->message];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  error->warn(error->warn_user, message);
}

void error_clear(struct error *error) {
  error->code = ERROR_NONE;
  error->message[0] = 0;
}
