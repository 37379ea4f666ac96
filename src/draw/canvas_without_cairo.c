// In place of canvas_cairo.c where cairo is missing: PNG and PDF are refused.
#include "draw/canvas.h"

static bool refuse(struct canvas *canvas, double width, double height, const char *title) {
  return error_set(canvas->error, ERROR_UNSUPPORTED,
                   "this qkv was built without cairo, which draws PNG and PDF; write the picture as .svg, or install "
                   "libcairo2-dev and build qkv again (meson setup --reconfigure build -Dcairo=enabled)");
}

const struct canvas_kind canvas_png = {.begin = refuse}, canvas_pdf = {.begin = refuse};
