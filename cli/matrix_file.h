// A matrix from a text file: a row a line, its numbers separated by tabs, blanks or commas. The first column may name the rows.
// Empty lines and lines that begin with '#' are passed over.
#pragma once
#include "qkv.h"

struct matrix_file {
  struct qkv_array array;  // dimensions 0: nothing was read
  char **labels;           // [shape[0]], or NULL
};

// On failure says why, with the line, and returns false.
bool matrix_file_read(struct matrix_file *matrix, const char *path);
void matrix_file_free(struct matrix_file *matrix);
