#include "draw/tree_picture.h"

#include <math.h>

#include "draw/text_width.h"

enum { MARGIN = 16, COLUMN = 124, ROW = 46, BOX = 96, BOX_HEIGHT = 36, MOST_COLUMNS_OF_LABEL = 11 };

struct drawing {
  struct canvas canvas;
  double top;  // of the first row
};

static double left_of(const struct tree_box *box) { return MARGIN + (double)box->column * COLUMN; }
static double top_of(const struct drawing *drawing, const struct tree_box *box) { return drawing->top + (double)box->row * ROW; }

static void draw_branch(struct drawing *drawing, const struct tree_box *from, const struct tree_box *to) {
  struct canvas *canvas = &drawing->canvas;
  double x1 = left_of(from) + BOX, y1 = top_of(drawing, from) + BOX_HEIGHT / 2.0, x2 = left_of(to),
         y2 = top_of(drawing, to) + BOX_HEIGHT / 2.0;
  if (to->best) canvas_path(canvas, (struct canvas_point[]){{x1, y1, true}, {x2, y2}}, 2, CANVAS_SERIES_0, false);
  else canvas_line(canvas, x1, y1, x2, y2, to->fate == TREE_DROPPED ? CANVAS_GRID : CANVAS_AXIS);
}

static void draw_frame(struct drawing *drawing, const struct tree_box *box) {
  struct canvas *canvas = &drawing->canvas;
  double left = left_of(box), right = left + BOX, top = top_of(drawing, box), bottom = top + BOX_HEIGHT;
  canvas_rectangle(canvas, left, top, BOX, BOX_HEIGHT, CANVAS_PAPER, 1, NULL);  // branches end at the box
  if (box->fate == TREE_FINISHED) canvas_rectangle(canvas, left, top, BOX, BOX_HEIGHT, CANVAS_CELL, 0.2, NULL);
  const struct canvas_point corners[] = {{left, top, true}, {right, top}, {right, bottom}, {left, bottom}, {left, top}};
  if (box->best) canvas_path(canvas, corners, 5, CANVAS_SERIES_0, false);
  for (int i = 0; !box->best && i < 4; i++)
    canvas_line(canvas, corners[i].x, corners[i].y, corners[i + 1].x, corners[i + 1].y,
                box->fate == TREE_DROPPED ? CANVAS_GRID : CANVAS_AXIS);
}

static void draw_box(struct drawing *drawing, const struct tree_box *box) {
  struct canvas *canvas = &drawing->canvas;
  struct buffer label = {0}, value = {0};
  enum canvas_color color = box->fate == TREE_DROPPED ? CANVAS_FAINT : CANVAS_INK;
  double left = left_of(box) + 6, top = top_of(drawing, box);
  draw_frame(drawing, box);
  text_append_cut(&label, box->label, MOST_COLUMNS_OF_LABEL);
  buffer_decimal(&value, box->value, 3);
  canvas_text(canvas, &(struct canvas_label){left, top + 15, CANVAS_START, 0, color, box->best, buffer_string(&label)});
  canvas_text(canvas, &(struct canvas_label){left, top + 31, CANVAS_START, 0, CANVAS_FAINT, false, buffer_string(&value)});
  if (label.failed || value.failed) canvas->out->failed = true;
  buffer_free(&label);
  buffer_free(&value);
}

bool tree_picture_draw(struct buffer *out, enum picture_format format, const struct tree_picture *picture, struct error *error) {
  size_t columns = 0, rows = 0;
  for (size_t i = 0; i < picture->count; i++) {
    if (picture->boxes[i].column >= columns) columns = picture->boxes[i].column + 1;
    if (picture->boxes[i].row >= rows) rows = picture->boxes[i].row + 1;
  }
  struct drawing drawing = {.top = MARGIN + (picture->title ? 30 : 0)};
  double title = picture->title ? MARGIN * 2 + canvas_text_width(picture->title) * 1.25 : 0;
  double width = fmax(title, MARGIN * 2 + (double)columns * COLUMN - (COLUMN - BOX)),
         height = drawing.top + (double)rows * ROW + MARGIN - (ROW - BOX_HEIGHT);
  if (!canvas_begin(&drawing.canvas, out, format, width, height, picture->title, error)) return false;
  if (picture->title)
    canvas_text(&drawing.canvas, &(struct canvas_label){MARGIN, MARGIN + 13, CANVAS_START, 0, CANVAS_INK, true, picture->title});
  for (int best = 0; best < 2; best++)  // the way to the result lies on top
    for (size_t i = 0; i < picture->count; i++)
      if (picture->boxes[i].parent >= 0 && picture->boxes[i].best == (best == 1))
        draw_branch(&drawing, &picture->boxes[picture->boxes[i].parent], &picture->boxes[i]);
  for (size_t i = 0; i < picture->count; i++) draw_box(&drawing, &picture->boxes[i]);
  return canvas_end(&drawing.canvas);
}
