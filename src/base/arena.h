// Memory that grows from both ends of one reserved range of addresses:
//
//   base |low ->            free            <- high| base + size
//
// The low end is a stack: its user sets `low` back. At the high end any block can be given back, and the smallest gap that is
// large enough is taken next. Address space is reserved once; pages become real when they are first touched. Blocks are aligned
// to 64 bytes and not cleared.
//
// Invariant: low <= size - high; peak is the largest low + high there ever was. The high end's blocks are sorted and apart, none
// is empty, and none reaches beyond `high`, which only arena_reset sets back.
#pragma once
#include <stdint.h>

#include "base/error.h"

struct arena_block {
  size_t from, to;  // bytes from the end of the range
};

struct arena {
  char *base;
  size_t size, low, high, peak;
  // Of each end: what was touched stays in memory, also when the ends had their peaks at different times.
  size_t peak_low, peak_high;
  struct arena_block *blocks;
  size_t block_count, block_capacity;
  bool measuring;  // nothing is mapped and blocks must not be touched: only sizes count (the memory forecast)
};

bool arena_open(struct arena *arena, size_t size, struct error *error);
void arena_measure(struct arena *arena);  // instead of arena_open
void arena_close(struct arena *arena);
void arena_reset(struct arena *arena);    // everything is given back; what was touched stays real

// Gives the memory behind all addresses back to the system. Nothing may be in use.
void arena_release(struct arena *arena);

// NULL and a sticky error when the range is used up.
void *arena_low(struct arena *arena, size_t bytes, struct error *error);
void *arena_high(struct arena *arena, size_t bytes, struct error *error);
void arena_high_free(struct arena *arena, const void *block);
