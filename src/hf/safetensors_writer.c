#include "hf/safetensors_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

size_t tensor_entry_size(const struct tensor_entry *entry) {
  size_t size = tensor_type_size(entry->type);
  for (int i = 0; i < entry->dimensions; i++) size *= (size_t)entry->shape[i];
  return size;
}

static void write_metadata(struct buffer *out, const char *const *metadata) {
  static const char *const usual[] = {"format", "pt", NULL};
  if (!metadata) metadata = usual;
  buffer_text(out, "\"__metadata__\":{");
  for (int i = 0; metadata[i]; i += 2) {
    if (i) buffer_char(out, ',');
    json_write_text(out, metadata[i], strlen(metadata[i]));
    buffer_char(out, ':');
    json_write_text(out, metadata[i + 1], strlen(metadata[i + 1]));
  }
  buffer_char(out, '}');
}

static void write_entry(struct buffer *out, const struct tensor_entry *entry, uint64_t begin, uint64_t end) {
  buffer_char(out, ',');
  json_write_text(out, entry->name, strlen(entry->name));
  buffer_format(out, ":{\"dtype\":\"%s\",\"shape\":[", tensor_type_name(entry->type));
  for (int i = 0; i < entry->dimensions; i++) buffer_format(out, "%s%" PRId64, i ? "," : "", entry->shape[i]);
  buffer_format(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, end);
}

// Returns the size of the data.
static uint64_t write_header(struct buffer *out, const struct tensor_entry *entries, size_t count, const char *const *metadata) {
  uint64_t place = 0;
  buffer_char(out, '{');
  write_metadata(out, metadata);
  for (size_t i = 0; i < count; i++) {
    assert(place % tensor_type_size(entries[i].type) == 0);
    uint64_t end = place + tensor_entry_size(&entries[i]);
    write_entry(out, &entries[i], place, end);
    place = end;
  }
  buffer_char(out, '}');
  while (out->size % 8 && !out->failed) buffer_char(out, ' ');
  return place;
}

bool safetensors_write_begin(struct safetensors_writer *writer, const char *path, const struct tensor_entry *entries,
                             size_t count, const char *const *metadata, struct error *error) {
  *writer = (struct safetensors_writer){0};
  struct buffer header = {0};
  writer->expected = write_header(&header, entries, count, metadata);
  bool ok = buffer_check(&header, error) && file_write_begin(&writer->file, path, error);
  if (ok) {
    uint64_t length = header.size;
    file_write(&writer->file, &length, sizeof length);
    file_write(&writer->file, header.data, header.size);
  }
  buffer_free(&header);
  return ok;
}

void safetensors_write(struct safetensors_writer *writer, const void *bytes, size_t size) {
  file_write(&writer->file, bytes, size);
  writer->written += size;
}

bool safetensors_write_end(struct safetensors_writer *writer, struct error *error) {
  assert(writer->written == writer->expected);
  return file_write_end(&writer->file, error);
}

void safetensors_write_abort(struct safetensors_writer *writer) { file_write_abort(&writer->file); }
