// The frequencies of rotary positions: by how much a pair of columns turns from one position to the next.
#pragma once
#include "model/arch.h"

// frequencies [width / 2], for heads of `width` columns in a text of `length` tokens, which only ROTARY_DYNAMIC asks for. Returns
// what cosines and sines are multiplied by.
float rotary_frequencies(float *frequencies, const struct arch *arch, int width, int length);
