#include "metrics/confusion.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool confusion_open(struct confusion *confusion, int labels, struct error *error) {
  *confusion = (struct confusion){.labels = labels};
  confusion->counts = memory_new(error, (size_t)labels * (size_t)labels, sizeof *confusion->counts);
  return confusion->counts != NULL;
}

void confusion_free(struct confusion *confusion) {
  free(confusion->counts);
  *confusion = (struct confusion){0};
}

static uint64_t count_of(const struct confusion *confusion, int right, int predicted) {
  return confusion->counts[(size_t)right * (size_t)confusion->labels + (size_t)predicted];
}

void confusion_add(struct confusion *confusion, int right, int predicted) {
  confusion->counts[(size_t)right * (size_t)confusion->labels + (size_t)predicted]++;
  confusion->total++;
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

struct label_scores confusion_label(const struct confusion *confusion, int label) {
  struct label_scores scores = {.both = count_of(confusion, label, label)};
  for (int i = 0; i < confusion->labels; i++) {
    scores.right += count_of(confusion, label, i);
    scores.predicted += count_of(confusion, i, label);
  }
  scores.precision = ratio((double)scores.both, (double)scores.predicted);
  scores.recall = ratio((double)scores.both, (double)scores.right);
  scores.f1 = ratio(2 * (double)scores.both, (double)(scores.right + scores.predicted));
  return scores;
}

double confusion_accuracy(const struct confusion *confusion) {
  uint64_t both = 0;
  for (int i = 0; i < confusion->labels; i++) both += count_of(confusion, i, i);
  return ratio((double)both, (double)confusion->total);
}

double confusion_macro_f1(const struct confusion *confusion) {
  double sum = 0;
  int occurring = 0;
  for (int i = 0; i < confusion->labels; i++) {
    struct label_scores scores = confusion_label(confusion, i);
    if (!scores.right && !scores.predicted) continue;
    sum += scores.f1;
    occurring++;
  }
  return ratio(sum, occurring);
}

double confusion_matthews(const struct confusion *confusion) {
  double total = (double)confusion->total, both = 0, cross = 0, right = 0, predicted = 0;
  for (int i = 0; i < confusion->labels; i++) {
    struct label_scores scores = confusion_label(confusion, i);
    both += (double)scores.both;
    cross += (double)scores.right * (double)scores.predicted;
    right += (double)scores.right * (double)scores.right;
    predicted += (double)scores.predicted * (double)scores.predicted;
  }
  double below = sqrt(total * total - predicted) * sqrt(total * total - right);
  return below > 0 ? (both * total - cross) / below : 0;
}

static int widest_name(const struct confusion *confusion, const char *const *names) {
  int widest = 9;  // the widest of the counts' columns
  for (int i = 0; i < confusion->labels; i++)
    if ((int)strlen(names[i]) > widest) widest = (int)strlen(names[i]);
  return widest < 40 ? widest : 40;
}

static void write_percent(struct buffer *out, double value) {
  buffer_text(out, value < 0.0995 ? "      " : value < 0.9995 ? "     " : "    ");
  buffer_decimal(out, 100 * value, 1);
}

void confusion_write(const struct confusion *confusion, const char *const *names, struct buffer *out) {
  int width = widest_name(confusion, names);
  buffer_format(out, "%-*s  precision  recall      F1     count\n", width, "label");
  for (int i = 0; i < confusion->labels; i++) {
    struct label_scores scores = confusion_label(confusion, i);
    buffer_format(out, "%-*.*s  ", width, width, names[i]);
    write_percent(out, scores.precision);
    write_percent(out, scores.recall);
    write_percent(out, scores.f1);
    buffer_format(out, " %9" PRIu64 "\n", scores.right);
  }
  buffer_format(out, "\nright \\ predicted\n%*s", width, "");
  for (int i = 0; i < confusion->labels; i++) buffer_format(out, " %*.*s", width, width, names[i]);
  for (int i = 0; i < confusion->labels; i++) {
    buffer_format(out, "\n%-*.*s", width, width, names[i]);
    for (int k = 0; k < confusion->labels; k++) buffer_format(out, " %*" PRIu64, width, count_of(confusion, i, k));
  }
  buffer_char(out, '\n');
}
