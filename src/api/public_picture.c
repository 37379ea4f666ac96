#include "api/public_picture.h"

#include <string.h>

bool public_picture_format(enum picture_format *format, const char *name, struct error *error) {
  static const char *const names[] = {[PICTURE_SVG] = "svg", [PICTURE_PNG] = "png", [PICTURE_PDF] = "pdf"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    *format = (enum picture_format)i;
    if (strcmp(names[i], name) == 0) return true;
  }
  return error_set(error, ERROR_USAGE, "a picture's format is \"%s\"; it can be svg, png or pdf", name);
}
