#include "base/arena.h"

#include <sys/mman.h>

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
  *arena = (struct arena){0};
}

void arena_release(struct arena *arena) {
  if (!arena->measuring && arena->base) madvise(arena->base, arena->size, MADV_DONTNEED);
}

// Rounds *bytes up to the alignment, if so many are free.
static bool fits(const struct arena *arena, size_t *bytes, struct error *error) {
  size_t rounded = (*bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
  if (rounded < *bytes || rounded > arena->size - arena->low - arena->high)
    return error_set(error, ERROR_MEMORY,
                     "this batch needs more than the %zu MiB that its work memory may grow to; use smaller batches",
                     arena->size >> 20);
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

void *arena_high(struct arena *arena, size_t bytes, struct error *error) {
  if (!fits(arena, &bytes, error)) return NULL;
  arena->high += bytes;
  note_peak(arena);
  return arena->base + arena->size - arena->high;
}
