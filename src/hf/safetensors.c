#include "hf/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct {
  const char *name;
  size_t size;
} types[TENSOR_TYPES] = {
  [TENSOR_F64] = {"F64", 8}, [TENSOR_I64] = {"I64", 8}, [TENSOR_U64] = {"U64", 8}, [TENSOR_F32] = {"F32", 4},
  [TENSOR_I32] = {"I32", 4}, [TENSOR_U32] = {"U32", 4}, [TENSOR_F16] = {"F16", 2}, [TENSOR_BF16] = {"BF16", 2},
  [TENSOR_I16] = {"I16", 2}, [TENSOR_U16] = {"U16", 2}, [TENSOR_I8] = {"I8", 1}, [TENSOR_U8] = {"U8", 1},
  [TENSOR_BOOL] = {"BOOL", 1}, [TENSOR_F8_E4M3] = {"F8_E4M3", 1}, [TENSOR_F8_E5M2] = {"F8_E5M2", 1},
};

const char *tensor_type_name(enum tensor_type type) { return types[type].name; }

size_t tensor_type_size(enum tensor_type type) { return types[type].size; }

char *shape_text(char out[200], const int64_t *shape, int dimensions) {
  size_t used = (size_t)snprintf(out, 200, "[");
  for (int i = 0; i < dimensions && used < 199; i++)
    used += (size_t)snprintf(out + used, 200 - used, "%s%" PRId64, i ? "," : "", shape[i]);
  if (used < 199) snprintf(out + used, 200 - used, "]");
  return out;
}

// --- one file's header

struct reading {
  const char *path, *data;  // data: behind the header
  size_t data_size;
  int file;
  struct error *error;
};

static bool wrong(const struct reading *reading, const char *tensor, const char *what) {
  return error_set(reading->error, ERROR_FORMAT, "%s: tensor \"%.200s\" %s; the file is damaged or not a safetensors file",
                   reading->path, tensor, what);
}

// A whole number from 0 to 2^53, as JSON can carry it.
static bool read_size(const cJSON *item, int64_t *out) {
  if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 9007199254740992.0)) return false;
  *out = (int64_t)item->valuedouble;
  return (double)*out == item->valuedouble;
}

static bool read_type(const struct reading *reading, const cJSON *item, struct stored_tensor *tensor) {
  const cJSON *text = cJSON_GetObjectItemCaseSensitive(item, "dtype");
  if (!cJSON_IsString(text)) return wrong(reading, tensor->name, "has no dtype");
  for (int type = 0; type < TENSOR_TYPES; type++) {
    if (strcmp(types[type].name, text->valuestring) != 0) continue;
    tensor->type = (enum tensor_type)type;
    return true;
  }
  return error_set(reading->error, ERROR_UNSUPPORTED,
                   "%s: tensor \"%.200s\" has numbers of type %.40s; qkv reads F32, F16 and BF16", reading->path, tensor->name,
                   text->valuestring);
}

static bool read_shape(const struct reading *reading, const cJSON *item, struct stored_tensor *tensor) {
  const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape"), *number;
  if (!cJSON_IsArray(shape)) return wrong(reading, tensor->name, "has no shape");
  size_t bytes = tensor_type_size(tensor->type);
  cJSON_ArrayForEach(number, shape) {
    if (tensor->dimensions == TENSOR_DIMENSIONS) return wrong(reading, tensor->name, "has more than 8 dimensions");
    int64_t *length = &tensor->shape[tensor->dimensions++];
    if (!read_size(number, length)) return wrong(reading, tensor->name, "has a dimension that is not a whole number");
    if (__builtin_mul_overflow(bytes, (size_t)*length, &bytes))
      return wrong(reading, tensor->name, "has a shape too large to exist");
  }
  tensor->size = bytes;
  tensor->count = bytes / tensor_type_size(tensor->type);
  return true;
}

// That no tensor ends behind the data is known already (furthest_end).
static bool read_place(const struct reading *reading, const cJSON *item, struct stored_tensor *tensor) {
  const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
  int64_t begin, end;
  if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || !read_size(cJSON_GetArrayItem(offsets, 0), &begin) ||
      !read_size(cJSON_GetArrayItem(offsets, 1), &end) || begin > end)
    return wrong(reading, tensor->name, "has no valid data_offsets");
  char shape[200], problem[400];
  if ((size_t)(end - begin) != tensor->size) {
    snprintf(problem, sizeof problem, "is said to take %" PRId64 " bytes, but %s %s takes %zu", end - begin,
             shape_text(shape, tensor->shape, tensor->dimensions), types[tensor->type].name, tensor->size);
    return wrong(reading, tensor->name, problem);
  }
  tensor->data = reading->data + begin;
  return true;
}

static bool read_tensor(struct safetensors *out, const struct reading *reading, const cJSON *item) {
  struct stored_tensor tensor = {.name = item->string, .file = reading->file};
  if (!cJSON_IsObject(item)) return wrong(reading, tensor.name, "is not described by an object");
  if (!read_type(reading, item, &tensor) || !read_shape(reading, item, &tensor) || !read_place(reading, item, &tensor))
    return false;
  if (!memory_grow(reading->error, &out->tensors, &out->capacity, out->count + 1, sizeof tensor)) return false;
  out->tensors[out->count++] = tensor;
  return true;
}

static int by_place(const void *a, const void *b) {
  const struct stored_tensor *x = a, *y = b;
  uintptr_t first = (uintptr_t)x->data, second = (uintptr_t)y->data;
  if (first != second) return first < second ? -1 : 1;
  return x->size < y->size ? -1 : x->size > y->size;
}

// The format wants the tensors to cover the data without overlaps and holes.
static bool check_places(struct stored_tensor *tensors, size_t count, const struct reading *reading) {
  if (count) qsort(tensors, count, sizeof *tensors, by_place);
  const char *end = reading->data;
  for (size_t i = 0; i < count; i++) {
    const char *begin = tensors[i].data;
    if (begin < end) {
      char problem[300];
      snprintf(problem, sizeof problem, "overlaps \"%.200s\"", tensors[i - 1].name);
      return wrong(reading, tensors[i].name, problem);
    }
    if (begin > end) return wrong(reading, tensors[i].name, "is preceded by bytes that belong to no tensor");
    end = begin + tensors[i].size;
  }
  if (end != reading->data + reading->data_size)
    return error_set(reading->error, ERROR_FORMAT,
                     "%s: %zu bytes of data, but the tensors of the header take %zu; the file is damaged", reading->path,
                     reading->data_size, (size_t)(end - reading->data));
  return true;
}

// Files from before 2023 begin their data anywhere; what doesn't lie as its type wants is copied.
static bool align(struct stored_tensor *tensors, size_t count, struct error *error) {
  for (size_t i = 0; i < count; i++) {
    struct stored_tensor *tensor = &tensors[i];
    if ((uintptr_t)tensor->data % tensor_type_size(tensor->type) == 0) continue;
    void *copy = memory_new_aligned(error, tensor->size, 1);
    if (!copy) return false;
    if (tensor->size) memcpy(copy, tensor->data, tensor->size);
    tensor->data = copy;
    tensor->copied = true;
  }
  return true;
}

// How far the data would have to reach, for the message about a file that is cut off.
static int64_t furthest_end(const cJSON *header) {
  int64_t furthest = 0;
  const cJSON *item;
  cJSON_ArrayForEach(item, header) {
    int64_t end;
    if (read_size(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(item, "data_offsets"), 1), &end) && end > furthest)
      furthest = end;
  }
  return furthest;
}

static bool read_tensors(struct safetensors *out, const struct reading *reading, const cJSON *header) {
  if (!cJSON_IsObject(header))
    return error_set(reading->error, ERROR_FORMAT, "%s: the header has to be a JSON object", reading->path);
  int64_t wanted = furthest_end(header);
  if ((uint64_t)wanted > reading->data_size)
    return error_set(reading->error, ERROR_FORMAT, "%s: cut off: %zu bytes of data are there, the header wants %" PRId64
                     "; copy or download the file again", reading->path, reading->data_size, wanted);
  size_t first = out->count;
  const cJSON *item;
  cJSON_ArrayForEach(item, header) {
    if (strcmp(item->string, "__metadata__") != 0 && !read_tensor(out, reading, item)) return false;
  }
  size_t added = out->count - first;
  struct stored_tensor *tensors = added ? out->tensors + first : NULL;
  return check_places(tensors, added, reading) && align(tensors, added, reading->error);
}

static bool add_file(struct safetensors *out, const char *path, struct error *error) {
  if (!memory_grow(error, &out->files, &out->file_capacity, out->file_count + 1, sizeof *out->files)) return false;
  struct safetensors_file *file = &out->files[out->file_count++];
  *file = (struct safetensors_file){.map.data = ""};
  file->path = memory_copy_text(error, path);
  if (!file->path || !file_map_open(&file->map, path, error)) return false;
  if (file->map.size < 8)
    return error_set(error, ERROR_FORMAT, "%s: %zu bytes are no safetensors file; copy or download it again", path,
                     file->map.size);
  uint64_t length;
  memcpy(&length, file->map.data, 8);
  if (length > SAFETENSORS_HEADER_LIMIT)
    return error_set(error, ERROR_FORMAT, "%s: not a safetensors file: the header's length would be %" PRIu64 " bytes", path,
                     length);
  if (length > file->map.size - 8)
    return error_set(error, ERROR_FORMAT,
                     "%s: cut off: %zu bytes are there, the header alone wants %" PRIu64
                     "; copy or download the file "
                     "again",
                     path, file->map.size, length + 8);
  file->header = json_parse(file->map.data + 8, (size_t)length, path, error);
  if (!file->header) return false;
  struct reading reading = {path, file->map.data + 8 + length, file->map.size - 8 - (size_t)length, (int)out->file_count - 1,
                            error};
  return read_tensors(out, &reading, file->header);
}

// --- all files

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct stored_tensor *)a)->name, ((const struct stored_tensor *)b)->name);
}

static bool sort_by_name(struct safetensors *out, struct error *error) {
  if (out->count) qsort(out->tensors, out->count, sizeof *out->tensors, by_name);
  for (size_t i = 1; i < out->count; i++) {
    if (by_name(&out->tensors[i - 1], &out->tensors[i]) == 0)
      return error_set(error, ERROR_FORMAT, "%s: there are two tensors named \"%.200s\"", safetensors_path(out, &out->tensors[i]),
                       out->tensors[i].name);
  }
  return true;
}

static bool finish(struct safetensors *out, bool ok) {
  if (!ok) safetensors_close(out);
  return ok;
}

bool safetensors_open(struct safetensors *out, const char *path, struct error *error) {
  *out = (struct safetensors){0};
  return finish(out, add_file(out, path, error) && sort_by_name(out, error));
}

static const struct safetensors_file *opened(const struct safetensors *out, const char *path) {
  for (size_t i = 0; i < out->file_count; i++) {
    if (strcmp(out->files[i].path, path) == 0) return &out->files[i];
  }
  return NULL;
}

static bool add_shards(struct safetensors *out, const char *directory, const cJSON *map, const char *index, struct error *error) {
  const cJSON *item;
  cJSON_ArrayForEach(item, map) {
    char path[4096];
    if (!cJSON_IsString(item)) return error_set(error, ERROR_FORMAT, "%s: tensor \"%.200s\" names no file", index, item->string);
    const char *name = item->valuestring;
    if (!*name || name[0] == '.' || strpbrk(name, "/\\"))
      return error_set(error, ERROR_FORMAT, "%s: \"%.200s\" is not the name of a file in this directory", index, name);
    file_join(path, directory, name);
    if (opened(out, path)) continue;
    if (!file_exists(path))
      return error_set(error, ERROR_FILE,
                       "%s: the file is missing, but %s says that tensor \"%.200s\" lies there; copy or download it", path, index,
                       item->string);
    if (!add_file(out, path, error)) return false;
  }
  return true;
}

static bool check_index(const struct safetensors *out, const char *directory, const cJSON *map, const char *index,
                        struct error *error) {
  const cJSON *item;
  cJSON_ArrayForEach(item, map) {
    char path[4096];
    const struct stored_tensor *tensor = safetensors_find(out, item->string);
    if (!tensor || strcmp(safetensors_path(out, tensor), file_join(path, directory, item->valuestring)) != 0)
      return error_set(error, ERROR_FORMAT, "%s: tensor \"%.200s\" is said to lie in %.200s, but it does not", index,
                       item->string, item->valuestring);
  }
  return true;
}

bool safetensors_open_directory(struct safetensors *out, const char *directory, struct error *error) {
  *out = (struct safetensors){0};
  char path[4096];
  if (file_exists(file_join(path, directory, "model.safetensors"))) return safetensors_open(out, path, error);
  if (!file_exists(file_join(path, directory, "model.safetensors.index.json"))) {
    char other[4096];
    if (file_exists(file_join(other, directory, "pytorch_model.bin")) ||
        file_exists(file_join(other, directory, "pytorch_model.bin.index.json")))
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: only pytorch_model.bin is there, which holds Python objects; convert it once: python3 -c "
                       "\"from transformers import AutoModelForSeq2SeqLM as M; M.from_pretrained('%s').save_pretrained('%s')\"",
                       directory, directory, directory);
    return error_set(error, ERROR_FILE, "%s: no model.safetensors and no model.safetensors.index.json there", directory);
  }
  cJSON *index = json_read(path, error);
  const cJSON *map = cJSON_GetObjectItemCaseSensitive(index, "weight_map");
  bool ok =
      index && ((cJSON_IsObject(map) && map->child) || error_set(error, ERROR_FORMAT, "%s: no \"weight_map\" there", path)) &&
      add_shards(out, directory, map, path, error) && sort_by_name(out, error) && check_index(out, directory, map, path, error);
  cJSON_Delete(index);
  return finish(out, ok);
}

void safetensors_close(struct safetensors *safetensors) {
  for (size_t i = 0; i < safetensors->count; i++)
    if (safetensors->tensors[i].copied) free((void *)safetensors->tensors[i].data);
  for (size_t i = 0; i < safetensors->file_count; i++) {
    free(safetensors->files[i].path);
    file_map_close(&safetensors->files[i].map);
    cJSON_Delete(safetensors->files[i].header);
  }
  free(safetensors->files);
  free(safetensors->tensors);
  *safetensors = (struct safetensors){0};
}

const struct stored_tensor *safetensors_find(const struct safetensors *safetensors, const char *name) {
  struct stored_tensor key = {.name = name};
  return safetensors->count ? bsearch(&key, safetensors->tensors, safetensors->count, sizeof key, by_name) : NULL;
}

const char *safetensors_path(const struct safetensors *safetensors, const struct stored_tensor *tensor) {
  return safetensors->files[tensor->file].path;
}

const char *safetensors_metadata(const struct safetensors *safetensors, const char *key) {
  if (!safetensors->file_count) return NULL;
  const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(safetensors->files[0].header, "__metadata__");
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, key));
}
