// Writing a model's directory. The order of the tensors, and so every byte, follows from the model and its layout alone.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "hf/checkpoint.h"
#include "hf/config.h"
#include "hf/json_exact.h"
#include "hf/names.h"
#include "hf/safetensors_writer.h"
#include "tensor/number.h"

static const enum tensor_type file_types[] = {[TYPE_F32] = TENSOR_F32, [TYPE_F16] = TENSOR_F16, [TYPE_BF16] = TENSOR_BF16};

// --- numbers

enum { BLOCK = 4096 };

// Collects numbers and writes them in the file's type.
struct sink {
  struct safetensors_writer *writer;
  enum number_type type;
  size_t used, infinite;  // infinite: finite numbers that the type cannot hold
  float block[BLOCK];
  char bytes[BLOCK * sizeof(float)];
};

static void flush(struct sink *sink) {
  number_write(sink->bytes, sink->block, sink->type, sink->used);
  // The largest number that rounds to a finite f16 lies just below 65,520.
  for (size_t i = 0; sink->type == TYPE_F16 && i < sink->used; i++)
    if (isfinite(sink->block[i]) && fabsf(sink->block[i]) >= 65520) sink->infinite++;
  safetensors_write(sink->writer, sink->bytes, sink->used * number_size(sink->type));
  sink->used = 0;
}

static void put(struct sink *sink, const float *values, size_t count) {
  while (count) {
    size_t n = BLOCK - sink->used < count ? BLOCK - sink->used : count;
    memcpy(sink->block + sink->used, values, n * sizeof *values);
    sink->used += n;
    values += n;
    count -= n;
    if (sink->used == BLOCK) flush(sink);
  }
}

static int first_row(const struct binding *binding) {
  int row = 0;
  for (int i = 0; i < binding->part; i++) row += binding->weight->parts[i].rows;
  return row;
}

static const struct weight_part *first_part(const struct binding *binding) {
  return &binding->weight->parts[binding->part == ALL_PARTS ? 0 : binding->part];
}

static bool has_values(const struct binding *binding) { return binding->weight->values || first_part(binding)->stored; }

static bool put_rows(struct sink *sink, const struct binding *binding, struct error *error) {
  const struct weight *weight = binding->weight;
  int first = first_row(binding), rows = binding_rows(binding);
  if (weight->values) {
    put(sink, weight->values + (size_t)first * (size_t)weight->cols, (size_t)rows * (size_t)weight->cols);
    return true;
  }
  float *scratch = memory_new(error, (size_t)weight->cols, sizeof *scratch);
  if (!scratch) return false;
  for (int row = 0; row < rows; row++) put(sink, weight_row(weight, first + row, scratch), (size_t)weight->cols);
  free(scratch);
  return true;
}

static bool put_transposed(struct sink *sink, const struct binding *binding, struct error *error) {
  const struct weight *weight = binding->weight;
  int first = first_row(binding), rows = binding_rows(binding), cols = weight->cols;
  float *turned = memory_new(error, (size_t)rows * (size_t)cols, sizeof *turned),
        *scratch = memory_new(error, (size_t)cols, sizeof *scratch);
  bool ok = turned && scratch;
  for (int row = 0; ok && row < rows; row++) {
    const float *values = weight_row(weight, first + row, scratch);
    for (int col = 0; col < cols; col++) turned[(size_t)col * (size_t)rows + (size_t)row] = values[col];
  }
  if (ok) put(sink, turned, (size_t)rows * (size_t)cols);
  free(turned);
  free(scratch);
  return ok;
}

// Whether the numbers lie in the file that was read as they are to be written.
static bool lies_as_written(const struct binding *binding, enum number_type type) {
  const struct weight *weight = binding->weight;
  const struct weight_part *part = first_part(binding);
  bool alone = part->stride == 0 && (binding->part != ALL_PARTS || weight->part_count == 1);
  return !weight->values && alone && part->type == type && part->transposed == binding->row->transposed;
}

static bool put_tensor(struct sink *sink, const struct binding *binding, struct error *error) {
  if (lies_as_written(binding, sink->type)) {
    size_t count = (size_t)binding_rows(binding) * (size_t)binding->weight->cols;
    safetensors_write(sink->writer, first_part(binding)->stored, count * number_size(sink->type));
    return true;
  }
  bool ok = binding->row->transposed ? put_transposed(sink, binding, error) : put_rows(sink, binding, error);
  flush(sink);
  if (ok && sink->infinite)
    ok = error_set(error, ERROR_NUMERIC, "%s holds %zu numbers that are too large for f16; save as bf16 or f32",
                   binding->weight->name, sink->infinite);
  return ok;
}

// --- which tensors, in which file

static bool is_written(const struct binding *binding) {
  enum tensor_role role = binding->row->role;
  return role == TENSOR_STORED || role == TENSOR_COPY || (role == TENSOR_OPTIONAL && has_values(binding));
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct binding *)a)->stored, ((const struct binding *)b)->stored);
}

// Keeps what is written, sorted as the safetensors library does.
static bool choose(struct bindings *bindings, struct error *error) {
  size_t kept = 0;
  for (size_t i = 0; i < bindings->count; i++) {
    if (!is_written(&bindings->items[i])) continue;
    if (!has_values(&bindings->items[i]))
      return error_set(error, ERROR_USAGE, "the weight %s has no values yet", bindings->items[i].weight->name);
    bindings->items[kept++] = bindings->items[i];
  }
  bindings->count = kept;
  qsort(bindings->items, kept, sizeof *bindings->items, by_name);
  return true;
}

static size_t stored_size(const struct binding *binding, enum number_type type) {
  return (size_t)binding_rows(binding) * (size_t)binding->weight->cols * number_size(type);
}

// The end of the shard that begins at `begin`: at least one tensor, then as many as fit.
static size_t shard_end(const struct bindings *bindings, size_t begin, const struct checkpoint_saving *saving) {
  size_t end = begin, size = 0;
  if (!saving->shard_size) return bindings->count;
  while (end < bindings->count) {
    size += stored_size(&bindings->items[end], saving->type);
    if (end > begin && size > saving->shard_size) break;
    end++;
  }
  return end;
}

static bool write_file(const char *path, const struct binding *bindings, size_t count, enum number_type type,
                       struct error *error) {
  struct tensor_entry *entries = memory_new(error, count, sizeof *entries);
  struct sink *sink = memory_new(error, 1, sizeof *sink);
  struct safetensors_writer writer;
  bool ok = entries && sink;
  for (size_t i = 0; ok && i < count; i++) {
    entries[i] =
        (struct tensor_entry){.name = bindings[i].stored, .type = file_types[type], .dimensions = bindings[i].dimensions};
    memcpy(entries[i].shape, bindings[i].shape, sizeof bindings[i].shape);
  }
  ok = ok && safetensors_write_begin(&writer, path, entries, count, NULL, error);
  if (ok) {
    *sink = (struct sink){.writer = &writer, .type = type};
    for (size_t i = 0; ok && i < count; i++) ok = put_tensor(sink, &bindings[i], error);
    if (ok) ok = safetensors_write_end(&writer, error);
    else safetensors_write_abort(&writer);
  }
  free(entries);
  free(sink);
  return ok;
}

// --- one file, or shards and their index

static void shard_name(char out[64], size_t shard, size_t shards) {
  if (shards == 1) snprintf(out, 64, "model.safetensors");
  else snprintf(out, 64, "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
}

static bool write_index(const char *directory, const struct bindings *bindings, const struct checkpoint_saving *saving,
                        size_t shards, struct error *error) {
  struct buffer out = {0};
  size_t total = 0;
  for (size_t i = 0; i < bindings->count; i++) total += stored_size(&bindings->items[i], saving->type);
  buffer_format(&out, "{\n  \"metadata\": {\n    \"total_size\": %zu\n  },\n  \"weight_map\": {", total);
  size_t begin = 0;
  for (size_t shard = 0; shard < shards; shard++) {
    char name[64];
    shard_name(name, shard, shards);
    size_t end = shard_end(bindings, begin, saving);
    for (size_t i = begin; i < end; i++)
      buffer_format(&out, "%s\n    \"%s\": \"%s\"", i ? "," : "", bindings->items[i].stored, name);
    begin = end;
  }
  buffer_text(&out, "\n  }\n}\n");
  char path[4096];
  bool ok = buffer_check(&out, error) &&
            file_write_all(file_join(path, directory, "model.safetensors.index.json"), out.data, out.size, error);
  buffer_free(&out);
  return ok;
}

// The files that the directory's old index names, so that they can go when the new ones are there.
static cJSON *old_index(const char *directory) {
  char path[4096];
  struct error ignored = {0};
  return file_exists(file_join(path, directory, "model.safetensors.index.json")) ? json_read(path, &ignored) : NULL;
}

static void remove_old_shards(const char *directory, const cJSON *index, size_t shards) {
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(index, "weight_map")) {
    unsigned number, count;
    char again[64], path[4096];
    if (!cJSON_IsString(item) || sscanf(item->valuestring, "model-%5u-of-%5u.safetensors", &number, &count) != 2) continue;
    snprintf(again, sizeof again, "model-%05u-of-%05u.safetensors", number, count);
    if (strcmp(again, item->valuestring) == 0 && (shards == 1 || count != shards)) unlink(file_join(path, directory, again));
  }
}

static bool write_weights(const char *directory, const struct bindings *bindings, const struct checkpoint_saving *saving,
                          struct error *error) {
  size_t shards = 0, begin = 0;
  while (begin < bindings->count) begin = shard_end(bindings, begin, saving), shards++;
  char name[64], path[4096];
  cJSON *index = old_index(directory);
  bool ok = true;
  begin = 0;
  for (size_t shard = 0; ok && shard < shards; shard++) {
    shard_name(name, shard, shards);
    size_t end = shard_end(bindings, begin, saving);
    ok = write_file(file_join(path, directory, name), bindings->items + begin, end - begin, saving->type, error);
    begin = end;
  }
  if (ok && shards > 1) {
    ok = write_index(directory, bindings, saving, shards, error);
    if (ok) unlink(file_join(path, directory, "model.safetensors"));  // readers would take it before the index
  } else if (ok) {
    unlink(file_join(path, directory, "model.safetensors.index.json"));
  }
  if (ok) remove_old_shards(directory, index, shards);
  cJSON_Delete(index);
  return ok;
}

// --- the JSON files

static bool write_config(const char *directory, const struct model *model, const struct layout *layout,
                         const struct checkpoint_saving *saving, struct error *error) {
  const char *before = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(saving->config, "model_type"));
  bool patch = before && strcmp(before, layout->model_type) == 0;
  cJSON *config = patch ? cJSON_Duplicate(saving->config, true) : cJSON_CreateObject();
  char path[4096];
  bool ok = (config || error_memory(error, 0)) &&
            config_write(config, layout, &model->arch, saving->labels, saving->type, error) &&
            json_write_exact(config, file_join(path, directory, "config.json"), error);
  cJSON_Delete(config);
  return ok;
}

static bool write_generation(const char *directory, const struct arch *arch, const struct checkpoint_saving *saving,
                             struct error *error) {
  if (arch->family == FAMILY_ENCODER) return true;  // it generates nothing
  if (saving->generation) return generation_defaults_write(saving->generation, directory, error);
  struct generation_defaults defaults;
  bool ok = generation_defaults_from_arch(&defaults, arch, error) && generation_defaults_write(&defaults, directory, error);
  generation_defaults_free(&defaults);
  return ok;
}

bool checkpoint_save(const char *directory, const struct model *model, const struct checkpoint_saving *saving,
                     struct error *error) {
  const struct layout *layout = layout_find(model->arch.layout);
  if (!layout) return error_set(error, ERROR_USAGE, "there is no layout \"%s\" to save the model in", model->arch.layout);
  struct bindings bindings = {0};
  bool ok = file_make_directory(directory, error) && bindings_make(&bindings, layout, model, error) && choose(&bindings, error) &&
            write_config(directory, model, layout, saving, error) && write_generation(directory, &model->arch, saving, error) &&
            write_weights(directory, &bindings, saving, error);
  bindings_free(&bindings);
  return ok;
}
