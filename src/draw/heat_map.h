// A matrix as colours, its rows and columns labelled: attention of target tokens (rows) over source tokens (columns).
#pragma once
#include "draw/canvas.h"

struct heat_map {
  const float *values;  // [rows][columns]
  size_t rows, columns;
  const char *const *row_labels, *const *column_labels;
  const char *title, *rows_name, *columns_name;  // any may be NULL
  float full;  // the value that is drawn strongest; 0: the largest of the matrix
};

// 0 (empty) to 1 (full); -1 for a value that is not a number.
float heat_map_share(const struct heat_map *map, float full, size_t row, size_t column);
float heat_map_full(const struct heat_map *map);  // map->full, or the largest value

bool heat_map_draw(struct buffer *out, enum picture_format format, const struct heat_map *map, struct error *error);

enum terminal_shades {
  TERMINAL_ASCII,       // the characters " .:-=+*#%@"
  TERMINAL_BLOCKS,      // Unicode's shaded blocks, no colour
  TERMINAL_256_COLORS,
  TERMINAL_TRUE_COLORS,
};

// Text for a terminal of `width` columns. Columns are as wide as their labels if that fits; otherwise they are narrow with
// their labels written downwards, and if even that is too much, the matrix is cut into several parts.
// Cells that are wide enough hold their value in percent. Every line ends with the colours switched off.
bool heat_map_print(struct buffer *out, const struct heat_map *map, enum terminal_shades shades, size_t width,
                    struct error *error);
