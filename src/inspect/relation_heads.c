#include "inspect/relation_heads.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { FARTHEST = 8, DISTANCES = 2 * FARTHEST + 1 };  // of fixed distances that are tried

struct counting {
  const struct model *model;
  const struct stack_arch *stack;
  const char *stack_name;
  int relations, heads;    // heads of all layers
  int64_t *found;          // [2 directions, relations, heads]
  int64_t *at_distance;    // [relations, DISTANCES]
  int64_t *totals;         // [relations]
};

// ---- one sentence ----

// The word of each token, -1 for special tokens.
static void find_words(int *words, const struct inspected_side *side, const struct treebank_sentence *sentence) {
  for (int t = 0, w = 0; t < side->count; t++) {
    words[t] = -1;
    if (side->sequences[t] < 0 || side->ends[t] <= side->starts[t]) continue;
    while (w < sentence->count && sentence->words[w].end < side->ends[t]) w++;  // a token ends inside the word that it belongs to
    if (w < sentence->count && side->ends[t] > sentence->words[w].start) words[t] = w;
  }
}

static void between_words(float *out, const float *weights, const int *words, int tokens, int count) {
  memset(out, 0, (size_t)count * (size_t)count * sizeof *out);
  for (int q = 0; q < tokens; q++)
    for (int k = 0; k < tokens; k++)
      if (words[q] >= 0 && words[k] >= 0) out[words[q] * count + words[k]] += weights[(size_t)q * (size_t)tokens + (size_t)k];
}

// What the word looks at most, itself left out; the sum over its tokens orders as their mean does. -1: at nothing.
static int most_looked_at(const float *weights, int word, int count) {
  int best = -1;
  for (int other = 0; other < count; other++)
    if (other != word && weights[word * count + other] > 0 &&
        (best < 0 || weights[word * count + other] > weights[word * count + best]))
      best = other;
  return best;
}

static void count_head(struct counting *counting, int head, const float *weights, const struct treebank_sentence *sentence) {
  size_t direction = (size_t)counting->relations * (size_t)counting->heads;
  for (int i = 0; i < sentence->count; i++) {
    const struct treebank_word *word = &sentence->words[i];
    if (word->head < 0) continue;
    size_t place = (size_t)word->relation * (size_t)counting->heads + (size_t)head;
    counting->found[place] += most_looked_at(weights, i, sentence->count) == word->head;
    counting->found[direction + place] += most_looked_at(weights, word->head, sentence->count) == i;
  }
}

static void count_distances(struct counting *counting, const struct treebank_sentence *sentence) {
  for (int i = 0; i < sentence->count; i++) {
    const struct treebank_word *word = &sentence->words[i];
    if (word->head < 0) continue;
    int distance = word->head - i;
    counting->totals[word->relation]++;
    if (abs(distance) <= FARTHEST) counting->at_distance[word->relation * DISTANCES + distance + FARTHEST]++;
  }
}

static bool count_sentence(struct counting *counting, const struct inspected_text *text, const struct treebank_sentence *sentence,
                           struct error *error) {
  const struct inspected_side *side = text->source.count ? &text->source : &text->inputs;
  struct pass_record record;
  struct pass_sides sides = inspected_text_sides(text);
  if (counting->model->arch.family == FAMILY_ENCODER_DECODER) sides.target_count = 0;
  int *words = memory_new(error, (size_t)side->count, sizeof *words);
  float *weights = memory_new(error, (size_t)sentence->count * (size_t)sentence->count, sizeof *weights);
  bool fine = words && weights && pass_record_run(&record, counting->model, &sides, PASS_WEIGHTS, error);
  if (fine) {
    find_words(words, side, sentence);
    count_distances(counting, sentence);
    for (int layer = 0; layer < counting->stack->layers; layer++) {
      const struct recorded *all = pass_record_weights(&record, counting->stack_name, layer);
      for (int head = 0; all && head < all->heads; head++) {
        between_words(weights, all->values + (size_t)head * (size_t)all->rows * (size_t)all->columns, words, side->count,
                      sentence->count);
        count_head(counting, layer * counting->stack->heads + head, weights, sentence);
      }
    }
    pass_record_free(&record);
  }
  free(words);
  free(weights);
  return fine;
}

// ---- the report ----

static struct relation_head best_of(const struct counting *counting, const struct treebank *treebank, int relation,
                                    bool to_head) {
  const int64_t *found = counting->found +
                         ((size_t)(to_head ? 0 : counting->relations) + (size_t)relation) * (size_t)counting->heads;
  const int64_t *distances = counting->at_distance + relation * DISTANCES;
  int best = 0, distance = 0;
  for (int i = 1; i < counting->heads; i++)
    if (found[i] > found[best]) best = i;
  for (int i = 1; i < DISTANCES; i++)
    if (distances[i] > distances[distance]) distance = i;
  double total = (double)counting->totals[relation];
  return (struct relation_head){.relation = treebank->relations[relation], .count = counting->totals[relation],
                                .to_head = to_head, .layer = best / counting->stack->heads, .head = best % counting->stack->heads,
                                .accuracy = (double)found[best] / total, .baseline = (double)distances[distance] / total,
                                .distance = distance - FARTHEST};
}

static int by_count(const void *first, const void *second) {
  const struct relation_head *a = first, *b = second;
  if (a->count != b->count) return a->count < b->count ? 1 : -1;
  int order = strcmp(a->relation, b->relation);
  return order ? order : (int)b->to_head - (int)a->to_head;
}

static void list_best(struct relation_report *report, const struct counting *counting, const struct treebank *treebank) {
  for (int relation = 0; relation < counting->relations; relation++) {
    if (!counting->totals[relation]) continue;
    report->items[report->count++] = best_of(counting, treebank, relation, true);
    report->items[report->count++] = best_of(counting, treebank, relation, false);
  }
  qsort(report->items, report->count, sizeof *report->items, by_count);
}

static bool count_all(struct relation_report *report, struct counting *counting, const struct tokenizer *tokenizer,
                      const struct treebank *treebank, struct error *error) {
  const struct arch *arch = &counting->model->arch;
  for (size_t i = 0; i < treebank->count; i++) {
    struct inspected_text text;
    const struct treebank_sentence *sentence = &treebank->sentences[i];
    // A translator's encoder is looked at alone; a target has to be there to read a pair.
    const char *second = arch->family == FAMILY_ENCODER_DECODER ? sentence->text : NULL;
    if (!inspected_text_make(&text, arch, tokenizer, sentence->text, second, error)) {
      if (error->code != ERROR_USAGE) return false;
      error_clear(error);
      report->skipped++;
      continue;
    }
    bool fine = count_sentence(counting, &text, sentence, error);
    inspected_text_free(&text);
    if (!fine) return false;
    report->sentences++;
  }
  return report->sentences > 0 || error_set(error, ERROR_USAGE, "every sentence has more tokens than the model takes");
}

bool relation_report_make(struct relation_report *report, const struct model *model, const struct tokenizer *tokenizer,
                          const struct treebank *treebank, struct error *error) {
  bool encoder = model->arch.encoder.layers > 0;
  struct counting counting = {.model = model,
                              .stack = encoder ? &model->arch.encoder : &model->arch.decoder,
                              .stack_name = encoder ? "encoder" : "decoder",
                              .relations = treebank->relation_count};
  counting.heads = counting.stack->layers * counting.stack->heads;
  size_t relations = (size_t)counting.relations;
  *report = (struct relation_report){.items = memory_new(error, 2 * relations, sizeof *report->items)};
  counting.found = memory_new(error, 2 * relations * (size_t)counting.heads, sizeof *counting.found);
  counting.at_distance = memory_new(error, relations * DISTANCES, sizeof *counting.at_distance);
  counting.totals = memory_new(error, relations, sizeof *counting.totals);
  bool fine = error->code == ERROR_NONE && count_all(report, &counting, tokenizer, treebank, error);
  if (fine) list_best(report, &counting, treebank);
  free(counting.found);
  free(counting.at_distance);
  free(counting.totals);
  if (!fine) relation_report_free(report);
  return fine;
}

void relation_report_free(struct relation_report *report) {
  free(report->items);
  *report = (struct relation_report){0};
}
