// Numbers in and out: lists of ids on the command line, arrays as text or as NumPy's .npy.
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "qkv.h"

// "5 6 7" or "5,6,7". *ids is a block of memory that the caller frees. On failure says what is wrong in `problem`.
bool numbers_parse_ids(const char *text, int32_t **ids, size_t *count, char *problem, size_t size);

// A row a line, nine digits, which read back to the same float; a blank line between matrices.
void numbers_print(FILE *out, const struct qkv_array *array);
// Format version 1.0, little-endian f32, C order.
void numbers_write_npy(FILE *out, const struct qkv_array *array);
