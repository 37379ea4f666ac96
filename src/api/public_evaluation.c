// Scores of translations: texts or files of lines in, one score per metric out.
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "base/file.h"
#include "base/memory.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"

// One side: the texts of a hypothesis file or of a reference, and for files the content they point into.
struct side {
  const char *name;
  struct buffer content;
  struct metric_text *texts;
  size_t count;
};

enum { METRICS = 3 };

// What the caller gets, with the memory of its strings.
struct evaluation {
  struct qkv_evaluation result;  // first, so that the pointer to it is the pointer to all
  struct qkv_score scores[METRICS];
  struct buffer signatures[METRICS], lines[METRICS];
};

// Which metrics, how.
struct plan {
  bool bleu, chrf[2];
  struct bleu_options bleu_options;
  struct chrf_options chrf_options[2];
};

static bool make_plan(struct plan *plan, const struct qkv_evaluation_options *options, struct error *error) {
  static const char *const tokenizers[] = {
    [BLEU_TOKENIZER_13A] = "13a", [BLEU_TOKENIZER_NONE] = "none", [BLEU_TOKENIZER_CHARACTERS] = "char"};
  const char *metric = options && options->metric ? options->metric : "all";
  const char *tokenizer = options && options->tokenizer ? options->tokenizer : tokenizers[0];
  bool lowercase = options && options->lowercase, all = strcmp(metric, "all") == 0;
  *plan = (struct plan){.bleu = all || strcmp(metric, "bleu") == 0,
                        .chrf = {all || strcmp(metric, "chrf") == 0, all || strcmp(metric, "chrf++") == 0},
                        .bleu_options = {.lowercase = lowercase},
                        .chrf_options = {{.lowercase = lowercase}, {.word_order = 2, .lowercase = lowercase}}};
  if (!plan->bleu && !plan->chrf[0] && !plan->chrf[1])
    return error_set(error, ERROR_USAGE, "metric is \"%s\"; wanted all, bleu, chrf or chrf++", metric);
  for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++) {
    plan->bleu_options.tokenizer = (enum bleu_tokenizer)i;
    if (strcmp(tokenizers[i], tokenizer) == 0) return true;
  }
  return error_set(error, ERROR_USAGE, "tokenizer is \"%s\"; wanted 13a, none or char", tokenizer);
}

static void free_sides(struct side *sides, size_t count) {
  for (size_t i = 0; sides && i < count; i++) {
    buffer_free(&sides[i].content);
    free(sides[i].texts);
  }
  free(sides);
}

// Cuts the content into lines; a last line needs no line end.
static bool split_lines(struct side *side, struct error *error) {
  const char *at = side->content.data, *end = at + side->content.size;
  size_t capacity = 0;
  while (at < end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop) stop = end;
    if (!memory_grow(error, &side->texts, &capacity, side->count + 1, sizeof *side->texts)) return false;
    side->texts[side->count++] = (struct metric_text){at, (size_t)(stop - at)};
    at = stop + 1;
  }
  return true;
}

static bool read_side(struct side *side, const char *path, struct error *error) {
  side->name = strcmp(path, "-") == 0 ? "standard input" : path;
  if (!file_read(&side->content, path, error)) return false;
  if (side->content.size && !split_lines(side, error)) return false;
  return side->count || error_set(error, ERROR_FORMAT, "%s: it is empty; nothing can be scored", side->name);
}

static bool copy_side(struct side *side, const struct qkv_strings *strings, const char *name, struct error *error) {
  side->name = name;
  side->count = strings->count;
  if (!side->count) return error_set(error, ERROR_USAGE, "%s hold no text; nothing can be scored", name);
  side->texts = memory_new(error, side->count, sizeof *side->texts);
  if (!side->texts) return false;
  for (size_t i = 0; i < side->count; i++) side->texts[i] = metric_text(strings->items[i]);
  return true;
}

// Adds every line to the statistics of the metrics in the plan.
static bool count_lines(const struct plan *plan, const struct side *sides, size_t side_count, struct bleu_statistics *bleu,
                        struct chrf_statistics *chrf, struct error *error) {
  struct metric_text *references = memory_new(error, side_count, sizeof *references);
  bool fine = references != NULL;
  for (size_t line = 0; fine && line < sides[0].count; line++) {
    struct metric_text hypothesis = sides[0].texts[line];
    for (size_t i = 1; i < side_count; i++) references[i - 1] = sides[i].texts[line];
    if (plan->bleu) fine = bleu_add(bleu, &plan->bleu_options, hypothesis, references, side_count - 1, error);
    for (int i = 0; i < 2 && fine; i++)
      if (plan->chrf[i]) fine = chrf_add(&chrf[i], &plan->chrf_options[i], hypothesis, references, side_count - 1, error);
  }
  free(references);
  return fine;
}

static struct qkv_evaluation *give_scores(const struct plan *plan, const struct bleu_statistics *bleu,
                                          const struct chrf_statistics *chrf, struct error *error) {
  struct evaluation *evaluation = memory_new(error, 1, sizeof *evaluation);
  if (!evaluation) return NULL;
  size_t n = 0;
  if (plan->bleu) {
    evaluation->scores[n] = (struct qkv_score){.name = "BLEU", .value = bleu_score(bleu, &plan->bleu_options).score};
    bleu_signature(&evaluation->signatures[n], bleu, &plan->bleu_options);
    bleu_format(&evaluation->lines[n++], bleu, &plan->bleu_options);
  }
  for (int i = 0; i < 2; i++) {
    if (!plan->chrf[i]) continue;
    const struct chrf_options *options = &plan->chrf_options[i];
    evaluation->scores[n] = (struct qkv_score){.name = chrf_name(options), .value = chrf_score(&chrf[i], options)};
    chrf_signature(&evaluation->signatures[n], &chrf[i], options);
    chrf_format(&evaluation->lines[n++], &chrf[i], options);
  }
  bool fine = true;
  for (size_t i = 0; i < n; i++) {
    fine = fine && buffer_check(&evaluation->signatures[i], error) && buffer_check(&evaluation->lines[i], error);
    evaluation->scores[i].signature = buffer_string(&evaluation->signatures[i]);
    evaluation->scores[i].line = buffer_string(&evaluation->lines[i]);
  }
  evaluation->result.scores = evaluation->scores;
  evaluation->result.count = n;
  if (fine) return &evaluation->result;
  qkv_evaluation_free(&evaluation->result);
  return NULL;
}

static struct qkv_evaluation *evaluate(const struct plan *plan, const struct side *sides, size_t side_count,
                                       struct error *error) {
  for (size_t i = 1; i < side_count; i++) {
    if (sides[i].count == sides[0].count) continue;
    error_set(error, ERROR_FORMAT, "%s has %zu lines and %s has %zu; line i of both must belong together", sides[0].name,
              sides[0].count, sides[i].name, sides[i].count);
    return NULL;
  }
  struct bleu_statistics bleu = {0};
  struct chrf_statistics chrf[2] = {0};
  if (!count_lines(plan, sides, side_count, &bleu, chrf, error)) return NULL;
  struct qkv_evaluation *evaluation = give_scores(plan, &bleu, chrf, error);
  if (evaluation) evaluation->lines = sides[0].count;
  return evaluation;
}

struct qkv_evaluation *qkv_evaluate(struct qkv_context *context, const struct qkv_strings *hypotheses,
                                    const struct qkv_strings *references, size_t sets,
                                    const struct qkv_evaluation_options *options) {
  struct error *error = public_begin(context);
  struct qkv_evaluation *evaluation = NULL;
  struct plan plan;
  if (!make_plan(&plan, options, error)) return NULL;
  if (sets == 0) return error_set(error, ERROR_USAGE, "no reference was given"), NULL;
  struct side *sides = memory_new(error, sets + 1, sizeof *sides);
  bool fine = sides && copy_side(&sides[0], hypotheses, "the hypotheses", error);
  for (size_t i = 0; fine && i < sets; i++) fine = copy_side(&sides[i + 1], &references[i], "the references", error);
  if (fine) evaluation = evaluate(&plan, sides, sets + 1, error);
  free_sides(sides, sets + 1);
  return evaluation;
}

struct qkv_evaluation *qkv_evaluate_files(struct qkv_context *context, const char *hypotheses,
                                          const struct qkv_strings *references, const struct qkv_evaluation_options *options) {
  struct error *error = public_begin(context);
  struct qkv_evaluation *evaluation = NULL;
  struct plan plan;
  if (!make_plan(&plan, options, error)) return NULL;
  if (references->count == 0) return error_set(error, ERROR_USAGE, "no reference was given"), NULL;
  struct side *sides = memory_new(error, references->count + 1, sizeof *sides);
  bool fine = sides && read_side(&sides[0], hypotheses, error);
  for (size_t i = 0; fine && i < references->count; i++) fine = read_side(&sides[i + 1], references->items[i], error);
  if (fine) evaluation = evaluate(&plan, sides, references->count + 1, error);
  free_sides(sides, references->count + 1);
  return evaluation;
}

void qkv_evaluation_free(struct qkv_evaluation *result) {
  struct evaluation *evaluation = (struct evaluation *)result;
  if (!evaluation) return;
  for (int i = 0; i < METRICS; i++) {
    buffer_free(&evaluation->signatures[i]);
    buffer_free(&evaluation->lines[i]);
  }
  free(evaluation);
}
