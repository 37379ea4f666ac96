#include "text/text_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { CONTEXT = 6, WAITING = 16 };  // ids that are looked back at; ids that wait for the end of a character

bool text_stream_start(struct text_stream *stream, const struct tokenizer *tokenizer, const int32_t *context, size_t count,
                       struct error *error) {
  stream->tokenizer = tokenizer;
  if (count > CONTEXT) context += count - CONTEXT, count = CONTEXT;
  if (!memory_grow(error, &stream->ids, &stream->capacity, count + 1, sizeof *stream->ids)) return false;
  if (count) memcpy(stream->ids, context, count * sizeof *stream->ids);
  stream->given = stream->count = count;
  return true;
}

static bool ends_within_character(const struct buffer *text) {
  return text->size >= 3 && memcmp(text->data + text->size - 3, "\xEF\xBF\xBD", 3) == 0;
}

static bool give(struct text_stream *stream, bool all, struct buffer *out, struct error *error) {
  buffer_clear(&stream->before);
  buffer_clear(&stream->now);
  if (!tokenizer_decode(stream->tokenizer, stream->ids, stream->given, true, &stream->before, error) ||
      !tokenizer_decode(stream->tokenizer, stream->ids, stream->count, true, &stream->now, error) ||
      !buffer_check(&stream->before, error) || !buffer_check(&stream->now, error))
    return false;
  bool waits = stream->now.size <= stream->before.size || ends_within_character(&stream->now);
  if (waits && !all && stream->count - stream->given < WAITING) return true;
  if (stream->now.size > stream->before.size)
    buffer_append(out, stream->now.data + stream->before.size, stream->now.size - stream->before.size);
  // What was new becomes what the next is seen behind.
  size_t old = stream->given;
  memmove(stream->ids, stream->ids + old, (stream->count - old) * sizeof *stream->ids);
  stream->given = stream->count -= old;
  return buffer_check(out, error);
}

bool text_stream_add(struct text_stream *stream, int32_t id, struct buffer *out, struct error *error) {
  if (!memory_grow(error, &stream->ids, &stream->capacity, stream->count + 1, sizeof *stream->ids)) return false;
  stream->ids[stream->count++] = id;
  return give(stream, false, out, error);
}

bool text_stream_finish(struct text_stream *stream, struct buffer *out, struct error *error) {
  return stream->count == stream->given || give(stream, true, out, error);
}

void text_stream_free(struct text_stream *stream) {
  free(stream->ids);
  buffer_free(&stream->before);
  buffer_free(&stream->now);
  *stream = (struct text_stream){0};
}
