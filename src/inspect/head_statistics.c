#include "inspect/head_statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"

static const double STANDS_OUT = 0.5;  // a share from which on a pattern has a name

static const struct { const char *name, *pattern; } measures[HEAD_MEASURES] = {
  [HEAD_ITSELF] = {"itself", "the token itself"}, [HEAD_PREVIOUS] = {"previous", "previous token"},
  [HEAD_NEXT] = {"next", "next token"},
  [HEAD_FIRST] = {"first", "first token"}, [HEAD_LAST] = {"last", "last token"}, [HEAD_SEPARATOR] = {"separator", "separators"},
  [HEAD_PUNCTUATION] = {"punctuation", "punctuation"}, [HEAD_SAME_WORD] = {"same word", "the same word elsewhere"},
  [HEAD_DISTANCE] = {"distance", NULL}, [HEAD_ENTROPY] = {"entropy", NULL}};

const char *head_measure_name(enum head_measure measure) { return measures[measure].name; }

// ---- one text ----

static bool is_punctuation(const char *label) {
  for (const char *at = label; *at;) {
    utf8proc_int32_t point;
    utf8proc_ssize_t size = utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &point);
    if (size <= 0) return false;
    utf8proc_category_t category = utf8proc_category(point);
    if (category <= UTF8PROC_CATEGORY_NO && category != UTF8PROC_CATEGORY_CN) return false;  // letters, marks, digits
    at += size;
  }
  return *label != 0;
}

static void measure_row(double *sums, const float *weights, int query, const struct inspected_side *queries,
                        const struct inspected_side *keys) {
  bool own = queries == keys;
  for (int k = 0; k < keys->count; k++) {
    double weight = weights[k];
    if (weight <= 0) continue;
    bool special = keys->sequences[k] < 0;
    sums[HEAD_ENTROPY] -= weight * log2(weight);
    if (k == 0) sums[HEAD_FIRST] += weight;
    if (k == keys->count - 1) sums[HEAD_LAST] += weight;
    if (special) sums[HEAD_SEPARATOR] += weight;
    else if (is_punctuation(keys->labels[k])) sums[HEAD_PUNCTUATION] += weight;
    if (!own) continue;
    if (k == query) sums[HEAD_ITSELF] += weight;
    else if (keys->ids[k] == queries->ids[query]) sums[HEAD_SAME_WORD] += weight;
    if (k == query - 1) sums[HEAD_PREVIOUS] += weight;
    if (k == query + 1) sums[HEAD_NEXT] += weight;
    sums[HEAD_DISTANCE] += weight * abs(k - query);
  }
}

static void measure(struct head_statistics *head, const struct recorded *weights, const struct inspected_side *queries,
                    const struct inspected_side *keys) {
  for (int row = 0; row < weights->rows; row++)
    measure_row(head->measures,
                weights->values + ((size_t)head->head * (size_t)weights->rows + (size_t)row) * (size_t)weights->columns, row,
                queries, keys);
  head->queries += weights->rows;
}

static bool measure_text(struct head_report *report, const struct model *model, const struct inspected_text *text,
                         struct error *error) {
  struct pass_record record;
  struct pass_sides sides = inspected_text_sides(text);
  if (!pass_record_run(&record, model, &sides, PASS_WEIGHTS, error)) return false;
  for (size_t i = 0; i < report->count; i++) {
    struct head_statistics *head = &report->heads[i];
    bool cross = strcmp(head->kind, "cross") == 0, encoder = strcmp(head->kind, "encoder") == 0;
    const struct recorded *weights = pass_record_weights(&record, head->kind, head->layer);
    if (weights)
      measure(head, weights, encoder ? &text->source : &text->inputs, encoder || cross ? &text->source : &text->inputs);
  }
  pass_record_free(&record);
  return true;
}

// ---- without a head ----

struct ablation {
  char name[64];   // of the attention whose head is off
  float *gains;    // [heads]
};

static const float *gains_of(void *user, const char *name) {
  const struct ablation *ablation = user;
  return strcmp(name, ablation->name) == 0 ? ablation->gains : NULL;
}

// The next token of each place, -1 behind the last of a text that a decoder reads.
static bool labels_of(const struct inspected_text *text, int32_t **labels, int *count, struct error *error) {
  int rows = text->inputs.count;
  *labels = memory_new(error, (size_t)rows, sizeof **labels);
  *count = 0;
  for (int i = 0; *labels && i < rows; i++) {
    (*labels)[i] = text->outputs.count ? text->outputs.ids[i] : i + 1 < rows ? text->inputs.ids[i + 1] : -1;
    *count += (*labels)[i] >= 0;
  }
  return *labels != NULL;
}

static bool add_loss(struct context *context, const struct model *model, const struct inspected_text *text, double *sum,
                     int64_t *tokens) {
  int rows = text->inputs.count, sources = text->source.count, label_count, longest = rows > sources ? rows : sources;
  int32_t *labels, *positions = memory_new(context->error, (size_t)longest, sizeof *positions);
  if (!positions || !labels_of(text, &labels, &label_count, context->error)) {
    free(positions);
    return false;
  }
  for (int i = 0; i < longest; i++) positions[i] = i;
  struct span source = {.qn = sources, .kn = sources}, target = {.qn = rows, .kn = rows}, cross = {.qn = rows, .kn = sources};
  struct batch batch = {
    .source = {.rows = sources, .ids = text->source.ids, .positions = positions, .spans = &source, .span_count = 1},
    .target = {.rows = rows, .ids = text->inputs.ids, .positions = positions, .spans = &target, .span_count = 1},
    .cross = &cross, .cross_count = sources > 0, .labels = labels, .label_count = label_count, .sequences = 1};
  struct loss loss = {0};
  context_begin(context, false, false, 0, 0);
  bool fine = model_loss(context, model, &batch, 0, (struct loss_scale){0}, &loss, NULL);
  *sum += loss.plain_sum;
  *tokens += loss.count;
  free(labels);
  free(positions);
  return fine;
}

static double mean_loss(struct context *context, const struct model *model, const struct inspected_text *texts, size_t count,
                        int64_t *tokens) {
  double sum = 0;
  *tokens = 0;
  for (size_t i = 0; i < count; i++)
    if (!add_loss(context, model, &texts[i], &sum, tokens)) return NAN;
  return *tokens ? sum / (double)*tokens : NAN;
}

static bool ablate_all(struct head_report *report, const struct model *model, const struct inspected_text *texts, size_t count,
                       struct error *error) {
  const struct arch *arch = &model->arch;
  if (arch->family == FAMILY_ENCODER || !model->head.vocabulary.weight)
    return error_set(error, ERROR_UNSUPPORTED,
                     "this model predicts no next token, so there is no loss that switching off a head could change");
  struct context context;
  struct ablation ablation = {
      .gains = memory_new(error, (size_t)(arch->decoder.heads > arch->encoder.heads ? arch->decoder.heads : arch->encoder.heads),
                          sizeof(float))};
  if (ablation.gains && context_open(&context, model->kernels, WORK_MEMORY_OF_ONE_TEXT, error)) {
    int64_t tokens;
    report->loss = mean_loss(&context, model, texts, count, &report->tokens);
    context.head_gain = gains_of;
    context.probe_user = &ablation;
    for (size_t i = 0; i < report->count && context_ok(&context); i++) {
      struct head_statistics *head = &report->heads[i];
      int heads = strcmp(head->kind, "encoder") == 0 ? arch->encoder.heads : arch->decoder.heads;
      attention_name(ablation.name, head->kind, head->layer);
      for (int h = 0; h < heads; h++) ablation.gains[h] = h == head->head ? 0 : 1;
      head->loss_change = mean_loss(&context, model, texts, count, &tokens) - report->loss;
    }
    context_close(&context);
  }
  free(ablation.gains);
  return error->code == ERROR_NONE;
}

// ---- the report ----

static void list_heads(struct head_report *report, const char *kind, const struct stack_arch *stack) {
  for (int layer = 0; layer < stack->layers; layer++)
    for (int head = 0; head < stack->heads; head++) {
      if (report->heads)
        report->heads[report->count] = (struct head_statistics){.kind = kind, .layer = layer, .head = head, .loss_change = NAN};
      report->count++;
    }
}

static void list_all(struct head_report *report, const struct arch *arch) {
  report->count = 0;
  if (arch->encoder.layers) list_heads(report, "encoder", &arch->encoder);
  if (arch->decoder.layers) list_heads(report, "decoder", &arch->decoder);
  if (arch->family == FAMILY_ENCODER_DECODER) list_heads(report, "cross", &arch->decoder);
}

static void finish(struct head_statistics *head) {
  bool cross = strcmp(head->kind, "cross") == 0;
  double most = STANDS_OUT;
  head->pattern = "mixed";
  for (int m = 0; m < HEAD_MEASURES; m++) {
    bool compares = m == HEAD_ITSELF || m == HEAD_PREVIOUS || m == HEAD_NEXT || m == HEAD_SAME_WORD || m == HEAD_DISTANCE;
    head->measures[m] = cross && compares ? NAN : head->queries > 0 ? head->measures[m] / head->queries : 0;
    if (!measures[m].pattern || !(head->measures[m] >= most)) continue;
    most = head->measures[m];
    head->pattern = measures[m].pattern;
  }
}

static bool measure_all(struct head_report *report, const struct model *model, const struct inspected_text *texts, size_t count,
                        bool ablate, struct error *error) {
  for (size_t i = 0; i < count; i++)
    if (!measure_text(report, model, &texts[i], error)) return false;
  for (size_t i = 0; i < report->count; i++) finish(&report->heads[i]);
  return !ablate || ablate_all(report, model, texts, count, error);
}

// Nothing but special tokens says nothing about what heads do.
static bool has_words(const struct inspected_text *text) {
  const struct inspected_side *side = text->source.count ? &text->source : &text->inputs;
  for (int i = 0; i < side->count; i++)
    if (side->sequences[i] >= 0) return true;
  return false;
}

// Texts that a model cannot read are counted and left out.
static bool read_texts(struct head_report *report, struct inspected_text *read, const struct model *model,
                       const struct tokenizer *tokenizer, const struct head_text *texts, size_t count, struct error *error) {
  for (size_t i = 0; i < count; i++) {
    struct inspected_text *text = &read[report->texts];
    if (inspected_text_make(text, &model->arch, tokenizer, texts[i].first, texts[i].second, error)) {
      if (has_words(text)) {
        report->texts++;
        continue;
      }
      inspected_text_free(text);
      error_set(error, ERROR_USAGE, "no text has any words; there is nothing to measure");
    }
    if (error->code != ERROR_USAGE) return false;
    if (!report->skipped++) report->first_skipped = i;
    if (i + 1 < count || report->texts) error_clear(error);
  }
  return report->texts > 0;
}

bool head_report_make(struct head_report *report, const struct model *model, const struct tokenizer *tokenizer,
                      const struct head_text *texts, size_t count, bool ablate, struct error *error) {
  *report = (struct head_report){.loss = NAN};
  list_all(report, &model->arch);
  report->heads = memory_new(error, report->count, sizeof *report->heads);
  struct inspected_text *read = memory_new(error, count, sizeof *read);
  if (report->heads && read) {
    list_all(report, &model->arch);
    if (read_texts(report, read, model, tokenizer, texts, count, error))
      measure_all(report, model, read, report->texts, ablate, error);
    for (size_t i = 0; i < report->texts; i++) inspected_text_free(&read[i]);
  }
  free(read);
  if (error->code == ERROR_NONE) return true;
  head_report_free(report);
  return false;
}

void head_report_free(struct head_report *report) {
  free(report->heads);
  *report = (struct head_report){0};
}
