#include "draw/svg.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

void svg_number(struct buffer *out, double value) {
  if (!isfinite(value)) value = 0;
  struct buffer digits = {0};
  buffer_decimal(&digits, value, 2);
  while (digits.size && digits.data[digits.size - 1] == '0') digits.size--;
  if (digits.size && digits.data[digits.size - 1] == '.') digits.size--;
  bool negative_zero = digits.size == 2 && !memcmp(digits.data, "-0", 2);
  buffer_append(out, digits.data + negative_zero, digits.size - negative_zero);
  if (digits.failed) out->failed = true;
  buffer_free(&digits);
}

static void attribute(struct buffer *out, const char *name, double value) {
  buffer_format(out, " %s=\"", name);
  svg_number(out, value);
  buffer_char(out, '"');
}

static bool xml_allows(uint32_t c) {
  return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xFFFE && c != 0xFFFF);
}

void svg_escape(struct buffer *out, const char *text) {
  const char *end = text + strlen(text);
  while (text < end) {
    uint32_t c;
    int valid, length = utf8_decode(text, end, &c, &valid);
    if (c == '<')
      buffer_text(out, "&lt;");
    else if (c == '>')
      buffer_text(out, "&gt;");
    else if (c == '&')
      buffer_text(out, "&amp;");
    else if (c == '"')
      buffer_text(out, "&quot;");
    else if (!valid || !xml_allows(c))
      buffer_text(out, "\xEF\xBF\xBD");
    else
      buffer_append(out, text, (size_t)length);
    text += length;
  }
}

static void write_tint(struct buffer *out, enum canvas_color color, uint32_t tint) {
  const char *name = canvas_tints[color].name;
  bool stroked = color == CANVAS_GRID || color == CANVAS_AXIS;
  if (color < CANVAS_SERIES_0) buffer_format(out, ".%s{%s:#%06x}", name, stroked ? "stroke" : "fill", tint);
  else buffer_format(out, ".%s{stroke:#%06x}rect.%s,circle.%s{fill:#%06x;stroke:none}", name, tint, name, name, tint);
}

static void write_style(struct buffer *out) {
  buffer_text(out, "<style>\n.title{font-weight:600;font-size:15px}.curve{fill:none;stroke-width:1.8;stroke-linejoin:round;"
                   "stroke-linecap:round}.second{stroke-dasharray:6 3}\n");
  for (int i = 0; i < CANVAS_COLORS; i++) write_tint(out, (enum canvas_color)i, canvas_tints[i].light);
  buffer_text(out, "\n@media (prefers-color-scheme:dark){\n");
  for (int i = 0; i < CANVAS_COLORS; i++) write_tint(out, (enum canvas_color)i, canvas_tints[i].dark);
  buffer_text(out, "\n}\n</style>\n");
}

static bool begin(struct canvas *canvas, double width, double height, const char *title) {
  struct buffer *out = canvas->out;
  buffer_text(out, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
  attribute(out, "width", width);
  attribute(out, "height", height);
  buffer_text(out, " viewBox=\"0 0 ");
  svg_number(out, width);
  buffer_char(out, ' ');
  svg_number(out, height);
  buffer_text(out, "\" font-family=\"system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif\"");
  attribute(out, "font-size", CANVAS_FONT_SIZE);
  buffer_text(out, " role=\"img\">\n");
  if (title) {
    buffer_text(out, "<title>");
    svg_escape(out, title);
    buffer_text(out, "</title>\n");
  }
  write_style(out);
  return true;
}

static bool end(struct canvas *canvas) {
  buffer_text(canvas->out, "</svg>\n");
  return true;
}

static void text(struct canvas *canvas, const struct canvas_label *label) {
  static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  struct buffer *out = canvas->out;
  buffer_format(out, "<text class=\"%s%s\"%s", canvas_tints[label->color].name, label->title ? " title" : "",
                anchors[label->anchor]);
  attribute(out, "x", label->x);
  attribute(out, "y", label->y);
  if (label->rotation != 0) {
    buffer_text(out, " transform=\"rotate(");
    svg_number(out, label->rotation);
    buffer_char(out, ' ');
    svg_number(out, label->x);
    buffer_char(out, ' ');
    svg_number(out, label->y);
    buffer_text(out, ")\"");
  }
  buffer_char(out, '>');
  svg_escape(out, label->text);
  buffer_text(out, "</text>\n");
}

static void line(struct canvas *canvas, double x1, double y1, double x2, double y2, enum canvas_color color) {
  struct buffer *out = canvas->out;
  buffer_format(out, "<line class=\"%s\"", canvas_tints[color].name);
  attribute(out, "x1", x1);
  attribute(out, "y1", y1);
  attribute(out, "x2", x2);
  attribute(out, "y2", y2);
  buffer_text(out, "/>\n");
}

static void rectangle(struct canvas *canvas, double x, double y, double width, double height, enum canvas_color color,
                      double opacity, const char *hint) {
  struct buffer *out = canvas->out;
  buffer_format(out, "<rect class=\"%s\"", canvas_tints[color].name);
  attribute(out, "x", x);
  attribute(out, "y", y);
  attribute(out, "width", width);
  attribute(out, "height", height);
  if (opacity < 1) attribute(out, "fill-opacity", opacity);
  if (hint) {
    buffer_text(out, "><title>");
    svg_escape(out, hint);
    buffer_text(out, "</title></rect>\n");
  } else {
    buffer_text(out, "/>\n");
  }
}

static void path(struct canvas *canvas, const struct canvas_point *points, size_t count, enum canvas_color color, bool dashed) {
  struct buffer *out = canvas->out;
  buffer_format(out, "<path class=\"curve%s %s\" d=\"", dashed ? " second" : "", canvas_tints[color].name);
  for (size_t i = 0; i < count; i++) {
    buffer_char(out, points[i].starts ? 'M' : 'L');
    svg_number(out, points[i].x);
    buffer_char(out, ' ');
    svg_number(out, points[i].y);
  }
  buffer_text(out, "\"/>\n");
}

static void dot(struct canvas *canvas, double x, double y, enum canvas_color color) {
  buffer_format(canvas->out, "<circle class=\"%s\" r=\"2.5\"", canvas_tints[color].name);
  attribute(canvas->out, "cx", x);
  attribute(canvas->out, "cy", y);
  buffer_text(canvas->out, "/>\n");
}

const struct canvas_kind canvas_svg = {begin, end, text, line, rectangle, path, dot};
