// The heat map as SVG. A cell's value is its opacity, so that empty cells show the page, light or dark.
#include "draw/heat_map.h"

#include <math.h>

#include "draw/svg.h"

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
  for (size_t i = 0; i < count; i++) width = fmax(width, svg_text_width(labels[i]));
  return fmin(width, MOST_LABEL);
}

static double cell_size(const struct heat_map *map) {
  double most = (double)(map->rows > map->columns ? map->rows : map->columns);
  return fmax(SMALLEST_CELL, fmin(LARGEST_CELL, LARGEST_MAP / fmax(most, 1)));
}

static void draw_cell(struct buffer *out, const struct heat_map *map, float full, size_t row, size_t column, double x, double y,
                      double size) {
  float share = heat_map_share(map, full, row, column);
  if (share >= 0 && share < 0.004f) return;  // not to be seen
  buffer_text(out, share < 0 ? "<rect class=\"c1\"" : "<rect class=\"cell\"");
  svg_attribute(out, "x", x);
  svg_attribute(out, "y", y);
  svg_attribute(out, "width", size);
  svg_attribute(out, "height", size);
  if (share >= 0) svg_attribute(out, "fill-opacity", share);
  buffer_text(out, "><title>");
  svg_escape(out, map->row_labels[row]);
  buffer_text(out, " \xE2\x86\x92 ");
  svg_escape(out, map->column_labels[column]);
  buffer_text(out, ": ");
  buffer_decimal(out, map->values[row * map->columns + column], 4);
  buffer_text(out, "</title></rect>\n");
}

static void draw_scale(struct buffer *out, float full, double x, double y) {
  enum { STEPS = 24, STEP = 6 };
  for (int i = 0; i < STEPS; i++) {
    buffer_text(out, "<rect class=\"cell\"");
    svg_attribute(out, "x", x + i * STEP);
    svg_attribute(out, "y", y);
    svg_attribute(out, "width", STEP);
    svg_attribute(out, "height", 8);
    svg_attribute(out, "fill-opacity", (i + 1.0) / STEPS);
    buffer_text(out, "/>\n");
  }
  struct buffer label = {0};
  buffer_decimal(&label, full, 2);
  svg_text(out, x - 6, y + 9, SVG_END, 0, "faint", "0");
  svg_text(out, x + STEPS * STEP + 6, y + 9, SVG_START, 0, "faint", buffer_string(&label));
  if (label.failed) out->failed = true;
  buffer_free(&label);
}

static void draw_grid(struct buffer *out, const struct heat_map *map, double left, double top, double size) {
  double right = left + size * (double)map->columns, bottom = top + size * (double)map->rows;
  for (size_t r = 0; r <= map->rows; r++) svg_line(out, left, top + (double)r * size, right, top + (double)r * size, "grid");
  for (size_t c = 0; c <= map->columns; c++) svg_line(out, left + (double)c * size, top, left + (double)c * size, bottom, "grid");
}

bool heat_map_draw(struct buffer *out, const struct heat_map *map, struct error *error) {
  double size = cell_size(map), label_slope = size >= 22 ? 45 : 90, sine = sin(label_slope * M_PI / 180);
  double row_space = longest(map->row_labels, map->rows), column_space = longest(map->column_labels, map->columns);
  double left = MARGIN + row_space + 10 + (map->rows_name ? 22 : 0);
  double top = MARGIN + (map->title ? 28 : 0) + (map->columns_name ? 22 : 0) + column_space * sine + 12;
  double width = size * (double)map->columns, height = size * (double)map->rows;
  double overhang = fmax(MARGIN, column_space * cos(label_slope * M_PI / 180));
  float full = heat_map_full(map);
  double title_width = map->title ? MARGIN * 2 + svg_text_width(map->title) * 1.25 : 0;
  double total_width = fmax(left + width + overhang, fmax(left + 260, title_width));
  svg_begin(out, total_width, top + height + 40, map->title);
  if (map->title) svg_text(out, MARGIN, MARGIN + 13, SVG_START, 0, "ink title", map->title);
  if (map->columns_name) svg_text(out, left, MARGIN + (map->title ? 41 : 13), SVG_START, 0, "faint", map->columns_name);
  if (map->rows_name) svg_text(out, MARGIN + 10, top + height / 2, SVG_MIDDLE, -90, "faint", map->rows_name);
  bool labelled = size >= SVG_FONT_SIZE - 2;  // smaller rows would have labels over one another
  for (size_t r = 0; labelled && r < map->rows; r++)
    svg_text(out, left - 8, top + ((double)r + 0.5) * size + 4, SVG_END, 0, "ink", map->row_labels[r]);
  for (size_t c = 0; labelled && c < map->columns; c++)
    svg_text(out, left + ((double)c + 0.5) * size + 4, top - 8, SVG_START, -label_slope, "ink", map->column_labels[c]);
  draw_grid(out, map, left, top, size);
  for (size_t r = 0; r < map->rows; r++)
    for (size_t c = 0; c < map->columns; c++)
      draw_cell(out, map, full, r, c, left + (double)c * size, top + (double)r * size, size);
  draw_scale(out, full, left + 16, top + height + 18);
  svg_end(out);
  return buffer_check(out, error);
}
