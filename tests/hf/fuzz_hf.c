// Hands arbitrary bytes to the readers of model directories: what begins with "{" is a config.json and a generation_config.json,
// anything else a .safetensors file. Nothing may crash, leak or read outside; what opens has to keep its promises.
//
// With -fsanitize=fuzzer -DQKV_LIBFUZZER this is a libFuzzer target. Otherwise it is a test: it runs every file named on the
// command line, whole, cut off at every place, and with random bytes changed (the same ones each time).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/random.h"
#include "hf/config.h"
#include "hf/generation_config.h"
#include "hf/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool true_statement, const char *what) {
  if (true_statement) return;
  fprintf(stderr, "broken promise: %s\n", what);
  abort();
}

static void read_safetensors(const char *path) {
  struct safetensors file;
  struct error error = {0};
  if (!safetensors_open(&file, path, &error)) {
    require(error.code != ERROR_NONE && error.message[0], "a failure has a message");
    return;
  }
  unsigned sum = 0;
  for (size_t i = 0; i < file.count; i++) {
    const struct stored_tensor *tensor = &file.tensors[i];
    const unsigned char *bytes = tensor->data;
    for (size_t j = 0; j < tensor->size; j++) sum += bytes[j];
    require(tensor->size == tensor->count * tensor_type_size(tensor->type), "sizes agree");
    require(safetensors_find(&file, tensor->name) == tensor, "every tensor is found");
  }
  require(sum <= file.files[0].map.size * 255, "every byte belongs to one tensor at most");
  safetensors_close(&file);
}

static void read_config(const cJSON *json) {
  struct arch arch, again;
  const struct layout *layout;
  struct error error = {0};
  if (!config_read(&arch, &layout, json, "config.json", &error)) {
    require(error.code != ERROR_NONE && error.message[0], "a failure has a message");
    return;
  }
  // What was read can be written, and says the same again.
  cJSON *copy = cJSON_Duplicate(json, true);
  require(config_write(copy, layout, &arch, NULL, TYPE_F32, &error), error.message);
  require(config_read(&again, &layout, copy, "config.json", &error), error.message);
  require(config_same(layout_qkv.keys, &arch, &again), "it says the same");
  cJSON_Delete(copy);
}

static void read_generation(const cJSON *json) {
  struct generation_defaults defaults, copy;
  struct error error = {0};
  if (!generation_defaults_read(&defaults, "/nowhere", json, &error)) return;
  require(generation_defaults_copy(&copy, &defaults, &error), "defaults can be copied");
  generation_defaults_free(&copy);
  generation_defaults_free(&defaults);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size && data[0] == '{') {
    struct error error = {0};
    cJSON *json = json_parse((const char *)data, size, "config.json", &error);
    if (json) {
      read_config(json);
      read_generation(json);
    }
    cJSON_Delete(json);
    return 0;
  }
  char path[64];
  int file = memfd_create("fuzz", MFD_CLOEXEC);
  if (file < 0) return 0;
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (write(file, data, size) == (ssize_t)size) read_safetensors(path);
  close(file);
  return 0;
}

#ifndef QKV_LIBFUZZER
enum { MUTATIONS = 3000 };

static void run(const uint8_t *data, size_t size, struct random_key key) {
  // An allocation of the exact size, so that the address sanitizer sees every byte beyond.
  uint8_t *copy = malloc(size ? size : 1);
  require(copy != NULL, "memory for a test");
  for (size_t cut = 0; cut <= size; cut++) {
    uint8_t *part = malloc(cut ? cut : 1);
    require(part != NULL, "memory for a test");
    memcpy(part, data, cut);
    LLVMFuzzerTestOneInput(part, cut);
    free(part);
  }
  static const uint8_t telling[] = "0123456789-{}[]\",:.eE\0\xFF\x7F";
  for (uint64_t i = 0, draw = 0; i < MUTATIONS && size; i++) {
    memcpy(copy, data, size);
    for (uint64_t changes = 1 + random_below(key, draw++, 4); changes; changes--) {
      uint64_t place = random_below(key, draw++, size), byte = random_below(key, draw++, 256);
      copy[place] = byte < 200 ? telling[byte % (sizeof telling - 1)] : (uint8_t)byte;
    }
    LLVMFuzzerTestOneInput(copy, size);
  }
  free(copy);
}

int main(int count, char **files) {
  for (int i = 1; i < count; i++) {
    struct file_map map;
    struct error error = {0};
    if (!file_map_open(&map, files[i], &error)) {
      fprintf(stderr, "%s\n", error.message);
      return 1;
    }
    run((const uint8_t *)map.data, map.size, random_key(1, (uint64_t)i));
    file_map_close(&map);
  }
  printf("%d files\n", count - 1);
  return count > 1 ? 0 : 1;
}
#endif
