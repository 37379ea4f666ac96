// A file without a name: written as a stream, then mapped. Whatever happens, nothing is left behind on the disk.
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

struct unnamed_file {
  FILE *stream;
  void *map;    // NULL until mapped, or when the file is empty
  size_t size;  // of what is mapped
};

// Where temporary files go by themselves: TMPDIR, or /tmp.
const char *unnamed_file_directory(void);
// directory: where its blocks are taken from.
bool unnamed_file_open(struct unnamed_file *file, const char *directory, struct error *error);
// Maps what was written, for reading and writing; the stream is closed. A write that failed before is reported here.
bool unnamed_file_map(struct unnamed_file *file, const char *directory, struct error *error);
// Maps `size` bytes of zeros instead. Their blocks are reserved first, so a full disk is an error here and not a crash later:
// false with errno, and no error set, as the caller knows what the room was for.
bool unnamed_file_reserve(struct unnamed_file *file, size_t size);
void unnamed_file_close(struct unnamed_file *file);
