#include "base/clock.h"

#include <stdio.h>
#include <time.h>

double clock_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

char *clock_text(char out[32], double seconds) {
  long s = seconds < 0 ? 0 : seconds > 3.6e8 ? 360000000 : (long)(seconds + 0.5);
  if (s < 60) snprintf(out, 32, "%ld s", s);
  else if (s < 3600) snprintf(out, 32, "%ld min %ld s", s / 60, s % 60);
  else snprintf(out, 32, "%ld h %ld min", s / 3600, s % 3600 / 60);
  return out;
}
