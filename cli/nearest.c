#include "cli/nearest.h"

#include <string.h>

enum { LONGEST = 63 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// How many letters must be inserted, dropped, changed or swapped with their neighbour to get from a to b.
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m) {
  size_t rows[3][LONGEST + 1];
  for (size_t j = 0; j <= m; j++) rows[0][j] = j;
  for (size_t i = 1; i <= n; i++) {
    size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= m; j++) {
      row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = least(row[j], two_above[j - 2] + 1);
    }
  }
  return rows[n % 3][m];
}

struct nearest nearest_start(const char *word) { return (struct nearest){.word = word, .length = strlen(word)}; }

void nearest_offer(struct nearest *nearest, const char *candidate) {
  size_t n = nearest->length, m = strlen(candidate);
  if (n == 0 || n > LONGEST || m > LONGEST) return;
  size_t distance = edit_distance(nearest->word, n, candidate, m);
  // The start of a longer name is near, too: --valid for --valid-every, but less than a misspelling is.
  if (n >= 3 && n < m && memcmp(nearest->word, candidate, n) == 0) distance = least(distance, 3);
  else if (distance > 1 + (n < m ? n : m) / 4) return;
  if (nearest->best && distance >= nearest->distance) return;
  nearest->best = candidate;
  nearest->distance = distance;
}
