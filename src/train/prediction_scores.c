// The scores of predictions against labels: those that the papers report for each kind of task.
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "metrics/answers.h"
#include "metrics/confusion.h"
#include "metrics/correlation.h"
#include "metrics/entities.h"
#include "train/prediction.h"

#define PERCENT(metric_, before_)                                                                                                \
  {                                                                                                                              \
    .metric = metric_, .key = metric_, .name = before_ " %", .before = before_ " ", .after = " %", .factor = 100, .decimals = 2, \
    .headline = true                                                                                                             \
  }
#define NUMBER(metric_, before_)                                                                                        \
  {                                                                                                                     \
    .metric = metric_, .key = metric_, .name = before_, .before = before_ " ", .after = "", .factor = 1, .decimals = 4, \
    .headline = true                                                                                                    \
  }

static const struct score_kind accuracy = PERCENT("accuracy", "accuracy"), f1 = PERCENT("f1", "F1"),
                               macro_f1 = PERCENT("macro-f1", "macro F1"), matthews = NUMBER("matthews", "Matthews"),
                               pearson = NUMBER("pearson", "Pearson"), spearman = NUMBER("spearman", "Spearman"),
                               precision = PERCENT("precision", "precision"), recall = PERCENT("recall", "recall"),
                               exact = PERCENT("exact", "exact match");

const struct score_kind *const curves_of_classes[] = {&accuracy, NULL}, *const curves_of_values[] = {&pearson, NULL},
                        *const curves_of_tags[] = {&f1, &accuracy, NULL}, *const curves_of_answers[] = {&exact, &f1, NULL};

struct scoring {
  const struct predictions *predictions;
  const struct features *features;
  const struct label_names *labels;
  struct scores *scores;
  struct buffer *details;
  struct error *error;
};

static const struct example *example_of(const struct scoring *scoring, size_t i) {
  return &scoring->features->examples->items[i];
}

// ---- classes and choices ----

static int right_label(const struct scoring *scoring, const struct example *example) {
  if (!example->label.text) return -1;
  return arch_has_choices(scoring->features->arch) ? atoi(example->label.text)
                                                      : label_names_find(scoring->labels, example->label.text);
}

static bool score_classes(struct scoring *scoring) {
  struct confusion confusion;
  if (!confusion_open(&confusion, scoring->labels->count, scoring->error)) return false;
  for (size_t i = 0; i < scoring->predictions->count; i++) {
    int right = right_label(scoring, example_of(scoring, i));
    if (right >= 0) confusion_add(&confusion, right, scoring->predictions->items[i].label);
  }
  scores_add(scoring->scores, &accuracy, confusion_accuracy(&confusion));
  if (confusion.labels == 2) scores_add(scoring->scores, &f1, confusion_label(&confusion, 1).f1);
  scores_add(scoring->scores, &macro_f1, confusion_macro_f1(&confusion));
  scores_add(scoring->scores, &matthews, confusion_matthews(&confusion));
  if (scoring->details) confusion_write(&confusion, (const char *const *)scoring->labels->names, scoring->details);
  confusion_free(&confusion);
  return true;
}

static bool score_choices(struct scoring *scoring) {
  uint64_t all = 0, right = 0;
  for (size_t i = 0; i < scoring->predictions->count; i++) {
    int label = right_label(scoring, example_of(scoring, i));
    all += label >= 0;
    right += label >= 0 && label == scoring->predictions->items[i].label;
  }
  scores_add(scoring->scores, &accuracy, all ? (double)right / (double)all : 0);
  return true;
}

// ---- numbers ----

static bool score_numbers(struct scoring *scoring) {
  size_t count = scoring->predictions->count, used = 0;
  double *right = memory_new(scoring->error, 2 * count + 1, sizeof *right), *found = right + count, rank = 0;
  for (size_t i = 0; right && i < count; i++) {
    const struct example *example = example_of(scoring, i);
    if (!example->label.text) continue;
    right[used] = strtod(example->label.text, NULL);
    found[used++] = scoring->predictions->items[i].value;
  }
  bool ok = right && correlation_spearman(right, found, used, &rank, scoring->error);
  if (ok) {
    scores_add(scoring->scores, &pearson, correlation_pearson(right, found, used));
    scores_add(scoring->scores, &spearman, rank);
  }
  free(right);
  return ok;
}

// ---- tags ----

static bool add_sentence(const struct scoring *scoring, size_t number, struct entity_statistics *statistics) {
  const struct example *example = example_of(scoring, number);
  const struct prediction *prediction = &scoring->predictions->items[number];
  if (!example->tags) return true;
  const char **right = memory_new(scoring->error, 2 * example->part_count + 1, sizeof *right),
             **found = right + example->part_count;
  for (size_t i = 0; right && i < example->part_count; i++) {
    right[i] = example->tags[i].text;
    found[i] = prediction->words[i].label >= 0 ? scoring->labels->names[prediction->words[i].label] : "O";
  }
  bool ok = right && entities_add(statistics, right, found, example->part_count, scoring->error);
  free(right);
  return ok;
}

static bool score_tags(struct scoring *scoring) {
  struct entity_statistics statistics = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < scoring->predictions->count; i++) ok = add_sentence(scoring, i, &statistics);
  if (ok) {
    struct entity_scores all = entity_scores(&statistics.all);
    scores_add(scoring->scores, &f1, all.f1 / 100);
    scores_add(scoring->scores, &precision, all.precision / 100);
    scores_add(scoring->scores, &recall, all.recall / 100);
    scores_add(scoring->scores, &accuracy, statistics.words ? (double)statistics.same_tag / (double)statistics.words : 0);
    if (scoring->details) entities_write(&statistics, scoring->details);
  }
  entities_free(&statistics);
  return ok;
}

// ---- answers ----

static bool score_answers(struct scoring *scoring) {
  double exact_sum = 0, f1_sum = 0;
  size_t count = 0;
  for (size_t i = 0; i < scoring->predictions->count; i++) {
    const struct example *example = example_of(scoring, i);
    const struct prediction *prediction = &scoring->predictions->items[i];
    if (!example->label.text) continue;
    struct metric_text *right = memory_new(scoring->error, example->part_count + 1, sizeof *right);
    struct answer_scores scores;
    for (size_t k = 0; right && k < example->part_count; k++)
      right[k] = (struct metric_text){example->parts[k].text, example->parts[k].size};
    bool ok = right && answer_score(&scores, (struct metric_text){example->pair.text + prediction->start, prediction->size},
                                    right, example->part_count, scoring->error);
    free(right);
    if (!ok) return false;
    exact_sum += scores.exact;
    f1_sum += scores.f1;
    count++;
  }
  scores_add(scoring->scores, &exact, count ? exact_sum / (double)count : 0);
  scores_add(scoring->scores, &f1, count ? f1_sum / (double)count : 0);
  return true;
}

bool predictions_score(const struct predictions *predictions, const struct features *features, const struct label_names *labels,
                       struct scores *scores, struct buffer *details, struct error *error) {
  struct scoring scoring = {predictions, features, labels, scores, details, error};
  switch (features->arch->head) {
    case HEAD_TAG: return score_tags(&scoring);
    case HEAD_SPAN: return score_answers(&scoring);
    case HEAD_CHOICE:
    case HEAD_DOUBLE: return score_choices(&scoring);
    case HEAD_CLASSIFY: return features->arch->labels == 1 ? score_numbers(&scoring) : score_classes(&scoring);
    default: return score_classes(&scoring);
  }
}
