// qkv eval: how good translations are, those of a file or those that a model makes now; how well a language model predicts text.
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
  struct qkv_text_evaluation_options text;
  bool accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->format = "text";
  arguments->dtype = "auto";
  arguments->evaluation.metric = "all";
  arguments->evaluation.tokenizer = "13a";
  arguments->translate = qkv_translate_options_default();
  arguments->predict = qkv_predict_options_default();
  arguments->text = qkv_text_evaluation_options_default();
}

static const struct option options[] = {
  OPTION_FILE(hypotheses, "hypotheses", "HYP", "score the translations in this file, one per line, instead of a model's"),
  OPTION_INTEGER(translate.beam, "beam", "N", 1, 32, "how many hypotheses the model keeps; 1 is greedy search",
                 .unset = "as the model says"),
  OPTION_CHOICE(evaluation.metric, "metric", "all|bleu|chrf|chrf++", "which score"),
  OPTION_CHOICE(evaluation.tokenizer, "tokenizer", "13a|none|char",
                "how BLEU cuts lines into words; none takes them as they stand"),
  OPTION_FLAG(evaluation.lowercase, "lowercase", "put both sides in lower case first"),
  OPTION_TEXT(predict.columns, "columns", "NAMES",
              "of a table of examples, in its order: label, text, pair, or - for one to skip", .unset = "from its header"),
  OPTION_FLAG(predict.no_header, "no-header", "the first line of a table is data"),
  OPTION_INTEGER(predict.max_length, "max-length", "N", 1, 1 << 24, "tokens of an example",
                 .unset = "what the model takes; 384 for answers"),
  OPTION_NUMBER(predict.no_answer, "no-answer", "MARGIN", -1000, 1000,
                "there is no answer unless its score exceeds that of no answer by MARGIN", .unset = "there always is one"),
  OPTION_GROUP("Language models"),
  OPTION_INTEGER(text.context, "context", "N", 1, 1048576, "tokens in the window through which the model sees the text",
                 .unset = "as many as the model has positions, at most 1,024"),
  OPTION_INTEGER(text.stride, "stride", "N", 1, 1048576,
                 "tokens by which the window moves on; fewer see more before them, and take longer", .unset = "the context"),
  OPTION_TEXT(text.document_separator, "document-separator", "blank|TEXT",
              "documents end at blank lines, or at lines that are TEXT; <|endoftext|> always ends one", .unset = "a file is one"),
  OPTION_FLAG(text.cross_documents, "cross-documents", "the window sees the documents before"),
  OPTION_FLAG(accept_cuts, "accept-cuts", "the exit status is 0, not 3, when pairs of prompt and answer were cut"),
  OPTION_GROUP("Output"),
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

// Translates files[1] with the model and compares with files[2...]. *status says what went wrong when NULL comes back.
static struct qkv_evaluation *evaluate_model(struct call *call, struct qkv_context *context, struct qkv_model *model,
                                             struct fit *fit, int *status) {
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
    struct qkv_translator *translator = qkv_translator_new(context, &model, 1, &arguments->translate);
    bool all = strcmp(arguments->evaluation.metric, "all") == 0;
    if (translator && (!all || predict(context, model, &sources, &references[0], fit)) &&
        translate(context, translator, files->items[1], &sources, &hypotheses))
      evaluation = evaluate_texts(context, arguments, &hypotheses, references, count);
    if (!evaluation && qkv_status(context) != QKV_OK) *status = call_failed(call, context);
    qkv_translator_free(translator);
  }
  for (size_t i = 0; references && i < count; i++) texts_free(&references[i]);
  free(references);
  texts_free(&sources);
  texts_free(&hypotheses);
  return evaluation;
}

// ---- texts ----

static int evaluate_text(struct call *call, struct qkv_context *context, struct qkv_model *model) {
  const struct arguments *arguments = call->arguments;
  struct qkv_strings files = {call->positional.items + 1, call->positional.count - 1};
  struct qkv_text_evaluation result;
  struct qkv_text_evaluation_options text = arguments->text;
  struct output output;
  text.no_header = arguments->predict.no_header;
  if (!qkv_evaluate_text(context, model, &files, &text, &result)) return call_failed(call, context);
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (arguments->format[0] == 'j')
    fprintf(output.stream,
            "{\"loss\": %.17g, \"perplexity\": %.17g, \"bits_per_byte\": %.17g, \"accuracy\": %.17g, \"tokens\": %lld, "
            "\"bytes\": %lld, \"documents\": %lld, \"context\": %lld, \"stride\": %lld}\n",
            result.loss, result.perplexity, result.bits_per_byte, result.accuracy, (long long)result.tokens,
            (long long)result.bytes, (long long)result.documents, (long long)result.context, (long long)result.stride);
  else
    fprintf(output.stream,
            "loss %.4f, perplexity %.3f, %.4f bits per byte, %.1f %% of %lld tokens right; window %lld, stride %lld\n",
            result.loss, result.perplexity, result.bits_per_byte, 100 * result.accuracy, (long long)result.tokens,
            (long long)result.context, (long long)result.stride);
  if (result.unknown) message_note("%lld pieces of the text hold what the vocabulary lacks", (long long)result.unknown);
  if (result.invalid) message_note("%lld bytes are no UTF-8 and were read as U+FFFD", (long long)result.invalid);
  if (result.cut)
    message_warning("%lld pairs are longer than the %lld tokens of the window and were cut", (long long)result.cut,
                    (long long)result.context);
  if (!output_close(&output)) return EXIT_FAILED;
  return result.cut && !arguments->accept_cuts ? EXIT_CUT : EXIT_DONE;
}

// ---- the verb ----

static int show(const struct arguments *arguments, const struct qkv_evaluation *evaluation, const struct fit *fit) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (arguments->format[0] == 'j') print_json(output.stream, evaluation, fit);
  else print_text(output.stream, evaluation, fit);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

// A model that gives labels, and examples that have them.
static int evaluate_labels(struct call *call, struct qkv_context *context, struct qkv_model *model) {
  const struct arguments *arguments = call->arguments;
  if (call->positional.count != 2)
    return call_misused(call, "%s gives labels; wanted one FILE with examples", call->positional.items[0]);
  return eval_labels(call, context, model, call->positional.items[1], &arguments->predict, arguments->format[0] == 'j',
                     arguments->output);
}

static bool is_of_family(struct qkv_context *context, struct qkv_model *model, const char *name) {
  struct qkv_info *info = qkv_model_info(context, model);
  const char *family = info ? qkv_info_text(info, "family") : NULL;
  bool is = family && strcmp(family, name) == 0;
  qkv_info_free(info);
  return is;
}

// What is evaluated, and options that not all of them have a use for.
enum kind { HYPOTHESES = 1, TRANSLATOR = 2, LANGUAGE_MODEL = 4, LABELS = 8 };

static const struct {
  const char *name;
  int kinds;
} limited[] = {{"beam", TRANSLATOR},
               {"metric", HYPOTHESES | TRANSLATOR},
               {"tokenizer", HYPOTHESES | TRANSLATOR},
               {"lowercase", HYPOTHESES | TRANSLATOR},
               {"columns", LABELS},
               {"no-header", LABELS | LANGUAGE_MODEL},
               {"max-length", LABELS},
               {"no-answer", LABELS},
               {"context", LANGUAGE_MODEL},
               {"stride", LANGUAGE_MODEL},
               {"document-separator", LANGUAGE_MODEL},
               {"cross-documents", LANGUAGE_MODEL},
               {"accept-cuts", LANGUAGE_MODEL}};

static bool options_fit(const struct call *call, enum kind kind) {
  for (size_t i = 0; i < sizeof limited / sizeof *limited; i++) {
    if (limited[i].kinds & kind || !call_given(call, limited[i].name)) continue;
    call_misused(call, "--%s does nothing here: %s%s", limited[i].name, kind == HYPOTHESES ? "" : call->positional.items[0],
                 kind == HYPOTHESES       ? "only translations in a file are scored"
                 : kind == TRANSLATOR     ? " is a translator"
                 : kind == LANGUAGE_MODEL ? " is a language model"
                                          : " gives labels");
    return false;
  }
  return true;
}

static int evaluate_hypotheses(struct call *call, struct qkv_context *context) {
  const struct arguments *arguments = call->arguments;
  struct qkv_evaluation *evaluation =
    qkv_evaluate_files(context, arguments->hypotheses, &call->positional, &arguments->evaluation);
  int status = evaluation ? show(arguments, evaluation, &(struct fit){0}) : call_failed(call, context);
  qkv_evaluation_free(evaluation);
  return status;
}

static int evaluate_translations(struct call *call, struct qkv_context *context, struct qkv_model *model) {
  struct fit fit = {0};
  int status;
  if (call->positional.count < 3)
    return call_misused(
      call,
      "a reference is missing: qkv eval MODEL SOURCE REF..., or qkv eval --hypotheses HYP REF... for translations "
      "that are there already");
  struct qkv_evaluation *evaluation = evaluate_model(call, context, model, &fit, &status);
  if (evaluation) status = show(call->arguments, evaluation, &fit);
  qkv_evaluation_free(evaluation);
  return status;
}

static int evaluate(struct call *call, struct qkv_context *context, struct qkv_model *model) {
  const char *name = call->positional.items[0];
  if (qkv_model_labels_kind(model)) return options_fit(call, LABELS) ? evaluate_labels(call, context, model) : EXIT_MISUSED;
  if (is_of_family(context, model, "encoder"))
    return call_misused(call, "%s is an encoder that gives no labels, so nothing can be scored; fine-tune it first: "
                        "qkv train OUT --task classify --from %s ...", name, name);
  if (is_of_family(context, model, "decoder"))
    return options_fit(call, LANGUAGE_MODEL) ? evaluate_text(call, context, model) : EXIT_MISUSED;
  return options_fit(call, TRANSLATOR) ? evaluate_translations(call, context, model) : EXIT_MISUSED;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  if (call_contradicts(call, "hypotheses", "beam", "translations that are there already are not searched for"))
    return EXIT_MISUSED;
  if (!arguments->hypotheses && call->positional.count < 2)
    return call_misused(
      call,
      "SOURCE and a reference are missing: qkv eval MODEL SOURCE REF..., qkv eval MODEL TEXT... for a language model, "
      "qkv eval MODEL FILE for a model that gives labels, or qkv eval --hypotheses HYP REF... for translations "
      "that are there already");
  struct qkv_context *context = call_context(call);
  struct qkv_model *model =
    arguments->hypotheses ? NULL : call_open_model(call, context, call->positional.items[0], arguments->dtype);
  int status = arguments->hypotheses ? (options_fit(call, HYPOTHESES) ? evaluate_hypotheses(call, context) : EXIT_MISUSED)
               : model               ? evaluate(call, context, model)
                                     : call_failed(call, context);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

const struct verb verb_eval = {
  .name = "eval",
  .usage = "MODEL SOURCE REF...\nMODEL TEXT...\nMODEL FILE\n--hypotheses HYP REF...",
  .summary = "scores translations, labels against those of a file, or how well a language model predicts text",
  .description =
    "Language models: loss and perplexity per token and bits per byte of all TEXT files, through a window. Files are those "
    "of `qkv train --task lm`.\n"
    "Translators: says how well MODEL predicts the first REF given SOURCE (loss and perplexity per token), translates "
    "SOURCE and scores the result against one or several reference files, or scores the translations in HYP, with the "
    "numbers and signatures of sacreBLEU. Line i of every file belongs to the same sentence; - is standard input.\n"
    "With a model that gives labels, FILE holds examples with labels as for training, and the scores are accuracy, F1 and "
    "Matthews' correlation with a table of confusions, Pearson's and Spearman's correlation, F1 of entities, or exact "
    "match and F1 of answers.",
  .example =
    "qkv eval out test.en test.de\nqkv eval shakespeare test.txt --stride 32\nqkv eval sst dev.tsv\n"
    "qkv eval --hypotheses test.hyp test.de\n"
    "qkv eval --hypotheses - --metric bleu --lowercase ref1.de ref2.de < test.hyp",
  .least = 1,
  .most = ANY_NUMBER,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
