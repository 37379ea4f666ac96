// Drawing a token: filters over a row of probabilities, and the draw.
//
// Everything is a function of the row alone, and the random number one of (seed, input line, sample, position), so that the
// text depends neither on the batch nor on threads.
#pragma once
#include "generate/generation.h"

// Which number to draw for what.
struct draw {
  int row;
  uint64_t line;
  int sample, position;
};

// probabilities [count], which sum to 1: those that top-k, top-p (Holtzman et al., 2020) and min-p remove, one after the other
// in this order, become 0, the others are divided by their sum. Equally probable ones at the border of top-k all stay, at
// that of top-p the first ones. scratch [count].
void sampling_filter(float *probabilities, int count, const struct generation_options *options, float *scratch);
// In [0, 1).
double sampling_random(uint64_t seed, const struct draw *draw);
// The id up to which the probabilities first sum to more than `uniform` times their sum. At least one is above 0.
int32_t sampling_draw(const float *probabilities, int count, double uniform);
