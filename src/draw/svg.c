#include "draw/svg.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "draw/text_width.h"

static const char *const light[SVG_COLORS] = {"#0072b2", "#d55e00", "#009e73", "#b5508a",
                                                "#b27600", "#3288bd", "#6a4c93", "#555555"};
static const char *const dark[SVG_COLORS] = {"#4fb3ff", "#ff8c42", "#2dd4a7", "#e79ac4",
                                               "#f0b429", "#9bd3f5", "#b79ced", "#bbbbbb"};

static void write_palette(struct buffer *out, const char *const colors[SVG_COLORS]) {
  for (int i = 0; i < SVG_COLORS; i++)
    buffer_format(out, ".c%d{stroke:%s}rect.c%d,circle.c%d{fill:%s;stroke:none}", i, colors[i], i, i, colors[i]);
}

void svg_begin(struct buffer *out, double width, double height, const char *title) {
  buffer_text(out, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
  svg_attribute(out, "width", width);
  svg_attribute(out, "height", height);
  buffer_text(out, " viewBox=\"0 0 ");
  svg_number(out, width);
  buffer_char(out, ' ');
  svg_number(out, height);
  buffer_text(out, "\" font-family=\"system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif\"");
  svg_attribute(out, "font-size", SVG_FONT_SIZE);
  buffer_text(out, " role=\"img\">\n");
  if (title) {
    buffer_text(out, "<title>");
    svg_escape(out, title);
    buffer_text(out, "</title>\n");
  }
  buffer_text(out, "<style>\n.background{fill:#fff}.ink{fill:#1c1e21}.faint{fill:#62676e}.title{font-weight:600;font-size:15px}"
                   ".grid{stroke:#e3e5e8}.axis{stroke:#8b9097}.cell{fill:#0b5fa5}.curve{fill:none;stroke-width:1.8;"
                   "stroke-linejoin:round}.second{stroke-dasharray:6 3}\n");
  write_palette(out, light);
  buffer_text(out, "\n@media (prefers-color-scheme:dark){\n.background{fill:#15171c}.ink{fill:#e8eaed}.faint{fill:#9aa0a8}"
                   ".grid{stroke:#2b2f37}.axis{stroke:#70767f}.cell{fill:#56b6ff}\n");
  write_palette(out, dark);
  buffer_text(out, "\n}\n</style>\n<rect class=\"background\" width=\"100%\" height=\"100%\"/>\n");
}

void svg_end(struct buffer *out) { buffer_text(out, "</svg>\n"); }

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

void svg_attribute(struct buffer *out, const char *name, double value) {
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

void svg_text(struct buffer *out, double x, double y, enum svg_anchor anchor, double rotation, const char *class,
              const char *text) {
  static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  buffer_format(out, "<text class=\"%s\"%s", class, anchors[anchor]);
  svg_attribute(out, "x", x);
  svg_attribute(out, "y", y);
  if (rotation != 0) {
    buffer_text(out, " transform=\"rotate(");
    svg_number(out, rotation);
    buffer_char(out, ' ');
    svg_number(out, x);
    buffer_char(out, ' ');
    svg_number(out, y);
    buffer_text(out, ")\"");
  }
  buffer_char(out, '>');
  svg_escape(out, text);
  buffer_text(out, "</text>\n");
}

void svg_line(struct buffer *out, double x1, double y1, double x2, double y2, const char *class) {
  buffer_format(out, "<line class=\"%s\"", class);
  svg_attribute(out, "x1", x1);
  svg_attribute(out, "y1", y1);
  svg_attribute(out, "x2", x2);
  svg_attribute(out, "y2", y2);
  buffer_text(out, "/>\n");
}

double svg_text_width(const char *text) { return 0.56 * SVG_FONT_SIZE * (double)text_width(text); }
