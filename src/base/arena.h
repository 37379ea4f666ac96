// Memory that grows from both ends of one reserved range of addresses and is given back in stack order:
//
//   base |low ->            free            <- high| base + size
//
// The tape puts values at the low end and gradients at the high end. Address space is reserved once; pages become real
// when they are first touched. Blocks are aligned to 64 bytes and not cleared.
//
// Invariant: low <= size - high; peak is the largest low + high there ever was.
#pragma once
#include <stdint.h>

#include "base/error.h"

struct arena {
  char *base;
  size_t size, low, high, peak;
  // Of each end: what was touched stays in memory, also when the ends had their peaks at different times.
  size_t peak_low, peak_high;
  bool measuring;  // nothing is mapped and blocks must not be touched: only sizes count (the memory forecast)
};

bool arena_open(struct arena *arena, size_t size, struct error *error);
void arena_measure(struct arena *arena);  // instead of arena_open
void arena_close(struct arena *arena);

// Gives the memory behind all addresses back to the system. Nothing may be in use.
void arena_release(struct arena *arena);

// NULL and a sticky error when the range is used up.
void *arena_low(struct arena *arena, size_t bytes, struct error *error);
void *arena_high(struct arena *arena, size_t bytes, struct error *error);
