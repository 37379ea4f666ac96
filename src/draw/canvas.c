#include "draw/canvas.h"

#include "draw/text_width.h"

const struct canvas_tint canvas_tints[CANVAS_COLORS] = {
  [CANVAS_PAPER] = {"background", 0xffffff, 0x15171c},
  [CANVAS_INK] = {"ink", 0x1c1e21, 0xe8eaed},
  [CANVAS_FAINT] = {"faint", 0x62676e, 0x9aa0a8},
  [CANVAS_GRID] = {"grid", 0xe3e5e8, 0x2b2f37},
  [CANVAS_AXIS] = {"axis", 0x8b9097, 0x70767f},
  [CANVAS_CELL] = {"cell", 0x0b5fa5, 0x56b6ff},
  [CANVAS_SERIES_0] = {"c0", 0x0072b2, 0x4fb3ff},
  {"c1", 0xd55e00, 0xff8c42},
  {"c2", 0x009e73, 0x2dd4a7},
  {"c3", 0xb5508a, 0xe79ac4},
  {"c4", 0xb27600, 0xf0b429},
  {"c5", 0x3288bd, 0x9bd3f5},
  {"c6", 0x6a4c93, 0xb79ced},
  {"c7", 0x555555, 0xbbbbbb},
};

bool canvas_begin(struct canvas *canvas, struct buffer *out, enum picture_format format, double width, double height,
                  const char *title, struct error *error) {
  const struct canvas_kind *const kinds[] = {
      [PICTURE_SVG] = &canvas_svg, [PICTURE_PNG] = &canvas_png, [PICTURE_PDF] = &canvas_pdf};
  *canvas = (struct canvas){.kind = kinds[format], .out = out, .error = error};
  if (!canvas->kind->begin(canvas, width, height, title)) return false;
  canvas_rectangle(canvas, 0, 0, width, height, CANVAS_PAPER, 1, NULL);
  return true;
}

bool canvas_end(struct canvas *canvas) { return canvas->kind->end(canvas) && buffer_check(canvas->out, canvas->error); }

void canvas_text(struct canvas *canvas, const struct canvas_label *label) { canvas->kind->text(canvas, label); }

void canvas_line(struct canvas *canvas, double x1, double y1, double x2, double y2, enum canvas_color color) {
  canvas->kind->line(canvas, x1, y1, x2, y2, color);
}

void canvas_rectangle(struct canvas *canvas, double x, double y, double width, double height, enum canvas_color color,
                      double opacity, const char *hint) {
  canvas->kind->rectangle(canvas, x, y, width, height, color, opacity, hint);
}

void canvas_path(struct canvas *canvas, const struct canvas_point *points, size_t count, enum canvas_color color, bool dashed) {
  if (count) canvas->kind->path(canvas, points, count, color, dashed);
}

void canvas_dot(struct canvas *canvas, double x, double y, enum canvas_color color) { canvas->kind->dot(canvas, x, y, color); }

double canvas_text_width(const char *text) { return 0.56 * CANVAS_FONT_SIZE * (double)text_width(text); }
