// What went wrong, once: an error keeps its first message, and every function that can fail returns false or NULL after
// setting it. Warnings go to a callback, because a library prints nothing by itself.
//
// Invariant: code == 0 exactly while nothing has failed; the message is then empty.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum error_code {
  ERROR_NONE = 0,
  ERROR_USAGE,      // the call itself was wrong: unknown option, contradictory options, an argument out of range
  ERROR_FILE,       // a file cannot be read or written
  ERROR_FORMAT,     // a file's content is not what it should be
  ERROR_UNSUPPORTED, // well-formed, but not something that qkv can do
  ERROR_MEMORY,
  ERROR_NUMERIC,    // NaN or infinity
  ERROR_INTERRUPTED,
};

struct error {
  enum error_code code;
  int system;  // errno behind an ERROR_FILE, where there is one
  char message[1000];
  void (*warn)(void *user, const char *message);  // may be NULL: warnings are then only counted
  void *warn_user;
  size_t warnings;
};

// Sets the error unless one is set already. Always returns false, so that callers can `return error_set(...)`.
bool error_set(struct error *error, enum error_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool error_memory(struct error *error, size_t bytes);
// An ERROR_FILE whose reason is errno: ": " and its text are added.
bool error_system(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_is_full(const struct error *error);  // no room: the disk is full, or what its user may take of it
void error_warn(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
void error_clear(struct error *error);
