// Curves over a common horizontal axis, as a picture: losses and scores over the steps of a training.
#pragma once
#include "draw/canvas.h"

enum curve_axis { CURVE_LEFT, CURVE_RIGHT };

struct curve {
  const char *name;
  enum curve_axis axis;
  const double *x, *y;  // x ascending; a point that is not finite interrupts the line
  size_t count;
};

struct curves {
  const char *title, *x_name, *left_name, *right_name;  // any may be NULL
  const struct curve *curves;
  size_t count;
};

// Any number of points: what falls on one pixel column is drawn as its range. The legend shows each curve's last value.
// Curves on the right axis are dashed. False when memory runs out.
bool curves_draw(struct buffer *out, enum picture_format format, const struct curves *curves, struct error *error);
