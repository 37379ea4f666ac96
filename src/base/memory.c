#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static long fail_after = -1;

void memory_fail_after(long n) { __atomic_store_n(&fail_after, n, __ATOMIC_RELAXED); }

static bool refused(void) {
  long left = __atomic_load_n(&fail_after, __ATOMIC_RELAXED);
  if (left < 0) return false;
  if (left == 0) return true;
  __atomic_store_n(&fail_after, left - 1, __ATOMIC_RELAXED);
  return false;
}

void *memory_new(struct error *error, size_t count, size_t size) {
  void *block = refused() ? NULL : calloc(count ? count : 1, size ? size : 1);
  if (!block) error_memory(error, count * size);
  return block;
}

void *memory_resize(struct error *error, void *old, size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) {
    error_memory(error, SIZE_MAX);
    return NULL;
  }
  size_t bytes = count * size;
  void *block = refused() ? NULL : realloc(old, bytes ? bytes : 1);
  if (!block) error_memory(error, bytes);
  return block;
}

bool memory_resize_array(struct error *error, void *array_pointer, size_t count, size_t size) {
  void **array = array_pointer;
  void *larger = memory_resize(error, *array, count, size);
  if (larger) *array = larger;
  return larger != NULL;
}

void *memory_new_aligned(struct error *error, size_t count, size_t size) {
  size_t bytes = size && count > (SIZE_MAX - 64) / size ? SIZE_MAX - 63 : (count * size + 63) & ~(size_t)63;
  // Weights are read as a stream: with large pages the processor has fewer addresses to translate.
  enum { LARGE_PAGE = 2 << 20 };
  bool large = bytes >= 2 * (size_t)LARGE_PAGE;
  if (large) bytes = (bytes + LARGE_PAGE - 1) & ~((size_t)LARGE_PAGE - 1);
  void *block = refused() ? NULL : aligned_alloc(large ? LARGE_PAGE : 64, bytes ? bytes : 64);
  if (!block) error_memory(error, bytes);
  else if (large) madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

char *memory_copy_text(struct error *error, const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = memory_new(error, size, 1);
  if (copy) memcpy(copy, text, size);
  return copy;
}

bool memory_grow(struct error *error, void *array_pointer, size_t *capacity, size_t wanted, size_t size) {
  if (wanted <= *capacity) return true;
  size_t larger = *capacity + *capacity / 2 + 16;
  if (larger < wanted) larger = wanted;
  void *old;
  memcpy(&old, array_pointer, sizeof old);
  void *block = memory_resize(error, old, larger, size);
  if (!block) return false;
  memcpy(array_pointer, &block, sizeof block);
  *capacity = larger;
  return true;
}
