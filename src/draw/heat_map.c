// The heat map as a picture. A cell's value is its opacity, so that empty cells show the page, light or dark.
#include "draw/heat_map.h"

#include <math.h>

#include "draw/canvas.h"

enum { MOST_LABEL = 220, MARGIN = 16, LARGEST_CELL = 34, SMALLEST_CELL = 6, LARGEST_MAP = 900 };

float heat_map_full(const struct heat_map *map) {
  if (map->full > 0) return map->full;
  float full = 0;
  for (size_t i = 0; i < map->rows * map->columns; i++)
    if (isfinite(map->values[i]) && map->values[i] > full) full = map->values[i];
  return full > 0 ? full : 1;
}

float heat_map_share(const struct heat_map *map, float full, size_t row, size_t column) {
  float value = map->values[row * map->columns + column];
  if (isnan(value)) return -1;
  return fminf(1, fmaxf(0, value / full));
}

static double longest(const char *const *labels, size_t count) {
  double width = 0;
  for (size_t i = 0; i < count; i++) width = fmax(width, canvas_text_width(labels[i]));
  return fmin(width, MOST_LABEL);
}

static double cell_size(const struct heat_map *map) {
  double most = (double)(map->rows > map->columns ? map->rows : map->columns);
  return fmax(SMALLEST_CELL, fmin(LARGEST_CELL, LARGEST_MAP / fmax(most, 1)));
}

static void draw_cell(struct canvas *canvas, const struct heat_map *map, float full, size_t row, size_t column, double x,
                      double y, double size) {
  float share = heat_map_share(map, full, row, column);
  if (share >= 0 && share < 0.004f) return;  // not to be seen
  struct buffer hint = {0};
  buffer_format(&hint, "%s \xE2\x86\x92 %s: ", map->row_labels[row], map->column_labels[column]);
  buffer_decimal(&hint, map->values[row * map->columns + column], 4);
  canvas_rectangle(canvas, x, y, size, size, share < 0 ? CANVAS_SERIES_0 + 1 : CANVAS_CELL, share < 0 ? 1 : share,
                   buffer_string(&hint));
  if (hint.failed) canvas->out->failed = true;
  buffer_free(&hint);
}

static void draw_scale(struct canvas *canvas, float full, double x, double y) {
  enum { STEPS = 24, STEP = 6 };
  for (int i = 0; i < STEPS; i++) canvas_rectangle(canvas, x + i * STEP, y, STEP, 8, CANVAS_CELL, (i + 1.0) / STEPS, NULL);
  struct buffer label = {0};
  buffer_decimal(&label, full, 2);
  canvas_text(canvas, &(struct canvas_label){x - 6, y + 9, CANVAS_END, 0, CANVAS_FAINT, false, "0"});
  canvas_text(canvas,
              &(struct canvas_label){x + STEPS * STEP + 6, y + 9, CANVAS_START, 0, CANVAS_FAINT, false, buffer_string(&label)});
  if (label.failed) canvas->out->failed = true;
  buffer_free(&label);
}

static void draw_grid(struct canvas *canvas, const struct heat_map *map, double left, double top, double size) {
  double right = left + size * (double)map->columns, bottom = top + size * (double)map->rows;
  for (size_t r = 0; r <= map->rows; r++)
    canvas_line(canvas, left, top + (double)r * size, right, top + (double)r * size, CANVAS_GRID);
  for (size_t c = 0; c <= map->columns; c++)
    canvas_line(canvas, left + (double)c * size, top, left + (double)c * size, bottom, CANVAS_GRID);
}

bool heat_map_draw(struct buffer *out, enum picture_format format, const struct heat_map *map, struct error *error) {
  struct canvas canvas;
  double size = cell_size(map), label_slope = size >= 22 ? 45 : 90, sine = sin(label_slope * M_PI / 180);
  double row_space = longest(map->row_labels, map->rows), column_space = longest(map->column_labels, map->columns);
  double left = MARGIN + row_space + 10 + (map->rows_name ? 22 : 0);
  double top = MARGIN + (map->title ? 28 : 0) + (map->columns_name ? 22 : 0) + column_space * sine + 12;
  double width = size * (double)map->columns, height = size * (double)map->rows;
  double overhang = fmax(MARGIN, column_space * cos(label_slope * M_PI / 180));
  float full = heat_map_full(map);
  double title_width = map->title ? MARGIN * 2 + canvas_text_width(map->title) * 1.25 : 0;
  double total_width = fmax(left + width + overhang, fmax(left + 260, title_width));
  if (!canvas_begin(&canvas, out, format, total_width, top + height + 40, map->title, error)) return false;
  if (map->title)
    canvas_text(&canvas, &(struct canvas_label){MARGIN, MARGIN + 13, CANVAS_START, 0, CANVAS_INK, true, map->title});
  if (map->columns_name)
    canvas_text(&canvas, &(struct canvas_label){left, MARGIN + (map->title ? 41 : 13), CANVAS_START, 0, CANVAS_FAINT, false,
                                                map->columns_name});
  if (map->rows_name)
    canvas_text(&canvas,
                &(struct canvas_label){MARGIN + 10, top + height / 2, CANVAS_MIDDLE, -90, CANVAS_FAINT, false, map->rows_name});
  bool labelled = size >= CANVAS_FONT_SIZE - 2;  // smaller rows would have labels over one another
  for (size_t r = 0; labelled && r < map->rows; r++)
    canvas_text(&canvas, &(struct canvas_label){left - 8, top + ((double)r + 0.5) * size + 4, CANVAS_END, 0, CANVAS_INK, false,
                                                map->row_labels[r]});
  for (size_t c = 0; labelled && c < map->columns; c++)
    canvas_text(&canvas, &(struct canvas_label){left + ((double)c + 0.5) * size + 4, top - 8, CANVAS_START, -label_slope,
                                                CANVAS_INK, false, map->column_labels[c]});
  draw_grid(&canvas, map, left, top, size);
  for (size_t r = 0; r < map->rows; r++)
    for (size_t c = 0; c < map->columns; c++)
      draw_cell(&canvas, map, full, r, c, left + (double)c * size, top + (double)r * size, size);
  draw_scale(&canvas, full, left + 16, top + height + 18);
  return canvas_end(&canvas);
}
