// Ids as they come, to the text that each adds: whole characters only, also where several ids make one character, and with the
// blanks that an id has because of what stands before it.
//
// The text of all adds together is the text of all ids. An id whose bytes are not yet a whole character adds nothing; the one
// that completes it adds both.
#pragma once
#include "text/tokenizer.h"

struct text_stream {
  const struct tokenizer *tokenizer;
  int32_t *ids;           // [count] the last ones; the text of [0, given) was given out, and the rest is decoded behind it
  size_t given, count, capacity;
  struct buffer before, now;
};

// context: what stands before, in ids, of which the last few are looked at; it is not given out. The stream is {0} or was used.
bool text_stream_start(struct text_stream *stream, const struct tokenizer *tokenizer, const int32_t *context, size_t count,
                       struct error *error);
// Appends to `out`. Special tokens have no text.
bool text_stream_add(struct text_stream *stream, int32_t id, struct buffer *out, struct error *error);
// What is left, as it is: half a character becomes U+FFFD.
bool text_stream_finish(struct text_stream *stream, struct buffer *out, struct error *error);
void text_stream_free(struct text_stream *stream);
