// Files: mapped for reading, or read whole; written whole and safely.
//
// A written file appears under its name only when it is complete: it is written beside (NAME.tmp), synced, renamed, and
// its folder synced. If anything fails, the old file of that name is untouched.
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"

struct file_map {
  const char *data;  // "" when the file is empty
  size_t size;
};

bool file_map_open(struct file_map *map, const char *path, struct error *error);
void file_map_close(struct file_map *map);

bool file_read(struct buffer *content, const char *path, struct error *error);  // "-" is standard input
bool file_exists(const char *path);
bool file_is_directory(const char *path);
bool file_make_directory(const char *path, struct error *error);  // also its parents; fine if it exists

struct file_writer {
  FILE *stream;
  int failure;  // errno of the first write that failed
  char path[4096], temporary[4104];
  char block[1 << 15];  // what is written together
};

bool file_write_begin(struct file_writer *writer, const char *path, struct error *error);
void file_write(struct file_writer *writer, const void *data, size_t size);  // file_write_end tells whether it went well
// After this the file is durable. On failure the temporary file is removed. Either way the writer is finished.
bool file_write_end(struct file_writer *writer, struct error *error);
void file_write_abort(struct file_writer *writer);
// Removes what a process that was killed while writing left in a directory: NAME.tmp.
void file_remove_unfinished(const char *directory);
bool file_write_all(const char *path, const void *data, size_t size, struct error *error);

// "a/b" from "a" and "b"; the result lives in `out`, which it also returns.
char *file_join(char out[4096], const char *directory, const char *name);
