#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
  if (error->code != ERROR_NONE) return false;
  error->code = code;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return false;
}

bool error_system(struct error *error, const char *format, ...) {
  int reason = errno;
  if (error->code != ERROR_NONE) return false;
  error->code = ERROR_FILE;
  error->system = reason;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  size_t size = strlen(error->message);
  snprintf(error->message + size, sizeof error->message - size, ": %s", strerror(reason));
  return false;
}

bool error_is_full(const struct error *error) {
  return error->code == ERROR_FILE && (error->system == ENOSPC || error->system == EDQUOT);
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
  error->system = 0;
  error->message[0] = 0;
}
