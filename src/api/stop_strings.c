#include "api/stop_strings.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool stop_strings_set(struct stop_strings *stops, const struct qkv_strings *strings, const struct tokenizer *tokenizer,
                      struct error *error) {
  *stops = (struct stop_strings){.tokenizer = tokenizer};
  if (strings->count == 0) return true;
  stops->items = memory_new(error, strings->count, sizeof *stops->items);
  stops->sizes = memory_new(error, strings->count, sizeof *stops->sizes);
  if (!stops->items || !stops->sizes) return false;
  for (size_t i = 0; i < strings->count; i++) {
    size_t size = strlen(strings->items[i]);
    if (size < 1 || size > STOP_STRING_MOST)
      return error_set(error, ERROR_USAGE, "stop string %zu has %zu bytes; wanted 1 to %d", i + 1, size, STOP_STRING_MOST);
    stops->items[stops->count] = memory_copy_text(error, strings->items[i]);
    if (!stops->items[stops->count]) return false;
    stops->sizes[stops->count++] = size;
    if (size > stops->longest) stops->longest = size;
  }
  return true;
}

void stop_strings_free(struct stop_strings *stops) {
  for (size_t i = 0; i < stops->count; i++) free(stops->items[i]);
  free(stops->items);
  free(stops->sizes);
  *stops = (struct stop_strings){0};
}

size_t stop_strings_find(const struct stop_strings *stops, const char *text, size_t size) {
  size_t first = size;
  for (size_t i = 0; i < stops->count; i++) {
    const char *found = size ? memmem(text, size, stops->items[i], stops->sizes[i]) : NULL;
    if (found && (size_t)(found - text) < first) first = (size_t)(found - text);
  }
  return first;
}

size_t stop_strings_begun(const struct stop_strings *stops, const char *text, size_t size) {
  size_t most = 0;
  for (size_t i = 0; i < stops->count; i++)
    for (size_t n = stops->sizes[i] - 1; n > most; n--)
      if (n <= size && memcmp(text + size - n, stops->items[i], n) == 0) most = n;
  return most;
}

// Every token adds a byte at least, unless it is special or the middle of a character.
static bool stops_here(void *user, const int32_t *ids, int count) {
  const struct stop_strings *stops = user;
  struct error error = {0};
  struct buffer text = {0};
  bool found = tokenizer_decode(stops->tokenizer, ids, (size_t)count, true, &text, &error) && !text.failed &&
               stop_strings_find(stops, text.data, text.size) < text.size;
  buffer_free(&text);
  return found;
}

void stop_strings_watch(struct stop_strings *stops, struct generation_options *options) {
  enum { SPARE = 16 };
  if (stops->count == 0) return;
  options->stops = stops_here;
  options->stop_user = stops;
  options->stop_window = (int)stops->longest + SPARE;
}
