// A canvas that writes SVG, as text. Colours are classes with a style for light and one for dark pages, so that a drawing can
// stand on either.
#pragma once
#include "draw/canvas.h"

void svg_number(struct buffer *out, double value);        // as many digits as a picture needs, at most two
void svg_escape(struct buffer *out, const char *text);    // also replaces what XML can't hold
