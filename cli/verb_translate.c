// qkv translate: lines in, translations out, in order. As many lines as are there are translated together, so that a file is fast
// and a person at a terminal gets an answer to each line.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/lines.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/tally.h"
#include "cli/verb.h"

enum { TOGETHER = 2000, TOGETHER_BYTES = 4 << 20, MOST_MODELS = 16 };

struct arguments {
  struct qkv_translate_options translate;
  struct qkv_strings ensemble;
  const char *dtype, *output;
  bool accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->translate = qkv_translate_options_default();
  arguments->translate.on_long = "split";
  arguments->dtype = "auto";
}

#define BY_MODEL .unset = "as the model says"

static const struct option options[] = {
  OPTION_GROUP("Search"),
  OPTION_INTEGER(translate.beam, "beam", "N", 1, 32, "how many hypotheses are kept; 1 is greedy search", BY_MODEL),
  OPTION_NUMBER(translate.length_penalty, "length-penalty", "A", -10, 10,
                "the sum of log-probabilities is divided by length ^ A; larger favours longer translations", BY_MODEL),
  OPTION_INTEGER(translate.max_length, "max-length", "N", 1, 1000000, "most tokens of a translation", BY_MODEL),
  OPTION_INTEGER(translate.min_length, "min-length", "N", 0, 1000000, "fewest tokens of a translation", BY_MODEL),
  OPTION_NUMBER(translate.repetition_penalty, "repetition-penalty", "X", 0.1, 10,
                "above 1 makes tokens that stand there already less probable", BY_MODEL),
  OPTION_INTEGER(translate.no_repeat_ngram, "no-repeat-ngram", "N", 0, 1000, "n-grams of N tokens occur once; 0 is off",
                 BY_MODEL),
  OPTION_TEXT(translate.prefix, "prefix", "TEXT", "every translation begins with TEXT"),
  OPTION_FILES(ensemble, "ensemble", "DIR", "further models of the same vocabulary that decide together with MODEL"),
  OPTION_DTYPE(dtype),
  OPTION_GROUP("Lines and output"),
  OPTION_INTEGER(translate.nbest, "nbest", "N", 1, 32, "print the N best as: line ||| text ||| score, lines counted from 0",
                 .unset = "the best alone"),
  OPTION_FLAG(translate.scores, "scores",
              "print text ||| score; the score is the sum of log-probabilities, in a beam search with the length penalty"),
  OPTION_FLAG(translate.alignments, "alignments", "add ||| 0-0 1-2: which source word each word looked at, by cross-attention"),
  OPTION_CHOICE(translate.on_long, "on-long", "split|cut",
                "a line with more tokens than the model takes is translated in pieces, or cut and reported"),
  OPTION_FLAG(accept_cuts, "accept-cuts", "the exit status is 0, not 3, when lines were cut"),
  OPTION_OUTPUT(output),
};

// A translation in progress.
struct work {
  const struct arguments *arguments;
  struct qkv_context *context;
  struct qkv_model *models[MOST_MODELS];
  size_t model_count;
  struct qkv_translator *translator;
  struct lines lines;
  struct output output;
  struct tally cut, split, invalid, unfinished;
  size_t done;
  double start;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void print_hypothesis(const struct work *work, const struct qkv_hypothesis *hypothesis, size_t line) {
  const struct qkv_translate_options *wanted = &work->arguments->translate;
  bool ranked = wanted->nbest > 0;
  if (ranked) fprintf(work->output.stream, "%zu ||| ", line);
  fputs(hypothesis->text, work->output.stream);
  if (ranked || wanted->scores) fprintf(work->output.stream, " ||| %.6f", hypothesis->score);
  if (hypothesis->alignment) fprintf(work->output.stream, " ||| %s", hypothesis->alignment);
  fputc('\n', work->output.stream);
}

static void print_lines(struct work *work, const struct qkv_translations *translations) {
  for (size_t i = 0; i < translations->count; i++) {
    const struct qkv_translation *line = &translations->items[i];
    for (size_t k = 0; k < line->count; k++) print_hypothesis(work, &line->hypotheses[k], work->done);
    work->done++;
    if (line->cut) tally_add(&work->cut, work->done);
    if (line->pieces > 1) tally_add(&work->split, work->done);
    if (line->invalid) tally_add(&work->invalid, work->done);
    if (line->unfinished) tally_add(&work->unfinished, work->done);
  }
}

// The next lines: at least one if there is any, and then those that are there already.
static size_t read_lines(struct work *work, char **texts) {
  size_t count = 0, bytes = 0;
  while (count < TOGETHER && bytes < TOGETHER_BYTES && (count == 0 || lines_ready(&work->lines))) {
    char *line = lines_next(&work->lines);
    if (!line) break;
    texts[count++] = line;
    bytes += strlen(line);
  }
  return count;
}

static int translate_all(struct call *call, struct work *work) {
  char *texts[TOGETHER];
  size_t count;
  while ((count = read_lines(work, texts)) > 0) {
    struct qkv_translations *translations =
      qkv_translate(work->context, work->translator, &(struct qkv_strings){.items = (const char **)texts, .count = count});
    for (size_t i = 0; i < count; i++) free(texts[i]);
    if (!translations) return call_failed(call, work->context);
    print_lines(work, translations);
    qkv_translations_free(translations);
    if (!work->lines.finished) fflush(work->output.stream);
    if (output_failed(&work->output)) break;  // output_close says why
    if (message_is_terminal())
      message_progress("%zu lines, %.0f a second", work->done, (double)work->done / (now() - work->start + 1e-9));
  }
  return work->lines.failed ? EXIT_FAILED : EXIT_DONE;
}

static bool open_models(const struct call *call, struct work *work) {
  const struct qkv_strings *ensemble = &work->arguments->ensemble;
  for (size_t i = 0; i <= ensemble->count; i++) {
    const char *directory = i ? ensemble->items[i - 1] : call->positional.items[0];
    const char *dtype = work->arguments->dtype;
    work->models[i] = i ? qkv_model_open(work->context, directory, dtype)
                        : call_open_model(call, work->context, directory, dtype);
    if (!work->models[i]) return false;
    work->model_count++;
  }
  work->translator = qkv_translator_new(work->context, work->models, work->model_count, &work->arguments->translate);
  return work->translator != NULL;
}

static void report(const struct work *work) {
  tally_report(&work->cut, work->lines.name, "longer than the model takes, cut");
  tally_report(&work->invalid, work->lines.name, "held bytes that are no UTF-8, read as U+FFFD");
  tally_report(&work->unfinished, work->lines.name, "got a translation that stopped at the length limit (--max-length)");
  if (work->split.count)
    message_note("%s: %zu line%s had more tokens than the model takes and %s translated in pieces", work->lines.name,
                 work->split.count, work->split.count == 1 ? "" : "s", work->split.count == 1 ? "was" : "were");
  double seconds = now() - work->start;
  if (work->done >= 100)
    message_note("%zu lines in %.1f s, %.0f a second", work->done, seconds, (double)work->done / (seconds + 1e-9));
}

static int run(struct call *call) {
  struct arguments *arguments = call->arguments;
  struct work work = {.arguments = arguments, .start = now()};
  if (arguments->ensemble.count >= MOST_MODELS) return call_misused(call, "--ensemble takes at most %d models", MOST_MODELS - 1);
  if (arguments->translate.nbest > 0) {
    if (arguments->translate.beam < 0 && arguments->translate.nbest > 1)
      arguments->translate.beam = arguments->translate.nbest > 5 ? arguments->translate.nbest : 5;
    if (arguments->translate.beam >= 0 && arguments->translate.nbest > arguments->translate.beam)
      return call_misused(call, "--nbest %lld wants more hypotheses than --beam %lld keeps",
                          (long long)arguments->translate.nbest, (long long)arguments->translate.beam);
    arguments->translate.scores = true;
  }
  if (!lines_open(&work.lines, call->positional.count > 1 ? call->positional.items[1] : NULL)) return EXIT_FAILED;
  int status = EXIT_FAILED;
  work.context = call_context(call);
  if (!open_models(call, &work)) {
    status = call_failed(call, work.context);
  } else if (output_open(&work.output, arguments->output)) {
    status = translate_all(call, &work);
    report(&work);
    if (status != EXIT_DONE) output_abandon(&work.output);
    else if (!output_close(&work.output)) status = EXIT_FAILED;
    if (status == EXIT_DONE && work.cut.count && !arguments->accept_cuts) status = EXIT_CUT;
  }
  lines_close(&work.lines);
  qkv_translator_free(work.translator);
  for (size_t i = 0; i < work.model_count; i++) qkv_model_free(work.models[i]);
  qkv_context_free(work.context);
  return status;
}

const struct verb verb_translate = {
  .name = "translate",
  .usage = "MODEL [FILE]",
  .summary = "translates lines of text",
  .description =
    "Translates each line of FILE, or of standard input. One line in, one line out, in the same order; an empty line gives an "
    "empty line. The "
    "result is the same whatever is translated together and with however many threads.",
  .example =
    "qkv translate out test.en > test.hyp\necho \"A dog runs.\" | qkv translate out --beam 5 --nbest 3\nqkv translate out "
    "test.en --ensemble out2 out3 --alignments -o test.hyp",
  .least = 1,
  .most = 2,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
