// Bytes as base64 text (RFC 4648) and back.
#pragma once
#include "base/buffer.h"

void base64_write(struct buffer *out, const void *bytes, size_t size);
// False, with what was decoded so far in out, when the text is not base64; "=" at the end may be missing.
bool base64_read(struct buffer *out, const char *text, size_t size);
