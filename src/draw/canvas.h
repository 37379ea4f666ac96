// What a drawing is drawn on. A drawing is described once, by these calls; as SVG they become text with a style for light and one
// for dark pages, as PNG and PDF they are drawn by cairo, light, where the library was built with it.
//
// Lengths are pixels from the top left; a PNG has SCALE_OF_PNG times as many, a PDF takes a pixel for 1/96 inch.
#pragma once
#include <stdint.h>

#include "base/buffer.h"

enum picture_format { PICTURE_SVG, PICTURE_PNG, PICTURE_PDF };

enum { CANVAS_FONT_SIZE = 13, CANVAS_SERIES = 8, SCALE_OF_PNG = 2 };

// The series are the palette of Okabe and Ito, told apart by colour-blind people too.
enum canvas_color {
  CANVAS_PAPER, CANVAS_INK, CANVAS_FAINT, CANVAS_GRID, CANVAS_AXIS, CANVAS_CELL, CANVAS_SERIES_0,
  CANVAS_COLORS = CANVAS_SERIES_0 + CANVAS_SERIES,
};

struct canvas_tint {
  const char *name;      // as a class of SVG
  uint32_t light, dark;  // 0xRRGGBB
};
extern const struct canvas_tint canvas_tints[CANVAS_COLORS];

enum canvas_anchor { CANVAS_START, CANVAS_MIDDLE, CANVAS_END };

struct canvas_label {
  double x, y;              // of the anchor, on the base line
  enum canvas_anchor anchor;
  double rotation;          // degrees around (x, y)
  enum canvas_color color;
  bool title;               // larger, bold
  const char *text;         // any bytes
};

struct canvas_point {
  double x, y;
  bool starts;              // a new line begins here
};

struct canvas {
  const struct canvas_kind *kind;
  struct buffer *out;       // the file's bytes, whole after canvas_end
  struct error *error;
  void *pen;                // of cairo
};

// Draws the background. title (may be NULL) is the document's. False: the format is not available here, or memory ran out.
bool canvas_begin(struct canvas *canvas, struct buffer *out, enum picture_format format, double width, double height,
                  const char *title, struct error *error);
bool canvas_end(struct canvas *canvas);

void canvas_text(struct canvas *canvas, const struct canvas_label *label);
void canvas_line(struct canvas *canvas, double x1, double y1, double x2, double y2, enum canvas_color color);
// hint (may be NULL) is shown under a pointer.
void canvas_rectangle(struct canvas *canvas, double x, double y, double width, double height, enum canvas_color color,
                      double opacity, const char *hint);
void canvas_path(struct canvas *canvas, const struct canvas_point *points, size_t count, enum canvas_color color, bool dashed);
void canvas_dot(struct canvas *canvas, double x, double y, enum canvas_color color);

// About how wide a text comes out: fonts differ.
double canvas_text_width(const char *text);

// What a back end does; canvas_svg is in svg.c, canvas_png and canvas_pdf are in canvas_cairo.c, or
// refuse in canvas_without_cairo.c.
struct canvas_kind {
  bool (*begin)(struct canvas *canvas, double width, double height, const char *title);
  bool (*end)(struct canvas *canvas);
  void (*text)(struct canvas *canvas, const struct canvas_label *label);
  void (*line)(struct canvas *canvas, double x1, double y1, double x2, double y2, enum canvas_color color);
  void (*rectangle)(struct canvas *canvas, double x, double y, double width, double height, enum canvas_color color,
                    double opacity, const char *hint);
  void (*path)(struct canvas *canvas, const struct canvas_point *points, size_t count, enum canvas_color color, bool dashed);
  void (*dot)(struct canvas *canvas, double x, double y, enum canvas_color color);
};
extern const struct canvas_kind canvas_svg, canvas_png, canvas_pdf;
