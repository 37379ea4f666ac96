#include "draw/curves.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "draw/canvas.h"

enum { WIDTH = 860, HEIGHT = 460, LEFT = 74, BOTTOM = 54, LEGEND_LINE = 22, MOST_TICKS = 32, MARK = 24, MOST_DOTS = 60 };

// Where a range of values lies: value -> pixel, and its ticks.
struct scale {
  double low, high;    // of the values
  double from, to;     // pixels of low and high
  double first, step;  // of the ticks
  int ticks, digits;
};

struct frame {
  double left, right, top, bottom;
  struct scale x, y[2];
  bool has_axis[2];
};

static double to_pixel(const struct scale *scale, double value) {
  return scale->from + (value - scale->low) / (scale->high - scale->low) * (scale->to - scale->from);
}

// 1, 2 or 5 times a power of ten, so that the range is cut into about `wanted` steps.
static double nice_step(double range, int wanted) {
  double power = pow(10, floor(log10(range / wanted)));
  double rest = range / wanted / power;
  return power * (rest <= 1.5 ? 1 : rest <= 3.5 ? 2 : rest <= 7.5 ? 5 : 10);
}

static void set_range(struct scale *scale, double low, double high, int wanted, bool round_out) {
  if (!(low <= high)) low = 0, high = 1;  // no finite point
  // A range that is nothing compared with its values would put its ticks on one double.
  double least = fmax(fabs(low), fabs(high)) * 1e-9;
  if (high - low <= least) {
    double half = low == 0 ? 1 : fabs(low) * 0.1;
    low -= half;
    high += half;
  }
  scale->step = nice_step(high - low, wanted);
  scale->low = round_out ? floor(low / scale->step) * scale->step : low;
  scale->high = round_out ? ceil(high / scale->step) * scale->step : high;
  scale->first = ceil(scale->low / scale->step - 1e-9) * scale->step;
  scale->ticks = (int)floor((scale->high - scale->first) / scale->step + 1e-9) + 1;
  if (scale->ticks > MOST_TICKS) scale->ticks = MOST_TICKS;
  scale->digits = (int)fmax(0, -floor(log10(scale->step) + 1e-9));
}

static bool is_point(const struct curve *curve, size_t i) { return isfinite(curve->x[i]) && isfinite(curve->y[i]); }

static void find_ranges(struct frame *frame, const struct curves *curves) {
  double low_x = INFINITY, high_x = -INFINITY, low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  for (size_t c = 0; c < curves->count; c++) {
    const struct curve *curve = &curves->curves[c];
    frame->has_axis[curve->axis] = true;
    for (size_t i = 0; i < curve->count; i++) {
      if (!is_point(curve, i)) continue;
      low_x = fmin(low_x, curve->x[i]);
      high_x = fmax(high_x, curve->x[i]);
      low[curve->axis] = fmin(low[curve->axis], curve->y[i]);
      high[curve->axis] = fmax(high[curve->axis], curve->y[i]);
    }
  }
  if (!frame->has_axis[CURVE_LEFT] && !frame->has_axis[CURVE_RIGHT]) frame->has_axis[CURVE_LEFT] = true;
  set_range(&frame->x, low_x, high_x, 8, false);
  for (int axis = 0; axis < 2; axis++) set_range(&frame->y[axis], low[axis], high[axis], 6, true);
}

static void place(struct frame *frame) {
  frame->x.from = frame->left;
  frame->x.to = frame->right;
  for (int axis = 0; axis < 2; axis++) {
    frame->y[axis].from = frame->bottom;
    frame->y[axis].to = frame->top;
  }
}

static void write_tick(struct buffer *text, const struct scale *scale, double value) {
  buffer_clear(text);
  if (fabs(value) < scale->step * 1e-6) value = 0;
  buffer_decimal(text, value, scale->digits);
}

static void write_label(struct canvas *canvas, double x, double y, enum canvas_anchor anchor, double rotation,
                        enum canvas_color color, const char *text) {
  canvas_text(canvas, &(struct canvas_label){x, y, anchor, rotation, color, false, text});
}

static void draw_axes(struct canvas *canvas, const struct frame *frame, const struct curves *curves) {
  struct buffer label = {0};
  int main_axis = frame->has_axis[CURVE_LEFT] ? CURVE_LEFT : CURVE_RIGHT;
  for (int axis = 0; axis < 2; axis++) {
    const struct scale *scale = &frame->y[axis];
    for (int i = 0; frame->has_axis[axis] && i < scale->ticks; i++) {
      double value = scale->first + i * scale->step, y = to_pixel(scale, value);
      if (axis == main_axis) canvas_line(canvas, frame->left, y, frame->right, y, CANVAS_GRID);
      write_tick(&label, scale, value);
      double x = axis == CURVE_LEFT ? frame->left - 8 : frame->right + 8;
      write_label(canvas, x, y + 4, axis == CURVE_LEFT ? CANVAS_END : CANVAS_START, 0, CANVAS_INK, buffer_string(&label));
    }
  }
  for (int i = 0; i < frame->x.ticks; i++) {
    double value = frame->x.first + i * frame->x.step, x = to_pixel(&frame->x, value);
    canvas_line(canvas, x, frame->bottom, x, frame->bottom + 5, CANVAS_AXIS);
    write_tick(&label, &frame->x, value);
    write_label(canvas, x, frame->bottom + 20, CANVAS_MIDDLE, 0, CANVAS_INK, buffer_string(&label));
  }
  canvas_line(canvas, frame->left, frame->bottom, frame->right, frame->bottom, CANVAS_AXIS);
  double middle = (frame->top + frame->bottom) / 2;
  if (curves->x_name)
    write_label(canvas, (frame->left + frame->right) / 2, frame->bottom + 42, CANVAS_MIDDLE, 0, CANVAS_FAINT, curves->x_name);
  if (curves->left_name && frame->has_axis[CURVE_LEFT])
    write_label(canvas, 18, middle, CANVAS_MIDDLE, -90, CANVAS_FAINT, curves->left_name);
  if (curves->right_name && frame->has_axis[CURVE_RIGHT])
    write_label(canvas, WIDTH - 12, middle, CANVAS_MIDDLE, -90, CANVAS_FAINT, curves->right_name);
  if (label.failed) canvas->out->failed = true;
  buffer_free(&label);
}

struct points {
  struct canvas_point *list;
  size_t count, capacity;
  bool open;
};

static bool add_point(struct points *points, struct error *error, double x, double y) {
  if (!memory_grow(error, &points->list, &points->capacity, points->count + 1, sizeof *points->list)) return false;
  points->list[points->count++] = (struct canvas_point){x, y, !points->open};
  points->open = true;
  return true;
}

// The points of one half pixel column become its first, lowest, highest and last point.
static bool make_path(struct points *points, const struct frame *frame, const struct curve *curve, struct error *error) {
  const struct scale *scale = &frame->y[curve->axis];
  bool fine = true;
  for (size_t i = 0; fine && i < curve->count;) {
    if (!is_point(curve, i)) {
      points->open = false;
      i++;
      continue;
    }
    double x = to_pixel(&frame->x, curve->x[i]), column = floor(x * 2), low = curve->y[i], high = low;
    size_t last = i;
    while (last + 1 < curve->count && is_point(curve, last + 1) && floor(to_pixel(&frame->x, curve->x[last + 1]) * 2) == column) {
      last++;
      low = fmin(low, curve->y[last]);
      high = fmax(high, curve->y[last]);
    }
    fine = add_point(points, error, x, to_pixel(scale, curve->y[i]));
    if (fine && last > i + 1)
      fine = add_point(points, error, x, to_pixel(scale, low)) && add_point(points, error, x, to_pixel(scale, high));
    if (fine && last > i) fine = add_point(points, error, x, to_pixel(scale, curve->y[last]));
    i = last + 1;
  }
  return fine;
}

static enum canvas_color color_of(size_t number) { return CANVAS_SERIES_0 + number % CANVAS_SERIES; }

// A curve of few points has a dot at each; so a lone point is seen too.
static void draw_curve(struct canvas *canvas, const struct frame *frame, const struct curve *curve, size_t number) {
  struct points points = {0};
  if (make_path(&points, frame, curve, canvas->error))
    canvas_path(canvas, points.list, points.count, color_of(number), curve->axis == CURVE_RIGHT);
  free(points.list);
  for (size_t i = 0; curve->count <= MOST_DOTS && i < curve->count; i++)
    if (is_point(curve, i))
      canvas_dot(canvas, to_pixel(&frame->x, curve->x[i]), to_pixel(&frame->y[curve->axis], curve->y[i]), color_of(number));
}

static void append_last_value(struct buffer *text, const struct curve *curve) {
  for (size_t i = curve->count; i-- > 0;) {
    if (!is_point(curve, i)) continue;
    double size = fabs(curve->y[i]);
    buffer_char(text, ' ');
    buffer_decimal(text, curve->y[i], size >= 1000 || size == 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 3 : 5);
    return;
  }
}

// Returns the y below the legend. With canvas NULL it only measures.
static double draw_legend(struct canvas *canvas, const struct curves *curves, double top) {
  double x = LEFT, y = top;
  for (size_t i = 0; i < curves->count; i++) {
    const struct curve *curve = &curves->curves[i];
    struct buffer text = {0};
    buffer_text(&text, curve->name ? curve->name : "");
    append_last_value(&text, curve);
    double width = MARK + 8 + canvas_text_width(buffer_string(&text)) + 22;
    if (x > LEFT && x + width > WIDTH - 20) {
      x = LEFT;
      y += LEGEND_LINE;
    }
    if (canvas) {
      canvas_path(canvas, (struct canvas_point[]){{x, y - 4, true}, {x + MARK, y - 4}}, 2, color_of(i),
                  curve->axis == CURVE_RIGHT);
      write_label(canvas, x + MARK + 8, y, CANVAS_START, 0, CANVAS_INK, buffer_string(&text));
      if (text.failed) canvas->out->failed = true;
    }
    x += width;
    buffer_free(&text);
  }
  return y + 14;
}

bool curves_draw(struct buffer *out, enum picture_format format, const struct curves *curves, struct error *error) {
  struct frame frame = {.left = LEFT};
  struct canvas canvas;
  find_ranges(&frame, curves);
  double legend = curves->title ? 56 : 28;
  frame.top = draw_legend(NULL, curves, legend) + 4;
  frame.bottom = HEIGHT + (frame.top - 74) - BOTTOM;
  frame.right = WIDTH - (frame.has_axis[CURVE_RIGHT] ? 74 : 26);
  place(&frame);
  if (!canvas_begin(&canvas, out, format, WIDTH, frame.bottom + BOTTOM, curves->title, error)) return false;
  if (curves->title) canvas_text(&canvas, &(struct canvas_label){LEFT, 28, CANVAS_START, 0, CANVAS_INK, true, curves->title});
  draw_legend(&canvas, curves, legend);
  draw_axes(&canvas, &frame, curves);
  for (size_t i = 0; i < curves->count; i++) draw_curve(&canvas, &frame, &curves->curves[i], i);
  return canvas_end(&canvas) && error->code == ERROR_NONE;
}
