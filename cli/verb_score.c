// qkv score: how probable a model finds given translations, or texts.
#include <stdlib.h>
#include <string.h>

#include "cli/lines.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/tally.h"
#include "cli/verb.h"

enum { TOGETHER = 1000 };

struct arguments {
  const char *dtype, *output, *backward;
  bool per_token, accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->dtype = "f32";
}

static const struct option options[] = {
  OPTION_FLAG(per_token, "per-token", "print each factor instead: line, token, log-probability, sum so far, with tabs between"),
  OPTION_FILE(backward, "backward", "MODEL",
              "add what this model, which reads from right to left, says of each token (language models)"),
  OPTION_DTYPE(dtype),
  OPTION_FLAG(accept_cuts, "accept-cuts", "the exit status is 0, not 3, when lines were cut"),
  OPTION_OUTPUT(output),
};

struct work {
  const struct arguments *arguments;
  struct qkv_context *context;
  struct qkv_model *model, *backward;
  bool texts;                      // a language model: there is one side only, the targets
  struct lines sources, targets;
  struct output output;
  struct tally cut, invalid, unknown;
  size_t done, tokens;
  double sum;
};

static void print(struct work *work, const struct qkv_probability *line) {
  FILE *out = work->output.stream;
  if (!work->arguments->per_token) fprintf(out, "%.6f\n", line->log_probability);
  for (size_t i = 0; work->arguments->per_token && i < line->count; i++)
    fprintf(out, "%zu\t%s\t%.6f\t%.6f\n", work->done, line->tokens[i].token, line->tokens[i].log_probability,
            line->tokens[i].sum);
  work->done++;
  work->tokens += line->count;
  work->sum += line->log_probability;
  if (line->cut) tally_add(&work->cut, work->done);
  if (line->invalid) tally_add(&work->invalid, work->done);
  if (line->unknown) tally_add(&work->unknown, work->done);
}

// The next pairs of lines; -1 after saying so when one file ends before the other.
static long read_pairs(struct work *work, char **sources, char **targets) {
  long count = 0;
  while (count < TOGETHER) {
    targets[count] = lines_next(&work->targets);
    if (work->texts && !targets[count]) break;
    if (work->texts) {
      sources[count++] = NULL;
      continue;
    }
    sources[count] = lines_next(&work->sources);
    if (!sources[count] && !targets[count]) break;
    if (!sources[count] || !targets[count]) {
      const struct lines *shorter = sources[count] ? &work->targets : &work->sources,
                         *longer = sources[count] ? &work->sources : &work->targets;
      if (!shorter->failed)
        message_error("score: %s has %zu lines and %s has more; line i of both must belong together", shorter->name,
                      shorter->number, longer->name);
      free(sources[count]);
      free(targets[count]);
      for (long i = 0; i < count; i++) free(sources[i]), free(targets[i]);
      return -1;
    }
    count++;
  }
  return count;
}

static int score_all(struct call *call, struct work *work) {
  char *sources[TOGETHER], *targets[TOGETHER];
  long count;
  while ((count = read_pairs(work, sources, targets)) > 0) {
    struct qkv_strings from = {.items = (const char **)sources, .count = (size_t)count};
    struct qkv_strings to = {.items = (const char **)targets, .count = (size_t)count};
    struct qkv_probabilities *probabilities = work->texts
                                                ? qkv_probability_of_texts(work->context, work->model, work->backward, &to)
                                                : qkv_probability_of(work->context, work->model, &from, &to);
    for (long i = 0; i < count; i++) free(sources[i]), free(targets[i]);
    if (!probabilities) return call_failed(call, work->context);
    for (size_t i = 0; i < probabilities->count; i++) print(work, &probabilities->items[i]);
    qkv_probabilities_free(probabilities);
    if (output_failed(&work->output)) break;  // output_close says why
  }
  return count < 0 || (!work->texts && work->sources.failed) || work->targets.failed ? EXIT_FAILED : EXIT_DONE;
}

static void report(const struct work *work) {
  const char *names = work->texts ? work->targets.name : work->sources.name;
  tally_report(&work->cut, names, "longer than the model takes, cut on this or the other side");
  tally_report(&work->invalid, names, work->texts ? "held bytes that are no UTF-8, read as U+FFFD"
                                                  : "held bytes that are no UTF-8 on this or the other side, read as U+FFFD");
  tally_report(&work->unknown, names,
               work->texts ? "held what the vocabulary lacks; its token was scored instead"
                           : "held what the vocabulary lacks on this or the other side; its token was scored instead");
  if (work->done)
    message_note("%zu lines, %zu tokens, log-probability %.4f, per token %.4f", work->done, work->tokens, work->sum,
                 work->sum / (double)work->tokens);
}

static bool open_models(struct call *call, struct work *work) {
  const char *directory = call->positional.items[0];
  work->model = call_open_model(call, work->context, directory, work->arguments->dtype);
  if (work->model && work->arguments->backward)
    work->backward = qkv_model_open(work->context, work->arguments->backward, work->arguments->dtype);
  return work->model && (work->backward || !work->arguments->backward);
}

static int score_files(struct call *call, struct work *work) {
  if (!output_open(&work->output, work->arguments->output)) return EXIT_FAILED;
  int status = score_all(call, work);
  if (status != EXIT_DONE) output_abandon(&work->output);
  else if (!output_close(&work->output)) status = EXIT_FAILED;
  if (status == EXIT_DONE) report(work);
  return status == EXIT_DONE && work->cut.count && !work->arguments->accept_cuts ? EXIT_CUT : status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const char **files = call->positional.items;
  struct work work = {.arguments = arguments, .texts = call->positional.count == 2};
  if (!work.texts && strcmp(files[1], "-") == 0 && strcmp(files[2], "-") == 0)
    return call_misused(call, "only one of both sides can be standard input");
  if (!work.texts && arguments->backward)
    return call_misused(call, "--backward goes with one file of texts; a translation has one direction");
  if (!work.texts && !lines_open(&work.sources, files[1])) return EXIT_FAILED;
  int status = EXIT_FAILED;
  if (lines_open(&work.targets, files[work.texts ? 1 : 2])) {
    work.context = call_context(call);
    status = open_models(call, &work) ? score_files(call, &work) : call_failed(call, work.context);
    lines_close(&work.targets);
  }
  if (!work.texts) lines_close(&work.sources);
  qkv_model_free(work.backward);
  qkv_model_free(work.model);
  qkv_context_free(work.context);
  return status;
}

const struct verb verb_score = {
  .name = "score",
  .usage = "MODEL TEXTS\nMODEL SOURCES TARGETS",
  .summary = "how probable the model finds given texts or translations",
  .description =
    "Language models: prints for each line of TEXTS the natural logarithm of its probability, the sum over its tokens of log "
    "p(token | "
    "tokens before it); the first one stands behind the begin token, if the model has one, and the end of the line is not "
    "counted.\n"
    "Models of masked words: the sum over the tokens of log p(token | all others), each masked in turn (pseudo-log-likelihood).\n"
    "Translators: prints for each line the natural logarithm of p(target | source), the sum over the target's tokens and its end "
    "of log "
    "p(token | source, tokens "
    "before). Line i of TARGETS belongs to line i of SOURCES.",
  .example =
    "qkv score shakespeare lines.txt --backward shakespeare-from-right-to-left\nqkv score out test.en test.de\nqkv score out "
    "test.en test.de --per-token | head",
  .least = 2,
  .most = 3,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
