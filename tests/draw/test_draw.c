// Drawings: SVG is well-formed whatever the labels are, numbers have points, terminal pictures are aligned and never wider
// than the terminal.
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/utf8.h"
#include "draw/curves.h"
#include "draw/heat_map.h"
#include "draw/svg.h"
#include "draw/text_width.h"
#include "draw/tree_picture.h"

enum { DEEPEST = 16 };

// Elements nested and closed, attributes quoted, no stray < or &, valid UTF-8, only characters that XML allows.
static void assert_well_formed(const char *text) {
  char open[DEEPEST][32];
  int depth = 0, roots = 0;
  assert_int_equal(utf8_invalid(text, strlen(text)), strlen(text));
  for (const char *at = text; *at;) {
    assert_true((unsigned char)*at >= 0x20 || strchr("\t\n\r", *at));
    if (*at == '&') {
      size_t entity = strcspn(at, ";");
      bool known = !strncmp(at, "&lt;", 4) || !strncmp(at, "&gt;", 4) || !strncmp(at, "&amp;", 5) || !strncmp(at, "&quot;", 6);
      if (!known) fail_msg("not an entity: %.*s", (int)entity, at);
    }
    if (*at != '<') {
      at++;
      continue;
    }
    bool closing = at[1] == '/';
    at += 1 + closing;
    size_t name = strcspn(at, " />");
    assert_in_range(name, 1, 31);
    if (closing) {
      assert_true(depth-- > 0);
      assert_int_equal(strlen(open[depth]), name);
      assert_memory_equal(open[depth], at, name);
    } else {
      assert_true(depth < DEEPEST);
      if (!depth) roots++;
      snprintf(open[depth++], sizeof open[0], "%.*s", (int)name, at);
    }
    at += name;
    while (*at == ' ') {
      size_t key = strcspn(++at, "=<>\"& ");
      assert_true(key > 0 && at[key] == '=' && at[key + 1] == '"');
      at += key + 2;
      size_t value = strcspn(at, "\"<");
      assert_int_equal(at[value], '"');
      at += value + 1;
    }
    if (*at == '/') depth--, at++;
    assert_int_equal(*at++, '>');
  }
  assert_int_equal(depth, 0);
  assert_int_equal(roots, 1);
}

static size_t occurrences(const char *text, const char *part) {
  size_t count = 0;
  for (; (text = strstr(text, part)); text += strlen(part)) count++;
  return count;
}

static void svg_text_is_escaped(void **state) {
  (void)state;
  struct buffer out = {0};
  svg_escape(&out, "a<b>&\"c\" \xFF \x01 \xEF\xBF\xBE ok\n");
  assert_string_equal(out.data, "a&lt;b&gt;&amp;&quot;c&quot; \xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD ok\n");
  buffer_free(&out);
}

static void svg_numbers_are_short(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0"}, {-0.001, "0"}, {10, "10"}, {1.5, "1.5"}, {-2.254, "-2.25"}, {100, "100"}, {NAN, "0"}, {1e6, "1000000"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct buffer out = {0};
    svg_number(&out, cases[i].value);
    assert_string_equal(out.data, cases[i].text);
    buffer_free(&out);
  }
}

static void draw_some_curves(struct buffer *out) {
  static const double steps[] = {100, 200, 300, 400}, loss[] = {5.25, NAN, 3.5, 2.75}, bleu[] = {1.5, 12, INFINITY, 31.25};
  const struct curve list[] = {{"loss <train> & co", CURVE_LEFT, steps, loss, 4}, {"BLEU", CURVE_RIGHT, steps, bleu, 4}};
  const struct curves curves = {"run \"1\"", "step", "loss", "BLEU", list, 2};
  struct error error = {0};
  assert_true(curves_draw(out, PICTURE_SVG, &curves, &error));
}

static void curves_have_axes_and_a_legend(void **state) {
  (void)state;
  struct buffer out = {0};
  draw_some_curves(&out);
  assert_well_formed(out.data);
  assert_non_null(strstr(out.data, ">loss &lt;train&gt; &amp; co 2.750</text>"));
  assert_non_null(strstr(out.data, ">BLEU 31.2</text>"));
  assert_non_null(strstr(out.data, ">200</text>"));   // on the horizontal axis
  assert_non_null(strstr(out.data, ">35</text>"));    // on the right one
  assert_non_null(strstr(out.data, ">2.5</text>"));   // on the left one
  // The first curve is interrupted by its missing point; the last point of the second stands alone.
  assert_int_equal(occurrences(out.data, "class=\"curve c0\""), 2);
  const char *path = strstr(strstr(out.data, "class=\"curve c0\"") + 1, "class=\"curve c0\"");  // behind that of the legend
  struct buffer line = {0};
  buffer_append(&line, path, strcspn(path, ">"));
  assert_int_equal(occurrences(line.data, "M"), 2);
  assert_int_equal(occurrences(line.data, "L"), 1);
  assert_int_equal(occurrences(out.data, "<circle class=\"c0\""), 3);
  assert_int_equal(occurrences(out.data, "<circle class=\"c1\""), 3);
  buffer_free(&line);
  buffer_free(&out);
}

static void curves_without_a_range_are_drawn(void **state) {
  (void)state;
  static const double one[] = {7}, big[] = {1e300}, none[] = {NAN}, close[] = {1, 1 + 1e-15}, steps[] = {1, 2};
  const struct curve lists[] = {{"empty", CURVE_LEFT, NULL, NULL, 0},
                                {"one", CURVE_LEFT, one, one, 1},
                                {"big", CURVE_LEFT, one, big, 1},
                                {"none", CURVE_RIGHT, one, none, 1},
                                {"close", CURVE_LEFT, steps, close, 2}};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    const struct curves curves = {.curves = &lists[i], .count = 1};
    struct buffer out = {0};
    struct error error = {0};
    assert_true(curves_draw(&out, PICTURE_SVG, &curves, &error));
    assert_well_formed(out.data);
    assert_true(out.size < 20000);
    buffer_free(&out);
  }
  const struct curves nothing = {0};
  struct buffer out = {0};
  struct error error = {0};
  assert_true(curves_draw(&out, PICTURE_SVG, &nothing, &error));
  assert_well_formed(out.data);
  buffer_free(&out);
}

// A picture's size must not grow with the length of the training.
static void many_points_are_thinned(void **state) {
  (void)state;
  enum { POINTS = 300000 };
  double *x = malloc(POINTS * sizeof *x), *y = malloc(POINTS * sizeof *y);
  assert_true(x && y);
  for (size_t i = 0; i < POINTS; i++) {
    x[i] = (double)i;
    y[i] = random_uniform(random_key(1, 2), i);
  }
  y[1234] = 8.75;  // a peak must stay
  const struct curve curve = {"noise", CURVE_LEFT, x, y, POINTS};
  const struct curves curves = {.curves = &curve, .count = 1};
  struct buffer out = {0};
  struct error error = {0};
  assert_true(curves_draw(&out, PICTURE_SVG, &curves, &error));
  assert_well_formed(out.data);
  assert_in_range(out.size, 20000, 150000);
  assert_non_null(strstr(out.data, ">8</text>"));
  assert_null(strstr(out.data, "<circle"));
  free(x);
  free(y);
  buffer_free(&out);
}

static const float values[] = {0.9f, 0.1f, 0, 0.04f, 0.16f, 0.8f};
static const char *const rows[] = {"el", "perro"}, *const heads[] = {"the", "dog", "</s>"};
static const struct heat_map small_map = {values, 2, 3, rows, heads, "layer 1 & 2", "target", "source", 1};

static void heat_map_is_drawn(void **state) {
  (void)state;
  struct buffer out = {0};
  struct error error = {0};
  assert_true(heat_map_draw(&out, PICTURE_SVG, &small_map, &error));
  assert_well_formed(out.data);
  assert_non_null(strstr(out.data, "fill-opacity=\"0.9\"><title>el \xE2\x86\x92 the: 0.9000</title>"));
  assert_non_null(strstr(out.data, "<title>perro \xE2\x86\x92 &lt;/s&gt;: 0.8000</title>"));
  assert_int_equal(occurrences(out.data, "\xE2\x86\x92"), 5);  // the empty cell is left out
  buffer_free(&out);
}

static const struct tree_box boxes[] = {{0, 0, -1, "<a>", -0.5, TREE_KEPT, true},
                                        {0, 1, -1, "a label that is too long", -1.25, TREE_DROPPED, false},
                                        {1, 0, 0, "\xFF&", -0.75, TREE_FINISHED, true},
                                        {1, 1, 0, "b", -2, TREE_KEPT, false}};
static const struct tree_picture tree = {"result & score", boxes, 4};

static void trees_are_drawn(void **state) {
  (void)state;
  struct buffer out = {0};
  struct error error = {0};
  assert_true(tree_picture_draw(&out, PICTURE_SVG, &tree, &error));
  assert_well_formed(out.data);
  assert_int_equal(occurrences(out.data, "<path class=\"curve c0\""),
                   3); // two boxes of the best way, and the branch between them
  assert_non_null(strstr(out.data, ">&lt;a&gt;</text>"));
  assert_non_null(strstr(out.data, ">-1.250</text>"));
  assert_non_null(strstr(out.data, ">a label th\xE2\x80\xA6</text>"));
  buffer_clear(&out);
  assert_true(tree_picture_draw(&out, PICTURE_SVG, &(struct tree_picture){0}, &error));
  assert_well_formed(out.data);
  buffer_free(&out);
}

// Both drawings as PNG and PDF: whole files of the right size, with their title and whatever their labels are; or, in a library
// without cairo, an error that says what to do.
static void pictures_are_drawn_by_cairo(void **state) {
  (void)state;
  static const char *const odd[] = {"<b>\"&", "\xFF\x01"}, *const scripts[] = {"\xE7\x8C\xAB", "\xD7\xA9\xD7\x9C", ""};
  const struct heat_map odd_map = {values, 2, 3, odd, scripts, "layer 1 & 2", "target", "source", 1};
  for (enum picture_format format = PICTURE_PNG; format <= PICTURE_PDF; format++) {
    struct buffer out = {0};
    struct error error = {0};
    bool drawn = heat_map_draw(&out, format, &odd_map, &error);
#ifdef HAS_CAIRO
    assert_true(drawn);
    assert_true(out.size > 1500);
    assert_memory_equal(out.data, format == PICTURE_PNG ? "\x89PNG\r\n\x1A\n" : "%PDF-1.", 7);
    assert_non_null(memmem(out.data, out.size, format == PICTURE_PNG ? "IEND" : "%%EOF", 4 + (format == PICTURE_PDF)));
    buffer_clear(&out);
    static const double steps[] = {1, 2, 3}, loss[] = {5.25, NAN, 3.5};
    const struct curve curve = {"loss", CURVE_RIGHT, steps, loss, 3};
    assert_true(curves_draw(&out, format, &(struct curves){.title = "run", .curves = &curve, .count = 1}, &error));
    assert_true(out.size > 1500);
#else
    assert_false(drawn);
    assert_int_equal(error.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "libcairo2-dev"));
    assert_int_equal(out.size, 0);
#endif
    buffer_free(&out);
  }
}

static void assert_printed(const struct heat_map *map, enum terminal_shades shades, size_t width, const char *wanted) {
  struct buffer out = {0};
  struct error error = {0};
  assert_true(heat_map_print(&out, map, shades, width, &error));
  assert_string_equal(out.data, wanted);
  buffer_free(&out);
}

static void terminal_pictures_look_so(void **state) {
  (void)state;
  assert_printed(&small_map, TERMINAL_ASCII, 80,
                 "layer 1 & 2\n"
                 "target \\ source\n"
                 "       the dog </s> \n"
                 "    el @@@ ...      \n"
                 " perro ... ::: %%%% \n"
                 "       0   . : - = + * # % @ 1.00\n");
  assert_printed(&small_map, TERMINAL_BLOCKS, 80,
                 "layer 1 & 2\n"
                 "target \\ source\n"
                 "       the dog </s> \n"
                 "    el ███ ░░░      \n"
                 " perro ░░░ ░░░ ████ \n"
                 "       0   ░ ▒ ▓ █ 1.00\n");
  struct heat_map plain = small_map;
  plain.rows = 1;
  plain.title = plain.rows_name = plain.columns_name = NULL;
  assert_printed(&plain, TERMINAL_TRUE_COLORS, 80,
                 "   the dog </s> \n"
                 "el \x1b[48;2;188;222;46;38;2;0;0;0m 90 \x1b[48;2;70;36;115;38;2;255;255;255m 10 "
                 "\x1b[48;2;68;1;84;38;2;255;255;255m     \x1b[0m\n"
                 "   0 \x1b[48;2;68;1;84;38;2;255;255;255m  \x1b[48;2;71;45;123;38;2;255;255;255m  "
                 "\x1b[48;2;59;82;139;38;2;255;255;255m  \x1b[48;2;44;114;142;38;2;255;255;255m  "
                 "\x1b[48;2;33;145;140;38;2;255;255;255m  \x1b[48;2;40;174;128;38;2;0;0;0m  \x1b[48;2;94;201;98;38;2;0;0;0m  "
                 "\x1b[48;2;173;220;48;38;2;0;0;0m  \x1b[48;2;253;231;37;38;2;0;0;0m  \x1b[0m 1.00\n");
}

// Labels that are too wide are written downwards; characters of two columns and combining marks keep their places.
static void crowded_columns_have_upright_labels(void **state) {
  (void)state;
  static const float many[12] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  static const char *const row[] = {"la"}, *const labels[] = {"extraordinary", "猫が", "e\xCC\x81t\xC3\xA9", "d", "e", "f",
                                                              "g", "h", "i", "j", "k", "</s>"};
  const struct heat_map map = {.values = many, .rows = 1, .columns = 12, .row_labels = row, .column_labels = labels};
  assert_printed(&map, TERMINAL_BLOCKS, 40,
                 "    e                                  \n"
                 "    x                                  \n"
                 "    t                                  \n"
                 "    r                                  \n"
                 "    a                                  \n"
                 "    o                                  \n"
                 "    r                                  \n"
                 "    d                                  \n"
                 "    i                                < \n"
                 "    n     e\xCC\x81                          / \n"
                 "    a 猫  t                          s \n"
                 "    r が  \xC3\xA9  d  e  f  g  h  i  j  k  > \n"
                 "la ██                               ██ \n"
                 "   0   ░ ▒ ▓ █ 1.00\n");
}

// The columns that a line takes on the terminal, escape sequences left out.
static size_t columns_of(const char *line, size_t size) {
  struct buffer seen = {0};
  for (size_t i = 0; i < size; i++) {
    if (line[i] == '\x1b') {
      while (line[i] != 'm') i++;
      continue;
    }
    buffer_char(&seen, line[i]);
  }
  size_t columns = text_width(buffer_string(&seen));
  buffer_free(&seen);
  return columns;
}

static char *random_label(struct random_key key, uint64_t *counter) {
  static const char *const parts[] = {"a", "b", "ch", "é", "e\xCC\x81", "猫", "が", "한", "🙂", "\t", "\n", "\xFF", "\x1b[31m", "<",
                                      "▁", "\xE2\x80\xAE", "abcdefgh"};
  struct buffer label = {0};
  for (uint64_t n = random_below(key, (*counter)++, 9); n > 0; n--)
    buffer_text(&label, parts[random_below(key, (*counter)++, sizeof parts / sizeof *parts)]);
  return label.data ? label.data : strdup("");
}

// Whatever the labels and values: the rows of one part of the matrix are equally wide, and no line exceeds the terminal.
static void terminal_pictures_are_aligned(void **state) {
  (void)state;
  enum { MOST = 40 };
  struct random_key key = random_key(7, 1);
  uint64_t counter = 0;
  for (int round = 0; round < 300; round++) {
    size_t sides[2] = {1 + random_below(key, counter, 8), 1 + random_below(key, counter + 1, MOST)};
    counter += 2;
    char *labels[2][MOST];
    float matrix[8 * MOST];
    for (int side = 0; side < 2; side++)
      for (size_t i = 0; i < sides[side]; i++) labels[side][i] = random_label(key, &counter);
    for (size_t i = 0; i < sides[0] * sides[1]; i++) {
      uint64_t kind = random_below(key, counter++, 20);
      matrix[i] = kind == 0 ? NAN : kind == 1 ? INFINITY : kind == 2 ? -1 : (float)random_uniform(key, counter++);
    }
    const struct heat_map map = {matrix, sides[0], sides[1], (const char *const *)labels[0], (const char *const *)labels[1],
                                 "title", "t", "s", round % 2 ? 1.0f : 0.0f};
    size_t width = 40 + random_below(key, counter++, 90);
    struct buffer out = {0};
    struct error error = {0};
    assert_true(heat_map_print(&out, &map, (enum terminal_shades)(round % 4), width, &error));
    assert_int_equal(utf8_invalid(out.data, out.size), out.size);
    const char *line = out.data;
    size_t rows_seen = 0, lines = 0, part_width = 0;
    for (; *line; lines++) {
      size_t size = strcspn(line, "\n"), columns = columns_of(line, size);
      assert_true(columns <= width);
      bool last = !line[size + 1];  // the scale
      bool colored_row = round % 4 >= TERMINAL_256_COLORS && memchr(line, '\x1b', size) && !last;
      if (colored_row && part_width) assert_int_equal(columns, part_width);
      if (colored_row) part_width = columns;
      if (!size) part_width = 0;  // an empty line is between two parts
      rows_seen += colored_row;
      line += size + 1;
    }
    assert_true(lines >= sides[0] + 3);
    if (round % 4 >= TERMINAL_256_COLORS) assert_int_equal(rows_seen % sides[0], 0);
    buffer_free(&out);
    assert_true(heat_map_draw(&out, PICTURE_SVG, &map, &error));
    assert_well_formed(out.data);
    buffer_free(&out);
    for (int side = 0; side < 2; side++)
      for (size_t i = 0; i < sides[side]; i++) free(labels[side][i]);
  }
}

static void widths_are_those_of_a_terminal(void **state) {
  (void)state;
  assert_int_equal(text_width("abc"), 3);
  assert_int_equal(text_width("猫が"), 4);
  assert_int_equal(text_width("e\xCC\x81"), 1);
  assert_int_equal(text_width("\x1b[31m\t\xFF"), 7);
  static const struct {
    size_t width;
    const char *left, *right;
  } cases[] = {{0, "", ""}, {1, "…", "…"}, {2, "… ", "… "}, {3, "猫…", "猫…"}, {4, "猫が", "猫が"}, {6, "猫が  ", "  猫が"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct buffer left = {0}, right = {0};
    text_append_left(&left, "猫が", cases[i].width);
    text_append_right(&right, "猫が", cases[i].width);
    assert_string_equal(buffer_string(&left), cases[i].left);
    assert_string_equal(buffer_string(&right), cases[i].right);
    buffer_free(&left);
    buffer_free(&right);
  }
}

static void a_decimal_comma_does_not_get_in(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "es_ES.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
  struct buffer plain = {0}, other = {0};
  draw_some_curves(&plain);
  bool found = false;
  for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++)
    found = setlocale(LC_ALL, names[i]) && !strcmp(localeconv()->decimal_point, ",");
  if (found) draw_some_curves(&other);
  setlocale(LC_ALL, "C");
  if (found) assert_string_equal(other.data, plain.data);
  buffer_free(&plain);
  buffer_free(&other);
  if (found) return;
  print_message("no locale with a decimal comma is installed\n");
  skip();
}

static void failing_memory_is_reported(void **state) {
  (void)state;
  static const double steps[] = {1, 2};
  const struct curve curve = {"c", CURVE_LEFT, steps, steps, 2};
  const struct curves curves = {.title = "t", .curves = &curve, .count = 1};
  for (int which = 0; which < 4; which++) {
    bool done = false;
    long refused = 0;
    for (; !done; refused++) {
      assert_true(refused < 2000);
      struct buffer out = {0};
      struct error error = {0};
      memory_fail_after(refused);
      done = which == 0   ? curves_draw(&out, PICTURE_SVG, &curves, &error)
             : which == 1 ? heat_map_draw(&out, PICTURE_SVG, &small_map, &error)
             : which == 2 ? tree_picture_draw(&out, PICTURE_SVG, &tree, &error)
                          : heat_map_print(&out, &small_map, TERMINAL_BLOCKS, 80, &error);
      memory_fail_after(-1);
      assert_int_equal(error.code, done ? ERROR_NONE : ERROR_MEMORY);
      buffer_free(&out);
    }
    assert_true(refused > 5);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(svg_text_is_escaped),
      cmocka_unit_test(svg_numbers_are_short),
      cmocka_unit_test(curves_have_axes_and_a_legend),
      cmocka_unit_test(curves_without_a_range_are_drawn),
      cmocka_unit_test(many_points_are_thinned),
      cmocka_unit_test(heat_map_is_drawn),
      cmocka_unit_test(trees_are_drawn),
      cmocka_unit_test(pictures_are_drawn_by_cairo),
      cmocka_unit_test(terminal_pictures_look_so),
      cmocka_unit_test(crowded_columns_have_upright_labels),
      cmocka_unit_test(terminal_pictures_are_aligned),
      cmocka_unit_test(widths_are_those_of_a_terminal),
      cmocka_unit_test(a_decimal_comma_does_not_get_in),
      cmocka_unit_test(failing_memory_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
