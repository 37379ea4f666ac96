#include "metrics/correlation.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

static double mean_of(const double *x, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i];
  return sum / (double)count;
}

double correlation_pearson(const double *x, const double *y, size_t count) {
  if (count < 2) return 0;
  double mean_x = mean_of(x, count), mean_y = mean_of(y, count), xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < count; i++) {
    double dx = x[i] - mean_x, dy = y[i] - mean_y;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  double below = sqrt(xx) * sqrt(yy), result = below > 0 ? xy / below : 0;
  return result > 1 ? 1 : result < -1 ? -1 : result;
}

struct ranked {
  double value;
  size_t index;
};

static int compare(const void *a, const void *b) {
  const struct ranked *x = a, *y = b;
  return (x->value > y->value) - (x->value < y->value);
}

static void rank(const double *x, size_t count, struct ranked *order, double *ranks) {
  for (size_t i = 0; i < count; i++) order[i] = (struct ranked){x[i], i};
  qsort(order, count, sizeof *order, compare);
  for (size_t i = 0, end; i < count; i = end) {
    for (end = i + 1; end < count && order[end].value == order[i].value; end++);
    for (size_t k = i; k < end; k++) ranks[order[k].index] = (double)(i + end - 1) / 2;
  }
}

bool correlation_spearman(const double *x, const double *y, size_t count, double *result, struct error *error) {
  struct ranked *order = memory_new(error, count + 1, sizeof *order);
  double *ranks = memory_new(error, 2 * count + 1, sizeof *ranks);
  if (order && ranks) {
    rank(x, count, order, ranks);
    rank(y, count, order, ranks + count);
    *result = correlation_pearson(ranks, ranks + count, count);
  }
  bool ok = order && ranks;
  free(order);
  free(ranks);
  return ok;
}
