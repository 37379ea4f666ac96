// Heap memory that reports failure through struct error, and the switch by which tests make the n-th allocation fail.
#pragma once
#include "base/error.h"

void *memory_new(struct error *error, size_t count, size_t size);                  // zeroed; NULL and error set on failure
void *memory_resize(struct error *error, void *old, size_t count, size_t size);    // old stays valid on failure
bool memory_resize_array(struct error *error, void *array_pointer, size_t count, size_t size);  // the same in place
void *memory_new_aligned(struct error *error, size_t count, size_t size);          // to 64 bytes, not cleared; free() frees it
char *memory_copy_text(struct error *error, const char *text);
// Grows an array geometrically so that at least `wanted` elements fit; *capacity is updated. False on failure.
bool memory_grow(struct error *error, void *array_pointer, size_t *capacity, size_t wanted, size_t size);

// Tests only: the allocation after `n` successful ones fails, and every later one. Negative: off.
void memory_fail_after(long n);
