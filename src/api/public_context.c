#include "api/public_context.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/parallel.h"

// The public codes are the internal ones under their public names.
_Static_assert((int)QKV_USAGE == (int)ERROR_USAGE && (int)QKV_FILE == (int)ERROR_FILE, "status codes");
_Static_assert((int)QKV_FORMAT == (int)ERROR_FORMAT && (int)QKV_UNSUPPORTED == (int)ERROR_UNSUPPORTED, "status codes");
_Static_assert((int)QKV_MEMORY == (int)ERROR_MEMORY && (int)QKV_NUMERIC == (int)ERROR_NUMERIC, "status codes");
_Static_assert((int)QKV_INTERRUPTED == (int)ERROR_INTERRUPTED, "status codes");

const char *qkv_version(void) { return QKV_VERSION; }

struct qkv_context *qkv_context_new(void) {
  struct error ignored = {0};
  return memory_new(&ignored, 1, sizeof(struct qkv_context));
}

void qkv_context_free(struct qkv_context *context) { free(context); }

struct error *public_begin(struct qkv_context *context) {
  error_clear(&context->error);
  return &context->error;
}

enum qkv_status qkv_status(const struct qkv_context *context) { return (enum qkv_status)context->error.code; }

const char *qkv_message(const struct qkv_context *context) { return context->error.message; }

void qkv_context_on_warning(struct qkv_context *context, void (*warning)(void *user, const char *message), void *user) {
  context->error.warn = warning;
  context->error.warn_user = user;
}

size_t qkv_warnings(const struct qkv_context *context) { return context->error.warnings; }

void qkv_set_threads(int threads) { parallel_set_threads(threads); }

int qkv_threads(void) { return parallel_threads(); }
