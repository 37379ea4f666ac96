#include "train/schedule.h"

#include <math.h>
#include <string.h>

static const char *const names[SCHEDULE_KINDS] = {
  [SCHEDULE_CONSTANT] = "constant", [SCHEDULE_INVERSE_SQRT] = "inverse-sqrt",
  [SCHEDULE_LINEAR] = "linear", [SCHEDULE_COSINE] = "cosine"};

double schedule_rate(const struct schedule *schedule, int64_t step) {
  double warmup = (double)schedule->warmup, now = (double)step;
  if (step < schedule->warmup) return schedule->peak * now / warmup;
  double left = (double)schedule->total - now, after = (double)schedule->total - warmup;
  if (schedule_needs_total(schedule->kind) && (left <= 0 || after <= 0)) return schedule->least;
  double least = schedule->least, above = schedule->peak - least;
  switch (schedule->kind) {
    case SCHEDULE_INVERSE_SQRT: return schedule->peak * sqrt((warmup < 1 ? 1 : warmup) / (now < 1 ? 1 : now));
    case SCHEDULE_LINEAR: return least + above * left / after;
    case SCHEDULE_COSINE: return least + above * 0.5 * (1 + cos(3.14159265358979323846 * (now - warmup) / after));
    default: return schedule->peak;
  }
}

const char *schedule_name(enum schedule_kind kind) { return names[kind]; }

bool schedule_find(enum schedule_kind *kind, const char *name) {
  for (int i = 0; i < SCHEDULE_KINDS; i++)
    if (strcmp(names[i], name) == 0) {
      *kind = (enum schedule_kind)i;
      return true;
    }
  return false;
}
