// A search as a picture: a column for each step, its continuations by rank, lines to what they go on from.
#pragma once
#include "draw/canvas.h"

enum tree_fate { TREE_KEPT, TREE_FINISHED, TREE_DROPPED };

struct tree_box {
  size_t column, row;   // from 0
  int64_t parent;       // a box before this one; -1: none
  const char *label;
  double value;         // written below the label
  enum tree_fate fate;
  bool best;            // it lies on the way to the result
};

struct tree_picture {
  const char *title;    // may be NULL
  const struct tree_box *boxes;
  size_t count;
};

bool tree_picture_draw(struct buffer *out, enum picture_format format, const struct tree_picture *picture, struct error *error);
