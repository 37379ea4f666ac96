// Reading .safetensors files where they lie: one file, or the shards that an index names, mapped into memory.
//
//   8 bytes: header length n, little-endian | n bytes: JSON | data
//   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}}
//
// Everything in a file is hostile until checked. After a successful open each tensor lies inside its file, is as long as its
// shape and type say, shares no byte with another one, and its name occurs once. Its data is aligned to its type; where that of
// the file is not, it is a copy.
// Tensors are sorted by name. All pointers hold until safetensors_close.
#pragma once
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

enum { TENSOR_DIMENSIONS = 8, SAFETENSORS_HEADER_LIMIT = 100 * 1000 * 1000 };

enum tensor_type {
  TENSOR_F64, TENSOR_I64, TENSOR_U64, TENSOR_F32, TENSOR_I32, TENSOR_U32, TENSOR_F16, TENSOR_BF16, TENSOR_I16, TENSOR_U16,
  TENSOR_I8, TENSOR_U8, TENSOR_BOOL, TENSOR_F8_E4M3, TENSOR_F8_E5M2, TENSOR_TYPES
};

struct stored_tensor {
  const char *name;
  enum tensor_type type;
  int dimensions;
  int64_t shape[TENSOR_DIMENSIONS];
  size_t count, size;  // elements, bytes
  const void *data;
  bool copied;         // data is not in the file but a copy at an address that its type wants
  int file;            // index into safetensors.files
};

struct safetensors_file {
  char *path;
  struct file_map map;
  cJSON *header;       // owns the names
};

struct safetensors {
  struct stored_tensor *tensors;
  size_t count, capacity;
  struct safetensors_file *files;
  size_t file_count, file_capacity;
};

// One file. On failure nothing is left open.
bool safetensors_open(struct safetensors *out, const char *path, struct error *error);
// model.safetensors, or else the shards of model.safetensors.index.json.
bool safetensors_open_directory(struct safetensors *out, const char *directory, struct error *error);
void safetensors_close(struct safetensors *safetensors);

const struct stored_tensor *safetensors_find(const struct safetensors *safetensors, const char *name);  // NULL: no such tensor
const char *safetensors_path(const struct safetensors *safetensors, const struct stored_tensor *tensor);
// A text of __metadata__ of the first file, or NULL.
const char *safetensors_metadata(const struct safetensors *safetensors, const char *key);

const char *tensor_type_name(enum tensor_type type);  // "F32"
size_t tensor_type_size(enum tensor_type type);
// "[512,768]" into out, which it returns.
char *shape_text(char out[200], const int64_t *shape, int dimensions);
