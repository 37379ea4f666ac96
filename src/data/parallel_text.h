// Files of text as lines, and pairs of such files in which line i of one is the translation of line i of the other.
//
// A file is mapped and indexed once, with 8 bytes a line; the text stays where it is. A line ends with LF or CRLF, the
// last one also with the end of the file; a byte order mark at the beginning is not text. Lines may hold any bytes.
#pragma once
#include <stdint.h>

#include "base/file.h"

struct text_line {
  const char *text;  // not followed by a zero byte
  size_t size;
};

struct line_file {
  char *path;
  struct file_map map;
  uint64_t *starts;  // [count + 1] offsets; the last one is the end of the file
  size_t count;
};

bool line_file_open(struct line_file *file, const char *path, struct error *error);
void line_file_close(struct line_file *file);
struct text_line line_file_get(const struct line_file *file, size_t index);

// Which part of the text: everything, or with 1 % held out for validation, one of both parts.
enum text_part { PART_ALL, PART_KEPT, PART_HELD_OUT };

struct parallel_text {
  struct line_file *sources, *targets;  // [count]
  size_t count;
  size_t lines;                         // of all pairs of files together
};

// paths: source, target, source, target, ... A missing, empty or unreadable file, or a pair with different numbers of
// lines, is an error.
bool parallel_text_open(struct parallel_text *text, const char *const *paths, size_t path_count, struct error *error);
void parallel_text_close(struct parallel_text *text);

// Whether a line belongs to the 1 % (`fraction` in general) that is held out: a function of the source's bytes, so that
// equal sources are always on one side and adding lines moves none.
bool parallel_text_held_out(struct text_line source, double fraction);
static inline bool text_part_has(enum text_part part, struct text_line source, double fraction) {
  return part == PART_ALL || parallel_text_held_out(source, fraction) == (part == PART_HELD_OUT);
}

// A 64-bit fingerprint of bytes; start with 0, or with the fingerprint of what comes before.
uint64_t text_fingerprint(uint64_t start, struct text_line line);
