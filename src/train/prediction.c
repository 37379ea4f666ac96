#include "train/prediction.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "generate/sequence_pass.h"

enum { LONGEST_ANSWER = 30 };

struct maker {
  struct predictions *predictions;
  const struct features *features;
  const struct model *model;
  const struct prediction_options *options;
  struct error *error;
  float *scores;       // [sequences] of choices: logits
  float *best, *none;  // [examples] of answers: the best window's sum of logits, the smallest one of "no answer"
  float *scratch;      // [2 * longest sequence]
};

struct prediction_options prediction_defaults(void) {
  return (struct prediction_options){.longest_answer = LONGEST_ANSWER, .no_answer = -INFINITY};
}

bool prediction_shape(enum example_shape *shape, const struct arch *arch, const char *directory, struct error *error) {
  switch (arch->head) {
    case HEAD_CLASSIFY:
    case HEAD_NEXT_SENTENCE:
    case HEAD_PRETRAINING:
    case HEAD_REPLACED: *shape = EXAMPLE_TEXT; return true;
    case HEAD_TAG: *shape = EXAMPLE_WORDS; return true;
    case HEAD_SPAN: *shape = EXAMPLE_QUESTION; return true;
    case HEAD_CHOICE:
    case HEAD_DOUBLE: *shape = EXAMPLE_CHOICE; return true;
    default:
      return error_set(error, ERROR_UNSUPPORTED,
                       "%s: the model has no head that labels anything; make one with qkv train OUT --task classify (or regress, "
                       "tag, span, choice) --from %s",
                       directory, directory);
  }
}

// In place; the sum is made in order, in double.
static void softmax(float *x, size_t count, size_t stride) {
  float most = -INFINITY;
  double sum = 0;
  for (size_t i = 0; i < count; i++)
    if (x[i * stride] > most) most = x[i * stride];
  for (size_t i = 0; i < count; i++) sum += exp((double)(x[i * stride] - most));
  for (size_t i = 0; i < count; i++) x[i * stride] = (float)(exp((double)(x[i * stride] - most)) / sum);
}

static int largest(const float *x, int count) {
  int best = 0;
  for (int i = 1; i < count; i++)
    if (x[i] > x[best]) best = i;
  return best;
}

// ---- one sequence ----

static void take_class(struct prediction *prediction, const float *logits, int labels) {
  if (labels == 1) {
    prediction->value = logits[0];
    return;
  }
  for (int i = 0; i < labels; i++) prediction->probabilities[i] = logits[i];
  softmax(prediction->probabilities, (size_t)labels, 1);
  prediction->label = largest(prediction->probabilities, labels);
  prediction->probability = prediction->probabilities[prediction->label];
}

static void take_words(const struct maker *maker, const struct feature *feature, const float *logits, int labels) {
  struct prediction *prediction = &maker->predictions->items[feature->example];
  for (uint32_t i = 0; i < feature->count; i++, logits += labels) {
    int word = maker->features->rows[feature->first + i].word;
    if (word < 0) continue;
    float *probabilities = maker->scratch;
    for (int k = 0; k < labels; k++) probabilities[k] = logits[k];
    softmax(probabilities, (size_t)labels, 1);
    int label = largest(probabilities, labels);
    prediction->words[word] = (struct predicted_word){label, probabilities[label]};
  }
}

static void take_tokens(const struct maker *maker, const struct feature *feature, const float *logits) {
  struct predicted_word *tokens = maker->predictions->items[feature->example].words;
  for (uint32_t i = 0; i < feature->count; i++) {
    double replaced = 1 / (1 + exp(-(double)logits[i]));
    tokens[i] = logits[i] > 0 ? (struct predicted_word){1, (float)replaced} : (struct predicted_word){0, (float)(1 - replaced)};
  }
}

// logits [count, 2]: start, end.
static void take_answer(const struct maker *maker, const struct feature *feature, const float *logits) {
  const struct feature_row *rows = &maker->features->rows[feature->first];
  struct prediction *prediction = &maker->predictions->items[feature->example];
  float none = logits[0] + logits[1];
  if (none < maker->none[feature->example]) maker->none[feature->example] = none;
  float best = maker->best[feature->example];
  int best_start = -1, best_end = -1;
  for (int start = 0; start < (int)feature->count; start++) {
    if (!rows[start].end) continue;
    for (int end = start; end < (int)feature->count && end < start + maker->options->longest_answer && rows[end].end; end++) {
      float sum = logits[2 * start] + logits[2 * end + 1];
      if (sum <= best) continue;
      best = sum;
      best_start = start;
      best_end = end;
    }
  }
  if (best_start < 0) return;
  maker->best[feature->example] = best;
  prediction->start = rows[best_start].start;
  prediction->size = rows[best_end].end - rows[best_start].start;
  float *probabilities = maker->scratch;
  for (uint32_t i = 0; i < 2 * feature->count; i++) probabilities[i] = logits[i];
  softmax(probabilities, feature->count, 2);
  softmax(probabilities + 1, feature->count, 2);
  prediction->probability = probabilities[2 * best_start] * probabilities[2 * best_end + 1];
}

static bool take(void *user, struct context *context, const struct batch *batch, struct tensor *hidden, const uint32_t *numbers) {
  struct maker *maker = user;
  struct head_outputs out = {0};
  static const int32_t no_rows[1] = {0};
  bool vocabulary = arch_has_vocabulary(&maker->model->arch);
  if (!model_head_outputs(context, maker->model, batch, hidden, vocabulary ? no_rows : NULL, vocabulary ? 1 : 0, &out))
    return false;
  const struct arch *arch = &maker->model->arch;
  for (int i = 0; i < batch->text_count; i++) {
    const struct feature *feature = &maker->features->sequences[numbers[i]];
    struct tensor *of = arch_has_row_labels(arch) || arch->head == HEAD_SPAN ? out.rows : out.texts;
    size_t row = of == out.rows ? (size_t)batch->texts[i].first : (size_t)i;
    const float *logits = of->data + row * (size_t)of->cols;
    if (arch->head == HEAD_TAG)
      take_words(maker, feature, logits, of->cols);
    else if (arch->head == HEAD_REPLACED)
      take_tokens(maker, feature, logits);
    else if (arch->head == HEAD_SPAN)
      take_answer(maker, feature, logits);
    else if (arch_has_choices(arch))
      maker->scores[numbers[i]] = logits[0];
    else
      take_class(&maker->predictions->items[feature->example], logits, of->cols);
  }
  return true;
}

// ---- what takes several sequences ----

static void finish_choices(const struct maker *maker) {
  for (size_t i = 0; i < maker->features->sample_count; i++) {
    const struct feature_sample *sample = &maker->features->samples[i];
    struct prediction *prediction = &maker->predictions->items[maker->features->sequences[sample->first].example];
    for (uint32_t k = 0; k < sample->count; k++) prediction->probabilities[k] = maker->scores[sample->first + k];
    softmax(prediction->probabilities, sample->count, 1);
    prediction->label = largest(prediction->probabilities, (int)sample->count);
    prediction->probability = prediction->probabilities[prediction->label];
  }
}

static void finish_answers(const struct maker *maker) {
  for (size_t i = 0; i < maker->predictions->count; i++) {
    struct prediction *prediction = &maker->predictions->items[i];
    prediction->margin = maker->best[i] - maker->none[i];
    if (!(prediction->margin >= maker->options->no_answer)) prediction->start = prediction->size = 0;
  }
}

static int probability_count(const struct maker *maker, const struct example *example) {
  switch (maker->model->arch.head) {
    case HEAD_CHOICE:
    case HEAD_DOUBLE: return (int)example->part_count;
    case HEAD_CLASSIFY: return maker->model->arch.labels;
    case HEAD_TAG:
    case HEAD_REPLACED:
    case HEAD_SPAN: return 0;
    default: return 2;
  }
}

// Words are the parts of an example; tokens those of its one sequence.
static bool make_words(struct maker *maker) {
  const struct features *features = maker->features;
  struct prediction *items = maker->predictions->items;
  bool tokens = maker->model->arch.head == HEAD_REPLACED;
  for (size_t i = 0; i < maker->predictions->count; i++)
    items[i].word_count = tokens ? 0 : features->examples->items[i].part_count;
  for (size_t i = 0; tokens && i < features->count; i++)
    items[features->sequences[i].example].word_count = features->sequences[i].count;
  for (size_t i = 0; i < maker->predictions->count; i++) {
    items[i].words = memory_new(maker->error, items[i].word_count + 1, sizeof *items[i].words);
    if (!items[i].words) return false;
    for (size_t k = 0; k < items[i].word_count; k++) items[i].words[k].label = -1;
  }
  return true;
}

static bool make_room(struct maker *maker) {
  const struct features *features = maker->features;
  struct predictions *predictions = maker->predictions;
  size_t count = features->examples->count, longest = features->longest;
  predictions->items = memory_new(maker->error, count + 1, sizeof *predictions->items);
  if (!predictions->items) return false;
  predictions->count = count;
  for (size_t i = 0; i < count; i++) {
    const struct example *example = &features->examples->items[i];
    struct prediction *prediction = &predictions->items[i];
    prediction->probability_count = probability_count(maker, example);
    prediction->probabilities = memory_new(maker->error, (size_t)prediction->probability_count + 1, sizeof(float));
    if (!prediction->probabilities) return false;
  }
  if (!make_words(maker)) return false;
  size_t labels = (size_t)maker->model->arch.labels;
  maker->scores = memory_new(maker->error, features->count + 1, sizeof *maker->scores);
  maker->best = memory_new(maker->error, count + 1, sizeof *maker->best);
  maker->none = memory_new(maker->error, count + 1, sizeof *maker->none);
  maker->scratch = memory_new(maker->error, 2 * longest + labels + 2, sizeof *maker->scratch);
  if (!maker->scores || !maker->best || !maker->none || !maker->scratch) return false;
  for (size_t i = 0; i < count; i++) {
    maker->best[i] = -INFINITY;
    maker->none[i] = INFINITY;
  }
  return true;
}

static bool run(struct maker *maker) {
  const struct features *features = maker->features;
  int32_t *ids = memory_new(maker->error, 2 * features->row_count + 1, sizeof *ids), *types = ids + features->row_count;
  struct pass_sequence *sequences = memory_new(maker->error, features->count + 1, sizeof *sequences);
  bool ok = ids && sequences;
  for (size_t i = 0; ok && i < features->row_count; i++) {
    ids[i] = features->rows[i].id;
    types[i] = features->rows[i].type;
  }
  for (size_t i = 0; ok && i < features->count; i++) {
    const struct feature *feature = &features->sequences[i];
    sequences[i] = (struct pass_sequence){ids + feature->first, types + feature->first, (int)feature->count,
                                          (int)feature->second};
  }
  struct sequence_pass pass = {
    .model = maker->model, .sequences = sequences, .count = features->count, .take = take, .user = maker};
  ok = ok && sequence_pass_run(&pass, maker->error);
  free(ids);
  free(sequences);
  return ok;
}

bool predictions_make(struct predictions *predictions, const struct features *features, const struct model *model,
                      const struct prediction_options *options, struct error *error) {
  *predictions = (struct predictions){0};
  struct maker maker = {.predictions = predictions, .features = features, .model = model, .options = options, .error = error};
  bool ok = make_room(&maker) && run(&maker);
  if (ok && arch_has_choices(&model->arch)) finish_choices(&maker);
  if (ok && model->arch.head == HEAD_SPAN) finish_answers(&maker);
  free(maker.scores);
  free(maker.best);
  free(maker.none);
  free(maker.scratch);
  return ok;
}

void predictions_free(struct predictions *predictions) {
  for (size_t i = 0; predictions->items && i < predictions->count; i++) {
    free(predictions->items[i].probabilities);
    free(predictions->items[i].words);
  }
  free(predictions->items);
  *predictions = (struct predictions){0};
}
