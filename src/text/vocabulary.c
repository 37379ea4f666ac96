#include "text/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/hash.h"

enum { MAX_ID = 1 << 26 };  // a file that claims more is lying: the table of ids would need gigabytes

static void insert_slot(struct vocabulary *vocabulary, uint32_t id) {
  const struct vocabulary_entry *entry = &vocabulary->entries[id];
  size_t mask = vocabulary->slot_count - 1;
  size_t i = hash_bytes(vocabulary->text.data + entry->offset, entry->size) & mask;
  while (vocabulary->slots[i]) i = (i + 1) & mask;
  vocabulary->slots[i] = id + 1;
}

static bool grow_slots(struct vocabulary *vocabulary, struct error *error) {
  size_t wanted = vocabulary->slot_count ? 2 * vocabulary->slot_count : 256;
  uint32_t *slots = memory_new(error, wanted, sizeof *slots);
  if (!slots) return false;
  free(vocabulary->slots);
  vocabulary->slots = slots;
  vocabulary->slot_count = wanted;
  for (size_t id = 0; id < vocabulary->size; id++)
    if (vocabulary->entries[id].offset != UINT32_MAX) insert_slot(vocabulary, (uint32_t)id);
  return true;
}

static bool reserve_id(struct vocabulary *vocabulary, size_t id, struct error *error) {
  if (!memory_grow(error, &vocabulary->entries, &vocabulary->capacity, id + 1, sizeof *vocabulary->entries)) return false;
  for (; vocabulary->size <= id; vocabulary->size++) vocabulary->entries[vocabulary->size].offset = UINT32_MAX;
  return true;
}

bool vocabulary_add(struct vocabulary *vocabulary, const char *token, size_t size, long long id, const char *name,
                    struct error *error) {
  if (id < 0 || id >= MAX_ID)
    return error_set(error, ERROR_FORMAT, "%s: token \"%.60s\" has the id %lld; ids from 0 to %d are wanted", name, token, id,
                     MAX_ID - 1);
  if (utf8_invalid(token, size) != size)
    return error_set(error, ERROR_FORMAT, "%s: the token of id %lld is not valid UTF-8", name, id);
  if (vocabulary_find(vocabulary, token, size) >= 0)
    return error_set(error, ERROR_FORMAT, "%s: token \"%.60s\" is in the vocabulary twice", name, token);
  if ((size_t)id < vocabulary->size && vocabulary->entries[id].offset != UINT32_MAX)
    return error_set(error, ERROR_FORMAT, "%s: id %lld belongs to two tokens, \"%.60s\" and \"%.60s\"", name, id,
                     vocabulary->text.data + vocabulary->entries[id].offset, token);
  if (vocabulary->text.size + size >= UINT32_MAX)
    return error_set(error, ERROR_FORMAT, "%s: the vocabulary is larger than 4 GB", name);
  if (!reserve_id(vocabulary, (size_t)id, error)) return false;
  if (2 * (vocabulary->count + 1) > vocabulary->slot_count && !grow_slots(vocabulary, error)) return false;
  size_t offset = vocabulary->text.size;
  buffer_append(&vocabulary->text, token, size);
  buffer_char(&vocabulary->text, 0);
  if (!buffer_check(&vocabulary->text, error)) return false;
  vocabulary->entries[id] = (struct vocabulary_entry){(uint32_t)offset, (uint32_t)size};
  vocabulary->count++;
  insert_slot(vocabulary, (uint32_t)id);
  return true;
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *token, size_t size) {
  if (vocabulary->slot_count == 0) return -1;
  size_t mask = vocabulary->slot_count - 1;
  for (size_t i = hash_bytes(token, size) & mask; vocabulary->slots[i]; i = (i + 1) & mask) {
    const struct vocabulary_entry *entry = &vocabulary->entries[vocabulary->slots[i] - 1];
    if (entry->size == size && memcmp(vocabulary->text.data + entry->offset, token, size) == 0)
      return (int32_t)vocabulary->slots[i] - 1;
  }
  return -1;
}

const char *vocabulary_token(const struct vocabulary *vocabulary, int32_t id, size_t *size) {
  if (id < 0 || (size_t)id >= vocabulary->size || vocabulary->entries[id].offset == UINT32_MAX) return NULL;
  if (size) *size = vocabulary->entries[id].size;
  return vocabulary->text.data + vocabulary->entries[id].offset;
}

void vocabulary_free(struct vocabulary *vocabulary) {
  buffer_free(&vocabulary->text);
  free(vocabulary->entries);
  free(vocabulary->slots);
  *vocabulary = (struct vocabulary){0};
}
