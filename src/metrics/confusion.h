// How often each label was predicted where each label was right, and the scores that follow from it: accuracy, F1 (van
// Rijsbergen, 1979), Matthews' correlation (Matthews, 1975; for more than two labels Gorodkin, 2004). The numbers are those of
// scikit-learn.
#pragma once
#include <stdint.h>

#include "base/buffer.h"

struct confusion {
  uint64_t *counts;  // [labels, labels] right label, predicted label
  int labels;
  uint64_t total;
};

bool confusion_open(struct confusion *confusion, int labels, struct error *error);
void confusion_free(struct confusion *confusion);
void confusion_add(struct confusion *confusion, int right, int predicted);

struct label_scores {
  double precision, recall, f1;
  uint64_t right, predicted, both;  // how often it was right, predicted, and both
};
struct label_scores confusion_label(const struct confusion *confusion, int label);
double confusion_accuracy(const struct confusion *confusion);  // 0 to 1
double confusion_macro_f1(const struct confusion *confusion);  // the mean over the labels that occur on either side
double confusion_matthews(const struct confusion *confusion);  // -1 to 1; 0 when one side has one label only

// A line for each label with precision, recall, F1 and how often it was right, then the table of counts. names [labels].
void confusion_write(const struct confusion *confusion, const char *const *names, struct buffer *out);
