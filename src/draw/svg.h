// The few elements of SVG that the drawings are made of, written as text. Colours are classes with a style for light and
// one for dark pages, so that a drawing can stand on either.
#pragma once
#include "base/buffer.h"

enum { SVG_COLORS = 8, SVG_FONT_SIZE = 13 };

// Opens the document and draws the background. Classes: "background", "ink" (text), "faint" (secondary text), "grid", "axis",
// "cell", and "c0" to "c7", the palette of Okabe and Ito, told apart by colour-blind people too.
void svg_begin(struct buffer *out, double width, double height, const char *title);
void svg_end(struct buffer *out);

void svg_number(struct buffer *out, double value);             // as many digits as a picture needs, at most two
void svg_attribute(struct buffer *out, const char *name, double value);
void svg_escape(struct buffer *out, const char *text);         // also replaces what XML can't hold

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

// rotation in degrees around (x, y).
void svg_text(struct buffer *out, double x, double y, enum svg_anchor anchor, double rotation, const char *class,
              const char *text);
void svg_line(struct buffer *out, double x1, double y1, double x2, double y2, const char *class);

// About how wide a text comes out, in pixels: fonts differ.
double svg_text_width(const char *text);
