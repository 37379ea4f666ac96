#include "cli/tally.h"

#include <stdio.h>

#include "cli/message.h"

void tally_add(struct tally *tally, size_t line) {
  if (tally->count < TALLY_NAMED) tally->lines[tally->count] = line;
  tally->count++;
}

void tally_report(const struct tally *tally, const char *name, const char *what) {
  if (tally->count == 0) return;
  char lines[TALLY_NAMED * 24 + 32];
  int n = 0;
  for (size_t i = 0; i < tally->count && i < TALLY_NAMED; i++)
    n += snprintf(lines + n, sizeof lines - n, "%s%zu", i ? ", " : "", tally->lines[i]);
  if (tally->count > TALLY_NAMED) snprintf(lines + n, sizeof lines - n, " and %zu more", tally->count - TALLY_NAMED);
  message_warning("%s: %zu line%s %s: line %s", name, tally->count, tally->count == 1 ? "" : "s", what, lines);
}
