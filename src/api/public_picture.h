// Formats of pictures by their names.
#pragma once
#include "draw/canvas.h"

// "svg", "png" or "pdf".
bool public_picture_format(enum picture_format *format, const char *name, struct error *error);
