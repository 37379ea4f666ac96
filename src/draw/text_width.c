#include "draw/text_width.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define ELLIPSIS "\xE2\x80\xA6"

// The next character as it is shown: its bytes, and the columns they take.
struct glyph {
  const char *bytes;
  size_t size, columns;
};

static bool next_glyph(const char **text, const char *end, struct glyph *glyph) {
  if (*text == end) return false;
  uint32_t c;
  int valid;
  int length = utf8_decode(*text, end, &c, &valid);
  *glyph = (struct glyph){*text, (size_t)length, (size_t)utf8proc_charwidth((utf8proc_int32_t)c)};
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
  bool breaks_lines = category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
  // Marks that turn the direction of writing would reach beyond the label.
  bool turns = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  if (!valid || breaks_lines || turns) *glyph = (struct glyph){REPLACEMENT, 3, 1};
  *text += length;
  return true;
}

size_t text_width(const char *text) {
  const char *end = text + strlen(text);
  struct glyph glyph;
  size_t columns = 0;
  while (next_glyph(&text, end, &glyph)) columns += glyph.columns;
  return columns;
}

size_t text_append_cut(struct buffer *out, const char *text, size_t width) {
  if (!width) return 0;
  bool cut = text_width(text) > width;
  const char *end = text + strlen(text);
  struct glyph glyph;
  size_t columns = 0;
  while (next_glyph(&text, end, &glyph) && columns + glyph.columns + cut <= width) {
    buffer_append(out, glyph.bytes, glyph.size);
    columns += glyph.columns;
  }
  if (cut) buffer_text(out, ELLIPSIS);
  return columns + cut;
}

void text_append_blanks(struct buffer *out, size_t count) {
  while (count--) buffer_char(out, ' ');
}

void text_append_left(struct buffer *out, const char *text, size_t width) {
  text_append_blanks(out, width - text_append_cut(out, text, width));
}

static void append_after(struct buffer *out, const char *text, size_t width, size_t blanks) {
  text_append_blanks(out, blanks);
  text_append_left(out, text, width - blanks);
}

void text_append_right(struct buffer *out, const char *text, size_t width) {
  size_t columns = text_width(text);
  append_after(out, text, width, columns < width ? width - columns : 0);
}

void text_append_centred(struct buffer *out, const char *text, size_t width) {
  size_t columns = text_width(text);
  append_after(out, text, width, columns < width ? (width - columns) / 2 : 0);
}
