#include "metrics/entities.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct tag {
  char prefix;       // 'B', 'I' or 'O'
  const char *type;  // "" outside
};

static struct tag tag_of(const char *text) {
  if ((text[0] == 'B' || text[0] == 'I') && text[1] == '-') return (struct tag){text[0], text + 2};
  return (struct tag){'O', ""};
}

static bool same_type(struct tag a, struct tag b) { return strcmp(a.type, b.type) == 0; }
static bool begins(struct tag before, struct tag now) {
  return now.prefix != 'O' && (now.prefix == 'B' || before.prefix == 'O' || !same_type(before, now));
}
static bool ends(struct tag before, struct tag now) {
  return before.prefix != 'O' && (now.prefix != 'I' || !same_type(before, now));
}

static struct entity_counts *counts_of(struct entity_statistics *statistics, const char *type, struct error *error) {
  for (size_t i = 0; i < statistics->count; i++)
    if (strcmp(statistics->types[i].type, type) == 0) return &statistics->types[i];
  if (!memory_grow(error, &statistics->types, &statistics->capacity, statistics->count + 1, sizeof *statistics->types))
    return NULL;
  char *own = memory_copy_text(error, type);
  if (!own) return NULL;
  struct entity_counts *counts = &statistics->types[statistics->count++];
  *counts = (struct entity_counts){.type = own};
  return counts;
}

static bool count(struct entity_statistics *statistics, const char *type, int right, int predicted, int both,
                  struct error *error) {
  struct entity_counts *counts = counts_of(statistics, type, error);
  if (!counts) return false;
  struct entity_counts *both_counts[] = {counts, &statistics->all};
  for (int i = 0; i < 2; i++) {
    both_counts[i]->right += (uint64_t)right;
    both_counts[i]->predicted += (uint64_t)predicted;
    both_counts[i]->both += (uint64_t)both;
  }
  return true;
}

bool entities_add(struct entity_statistics *statistics, const char *const *right, const char *const *predicted, size_t words,
                  struct error *error) {
  struct tag before_right = {'O', ""}, before_predicted = {'O', ""};
  bool together = false;  // both entities began at the same word with the same type, and neither has ended
  for (size_t i = 0; i <= words; i++) {
    struct tag a = i < words ? tag_of(right[i]) : (struct tag){'O', ""},
               b = i < words ? tag_of(predicted[i]) : (struct tag){'O', ""};
    bool end_a = ends(before_right, a), end_b = ends(before_predicted, b);
    if (together && (end_a || end_b)) {
      if (end_a && end_b && !count(statistics, before_right.type, 0, 0, 1, error)) return false;
      together = false;
    }
    bool begin_a = begins(before_right, a), begin_b = begins(before_predicted, b);
    if (begin_a && begin_b && same_type(a, b)) together = true;
    if (begin_a && !count(statistics, a.type, 1, 0, 0, error)) return false;
    if (begin_b && !count(statistics, b.type, 0, 1, 0, error)) return false;
    if (i < words) {
      statistics->words++;
      statistics->same_tag += strcmp(right[i], predicted[i]) == 0;
    }
    before_right = a;
    before_predicted = b;
  }
  return true;
}

void entities_free(struct entity_statistics *statistics) {
  for (size_t i = 0; i < statistics->count; i++) free(statistics->types[i].type);
  free(statistics->types);
  *statistics = (struct entity_statistics){0};
}

static double percent(uint64_t part, uint64_t whole) { return whole ? 100 * (double)part / (double)whole : 0; }

struct entity_scores entity_scores(const struct entity_counts *counts) {
  struct entity_scores scores = {percent(counts->both, counts->predicted), percent(counts->both, counts->right), 0};
  if (counts->both) scores.f1 = 2 * scores.precision * scores.recall / (scores.precision + scores.recall);
  return scores;
}

void entities_write(const struct entity_statistics *statistics, struct buffer *out) {
  buffer_format(out, "%-12s precision  recall      F1     count\n", "entity");
  for (size_t i = 0; i < statistics->count; i++) {
    struct entity_scores scores = entity_scores(&statistics->types[i]);
    const double values[] = {scores.precision, scores.recall, scores.f1};
    buffer_format(out, "%-12s   ", statistics->types[i].type);
    for (int k = 0; k < 3; k++) {
      buffer_text(out, values[k] >= 99.995 ? " " : values[k] >= 9.995 ? "  " : "   ");
      buffer_decimal(out, values[k], 2);
    }
    buffer_format(out, " %9" PRIu64 "\n", statistics->types[i].right);
  }
}
