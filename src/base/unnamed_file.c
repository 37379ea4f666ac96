#include "base/unnamed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

const char *unnamed_file_directory(void) {
  const char *directory = getenv("TMPDIR");
  return directory && *directory ? directory : "/tmp";
}

bool unnamed_file_open(struct unnamed_file *file, const char *directory, struct error *error) {
  char path[4096];
  *file = (struct unnamed_file){0};
  int descriptor = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) {  // a file system without unnamed files
    descriptor = mkostemp(file_join(path, directory, ".unnamed-XXXXXX"), O_CLOEXEC);
    if (descriptor >= 0) unlink(path);
  }
  file->stream = descriptor < 0 ? NULL : fdopen(descriptor, "w+");
  if (file->stream) return true;
  error_set(error, ERROR_FILE, "%s: cannot make a temporary file: %s", directory, strerror(errno));
  if (descriptor >= 0) close(descriptor);
  return false;
}

static bool map(struct unnamed_file *file, size_t size) {
  file->map = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file->stream), 0) : NULL;
  if (file->map == MAP_FAILED) file->map = NULL;
  else file->size = size;
  if (!file->map && size) return false;
  fclose(file->stream);
  file->stream = NULL;
  return true;
}

bool unnamed_file_map(struct unnamed_file *file, const char *directory, struct error *error) {
  long size = fflush(file->stream) == 0 && !ferror(file->stream) ? ftell(file->stream) : -1;
  if (size < 0) return error_set(error, ERROR_FILE, "%s: cannot write to a temporary file: %s", directory, strerror(errno));
  return map(file, (size_t)size) ||
         error_set(error, ERROR_FILE, "%s: cannot map a temporary file of %ld bytes: %s", directory, size, strerror(errno));
}

bool unnamed_file_reserve(struct unnamed_file *file, size_t size) {
  int failed = posix_fallocate(fileno(file->stream), 0, (off_t)size);
  if (failed) errno = failed;
  return !failed && map(file, size);
}

void unnamed_file_close(struct unnamed_file *file) {
  if (file->stream) fclose(file->stream);
  if (file->map) munmap(file->map, file->size);
  *file = (struct unnamed_file){0};
}
