// qkv predict: what a model's head says about texts.
#include <math.h>
#include <string.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/text_list.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_strings texts, pairs;
  const char *format, *dtype, *output;
  struct qkv_predict_options predict;
  bool accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->dtype = "f32";
  arguments->format = "text";
  arguments->predict = qkv_predict_options_default();
}

static const struct option options[] = {
  OPTION_TEXTS(texts, "text", "TEXT", "a text or question, instead of a file"),
  OPTION_TEXTS(pairs, "pair", "TEXT", "the second text, or the question's context, one for each --text"),
  OPTION_CHOICE(predict.input, "input", "text|tsv|jsonl|json|conll", "the format of FILE", .unset = "by its ending"),
  OPTION_TEXT(predict.columns, "columns", "NAMES", "of a table, in its order: label, text, pair, or - for one to skip",
              .unset = "from its header"),
  OPTION_FLAG(predict.no_header, "no-header", "the first line of a table is data"),
  OPTION_INTEGER(predict.max_length, "max-length", "N", 1, 1 << 24,
                 "tokens of a sequence; longer ones are cut or read in windows",
                 .unset = "what the model takes; 384 for answers"),
  OPTION_INTEGER(predict.stride, "stride", "N", 1, 1 << 20, "tokens between the beginnings of two windows over a context",
                 .unset = "128"),
  OPTION_INTEGER(predict.longest_answer, "longest-answer", "N", 1, 10000, "tokens of an answer", .unset = "30"),
  OPTION_NUMBER(predict.no_answer, "no-answer", "MARGIN", -1000, 1000,
                "there is no answer unless its score exceeds that of no answer by MARGIN", .unset = "there always is one"),
  OPTION_DTYPE(dtype),
  OPTION_CHOICE(format, "format", "text|json", "label and probability with a tab between, or JSON objects with everything"),
  OPTION_FLAG(accept_cuts, "accept-cuts", "the exit status is 0, not 3, when texts were cut"),
  OPTION_OUTPUT(output),
};

static bool has_words(const struct qkv_predictions *all) {
  return strcmp(all->kind, "tag") == 0 || strcmp(all->kind, "replaced") == 0;
}

static void print_text(FILE *out, const struct qkv_predictions *all, const struct qkv_prediction *one) {
  if (strcmp(all->kind, "regress") == 0)
    fprintf(out, "%.6g\n", one->value);
  else if (!has_words(all))
    fprintf(out, "%s\t%.6f\n", one->label, one->value);
  else {
    for (size_t i = 0; i < one->word_count; i++)
      fprintf(out, "%s\t%s\t%.6f\n", one->words[i].word, one->words[i].tag, one->words[i].probability);
    fputc('\n', out);
  }
}

static void print_words(FILE *out, const struct qkv_prediction *one) {
  fputs("\"words\": [", out);
  for (size_t i = 0; i < one->word_count; i++) {
    fputs(i ? ", {\"word\": " : "{\"word\": ", out);
    output_json_text(out, one->words[i].word);
    fputs(", \"tag\": ", out);
    output_json_text(out, one->words[i].tag);
    fprintf(out, ", \"probability\": %.9g}", one->words[i].probability);
  }
  fputs("]}\n", out);
}

static void print_json(FILE *out, const struct qkv_predictions *all, const struct qkv_prediction *one, size_t number) {
  fprintf(out, "{\"line\": %zu, ", number + 1);
  if (has_words(all)) {
    print_words(out, one);
    return;
  }
  if (strcmp(all->kind, "regress") == 0) {
    fprintf(out, "\"value\": %.9g}\n", one->value);
    return;
  }
  if (one->id) fputs("\"id\": ", out), output_json_text(out, one->id), fputs(", ", out);
  fputs(strcmp(all->kind, "span") == 0 ? "\"answer\": " : "\"label\": ", out);
  output_json_text(out, one->label);
  fprintf(out, ", \"probability\": %.9g", one->value);
  if (strcmp(all->kind, "span") == 0) fprintf(out, ", \"start\": %zu, \"margin\": %.9g", one->start, one->margin);
  for (size_t i = 0; i < one->probability_count; i++) {
    fputs(i ? ", " : all->label_count ? ", \"probabilities\": {" : ", \"probabilities\": [", out);
    if (all->label_count) output_json_text(out, all->labels[i]), fputs(": ", out);
    fprintf(out, "%.9g", one->probabilities[i]);
  }
  if (one->probability_count) fputc(all->label_count ? '}' : ']', out);
  fputs("}\n", out);
}

static int show(const struct arguments *arguments, const struct qkv_predictions *all) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  for (size_t i = 0; i < all->count; i++) {
    if (strcmp(arguments->format, "json") == 0)
      print_json(output.stream, all, &all->items[i], i);
    else
      print_text(output.stream, all, &all->items[i]);
  }
  if (!output_close(&output)) return EXIT_FAILED;
  if (all->invalid)
    message_warning("%zu example%s held bytes that are no UTF-8, read as U+FFFD; the first is in line %zu", all->invalid,
                    all->invalid == 1 ? "" : "s", all->first_invalid);
  if (!all->cut) return EXIT_DONE;
  message_warning("%zu example%s longer than the model takes %s %s; the first is in line %zu", all->cut, all->cut == 1 ? "" : "s",
                  all->cut == 1 ? "was" : "were", strcmp(all->kind, "tag") == 0 ? "taken in parts" : "cut", all->first_cut);
  return arguments->accept_cuts || strcmp(all->kind, "tag") == 0 ? EXIT_DONE : EXIT_CUT;
}

// Options that only files, or only answers to questions, have a use for.
static bool options_fit(const struct call *call, struct qkv_model *model) {
  static const char *const of_answers[] = {"stride", "longest-answer", "no-answer"};
  const char *kind = qkv_model_labels_kind(model);
  for (size_t i = 0; i < sizeof of_answers / sizeof *of_answers; i++) {
    if (!call_given(call, of_answers[i]) || !kind || strcmp(kind, "span") == 0) continue;
    call_misused(call, "--%s does nothing here: %s does not look for answers", of_answers[i], call->positional.items[0]);
    return false;
  }
  return true;
}

static bool texts_fit(const struct call *call) {
  static const char *const of_files[] = {"input", "columns", "no-header"};
  for (size_t i = 0; i < sizeof of_files / sizeof *of_files; i++)
    if (call_contradicts(call, "text", of_files[i], "a text is no file")) return false;
  return true;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const char *file = call->positional.count > 1 ? call->positional.items[1] : "-";
  if (call->positional.count > 1 && arguments->texts.count)
    return call_misused(call, "--text and FILE contradict each other; give one of them");
  if (arguments->pairs.count != arguments->texts.count && arguments->pairs.count)
    return call_misused(call, "there are %zu --text and %zu --pair; one side of a pair is missing", arguments->texts.count,
                        arguments->pairs.count);
  if (!texts_fit(call)) return EXIT_MISUSED;
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = call_open_model(call, context, call->positional.items[0], arguments->dtype);
  bool fit = !model || options_fit(call, model);
  struct qkv_predictions *all = !model || !fit ? NULL
                                : arguments->texts.count
                                  ? qkv_predict(context, model, &arguments->texts, &arguments->pairs, &arguments->predict)
                                  : qkv_predict_file(context, model, file, &arguments->predict);
  int status = !fit ? EXIT_MISUSED : all ? show(arguments, all) : call_failed(call, context);
  qkv_predictions_free(all);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

const struct verb verb_predict = {
  .name = "predict",
  .usage = "MODEL [FILE]",
  .summary = "labels of texts: classes, numbers, tags, answers, choices",
  .description =
    "Says what the head of MODEL makes of each example in FILE (or standard input): the most probable class with its "
    "probability, a "
    "number, a tag for each word, whether each token is the original one (ELECTRA's discriminator), the answer to a question in "
    "its context, or the best choice. FILE holds a text a line, with a tab "
    "between the two of a pair; or it is a table, JSON lines, SQuAD's JSON or a word a line, as for training.",
  .example =
    "qkv predict sst reviews.txt\n"
    "qkv predict squad --text \"Where was it?\" --pair \"It was in Rome, they said.\" --format json",
  .least = 1,
  .most = 2,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
