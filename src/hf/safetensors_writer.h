// Writing a .safetensors file: the header first, then each tensor's bytes in the order of the list, streamed. The file appears
// under its name only when it is complete. The same list and bytes give the same file.
#pragma once
#include "hf/safetensors.h"

struct tensor_entry {
  const char *name;
  enum tensor_type type;
  int dimensions;
  int64_t shape[TENSOR_DIMENSIONS];
};

struct safetensors_writer {
  struct file_writer file;
  uint64_t expected, written;
};

size_t tensor_entry_size(const struct tensor_entry *entry);

// metadata: key, value, key, value, ..., NULL; or NULL for {"format": "pt"}, without which transformers refuses a file.
// Larger types have to stand before smaller ones, so that every tensor is aligned.
bool safetensors_write_begin(struct safetensors_writer *writer, const char *path, const struct tensor_entry *entries,
                             size_t count, const char *const *metadata, struct error *error);
// The next bytes. A failure shows in safetensors_write_end, so that nobody needs to check here.
void safetensors_write(struct safetensors_writer *writer, const void *bytes, size_t size);
// All announced bytes have to be written by then. On failure an older file of that name stays as it was.
bool safetensors_write_end(struct safetensors_writer *writer, struct error *error);
void safetensors_write_abort(struct safetensors_writer *writer);
