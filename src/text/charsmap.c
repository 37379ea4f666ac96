#include "text/charsmap.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "base/utf8.h"

// Longer grapheme clusters are looked up character by character; so does SentencePiece.
enum { CLUSTER_MAX = 5 };

static uint32_t read_unit(const char *bytes) {
  const unsigned char *b = (const unsigned char *)bytes;
  return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

// What the shortest key that `text` begins with is replaced by; NULL: there is no such key.
static const char *find(const struct charsmap *map, const char *text, size_t size, size_t *length) {
  if (map->unit_count == 0) return NULL;
  uint32_t unit = read_unit(map->units);
  size_t at = 0;
  for (size_t i = 0; i < size && text[i]; i++) {
    unsigned char byte = (unsigned char)text[i];
    at ^= (size_t)(unit >> 10) << ((unit & 0x200) >> 6) ^ byte;  // the unit's offset, then the byte
    if (at >= map->unit_count) return NULL;
    unit = read_unit(map->units + 4 * at);
    if ((unit & 0x800000FFu) != byte) return NULL;
    if (!(unit >> 8 & 1)) continue;
    size_t leaf = at ^ (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
    if (leaf >= map->unit_count) return NULL;
    size_t start = read_unit(map->units + 4 * leaf) & 0x7FFFFFFF;
    if (start > map->text_size) return NULL;
    *length = strnlen(map->texts + start, map->text_size - start);
    return map->texts + start;
  }
  return NULL;
}

struct charsmap *charsmap_new(struct buffer *bytes, const char *name, struct error *error) {
  struct charsmap *map = memory_new(error, 1, sizeof *map);
  if (!map) {
    buffer_free(bytes);
    return NULL;
  }
  map->bytes = *bytes;
  *bytes = (struct buffer){0};
  size_t size = map->bytes.size, trie = size >= 4 ? read_unit(map->bytes.data) : 0;
  bool ok = size >= 4 && trie <= size - 4 && trie % 4 == 0;
  if (ok) {
    map->units = map->bytes.data + 4;
    map->unit_count = trie / 4;
    map->texts = map->units + trie;
    map->text_size = size - 4 - trie;
    ok = utf8_invalid(map->texts, map->text_size) == map->text_size;
  }
  for (int c = 1; ok && c < 128; c++) {
    size_t length;
    const char *text = find(map, (char[]){(char)c}, 1, &length);
    map->replaced[c] = text != NULL;
    ok = !text || utf8_invalid(text, length) == length;
  }
  if (ok) return map;
  charsmap_free(map);
  error_set(error, ERROR_FORMAT, "%s: the precompiled_charsmap of the normalizer is damaged", name);
  return NULL;
}

void charsmap_free(struct charsmap *map) {
  if (!map) return;
  buffer_free(&map->bytes);
  free(map);
}

// Characters on their way out. The last one waits: what is removed behind it is added to its change.
struct output {
  struct rewriter rewriter;
  bool waiting;
  uint32_t character;
  int change;
};

static void put(struct output *output, uint32_t c, int change) {
  if (output->waiting) rewrite_character(&output->rewriter, output->character, output->change);
  output->waiting = true;
  output->character = c;
  output->change = change;
}

// `old` characters become the text: of a longer one the last characters are inserted, behind a shorter one the rest is removed.
// What is removed before anything was put is not accounted for, as in `tokenizers`.
static void replace(struct output *output, int old, const char *text, size_t size) {
  int new = (int)utf8_length(text, size), n = 0;
  for (size_t i = 0; i < size; n++) {
    uint32_t c;
    i += (size_t)utf8_decode(text + i, text + size, &c, NULL);
    put(output, c, new > old &&n >= old);
  }
  if (new < old && output->waiting) output->change += new - old;
}

static void put_character(const struct charsmap *map, struct output *output, const char *at, size_t size) {
  size_t length;
  uint32_t c;
  const char *text = find(map, at, size, &length);
  utf8_decode(at, at + size, &c, NULL);
  if (text) replace(output, 1, text, length);
  else put(output, c, 0);
}

static void put_cluster(const struct charsmap *map, struct output *output, const char *at, size_t size) {
  size_t length;
  const char *text = size <= CLUSTER_MAX ? find(map, at, size, &length) : NULL;
  if (text) {
    replace(output, (int)utf8_length(at, size), text, length);
    return;
  }
  for (size_t i = 0, step; i < size; i += step) {
    uint32_t c;
    step = (size_t)utf8_decode(at + i, at + size, &c, NULL);
    put_character(map, output, at + i, step);
  }
}

// The bytes of the grapheme cluster that `at` begins.
static size_t cluster_size(const char *at, const char *end) {
  uint32_t left, right;
  utf8proc_int32_t state = 0;
  size_t size = (size_t)utf8_decode(at, end, &left, NULL);
  while (at + size < end) {
    size_t length = (size_t)utf8_decode(at + size, end, &right, NULL);
    if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)left, (utf8proc_int32_t)right, &state)) break;
    size += length;
    left = right;
  }
  return size;
}

// How many bytes from `at` on are ASCII that stays as it is; the last one may begin a cluster and doesn't count unless all end.
static size_t plain_bytes(const struct charsmap *map, const char *at, const char *end) {
  const char *stop = at;
  while (stop < end && (unsigned char)*stop < 0x80 && !map->replaced[(unsigned char)*stop] && *stop != '\r') stop++;
  return (size_t)(stop - at) - (stop < end && stop > at);
}

bool charsmap_apply(const struct charsmap *map, struct working_text *working, struct error *error) {
  const struct aligned_text *text = working_current(working);
  const char *end = text->data + text->size;
  if (text->size == 0 || plain_bytes(map, text->data, end) == text->size) return true;
  struct output output = {.rewriter = rewrite_begin(working, error)};
  for (const char *at = text->data; at < end && error->code == 0;) {
    size_t plain = plain_bytes(map, at, end), size = plain ? 0 : cluster_size(at, end);
    for (size_t i = 0; i < plain; i++) put(&output, (unsigned char)at[i], 0);
    if (size) put_cluster(map, &output, at, size);
    at += plain + size;
  }
  if (output.waiting) rewrite_character(&output.rewriter, output.character, output.change);
  return rewrite_end(&output.rewriter);
}
