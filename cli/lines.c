#include "cli/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"

enum { PORTION = 1 << 16 };

bool lines_open(struct lines *lines, const char *path) {
  *lines = (struct lines){.descriptor = STDIN_FILENO, .name = "standard input"};
  if (!path || strcmp(path, "-") == 0) return true;
  lines->name = path;
  lines->descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (lines->descriptor < 0) message_error("%s: cannot be read: %s", path, strerror(errno));
  return lines->descriptor >= 0;
}

static bool fail(struct lines *lines, int error) {
  message_error("%s: cannot be read: %s", lines->name, strerror(error));
  lines->failed = lines->finished = true;
  return false;
}

// Adds what can be read. False at the end.
static bool fill(struct lines *lines) {
  if (lines->finished) return false;
  if (lines->start) {
    memmove(lines->bytes, lines->bytes + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;
  }
  if (lines->end + PORTION > lines->capacity) {
    size_t capacity = lines->capacity * 2 + PORTION;
    char *bytes = realloc(lines->bytes, capacity);
    if (!bytes) return fail(lines, ENOMEM);
    lines->bytes = bytes;
    lines->capacity = capacity;
  }
  ssize_t got;
  do got = read(lines->descriptor, lines->bytes + lines->end, PORTION);
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail(lines, errno);
  lines->finished = got == 0;
  lines->end += (size_t)got;
  return got > 0;
}

// The line as a C string: zero bytes replaced.
static char *copy_line(struct lines *lines, const char *text, size_t size) {
  size_t zeros = 0, n = 0;
  for (size_t i = 0; i < size; i++) zeros += text[i] == 0;
  char *copy = malloc(size + 2 * zeros + 1);
  if (!copy) return fail(lines, ENOMEM), NULL;
  for (size_t i = 0; i < size; i++) {
    if (text[i]) {
      copy[n++] = text[i];
    } else {
      memcpy(copy + n, "\xEF\xBF\xBD", 3);
      n += 3;
    }
  }
  copy[n] = 0;
  if (zeros && lines->zero_lines++ == 0) lines->first_zero_line = lines->number;
  return copy;
}

char *lines_next(struct lines *lines) {
  size_t searched = 0;  // after start
  char *stop;
  while (!(stop = lines->end > lines->start + searched
                    ? memchr(lines->bytes + lines->start + searched, '\n', lines->end - lines->start - searched) : NULL)) {
    searched = lines->end - lines->start;
    if (!fill(lines)) break;
  }
  if (lines->failed || (!stop && lines->start == lines->end)) return NULL;
  lines->number++;
  const char *text = lines->bytes + lines->start;
  size_t size = stop ? (size_t)(stop - text) : lines->end - lines->start;
  lines->start += size + (stop != NULL);
  if (lines->number == 1 && size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3, size -= 3;
  if (size && text[size - 1] == '\r') size--;
  return copy_line(lines, text, size);
}

bool lines_ready(struct lines *lines) {
  for (;;) {
    if (lines->finished) return true;
    if (lines->end > lines->start && memchr(lines->bytes + lines->start, '\n', lines->end - lines->start)) return true;
    struct pollfd wait = {.fd = lines->descriptor, .events = POLLIN};
    if (poll(&wait, 1, 0) <= 0) return false;
    fill(lines);
  }
}

void lines_close(struct lines *lines) {
  if (lines->zero_lines)
    message_warning("%s: %zu line%s held zero bytes, read as U+FFFD; the first is line %zu", lines->name, lines->zero_lines,
                    lines->zero_lines == 1 ? "" : "s", lines->first_zero_line);
  if (lines->descriptor > STDIN_FILENO) close(lines->descriptor);
  free(lines->bytes);
  *lines = (struct lines){.descriptor = -1};
}
