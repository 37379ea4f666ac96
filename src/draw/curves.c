#include "draw/curves.h"

#include <math.h>

#include "draw/svg.h"

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

static void draw_axes(struct buffer *out, const struct frame *frame, const struct curves *curves) {
  struct buffer label = {0};
  int main_axis = frame->has_axis[CURVE_LEFT] ? CURVE_LEFT : CURVE_RIGHT;
  for (int axis = 0; axis < 2; axis++) {
    const struct scale *scale = &frame->y[axis];
    for (int i = 0; frame->has_axis[axis] && i < scale->ticks; i++) {
      double value = scale->first + i * scale->step, y = to_pixel(scale, value);
      if (axis == main_axis) svg_line(out, frame->left, y, frame->right, y, "grid");
      write_tick(&label, scale, value);
      double x = axis == CURVE_LEFT ? frame->left - 8 : frame->right + 8;
      svg_text(out, x, y + 4, axis == CURVE_LEFT ? SVG_END : SVG_START, 0, "ink", buffer_string(&label));
    }
  }
  for (int i = 0; i < frame->x.ticks; i++) {
    double value = frame->x.first + i * frame->x.step, x = to_pixel(&frame->x, value);
    svg_line(out, x, frame->bottom, x, frame->bottom + 5, "axis");
    write_tick(&label, &frame->x, value);
    svg_text(out, x, frame->bottom + 20, SVG_MIDDLE, 0, "ink", buffer_string(&label));
  }
  svg_line(out, frame->left, frame->bottom, frame->right, frame->bottom, "axis");
  double middle = (frame->top + frame->bottom) / 2;
  if (curves->x_name) svg_text(out, (frame->left + frame->right) / 2, frame->bottom + 42, SVG_MIDDLE, 0, "faint", curves->x_name);
  if (curves->left_name && frame->has_axis[CURVE_LEFT]) svg_text(out, 18, middle, SVG_MIDDLE, -90, "faint", curves->left_name);
  if (curves->right_name && frame->has_axis[CURVE_RIGHT])
    svg_text(out, WIDTH - 12, middle, SVG_MIDDLE, -90, "faint", curves->right_name);
  if (label.failed) out->failed = true;
  buffer_free(&label);
}

static void write_point(struct buffer *out, bool *open, double x, double y) {
  buffer_char(out, *open ? 'L' : 'M');
  svg_number(out, x);
  buffer_char(out, ' ');
  svg_number(out, y);
  *open = true;
}

// The points of one half pixel column become its first, lowest, highest and last point.
static void draw_path(struct buffer *out, const struct frame *frame, const struct curve *curve) {
  const struct scale *scale = &frame->y[curve->axis];
  bool open = false;
  for (size_t i = 0; i < curve->count;) {
    if (!is_point(curve, i)) {
      open = false;
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
    write_point(out, &open, x, to_pixel(scale, curve->y[i]));
    if (last > i + 1) {
      write_point(out, &open, x, to_pixel(scale, low));
      write_point(out, &open, x, to_pixel(scale, high));
    }
    if (last > i) write_point(out, &open, x, to_pixel(scale, curve->y[last]));
    i = last + 1;
  }
}

static void draw_dot(struct buffer *out, double x, double y, size_t number) {
  buffer_format(out, "<circle class=\"c%zu\" r=\"2.5\"", number % SVG_COLORS);
  svg_attribute(out, "cx", x);
  svg_attribute(out, "cy", y);
  buffer_text(out, "/>\n");
}

// A curve of few points has a dot at each; so a lone point is seen too.
static void draw_curve(struct buffer *out, const struct frame *frame, const struct curve *curve, size_t number) {
  struct buffer path = {0};
  draw_path(&path, frame, curve);
  if (path.size)
    buffer_format(out, "<path class=\"curve%s c%zu\" stroke-linecap=\"round\" d=\"%s\"/>\n",
                  curve->axis == CURVE_RIGHT ? " second" : "", number % SVG_COLORS, path.data);
  if (path.failed) out->failed = true;
  buffer_free(&path);
  for (size_t i = 0; curve->count <= MOST_DOTS && i < curve->count; i++)
    if (is_point(curve, i)) draw_dot(out, to_pixel(&frame->x, curve->x[i]), to_pixel(&frame->y[curve->axis], curve->y[i]), number);
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

// Returns the y below the legend. With out NULL it only measures.
static double draw_legend(struct buffer *out, const struct curves *curves, double top) {
  double x = LEFT, y = top;
  for (size_t i = 0; i < curves->count; i++) {
    const struct curve *curve = &curves->curves[i];
    struct buffer text = {0};
    buffer_text(&text, curve->name ? curve->name : "");
    append_last_value(&text, curve);
    double width = MARK + 8 + svg_text_width(buffer_string(&text)) + 22;
    if (x > LEFT && x + width > WIDTH - 20) {
      x = LEFT;
      y += LEGEND_LINE;
    }
    if (out) {
      buffer_format(out, "<path class=\"curve%s c%zu\" d=\"M", curve->axis == CURVE_RIGHT ? " second" : "", i % SVG_COLORS);
      svg_number(out, x);
      buffer_char(out, ' ');
      svg_number(out, y - 4);
      buffer_format(out, "h%d\"/>\n", MARK);
      svg_text(out, x + MARK + 8, y, SVG_START, 0, "ink", buffer_string(&text));
      if (text.failed) out->failed = true;
    }
    x += width;
    buffer_free(&text);
  }
  return y + 14;
}

bool curves_draw(struct buffer *out, const struct curves *curves, struct error *error) {
  struct frame frame = {.left = LEFT};
  find_ranges(&frame, curves);
  double legend = curves->title ? 56 : 28;
  frame.top = draw_legend(NULL, curves, legend) + 4;
  frame.bottom = HEIGHT + (frame.top - 74) - BOTTOM;
  frame.right = WIDTH - (frame.has_axis[CURVE_RIGHT] ? 74 : 26);
  place(&frame);
  svg_begin(out, WIDTH, frame.bottom + BOTTOM, curves->title);
  if (curves->title) svg_text(out, LEFT, 28, SVG_START, 0, "ink title", curves->title);
  draw_legend(out, curves, legend);
  draw_axes(out, &frame, curves);
  for (size_t i = 0; i < curves->count; i++) draw_curve(out, &frame, &curves->curves[i], i);
  svg_end(out);
  return buffer_check(out, error);
}
