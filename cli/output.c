#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/message.h"

static bool failed(struct output *output, const char *what, int error) {
  // stdio does not keep the reason of a write that failed some time ago.
  message_error("%s: %s: %s", output->path ? output->path : "standard output", what,
                error ? strerror(error) : "is the disk full, or was the pipe closed?");
  return false;
}

bool output_open(struct output *output, const char *path) {
  *output = (struct output){0};
  if (!path || strcmp(path, "-") == 0) return output->stream = stdout, true;
  output->path = path;
  struct stat status;
  bool in_place = stat(path, &status) == 0 && !S_ISREG(status.st_mode);
  if (!in_place) {
    size_t size = strlen(path) + 5;
    output->temporary = malloc(size);
    if (!output->temporary) return failed(output, "cannot be written", ENOMEM);
    snprintf(output->temporary, size, "%s.tmp", path);
  }
  output->stream = fopen(in_place ? path : output->temporary, "wb");
  if (output->stream) return true;
  failed(output, "cannot be written", errno);
  free(output->temporary);
  *output = (struct output){0};
  return false;
}

bool output_failed(const struct output *output) { return ferror(output->stream) != 0; }

static void finish(struct output *output, bool keep) {
  if (output->temporary && !keep) unlink(output->temporary);
  free(output->temporary);
  *output = (struct output){0};
}

bool output_close(struct output *output) {
  errno = 0;
  bool fine = !ferror(output->stream) && fflush(output->stream) == 0 && !ferror(output->stream);
  if (fine && output->temporary) fine = fsync(fileno(output->stream)) == 0;
  int error = errno;
  if (output->path && fclose(output->stream) != 0 && fine) fine = false, error = errno;
  if (fine && output->temporary && rename(output->temporary, output->path) != 0) fine = false, error = errno;
  if (!fine) failed(output, "cannot be written", error);
  finish(output, fine);
  return fine;
}

void output_abandon(struct output *output) {
  if (output->path && output->stream) fclose(output->stream);
  finish(output, false);
}

void output_json_text(FILE *out, const char *text) {
  putc('"', out);
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c == '"' || *c == '\\') fprintf(out, "\\%c", *c);
    else if (*c < 0x20 || *c == 0x7F) fprintf(out, "\\u%04x", *c);
    else putc(*c, out);
  }
  putc('"', out);
}
