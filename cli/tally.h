// How many lines something happened to, and which came first: for warnings that don't flood.
#pragma once
#include <stddef.h>

enum { TALLY_NAMED = 5 };

struct tally {
  size_t count;
  size_t lines[TALLY_NAMED];  // numbers from 1 of the first ones
};

void tally_add(struct tally *tally, size_t line);
// Warns, if there is anything to report: "NAME: 7 lines WHAT: line 3, 8, 9, 12, 20 and 2 more".
void tally_report(const struct tally *tally, const char *name, const char *what);
