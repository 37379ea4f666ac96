// The learning rate of each update, as a function of its number (the first update is 1).
//
// For all kinds the rate first rises linearly, reaching its peak at update `warmup`: rate = peak * step / warmup. Then
//   constant       peak
//   inverse-sqrt   peak * sqrt(warmup / step)                          ("Noam", Vaswani et al. 2017, stated by its peak)
//   linear         least + (peak - least) * (total - step) / (total - warmup)
//   cosine         least + (peak - least) * (1 + cos(pi * (step - warmup) / (total - warmup))) / 2
// The last two reach `least`, which is usually 0, with the last update. Where a time ends the training, training.c says which
// that is likely to be.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_INVERSE_SQRT, SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_KINDS };

struct schedule {
  enum schedule_kind kind;
  double peak;
  int64_t warmup;
  int64_t total;  // of updates; only linear and cosine read it
  double least;
};

double schedule_rate(const struct schedule *schedule, int64_t step);
const char *schedule_name(enum schedule_kind kind);
bool schedule_find(enum schedule_kind *kind, const char *name);  // false: no such name
static inline bool schedule_needs_total(enum schedule_kind kind) { return kind == SCHEDULE_LINEAR || kind == SCHEDULE_COSINE; }
