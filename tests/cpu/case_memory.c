#include <stdlib.h>
#include <string.h>

#include "cases.h"

// Numbers before and after a block that nobody may write. Under the address sanitizer a block stands alone: it finds reads, too.
#if defined(__SANITIZE_ADDRESS__)
enum { GUARD = 0 };
#else
enum { GUARD = 64 };
#endif

enum { BLOCKS = 64 };

static struct {
  float *start;
  size_t n;
} blocks[BLOCKS];
static int block_count;
static uint64_t state;

static float next(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (float)((int)(state >> 40) - (1 << 23)) / (1 << 23);
}

void case_begin(unsigned seed) {
  state = seed * 2654435761u + 12345;
  block_count = 0;
}

float *case_floats(size_t n) {
  if (block_count == BLOCKS) abort();
  float *start = malloc((n + 2 * GUARD) * sizeof *start);
  if (!start) abort();
  memset(start, 0xA5, (n + 2 * GUARD) * sizeof *start);
  blocks[block_count].start = start;
  blocks[block_count++].n = n;
  for (size_t i = 0; i < n; i++) start[GUARD + i] = next();
  return start + GUARD;
}

int32_t *case_ints(size_t n, int32_t first, int32_t end) {
  float *floats = case_floats(n);
  int32_t *ints = (int32_t *)(void *)floats;
  for (size_t i = 0; i < n; i++) {
    int32_t value = first + (int32_t)((floats[i] + 1) / 2 * (float)(end - first));
    value = value >= end ? end - 1 : value;
    memcpy(&ints[i], &value, sizeof value);
  }
  return ints;
}

float *case_output(struct outputs *outputs, size_t n, float tolerance) {
  float *data = case_floats(n);
  outputs->list[outputs->count].data = data;
  outputs->list[outputs->count].n = n;
  outputs->list[outputs->count++].tolerance = tolerance;
  return data;
}

void case_int_output(struct outputs *outputs, const int32_t *values, size_t n) {
  float *data = case_output(outputs, n, 0);
  for (size_t i = 0; i < n; i++) data[i] = (float)values[i];
}

bool case_end(void) {
  bool intact = true;
  for (int b = 0; b < block_count; b++) {
    const unsigned char *front = (const unsigned char *)blocks[b].start;
    const unsigned char *back = (const unsigned char *)(blocks[b].start + GUARD + blocks[b].n);
    for (int i = 0; i < GUARD * (int)sizeof(float); i++) intact = intact && front[i] == 0xA5 && back[i] == 0xA5;
    free(blocks[b].start);
  }
  block_count = 0;
  return intact;
}

struct dropout case_dropout(bool on, int rows) {
  uint64_t *keys = (uint64_t *)(void *)case_ints((size_t)rows * 2 + 2, 0, 1 << 30);
  keys = (uint64_t *)(((uintptr_t)keys + 7) & ~(uintptr_t)7);
  return (struct dropout){.threshold = on ? 6554 : 0, .scale = 65536.0f / (65536 - 6554), .key = {17, 4711}, .site = 3,
                          .row_keys = keys};
}
