// The heat map for a terminal (heat_map_print).
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "draw/heat_map.h"
#include "draw/text_width.h"

enum { NARROW = 3, LEAST_WIDE = 4, MOST_COLUMN_LABEL = 16, MOST_ROW_LABEL = 24, MOST_UPRIGHT = 12, LEAST_TERMINAL = 40 };

struct printer {
  struct buffer *out;
  const struct heat_map *map;
  enum terminal_shades shades;
  float full;
  size_t row_label, room;  // columns of the terminal for the labels of the rows, and for the rest of the line
  size_t *widths;    // of each column of the matrix
};

struct color {
  int red, green, blue;
};

// The map "viridis" (Smith and van der Walt, 2015) at nine points.
static struct color color_of(float share) {
  static const struct color points[] = {{68, 1, 84},    {71, 45, 123}, {59, 82, 139},  {44, 114, 142}, {33, 145, 140},
                                        {40, 174, 128}, {94, 201, 98}, {173, 220, 48}, {253, 231, 37}};
  float place = share * 8;
  int i = place >= 8 ? 7 : (int)place;
  float rest = place - (float)i;
  const struct color *a = &points[i], *b = &points[i + 1];
  return (struct color){a->red + (int)(rest * (float)(b->red - a->red)),
                        a->green + (int)(rest * (float)(b->green - a->green)),
                        a->blue + (int)(rest * (float)(b->blue - a->blue))};
}

// The nearest of the 6 x 6 x 6 colours 16 to 231, whose levels are 0, 95, 135, 175, 215, 255.
static int color_256(struct color color) {
  int levels[3] = {color.red, color.green, color.blue};
  for (int i = 0; i < 3; i++) levels[i] = levels[i] < 48 ? 0 : levels[i] < 115 ? 1 : (levels[i] - 35) / 40;
  return 16 + 36 * levels[0] + 6 * levels[1] + levels[2];
}

static void start_color(struct printer *printer, float share) {
  struct color color = color_of(share);
  bool dark = share < 0.6f;
  if (printer->shades == TERMINAL_TRUE_COLORS)
    buffer_format(printer->out, "\x1b[48;2;%d;%d;%d;38;2;%sm", color.red, color.green, color.blue,
                  dark ? "255;255;255" : "0;0;0");
  else
    buffer_format(printer->out, "\x1b[48;5;%d;38;5;%dm", color_256(color), dark ? 231 : 16);
}

// Percent of the value itself, not of the fullest one; nothing below half a percent.
static void percent_of(char text[16], float value) {
  int percent = value != value ? -1 : value > 9.99f ? 999 : value < 0 ? 0 : (int)(value * 100 + 0.5f);
  text[0] = 0;
  if (percent < 0) strcpy(text, "?");
  if (percent <= 0) return;
  int i = 0;
  if (percent >= 100) text[i++] = (char)('0' + percent / 100);
  if (percent >= 10) text[i++] = (char)('0' + percent / 10 % 10);
  text[i++] = (char)('0' + percent % 10);
  text[i] = 0;
}

static void print_colored(struct printer *printer, float value, float share, size_t width) {
  char text[16];
  percent_of(text, value);
  start_color(printer, share < 0 ? 0 : share);
  text_append_centred(printer->out, width >= NARROW ? text : "", width);
}

static void print_shaded(struct printer *printer, float share, size_t width) {
  static const char *const blocks[] = {" ", "\xE2\x96\x91", "\xE2\x96\x92", "\xE2\x96\x93", "\xE2\x96\x88"};
  static const char *const characters[] = {" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"};
  bool ascii = printer->shades == TERMINAL_ASCII;
  // Weak attention is to be seen too: only what is nearly nothing stays blank.
  int strongest = ascii ? 9 : 4, i = share < 0.04f ? 0 : share >= 1 ? strongest : 1 + (int)(share * (float)strongest);
  const char *mark = share < 0 ? "?" : ascii ? characters[i] : blocks[i];
  for (size_t c = 0; c + 1 < width; c++) buffer_text(printer->out, mark);
  buffer_char(printer->out, ' ');
}

static bool is_colored(const struct printer *printer) { return printer->shades >= TERMINAL_256_COLORS; }

static void print_row(struct printer *printer, size_t row, size_t first, size_t last) {
  text_append_right(printer->out, printer->map->row_labels[row], printer->row_label);
  buffer_char(printer->out, ' ');
  for (size_t c = first; c < last; c++) {
    float share = heat_map_share(printer->map, printer->full, row, c);
    if (is_colored(printer))
      print_colored(printer, printer->map->values[row * printer->map->columns + c], share, printer->widths[c]);
    else
      print_shaded(printer, share, printer->widths[c]);
  }
  if (is_colored(printer)) buffer_text(printer->out, "\x1b[0m");
  buffer_char(printer->out, '\n');
}

static void print_corner(struct printer *printer, const char *text) {
  text_append_right(printer->out, text, printer->row_label);
  buffer_char(printer->out, ' ');
}

// Labels side by side over their columns; a label fills at most all but one place of its column.
static void print_level_labels(struct printer *printer, size_t first, size_t last) {
  print_corner(printer, "");
  for (size_t c = first; c < last; c++) {
    size_t width = printer->widths[c], colored = is_colored(printer);
    const char *label = printer->map->column_labels[c];
    struct buffer cut = {0};
    text_append_cut(&cut, label, width - 1);
    if (colored)
      text_append_centred(printer->out, buffer_string(&cut), width);
    else
      text_append_left(printer->out, buffer_string(&cut), width);
    if (cut.failed) printer->out->failed = true;
    buffer_free(&cut);
  }
  buffer_char(printer->out, '\n');
}

// The part of a label that stands in the given line of a column of letters: one character with the marks that belong to it.
static void letter_at(struct buffer *letter, const char *label, size_t line) {
  const char *at = label, *end = label + strlen(label);
  size_t place = 0;
  bool any = false;
  while (at < end) {
    uint32_t character;
    char bytes[8] = {0};
    int length = utf8_decode(at, end, &character, NULL);
    memcpy(bytes, at, (size_t)length);
    bool mark = text_width(bytes) == 0;
    if (!mark && any) place++;
    any = true;
    if (place > line) return;
    if (place == line) buffer_text(letter, bytes);
    at += length;
  }
}

static size_t letters_in(const char *label) {
  struct buffer letter = {0};
  size_t count = 0;
  for (; count < MOST_UPRIGHT; count++) {
    buffer_clear(&letter);
    letter_at(&letter, label, count);
    if (!letter.size) break;
  }
  buffer_free(&letter);
  return count;
}

// Labels written downwards, ending just above their column.
static void print_upright_labels(struct printer *printer, size_t first, size_t last) {
  size_t lines = 0;
  for (size_t c = first; c < last; c++) {
    size_t letters = letters_in(printer->map->column_labels[c]);
    if (letters > lines) lines = letters;
  }
  struct buffer letter = {0};
  for (size_t line = 0; line < lines; line++) {
    print_corner(printer, "");
    for (size_t c = first; c < last; c++) {
      const char *label = printer->map->column_labels[c];
      size_t blank = lines - letters_in(label);
      buffer_clear(&letter);
      if (line >= blank) letter_at(&letter, label, line - blank);
      text_append_centred(printer->out, buffer_string(&letter), printer->widths[c]);
    }
    buffer_char(printer->out, '\n');
  }
  if (letter.failed) printer->out->failed = true;
  buffer_free(&letter);
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// True if the columns can be as wide as their labels.
static bool set_widths(struct printer *printer, size_t room) {
  const struct heat_map *map = printer->map;
  size_t wide = 0;
  for (size_t c = 0; c < map->columns; c++) {
    size_t label = smaller(text_width(map->column_labels[c]), MOST_COLUMN_LABEL) + 1;
    printer->widths[c] = label < LEAST_WIDE ? LEAST_WIDE : label;
    wide += printer->widths[c];
  }
  if (wide <= room) return true;
  size_t narrow = map->columns * NARROW <= room ? NARROW : 2;
  for (size_t c = 0; c < map->columns; c++) printer->widths[c] = narrow;
  return false;
}

static void print_scale(struct printer *printer) {
  int steps = is_colored(printer) ? 8 : printer->shades == TERMINAL_ASCII ? 9 : 4;
  print_corner(printer, "");
  buffer_text(printer->out, "0 ");
  for (int i = 0; i <= steps; i++) {
    float share = (float)i / (float)steps;
    if (is_colored(printer)) {
      start_color(printer, share);
      buffer_text(printer->out, "  ");
    } else {
      print_shaded(printer, fmaxf(0, share - 0.01f), 2);
    }
  }
  if (is_colored(printer)) buffer_text(printer->out, "\x1b[0m ");
  buffer_decimal(printer->out, printer->full, 2);
  buffer_char(printer->out, '\n');
}

static void print_names(struct printer *printer) {
  const struct heat_map *map = printer->map;
  if (map->title) {
    text_append_cut(printer->out, map->title, printer->row_label + 1 + printer->room);
    buffer_char(printer->out, '\n');
  }
  if (!map->rows_name && !map->columns_name) return;
  print_corner(printer, map->rows_name ? map->rows_name : "");
  if (map->rows_name && map->columns_name) buffer_text(printer->out, "\\ ");
  if (map->columns_name) text_append_cut(printer->out, map->columns_name, printer->room - 2);
  buffer_char(printer->out, '\n');
}

bool heat_map_print(struct buffer *out, const struct heat_map *map, enum terminal_shades shades, size_t width,
                    struct error *error) {
  struct printer printer = {.out = out, .map = map, .shades = shades, .full = heat_map_full(map)};
  if (width < LEAST_TERMINAL) width = LEAST_TERMINAL;
  printer.widths = memory_new(error, map->columns, sizeof *printer.widths);
  if (!printer.widths) return false;
  size_t label = map->rows_name ? text_width(map->rows_name) : 0;
  for (size_t r = 0; r < map->rows; r++)
    if (text_width(map->row_labels[r]) > label) label = text_width(map->row_labels[r]);
  printer.row_label = smaller(label, smaller(MOST_ROW_LABEL, width / 3));
  printer.room = width - printer.row_label - 1;
  bool level = set_widths(&printer, printer.room);
  print_names(&printer);
  for (size_t first = 0, last; first < map->columns; first = last) {
    size_t used = 0;
    for (last = first; last < map->columns && used + printer.widths[last] <= printer.room; last++) used += printer.widths[last];
    if (first) buffer_char(out, '\n');
    if (level)
      print_level_labels(&printer, first, last);
    else
      print_upright_labels(&printer, first, last);
    for (size_t r = 0; r < map->rows; r++) print_row(&printer, r, first, last);
  }
  print_scale(&printer);
  free(printer.widths);
  return buffer_check(out, error);
}
