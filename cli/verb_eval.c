// qkv eval: how good translations are.
#include "cli/message.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  const char *hypotheses, *format, *output;
  struct qkv_evaluation_options evaluation;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->format = "text";
  arguments->evaluation.metric = "all";
  arguments->evaluation.tokenizer = "13a";
}

static const struct option options[] = {
  OPTION_FILE(hypotheses, "hypotheses", "HYP", "the translations to be scored, one per line; - is standard input"),
  OPTION_CHOICE(evaluation.metric, "metric", "all|bleu|chrf|chrf++", "which score"),
  OPTION_CHOICE(evaluation.tokenizer, "tokenizer", "13a|none|char", "how BLEU cuts lines into words; none takes them as they stand"),
  OPTION_FLAG(evaluation.lowercase, "lowercase", "put both sides in lower case first"),
  OPTION_CHOICE(format, "format", "text|json", "a line for each score, or one JSON object for all"),
  OPTION_OUTPUT(output),
};

static void print_text(FILE *out, const struct qkv_evaluation *evaluation) {
  for (size_t i = 0; i < evaluation->count; i++) fprintf(out, "%s\n", evaluation->scores[i].line);
}

// Names and signatures hold nothing that JSON would want escaped.
static void print_json(FILE *out, const struct qkv_evaluation *evaluation) {
  fprintf(out, "{\"lines\": %zu, \"scores\": [", evaluation->lines);
  for (size_t i = 0; i < evaluation->count; i++)
    fprintf(out, "%s{\"name\": \"%s\", \"score\": %.17g, \"signature\": \"%s\"}", i ? ", " : "", evaluation->scores[i].name,
            evaluation->scores[i].value, evaluation->scores[i].signature);
  fprintf(out, "]}\n");
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  if (!arguments->hypotheses) return call_misused(call, "--hypotheses is missing: the file of translations that is to be scored");
  struct qkv_context *context = call_context(call);
  struct qkv_evaluation *evaluation = qkv_evaluate_files(context, arguments->hypotheses, &call->positional, &arguments->evaluation);
  int status = evaluation ? EXIT_DONE : call_failed(call, context);
  struct output output;
  if (evaluation && !output_open(&output, arguments->output)) {
    status = EXIT_FAILED;
  } else if (evaluation) {
    if (arguments->format[0] == 'j') print_json(output.stream, evaluation);
    else print_text(output.stream, evaluation);
    if (!output_close(&output)) status = EXIT_FAILED;
  }
  qkv_evaluation_free(evaluation);
  qkv_context_free(context);
  return status;
}

const struct verb verb_eval = {
  .name = "eval", .usage = "--hypotheses HYP REF...", .summary = "scores translations: BLEU, chrF, chrF++",
  .description = "Scores the translations in HYP against one or several reference files, with the numbers and signatures of sacreBLEU. "
                 "Line i of every file belongs to the same sentence.",
  .example = "qkv eval --hypotheses test.hyp test.de\nqkv eval --hypotheses - --metric bleu --lowercase ref1.de ref2.de < test.hyp",
  .least = 1, .most = ANY_NUMBER, .size = sizeof(struct arguments), .defaults = defaults, VERB_OPTIONS(options), .run = run,
};
