// qkv tokenize: text to tokens, ids or JSON, a line for each line.
#include <stdlib.h>
#include <string.h>

#include "cli/lines.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_strings texts, pairs;
  const char *format, *output;
  bool ids, no_special_tokens, no_truncation, accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->format = "text";
}

static const struct option options[] = {
    OPTION_TEXTS(texts, "text", "TEXT", "tokenize TEXT instead of a file; may be repeated"),
    OPTION_TEXTS(pairs, "pair", "TEXT", "the second text of a pair; one for each --text"),
    OPTION_FLAG(ids, "ids", "print ids instead of tokens"),
    OPTION_CHOICE(
        format, "format", "text|json",
        "tokens with blanks between them, or an object with ids, tokens, offsets (in characters) and type_ids per line"),
    OPTION_FLAG(no_special_tokens, "no-special-tokens", "leave out the tokens that the model wants around a text"),
    OPTION_FLAG(no_truncation, "no-truncation", "keep all tokens where tokenizer.json says to cut"),
    OPTION_FLAG(accept_cuts, "accept-cuts", "exit with 0 even if tokens were cut off or bytes replaced"),
    OPTION_OUTPUT(output),
};

struct job {
  const struct arguments *arguments;
  struct qkv_context *context;
  struct qkv_tokenizer *tokenizer;
  struct qkv_encoding *encoding;
  FILE *out;
  size_t line, cut_lines, cut_tokens, invalid_lines, invalid_bytes;
};

static void print_json(const struct job *job) {
  const struct qkv_encoding *encoding = job->encoding;
  fputs("{\"ids\": [", job->out);
  for (size_t i = 0; i < encoding->count; i++) fprintf(job->out, "%s%d", i ? ", " : "", (int)encoding->ids[i]);
  fputs("], \"tokens\": [", job->out);
  for (size_t i = 0; i < encoding->count; i++) {
    if (i) fputs(", ", job->out);
    output_json_text(job->out, qkv_tokenizer_token(job->tokenizer, encoding->ids[i]));
  }
  fputs("], \"offsets\": [", job->out);
  for (size_t i = 0; i < encoding->count; i++)
    fprintf(job->out, "%s[%u, %u]", i ? ", " : "", (unsigned)encoding->starts[i], (unsigned)encoding->ends[i]);
  fputs("], \"type_ids\": [", job->out);
  for (size_t i = 0; i < encoding->count; i++) fprintf(job->out, "%s%d", i ? ", " : "", (int)encoding->type_ids[i]);
  fputs("]}\n", job->out);
}

static void print_text(const struct job *job) {
  const struct qkv_encoding *encoding = job->encoding;
  for (size_t i = 0; i < encoding->count; i++) {
    if (i) putc(' ', job->out);
    if (job->arguments->ids) fprintf(job->out, "%d", (int)encoding->ids[i]);
    else fputs(qkv_tokenizer_token(job->tokenizer, encoding->ids[i]), job->out);
  }
  putc('\n', job->out);
}

static bool tokenize(struct job *job, const char *text, const char *pair) {
  struct qkv_encode_options encode = {pair, job->arguments->no_special_tokens, job->arguments->no_truncation};
  struct qkv_encoding *encoding = qkv_encode(job->context, job->tokenizer, text, &encode, job->encoding);
  job->line++;
  if (!encoding) return false;
  job->encoding = encoding;
  if (encoding->cut && !job->cut_lines++)
    message_warning("line %zu: %zu tokens were cut off, as tokenizer.json says (--no-truncation keeps them)", job->line,
                    encoding->cut);
  if (encoding->invalid && !job->invalid_lines++)
    message_warning("line %zu: %zu bytes are not valid UTF-8 and were read as U+FFFD", job->line, encoding->invalid);
  job->cut_tokens += encoding->cut;
  job->invalid_bytes += encoding->invalid;
  if (job->arguments->format[0] == 'j') print_json(job);
  else print_text(job);
  return true;
}

static bool tokenize_texts(struct job *job) {
  const struct arguments *arguments = job->arguments;
  for (size_t i = 0; i < arguments->texts.count; i++)
    if (!tokenize(job, arguments->texts.items[i], arguments->pairs.count ? arguments->pairs.items[i] : NULL)) return false;
  return true;
}

// *failed: reading failed, which has been said.
static bool tokenize_lines(struct job *job, struct lines *lines, const struct output *output) {
  char *line;
  bool ok = true;
  while (ok && !output_failed(output) && (line = lines_next(lines))) {
    ok = tokenize(job, line, NULL);
    free(line);
  }
  return ok;
}

static int sum_up(const struct job *job) {
  if (job->cut_lines > 1) message_warning("%zu lines were cut, by %zu tokens together", job->cut_lines, job->cut_tokens);
  if (job->invalid_lines > 1)
    message_warning("%zu lines are not valid UTF-8, in %zu bytes together", job->invalid_lines, job->invalid_bytes);
  return (job->cut_lines || job->invalid_lines) && !job->arguments->accept_cuts ? EXIT_CUT : EXIT_DONE;
}

static int work(struct call *call, struct job *job) {
  struct output output;
  struct lines lines = {0};
  bool from_file = job->arguments->texts.count == 0;
  if (from_file && !lines_open(&lines, call->positional.count > 1 ? call->positional.items[1] : NULL)) return EXIT_FAILED;
  if (!output_open(&output, job->arguments->output)) {
    if (from_file) lines_close(&lines);
    return EXIT_FAILED;
  }
  job->out = output.stream;
  bool ok = from_file ? tokenize_lines(job, &lines, &output) : tokenize_texts(job);
  int status = ok ? EXIT_DONE : call_failed(call, job->context);
  if (lines.failed) status = EXIT_FAILED;
  if (from_file) lines_close(&lines);
  if (status == EXIT_DONE) status = sum_up(job);
  if (status == EXIT_FAILED) output_abandon(&output);
  else if (!output_close(&output)) status = EXIT_FAILED;
  return status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  if (arguments->texts.count && call->positional.count > 1)
    return call_misused(call, "a FILE and --text contradict each other: text comes from one of them");
  if (arguments->pairs.count && arguments->pairs.count != arguments->texts.count)
    return call_misused(call, "%zu --pair for %zu --text; there must be one for each", arguments->pairs.count,
                        arguments->texts.count);
  if (arguments->ids && arguments->format[0] == 'j')
    return call_misused(call, "--ids and --format json contradict each other: JSON has the ids anyway");
  struct job job = {.arguments = arguments, .context = call_context(call)};
  job.tokenizer = qkv_tokenizer_open(job.context, call->positional.items[0]);
  int status = job.tokenizer ? work(call, &job) : call_failed(call, job.context);
  qkv_encoding_free(job.encoding);
  qkv_tokenizer_free(job.tokenizer);
  qkv_context_free(job.context);
  return status;
}

const struct verb verb_tokenize = {
    .name = "tokenize",
    .usage = "MODEL [FILE]",
    .summary = "turns text into tokens",
    .description =
        "Cuts every line of FILE (or standard input) into the tokens of the model's vocabulary, as Hugging Face's tokenizers "
        "does. MODEL is a "
        "model directory or a tokenizer.json.",
    .example =
        "qkv tokenize model test.en\nqkv tokenize model --ids --text \"a dog runs\"\nqkv tokenize model --format json test.en > "
        "test.jsonl",
    .least = 1,
    .most = 2,
    .size = sizeof(struct arguments),
    .defaults = defaults,
    VERB_OPTIONS(options),
    .run = run,
};
