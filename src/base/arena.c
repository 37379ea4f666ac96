#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

enum { ALIGNMENT = 64 };

static const size_t MEASURED_RANGE = (size_t)1 << 46;

bool arena_open(struct arena *arena, size_t size, struct error *error) {
  *arena = (struct arena){0};
  for (; size >= ((size_t)64 << 20); size /= 2) {  // a limit on address space (ulimit -v) may allow only less
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) continue;
    madvise(base, size, MADV_HUGEPAGE);
    arena->base = base;
    arena->size = size;
    return true;
  }
  return error_memory(error, size);
}

void arena_measure(struct arena *arena) {
  *arena = (struct arena){.base = (char *)MEASURED_RANGE, .size = MEASURED_RANGE, .measuring = true};
}

void arena_close(struct arena *arena) {
  if (arena->base && !arena->measuring) munmap(arena->base, arena->size);
  free(arena->blocks);
  *arena = (struct arena){0};
}

void arena_reset(struct arena *arena) { arena->low = arena->high = arena->block_count = 0; }

void arena_release(struct arena *arena) {
  if (!arena->measuring && arena->base) madvise(arena->base, arena->size, MADV_DONTNEED);
}

static bool refuse(const struct arena *arena, struct error *error) {
  return error_set(error, ERROR_MEMORY,
                   "this batch needs more than the %zu MiB that its work memory may grow to; use smaller batches",
                   arena->size >> 20);
}

// Rounds *bytes up to the alignment, if so many are free.
static bool fits(const struct arena *arena, size_t *bytes, struct error *error) {
  size_t rounded = (*bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  if (rounded < *bytes || rounded > arena->size - arena->low - arena->high) return refuse(arena, error);
  *bytes = rounded;
  return true;
}

static void note_peak(struct arena *arena) {
  if (arena->low + arena->high > arena->peak) arena->peak = arena->low + arena->high;
  if (arena->low > arena->peak_low) arena->peak_low = arena->low;
  if (arena->high > arena->peak_high) arena->peak_high = arena->high;
}

void *arena_low(struct arena *arena, size_t bytes, struct error *error) {
  if (!fits(arena, &bytes, error)) return NULL;
  void *block = arena->base + arena->low;
  arena->low += bytes;
  note_peak(arena);
  return block;
}

// The smallest gap that is large enough: its place among the blocks, and where it begins. Behind the last block is always one.
static size_t find_gap(const struct arena *arena, size_t bytes, size_t *from) {
  size_t best = arena->block_count, smallest = SIZE_MAX, end = 0;
  *from = best ? arena->blocks[best - 1].to : 0;
  for (size_t i = 0; i < arena->block_count; end = arena->blocks[i++].to) {
    size_t gap = arena->blocks[i].from - end;
    if (gap < bytes || gap >= smallest) continue;
    best = i;
    smallest = gap;
    *from = end;
  }
  return best;
}

// Makes the high end reach `to`, if so much is free.
static bool reach(struct arena *arena, size_t to, struct error *error) {
  if (to <= arena->high) return true;
  size_t more = to - arena->high;
  if (!fits(arena, &more, error)) return false;
  arena->high += more;
  note_peak(arena);
  return true;
}

static char *start_of(const struct arena *arena, const struct arena_block *block) { return arena->base + arena->size - block->to; }

void *arena_high(struct arena *arena, size_t bytes, struct error *error) {
  size_t from;
  if (bytes >= arena->size) return refuse(arena, error), NULL;
  bytes = (bytes / ALIGNMENT + 1) * ALIGNMENT;  // more than 0, so that a start belongs to one block
  size_t at = find_gap(arena, bytes, &from);
  if (!reach(arena, from + bytes, error)) return NULL;
  if (!memory_grow(error, &arena->blocks, &arena->block_capacity, arena->block_count + 1, sizeof *arena->blocks)) return NULL;
  struct arena_block *block = arena->blocks + at;
  memmove(block + 1, block, (arena->block_count++ - at) * sizeof *block);
  *block = (struct arena_block){from, from + bytes};
  return start_of(arena, block);
}

void arena_high_free(struct arena *arena, const void *start) {
  struct arena_block *block = arena->blocks, *end = arena->blocks + arena->block_count;
  while (block < end && start_of(arena, block) != start) block++;
  assert(block < end);
  memmove(block, block + 1, (size_t)(end - block - 1) * sizeof *block);
  arena->block_count--;
}
