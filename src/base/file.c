#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cannot(struct error *error, const char *what, const char *path) {
  return error_system(error, "%s: cannot %s", path, what);
}

bool file_map_open(struct file_map *map, const char *path, struct error *error) {
  *map = (struct file_map){.data = ""};
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return cannot(error, "open", path);
  struct stat status;
  bool ok = fstat(descriptor, &status) == 0 || cannot(error, "read", path);
  if (ok && S_ISDIR(status.st_mode)) ok = error_set(error, ERROR_FILE, "%s: is a directory, a file is wanted", path);
  if (ok && !S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))  // a pipe would pass for an empty file
    ok = error_set(error, ERROR_FILE, "%s: is a pipe or device, which cannot be mapped; write it to a file first", path);
  if (ok && status.st_size > 0) {
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) ok = cannot(error, "map", path);
    else *map = (struct file_map){data, (size_t)status.st_size};
  }
  close(descriptor);
  return ok;
}

void file_map_close(struct file_map *map) {
  if (map->size) munmap((void *)map->data, map->size);
  *map = (struct file_map){.data = ""};
}

bool file_read(struct buffer *content, const char *path, struct error *error) {
  bool standard = strcmp(path, "-") == 0;
  FILE *stream = standard ? stdin : fopen(path, "re");
  if (!stream) return cannot(error, "open", path);
  char block[1 << 16];
  size_t got;
  while ((got = fread(block, 1, sizeof block, stream)) > 0) buffer_append(content, block, got);
  bool ok = !ferror(stream) || cannot(error, "read", path);
  if (!standard) fclose(stream);
  return ok && buffer_check(content, error);
}

bool file_exists(const char *path) {
  struct stat status;
  return stat(path, &status) == 0;
}

bool file_is_directory(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_make_directory(const char *path, struct error *error) {
  char part[4096];
  if (!*path) return error_set(error, ERROR_USAGE, "the name of a directory is empty");
  if (strlen(path) >= sizeof part) return error_set(error, ERROR_USAGE, "%.100s...: the path is too long", path);
  strcpy(part, path);
  for (char *p = part + 1; ; p++) {
    if (*p && *p != '/') continue;
    char kept = *p;
    *p = 0;
    if (mkdir(part, 0777) != 0) {
      int reason = errno;
      bool there = file_is_directory(part);
      errno = reason;
      if (!there) return cannot(error, "make the directory", part);
    }
    if (!kept) return true;
    *p = kept;
  }
}

bool file_write_begin(struct file_writer *writer, const char *path, struct error *error) {
  writer->stream = NULL;
  writer->failure = 0;
  if (strlen(path) >= sizeof writer->path) return error_set(error, ERROR_USAGE, "%.100s...: the path is too long", path);
  snprintf(writer->path, sizeof writer->path, "%s", path);
  snprintf(writer->temporary, sizeof writer->temporary, "%s.tmp", path);
  writer->stream = fopen(writer->temporary, "we");
  if (!writer->stream) return cannot(error, "write", writer->temporary);
  setvbuf(writer->stream, writer->block, _IOFBF, sizeof writer->block);
  return true;
}

static void sync_folder(const char *path) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  if (slash) slash[slash == folder] = 0;
  int descriptor = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);  // some file systems refuse this; the rename is then as durable as they make it
  close(descriptor);
}

void file_write(struct file_writer *writer, const void *data, size_t size) {
  if (fwrite(data, 1, size, writer->stream) != size && !writer->failure) writer->failure = errno;
}

bool file_write_end(struct file_writer *writer, struct error *error) {
  bool ok = !writer->failure && fflush(writer->stream) == 0 && fsync(fileno(writer->stream)) == 0;
  if (writer->failure) errno = writer->failure;
  if (!ok) cannot(error, "write", writer->path);
  if (fclose(writer->stream) != 0 && ok) ok = cannot(error, "write", writer->path);
  writer->stream = NULL;
  if (ok && rename(writer->temporary, writer->path) != 0) ok = cannot(error, "rename to", writer->path);
  if (ok) sync_folder(writer->path);
  else unlink(writer->temporary);
  return ok;
}

void file_write_abort(struct file_writer *writer) {
  if (!writer->stream) return;
  fclose(writer->stream);
  writer->stream = NULL;
  unlink(writer->temporary);
}

void file_remove_unfinished(const char *directory) {
  static const char ending[] = ".tmp";
  char path[4096];
  DIR *entries = opendir(directory);
  for (struct dirent *entry; entries && (entry = readdir(entries));) {
    size_t size = strlen(entry->d_name);
    if (size > strlen(ending) && strcmp(entry->d_name + size - strlen(ending), ending) == 0)
      unlink(file_join(path, directory, entry->d_name));
  }
  if (entries) closedir(entries);
}

bool file_write_all(const char *path, const void *data, size_t size, struct error *error) {
  struct file_writer writer;
  if (!file_write_begin(&writer, path, error)) return false;
  file_write(&writer, data, size);
  return file_write_end(&writer, error);
}

char *file_join(char out[4096], const char *directory, const char *name) {
  size_t size = strlen(directory);
  snprintf(out, 4096, "%s%s%s", directory, size && directory[size - 1] != '/' ? "/" : "", name);
  return out;
}
