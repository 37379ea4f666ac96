// qkv eval: how good translations are, those of a file or those that a model makes now.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/eval_labels.h"
#include "cli/lines.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/tally.h"
#include "cli/verb.h"

enum { TOGETHER = 2000 };

struct arguments {
  const char *hypotheses, *format, *dtype, *output;
  struct qkv_evaluation_options evaluation;
  struct qkv_translate_options translate;
  struct qkv_predict_options predict;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->format = "text";
  arguments->dtype = "auto";
  arguments->evaluation.metric = "all";
  arguments->evaluation.tokenizer = "13a";
  arguments->translate = qkv_translate_options_default();
  arguments->predict = qkv_predict_options_default();
}

static const struct option options[] = {
    OPTION_FILE(hypotheses, "hypotheses", "HYP", "score the translations in this file, one per line, instead of a model's"),
    OPTION_INTEGER(translate.beam, "beam", "N", 1, 32, "how many hypotheses the model keeps; 1 is greedy search",
                   .unset = "as the model says"),
    OPTION_CHOICE(evaluation.metric, "metric", "all|bleu|chrf|chrf++", "which score"),
    OPTION_CHOICE(evaluation.tokenizer, "tokenizer", "13a|none|char",
                  "how BLEU cuts lines into words; none takes them as they stand"),
    OPTION_FLAG(evaluation.lowercase, "lowercase", "put both sides in lower case first"),
    OPTION_TEXT(predict.columns, "columns", "NAMES", "of a table of examples, in its order: label, text, pair, or - for one to skip",
                .unset = "from its header"),
    OPTION_FLAG(predict.no_header, "no-header", "the first line of a table is data"),
    OPTION_INTEGER(predict.max_length, "max-length", "N", 1, 1 << 24, "tokens of an example", .unset = "what the model takes; 384 for answers"),
    OPTION_NUMBER(predict.no_answer, "no-answer", "MARGIN", -1000, 1000,
                  "there is no answer unless its score exceeds that of no answer by MARGIN", .unset = "there always is one"),
    OPTION_DTYPE(dtype),
    OPTION_CHOICE(format, "format", "text|json", "a line for each score, or one JSON object for all"),
    OPTION_OUTPUT(output),
};

// How well a model predicts the first references' tokens; none: there is no model.
struct fit {
  size_t tokens;
  double loss;  // mean of -log p(token)
};

static void print_text(FILE *out, const struct qkv_evaluation *evaluation, const struct fit *fit) {
  if (fit->tokens) fprintf(out, "loss %.4f, perplexity %.3f over %zu tokens\n", fit->loss, exp(fit->loss), fit->tokens);
  for (size_t i = 0; i < evaluation->count; i++) fprintf(out, "%s\n", evaluation->scores[i].line);
}

// Names and signatures hold nothing that JSON would want escaped.
static void print_json(FILE *out, const struct qkv_evaluation *evaluation, const struct fit *fit) {
  fprintf(out, "{\"lines\": %zu, ", evaluation->lines);
  if (fit->tokens)
    fprintf(out, "\"loss\": %.17g, \"perplexity\": %.17g, \"tokens\": %zu, ", fit->loss, exp(fit->loss), fit->tokens);
  fprintf(out, "\"scores\": [");
  for (size_t i = 0; i < evaluation->count; i++)
    fprintf(out, "%s{\"name\": \"%s\", \"score\": %.17g, \"signature\": \"%s\"}", i ? ", " : "", evaluation->scores[i].name,
            evaluation->scores[i].value, evaluation->scores[i].signature);
  fprintf(out, "]}\n");
}

// ---- the translations of a model ----

struct texts {
  struct qkv_strings list;
  size_t capacity;
};

// Takes the text over. False when memory is short.
static bool texts_add(struct texts *texts, char *text) {
  if (texts->list.count == texts->capacity) {
    size_t capacity = texts->capacity * 2 + 1000;
    const char **items = realloc(texts->list.items, capacity * sizeof *items);
    if (!items) return free(text), false;
    texts->list.items = items;
    texts->capacity = capacity;
  }
  texts->list.items[texts->list.count++] = text;
  return text != NULL;
}

static void texts_free(struct texts *texts) {
  for (size_t i = 0; i < texts->list.count; i++) free((char *)texts->list.items[i]);
  free(texts->list.items);
}

static bool texts_read(struct texts *texts, const char *path) {
  struct lines lines;
  if (!lines_open(&lines, path)) return false;
  bool fine = true;
  for (char *line; fine && (line = lines_next(&lines));) fine = texts_add(texts, line);
  if (!fine) message_error("eval: out of memory");
  fine = fine && !lines.failed;
  lines_close(&lines);
  return fine;
}

static bool translate(struct qkv_context *context, struct qkv_translator *translator, const char *name,
                      const struct texts *sources, struct texts *out) {
  struct tally cut = {0};
  for (size_t at = 0; at < sources->list.count; at += TOGETHER) {
    size_t left = sources->list.count - at;
    struct qkv_strings part = {.items = sources->list.items + at, .count = left < TOGETHER ? left : TOGETHER};
    struct qkv_translations *translations = qkv_translate(context, translator, &part);
    if (!translations) return false;
    bool fine = true;
    for (size_t i = 0; fine && i < translations->count; i++) {
      fine = texts_add(out, strdup(translations->items[i].hypotheses[0].text));
      if (translations->items[i].unfinished) tally_add(&cut, at + i + 1);
    }
    qkv_translations_free(translations);
    if (!fine) return message_error("eval: out of memory"), false;
    if (message_is_terminal()) message_progress("%zu of %zu lines translated", out->list.count, sources->list.count);
  }
  tally_report(&cut, name, "got a translation that stopped at the length limit");
  return true;
}

static bool predict(struct qkv_context *context, struct qkv_model *model, const struct texts *sources,
                    const struct texts *targets, struct fit *fit) {
  double sum = 0;
  for (size_t at = 0; at < sources->list.count; at += TOGETHER) {
    size_t left = sources->list.count - at, count = left < TOGETHER ? left : TOGETHER;
    struct qkv_strings from = {.items = sources->list.items + at, .count = count};
    struct qkv_strings to = {.items = targets->list.items + at, .count = count};
    struct qkv_probabilities *probabilities = qkv_probability_of(context, model, &from, &to);
    if (!probabilities) return false;
    for (size_t i = 0; i < probabilities->count; i++) {
      sum -= probabilities->items[i].log_probability;
      fit->tokens += probabilities->items[i].count;
    }
    qkv_probabilities_free(probabilities);
  }
  if (fit->tokens) fit->loss = sum / (double)fit->tokens;
  return true;
}

static struct qkv_evaluation *evaluate_texts(struct qkv_context *context, const struct arguments *arguments,
                                             const struct texts *hypotheses, struct texts *references, size_t count) {
  struct qkv_strings *sets = calloc(count, sizeof *sets);
  struct qkv_evaluation *evaluation = NULL;
  for (size_t i = 0; sets && i < count; i++) sets[i] = references[i].list;
  if (sets) evaluation = qkv_evaluate(context, &hypotheses->list, sets, count, &arguments->evaluation);
  free(sets);
  return evaluation;
}

// Translates files[1] with the model files[0] and compares with files[2...]. *status says what went wrong when NULL comes back.
static struct qkv_evaluation *evaluate_model(struct call *call, struct qkv_context *context, struct fit *fit, int *status) {
  const struct arguments *arguments = call->arguments;
  const struct qkv_strings *files = &call->positional;
  size_t count = files->count - 2;
  struct texts sources = {0}, hypotheses = {0}, *references = calloc(count, sizeof *references);
  struct qkv_evaluation *evaluation = NULL;
  bool fine = references && texts_read(&sources, files->items[1]);
  for (size_t i = 0; fine && i < count; i++) {
    fine = texts_read(&references[i], files->items[i + 2]);
    if (fine && references[i].list.count != sources.list.count) {
      message_error("eval: %s has %zu lines and %s has %zu; line i of both must belong together", files->items[1],
                    sources.list.count, files->items[i + 2], references[i].list.count);
      fine = false;
    }
  }
  *status = EXIT_FAILED;
  if (fine) {
    struct qkv_model *model = call_open_model(call, context, files->items[0], arguments->dtype);
    struct qkv_translator *translator = model ? qkv_translator_new(context, &model, 1, &arguments->translate) : NULL;
    bool all = strcmp(arguments->evaluation.metric, "all") == 0;
    if (translator && (!all || predict(context, model, &sources, &references[0], fit)) &&
        translate(context, translator, files->items[1], &sources, &hypotheses))
      evaluation = evaluate_texts(context, arguments, &hypotheses, references, count);
    if (!evaluation && qkv_status(context) != QKV_OK) *status = call_failed(call, context);
    qkv_translator_free(translator);
    qkv_model_free(model);
  }
  for (size_t i = 0; references && i < count; i++) texts_free(&references[i]);
  free(references);
  texts_free(&sources);
  texts_free(&hypotheses);
  return evaluation;
}

// ---- the verb ----

static int show(const struct arguments *arguments, const struct qkv_evaluation *evaluation, const struct fit *fit) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (arguments->format[0] == 'j') print_json(output.stream, evaluation, fit);
  else print_text(output.stream, evaluation, fit);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

// qkv eval MODEL FILE: a model that gives labels, and examples that have them.
static int run_labels(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const char **files = call->positional.items;
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = call_open_model(call, context, files[0], arguments->dtype);
  int status = !model                         ? call_failed(call, context)
               : qkv_model_labels_kind(model) ? eval_labels(call, context, model, files[1], &arguments->predict,
                                                            arguments->format[0] == 'j', arguments->output)
                                              : call_misused(call, "a reference is missing: qkv eval MODEL SOURCE REF..., as %s gives no labels", files[0]);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const struct qkv_strings *files = &call->positional;
  if (call_contradicts(call, "hypotheses", "beam", "translations that are there already are not searched for"))
    return EXIT_MISUSED;
  if (!arguments->hypotheses && files->count == 2) return run_labels(call);
  if (!arguments->hypotheses && files->count < 2)
    return call_misused(call, "SOURCE and a reference are missing: qkv eval MODEL SOURCE REF..., qkv eval MODEL FILE for a model that gives "
                              "labels, or qkv eval --hypotheses HYP REF... for translations that are there already");
  struct qkv_context *context = call_context(call);
  int status = EXIT_DONE;
  struct fit fit = {0};
  struct qkv_evaluation *evaluation;
  if (arguments->hypotheses) {
    evaluation = qkv_evaluate_files(context, arguments->hypotheses, files, &arguments->evaluation);
    if (!evaluation) status = call_failed(call, context);
  } else {
    evaluation = evaluate_model(call, context, &fit, &status);
  }
  if (evaluation) status = show(arguments, evaluation, &fit);
  qkv_evaluation_free(evaluation);
  qkv_context_free(context);
  return status;
}

const struct verb verb_eval = {
    .name = "eval",
    .usage = "MODEL SOURCE REF...\nMODEL FILE\n--hypotheses HYP REF...",
    .summary = "scores translations, or labels against those of a file",
    .description =
        "Says how well MODEL predicts the first REF given SOURCE (loss and perplexity per token), translates SOURCE and scores "
        "the result "
        "against one or several reference files, or scores the translations in HYP, with the numbers and signatures of "
        "sacreBLEU. Line i of every file belongs to the same sentence; - is standard input.\n"
        "With a model that gives labels, FILE holds examples with labels as for training, and the scores are accuracy, F1 and Matthews' "
        "correlation with a table of confusions, Pearson's and Spearman's correlation, F1 of entities, or exact match and F1 of answers.",
    .example =
        "qkv eval out test.en test.de\nqkv eval sst dev.tsv\nqkv eval --hypotheses test.hyp test.de\n"
        "qkv eval --hypotheses - --metric bleu --lowercase ref1.de ref2.de < test.hyp",
    .least = 1,
    .most = ANY_NUMBER,
    .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
    .size = sizeof(struct arguments),
    .defaults = defaults,
    VERB_OPTIONS(options),
    .run = run,
};
