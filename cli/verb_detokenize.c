// qkv detokenize: lines of ids back to text.
#include <stdlib.h>
#include <string.h>

#include "cli/lines.h"
#include "cli/message.h"
#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_strings ids;
  const char *output;
  bool special_tokens;
};

static const struct option options[] = {
    OPTION_TEXTS(ids, "ids", "\"N N ...\"", "these ids instead of a file's; may be repeated"),
    OPTION_FLAG(special_tokens, "special-tokens", "show special tokens such as </s>, which are left out otherwise"),
    OPTION_OUTPUT(output),
};

struct job {
  struct qkv_context *context;
  struct qkv_tokenizer *tokenizer;
  const struct arguments *arguments;
  const char *name;  // of the input, for messages
  FILE *out;
  size_t line, unknown;  // unknown: ids that the vocabulary lacks
};

enum outcome { WRITTEN, WRONG_INPUT, FAILED };

static enum outcome detokenize(struct job *job, const char *text) {
  int32_t *ids = NULL;
  size_t count = 0;
  char problem[300];
  job->line++;
  if (text[strspn(text, " \t")] && !numbers_parse_ids(text, &ids, &count, problem, sizeof problem)) {
    message_error("%s: line %zu %s", job->name, job->line, problem);
    return WRONG_INPUT;
  }
  for (size_t i = 0; i < count; i++) job->unknown += !qkv_tokenizer_token(job->tokenizer, ids[i]);
  char *decoded = qkv_decode(job->context, job->tokenizer, ids, count, job->arguments->special_tokens);
  free(ids);
  if (!decoded) return FAILED;
  // A line end inside the text would make two lines of one.
  for (char *p = decoded; *p; p++)
    if (*p == '\n' || *p == '\r') *p = ' ';
  fprintf(job->out, "%s\n", decoded);
  free(decoded);
  return WRITTEN;
}

static enum outcome detokenize_all(struct job *job, struct lines *lines, const struct output *output) {
  enum outcome outcome = WRITTEN;
  for (size_t i = 0; outcome == WRITTEN && i < job->arguments->ids.count; i++)
    outcome = detokenize(job, job->arguments->ids.items[i]);
  char *line;
  while (lines && outcome == WRITTEN && !output_failed(output) && (line = lines_next(lines))) {
    outcome = detokenize(job, line);
    free(line);
  }
  return outcome;
}

static int work(struct call *call, struct job *job) {
  struct output output;
  struct lines lines = {0};
  bool from_file = job->arguments->ids.count == 0;
  if (from_file && !lines_open(&lines, call->positional.count > 1 ? call->positional.items[1] : NULL)) return EXIT_FAILED;
  job->name = from_file ? lines.name : "--ids";
  if (!output_open(&output, job->arguments->output)) {
    if (from_file) lines_close(&lines);
    return EXIT_FAILED;
  }
  job->out = output.stream;
  enum outcome outcome = detokenize_all(job, from_file ? &lines : NULL, &output);
  int status = outcome == WRITTEN ? EXIT_DONE : outcome == WRONG_INPUT ? EXIT_FAILED : call_failed(call, job->context);
  if (lines.failed) status = EXIT_FAILED;
  if (from_file) lines_close(&lines);
  if (status != EXIT_DONE) output_abandon(&output);
  else if (!output_close(&output)) status = EXIT_FAILED;
  if (job->unknown) message_warning("%zu ids are not in the vocabulary and gave no text", job->unknown);
  return status == EXIT_DONE && job->unknown ? EXIT_CUT : status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  if (arguments->ids.count && call->positional.count > 1)
    return call_misused(call, "a FILE and --ids contradict each other: ids come from one of them");
  struct job job = {.arguments = arguments, .context = call_context(call)};
  job.tokenizer = qkv_tokenizer_open(job.context, call->positional.items[0]);
  int status = job.tokenizer ? work(call, &job) : call_failed(call, job.context);
  qkv_tokenizer_free(job.tokenizer);
  qkv_context_free(job.context);
  return status;
}

const struct verb verb_detokenize = {
    .name = "detokenize",
    .usage = "MODEL [FILE]",
    .summary = "turns ids back into text",
    .description =
        "Reads lines of ids, as `qkv tokenize --ids` prints them, from FILE or standard input, and prints their text. Line ends "
        "inside a text "
        "become blanks, so that one line stays one line.",
    .example = "qkv tokenize model --ids test.en | qkv detokenize model\nqkv detokenize model --ids \"34 328 272 0\"",
    .least = 1,
    .most = 2,
    .size = sizeof(struct arguments),
    VERB_OPTIONS(options),
    .run = run,
};
