// Which of several words is nearest to one that was mistyped.
#pragma once
#include <stddef.h>

struct nearest {
  const char *word;
  size_t length;     // of word, which need not end there
  const char *best;  // NULL while nothing is near
  size_t distance;
};

struct nearest nearest_start(const char *word);
void nearest_offer(struct nearest *nearest, const char *candidate);
