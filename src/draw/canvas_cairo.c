// Canvases that cairo draws: PNG and PDF. The only file that knows cairo; not compiled where it is missing.
//
// The libraries are loaded when a picture is drawn, so that they cost nothing, neither time nor memory, where none is.
//
// Cairo draws a text in one font and from left to right. The font is the one that has most of the text's characters, so that
// a label in any script is seen; letters that join, as in Arabic, and lines from right to left need the SVG.
#include <cairo-ft.h>
#include <cairo-pdf.h>
#include <cairo.h>
#include <dlfcn.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "draw/canvas.h"
#include "draw/text_width.h"

#define MOST_PIXELS 48e6       // of a PNG: about 200 MB while it is drawn
#define POINTS_PER_PIXEL 0.75  // of a PDF
#define TITLE_SIZE 15

// The functions that are used, all looked up before the first is called.
#define CAIRO_FUNCTIONS(F) \
    F(cairo_arc) F(cairo_create) F(cairo_destroy) F(cairo_fill) F(cairo_font_face_destroy) \
    F(cairo_ft_font_face_create_for_pattern) F(cairo_get_target) F(cairo_image_surface_create) F(cairo_line_to) \
    F(cairo_move_to) F(cairo_new_sub_path) F(cairo_pdf_surface_create_for_stream) F(cairo_pdf_surface_set_metadata) \
    F(cairo_rectangle) F(cairo_restore) F(cairo_rotate) F(cairo_save) F(cairo_scale) F(cairo_set_dash) \
    F(cairo_set_font_face) F(cairo_set_font_size) F(cairo_set_line_cap) F(cairo_set_line_join) F(cairo_set_line_width) \
    F(cairo_set_source_rgba) F(cairo_show_text) F(cairo_status) F(cairo_status_to_string) F(cairo_stroke) \
    F(cairo_surface_destroy) F(cairo_surface_finish) F(cairo_surface_status) F(cairo_surface_write_to_png_stream) \
    F(cairo_text_extents) F(cairo_translate)
#define FONT_FUNCTIONS(F) \
    F(FcCharSetAddChar) F(FcCharSetCreate) F(FcCharSetDestroy) F(FcConfigSubstitute) F(FcDefaultSubstitute) \
    F(FcFontMatch) F(FcPatternAddCharSet) F(FcPatternAddInteger) F(FcPatternAddString) F(FcPatternCreate) \
    F(FcPatternDestroy)
#define POINTER(name) __typeof__(name) *name;

struct pen {
  CAIRO_FUNCTIONS(POINTER)
  FONT_FUNCTIONS(POINTER)
  cairo_t *cairo;
};

static bool look_up(void *functions, void *library, const char *const names[]) {
  for (char *to = functions; library && *names; names++, to += sizeof(void *)) {
    void *function = dlsym(library, *names);
    if (!function) return false;
    memcpy(to, &function, sizeof function);
  }
  return library != NULL;
}

static struct pen *load(struct canvas *canvas) {
#define NAME(name) #name,
  static const char *const cairo_names[] = {CAIRO_FUNCTIONS(NAME) NULL}, *const font_names[] = {FONT_FUNCTIONS(NAME) NULL};
  struct pen *pen = memory_new(canvas->error, 1, sizeof *pen);
  if (!pen) return NULL;
  // They stay in the process: the next picture uses again what they keep.
  void *cairo = dlopen("libcairo.so.2", RTLD_NOW | RTLD_NODELETE),
       *fonts = cairo ? dlopen("libfontconfig.so.1", RTLD_NOW | RTLD_NODELETE) : NULL;
  if (look_up(pen, cairo, cairo_names) && look_up(&pen->FcCharSetAddChar, fonts, font_names)) return pen;
  const char *reason = dlerror();
  error_set(canvas->error, ERROR_UNSUPPORTED,
            "cairo, which draws PNG and PDF, cannot be used (%s); install libcairo2, or write the picture as .svg",
            reason ? reason : "a function is missing");
  free(pen);
  return NULL;
}

static bool fine(struct canvas *canvas, cairo_status_t status) {
  struct pen *pen = canvas->pen;
  if (!buffer_check(canvas->out, canvas->error)) return false;
  if (status == CAIRO_STATUS_SUCCESS) return true;
  return error_set(canvas->error, ERROR_UNSUPPORTED, "cairo cannot draw the picture: %s", pen->cairo_status_to_string(status));
}

static bool finish(struct canvas *canvas, cairo_status_t status) {
  struct pen *pen = canvas->pen;
  bool drawn = fine(canvas, pen->cairo_status(pen->cairo)) && fine(canvas, status);
  pen->cairo_destroy(pen->cairo);
  free(pen);
  canvas->pen = NULL;
  return drawn;
}

static bool begin_on(struct canvas *canvas, struct pen *pen, cairo_surface_t *surface, double scale) {
  canvas->pen = pen;
  pen->cairo = pen->cairo_create(surface);
  pen->cairo_surface_destroy(surface);  // the cairo_t holds it
  pen->cairo_scale(pen->cairo, scale, scale);
  return pen->cairo_status(pen->cairo) == CAIRO_STATUS_SUCCESS || finish(canvas, CAIRO_STATUS_SUCCESS);
}

static bool begin_png(struct canvas *canvas, double width, double height, const char *title) {
  struct pen *pen = load(canvas);
  double scale = fmin(SCALE_OF_PNG, sqrt(MOST_PIXELS / (width * height)));
  return pen && begin_on(canvas, pen,
                         pen->cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(width * scale), (int)(height * scale)), scale);
}

static cairo_status_t append(void *out, const unsigned char *bytes, unsigned int size) {
  struct buffer *buffer = out;
  buffer_append(buffer, bytes, size);
  return buffer->failed ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static bool begin_pdf(struct canvas *canvas, double width, double height, const char *title) {
  struct pen *pen = load(canvas);
  if (!pen) return false;
  cairo_surface_t *surface = pen->cairo_pdf_surface_create_for_stream(append, canvas->out, width * POINTS_PER_PIXEL,
                                                                      height * POINTS_PER_PIXEL);
  struct buffer clean = {0};
  if (title) text_append_cut(&clean, title, SIZE_MAX);
  if (clean.size) pen->cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, clean.data);
  buffer_free(&clean);
  return begin_on(canvas, pen, surface, POINTS_PER_PIXEL);
}

static bool end_png(struct canvas *canvas) {
  struct pen *pen = canvas->pen;
  return finish(canvas, pen->cairo_surface_write_to_png_stream(pen->cairo_get_target(pen->cairo), append, canvas->out));
}

static bool end_pdf(struct canvas *canvas) {
  struct pen *pen = canvas->pen;
  cairo_surface_t *surface = pen->cairo_get_target(pen->cairo);
  pen->cairo_surface_finish(surface);
  return finish(canvas, pen->cairo_surface_status(surface));
}

static void choose_color(struct pen *pen, enum canvas_color color, double opacity) {
  uint32_t tint = canvas_tints[color].light;
  pen->cairo_set_source_rgba(pen->cairo, (tint >> 16 & 255) / 255.0, (tint >> 8 & 255) / 255.0, (tint & 255) / 255.0, opacity);
}

// ---- text ----

// The pattern asks for the sans-serif font with most of the text's characters. NULL: there is none.
static FcPattern *find_font(struct pen *pen, FcPattern *wanted, FcCharSet *characters, const char *text, bool title) {
  for (const char *at = text, *end = text + strlen(text); at < end;) {
    uint32_t character;
    at += utf8_decode(at, end, &character, NULL);
    pen->FcCharSetAddChar(characters, character);
  }
  pen->FcPatternAddString(wanted, FC_FAMILY, (const FcChar8 *)"sans-serif");
  pen->FcPatternAddInteger(wanted, FC_WEIGHT, title ? FC_WEIGHT_BOLD : FC_WEIGHT_NORMAL);
  pen->FcPatternAddCharSet(wanted, FC_CHARSET, characters);
  pen->FcConfigSubstitute(NULL, wanted, FcMatchPattern);
  pen->FcDefaultSubstitute(wanted);
  FcResult result;
  return pen->FcFontMatch(NULL, wanted, &result);
}

static void choose_font(struct pen *pen, const char *text, bool title) {
  FcPattern *wanted = pen->FcPatternCreate();
  FcCharSet *characters = pen->FcCharSetCreate();
  FcPattern *found = wanted && characters ? find_font(pen, wanted, characters, text, title) : NULL;
  if (found) {
    cairo_font_face_t *face = pen->cairo_ft_font_face_create_for_pattern(found);
    pen->cairo_set_font_face(pen->cairo, face);
    pen->cairo_font_face_destroy(face);
    pen->FcPatternDestroy(found);
  }
  if (characters) pen->FcCharSetDestroy(characters);
  if (wanted) pen->FcPatternDestroy(wanted);
  pen->cairo_set_font_size(pen->cairo, title ? TITLE_SIZE : CANVAS_FONT_SIZE);
}

static void text(struct canvas *canvas, const struct canvas_label *label) {
  struct buffer clean = {0};
  cairo_text_extents_t extents;
  struct pen *pen = canvas->pen;
  text_append_cut(&clean, label->text, SIZE_MAX);
  choose_font(pen, buffer_string(&clean), label->title);
  pen->cairo_text_extents(pen->cairo, buffer_string(&clean), &extents);
  pen->cairo_save(pen->cairo);
  pen->cairo_translate(pen->cairo, label->x, label->y);
  pen->cairo_rotate(pen->cairo, label->rotation * M_PI / 180);
  pen->cairo_move_to(pen->cairo,
                     label->anchor == CANVAS_START    ? 0
                     : label->anchor == CANVAS_MIDDLE ? -extents.x_advance / 2
                                                      : -extents.x_advance,
                     0);
  choose_color(pen, label->color, 1);
  pen->cairo_show_text(pen->cairo, buffer_string(&clean));
  pen->cairo_restore(pen->cairo);
  buffer_free(&clean);
}

// ---- shapes ----

static void line(struct canvas *canvas, double x1, double y1, double x2, double y2, enum canvas_color color) {
  struct pen *pen = canvas->pen;
  choose_color(pen, color, 1);
  pen->cairo_set_line_width(pen->cairo, 1);
  pen->cairo_move_to(pen->cairo, x1, y1);
  pen->cairo_line_to(pen->cairo, x2, y2);
  pen->cairo_stroke(pen->cairo);
}

static void rectangle(struct canvas *canvas, double x, double y, double width, double height, enum canvas_color color,
                      double opacity, const char *hint) {
  struct pen *pen = canvas->pen;
  choose_color(pen, color, opacity);
  pen->cairo_rectangle(pen->cairo, x, y, width, height);
  pen->cairo_fill(pen->cairo);
}

static void path(struct canvas *canvas, const struct canvas_point *points, size_t count, enum canvas_color color, bool dashed) {
  static const double dashes[] = {6, 3};
  struct pen *pen = canvas->pen;
  pen->cairo_save(pen->cairo);
  choose_color(pen, color, 1);
  pen->cairo_set_line_width(pen->cairo, 1.8);
  pen->cairo_set_line_join(pen->cairo, CAIRO_LINE_JOIN_ROUND);
  pen->cairo_set_line_cap(pen->cairo, CAIRO_LINE_CAP_ROUND);
  pen->cairo_set_dash(pen->cairo, dashes, dashed ? 2 : 0, 0);
  for (size_t i = 0; i < count; i++)
    (points[i].starts ? pen->cairo_move_to : pen->cairo_line_to)(pen->cairo, points[i].x, points[i].y);
  pen->cairo_stroke(pen->cairo);
  pen->cairo_restore(pen->cairo);
}

static void dot(struct canvas *canvas, double x, double y, enum canvas_color color) {
  struct pen *pen = canvas->pen;
  choose_color(pen, color, 1);
  pen->cairo_new_sub_path(pen->cairo);
  pen->cairo_arc(pen->cairo, x, y, 2.5, 0, 2 * M_PI);
  pen->cairo_fill(pen->cairo);
}

const struct canvas_kind canvas_png = {begin_png, end_png, text, line, rectangle, path, dot};
const struct canvas_kind canvas_pdf = {begin_pdf, end_pdf, text, line, rectangle, path, dot};
