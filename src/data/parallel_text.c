#include "data/parallel_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static size_t count_lines(const char *text, size_t size) {
  size_t lines = 0;
  const char *end = text + size;
  for (const char *p = text; p < end; lines++) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    p = newline ? newline + 1 : end;
  }
  return lines;
}

bool line_file_open(struct line_file *file, const char *path, struct error *error) {
  *file = (struct line_file){0};
  if (!(file->path = memory_copy_text(error, path)) || !file_map_open(&file->map, path, error)) {
    line_file_close(file);
    return false;
  }
  size_t first = file->map.size >= 3 && memcmp(file->map.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  if (file->map.size == first) {
    line_file_close(file);
    return error_set(error, ERROR_FORMAT, "%s: the file is empty; it should hold one sentence a line", path);
  }
  const char *text = file->map.data;
  size_t size = file->map.size;
  file->count = count_lines(text + first, size - first);
  if (!(file->starts = memory_new(error, file->count + 1, sizeof *file->starts))) {
    line_file_close(file);
    return false;
  }
  size_t start = first;
  for (size_t i = 0; i < file->count; i++) {
    file->starts[i] = start;
    const char *newline = memchr(text + start, '\n', size - start);
    start = newline ? (size_t)(newline - text) + 1 : size;
  }
  file->starts[file->count] = size;
  return true;
}

void line_file_close(struct line_file *file) {
  if (file->map.data) file_map_close(&file->map);
  free(file->path);
  free(file->starts);
  *file = (struct line_file){0};
}

struct text_line line_file_get(const struct line_file *file, size_t index) {
  const char *text = file->map.data + file->starts[index];
  size_t size = (size_t)(file->starts[index + 1] - file->starts[index]);
  if (size && text[size - 1] == '\n') {
    size--;
    if (size && text[size - 1] == '\r') size--;
  }
  return (struct text_line){text, size};
}

static bool same_lines(const struct line_file *source, const struct line_file *target, struct error *error) {
  if (source->count == target->count) return true;
  return error_set(error, ERROR_FORMAT,
                   "%s has %zu lines and %s has %zu; line i of one must be the translation of line i of the other, so both need "
                   "the same number of lines (an empty line keeps the place of a missing sentence)",
                   source->path, source->count, target->path, target->count);
}

bool parallel_text_open(struct parallel_text *text, const char *const *paths, size_t path_count, struct error *error) {
  *text = (struct parallel_text){0};
  if (path_count == 0 || path_count % 2 != 0)
    return error_set(error, ERROR_USAGE, "parallel text comes as pairs of files, SOURCE TARGET; got %zu file%s", path_count,
                     path_count == 1 ? "" : "s");
  size_t pairs = path_count / 2;
  text->sources = memory_new(error, pairs, sizeof *text->sources);
  text->targets = memory_new(error, pairs, sizeof *text->targets);
  bool ok = text->sources && text->targets;
  for (size_t i = 0; ok && i < pairs; i++) {
    ok = line_file_open(&text->sources[i], paths[2 * i], error);
    if (!ok) break;
    text->count = i + 1;
    ok = line_file_open(&text->targets[i], paths[2 * i + 1], error) && same_lines(&text->sources[i], &text->targets[i], error);
    text->lines += text->sources[i].count;
  }
  if (!ok) parallel_text_close(text);
  return ok;
}

void parallel_text_close(struct parallel_text *text) {
  for (size_t i = 0; i < text->count; i++) {
    line_file_close(&text->sources[i]);
    line_file_close(&text->targets[i]);
  }
  free(text->sources);
  free(text->targets);
  *text = (struct parallel_text){0};
}

// FNV-1a by eight bytes, with the finisher of MurmurHash3, so that all bits of the result depend on all bytes.
uint64_t text_fingerprint(uint64_t start, struct text_line line) {
  uint64_t hash = start ^ 0xCBF29CE484222325u ^ (uint64_t)line.size;
  size_t i = 0;
  for (; i + 8 <= line.size; i += 8) {
    uint64_t word;
    memcpy(&word, line.text + i, 8);
    hash = (hash ^ word) * 0x100000001B3u;
    hash ^= hash >> 29;
  }
  uint64_t word = 0;
  memcpy(&word, line.text + i, line.size - i);
  hash = (hash ^ word) * 0x100000001B3u;
  hash = (hash ^ hash >> 33) * 0xFF51AFD7ED558CCDu;
  hash = (hash ^ hash >> 33) * 0xC4CEB9FE1A85EC53u;
  return hash ^ hash >> 33;
}

bool parallel_text_held_out(struct text_line source, double fraction) {
  return (double)(text_fingerprint(0, source) >> 11) * 0x1p-53 < fraction;
}
