// Lines of a file or of standard input, as they come, of any length. Line ends (LF or CRLF) and a byte order mark at the
// beginning are not part of them. Zero bytes, which a C string cannot hold, become U+FFFD and are counted.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct lines {
  int descriptor;
  const char *name;        // for messages
  char *bytes;             // read, not yet given out: [start, end)
  size_t start, end, capacity;
  bool finished, failed;
  size_t number;           // of the line given last, from 1
  size_t zero_lines, first_zero_line;  // lines with zero bytes
};

// path NULL or "-": standard input. On failure says why and returns false.
bool lines_open(struct lines *lines, const char *path);
// The next line as a block of memory that the caller frees. NULL at the end, and when reading failed, which has then been
// said and is seen in lines->failed.
char *lines_next(struct lines *lines);
// Whether the next line, or the end, can be had without waiting for somebody to write it.
bool lines_ready(struct lines *lines);
// Warns of zero bytes, if there were any.
void lines_close(struct lines *lines);
