// qkv generate: prompts in, texts out. One prompt's only text is written as it comes; many prompts are continued together.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/lines.h"
#include "cli/message.h"
#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/tally.h"
#include "cli/verb.h"

enum { TOGETHER = 2000, TOGETHER_BYTES = 4 << 20, SHOWN_ALTERNATIVES = 5 };

struct arguments {
  struct qkv_generate_options generate;
  struct qkv_strings prompts, ids;
  const char *format, *dtype, *output;
  bool steps, accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->generate = qkv_generate_options_default();
  arguments->generate.on_full = "stop";
  arguments->generate.seed = 0;
  arguments->format = "text";
  arguments->dtype = "auto";
}

#define BY_MODEL .unset = "as the model says"

static const struct option options[] = {
  OPTION_GROUP("Texts"),
  OPTION_TEXTS(prompts, "prompt", "TEXT", "what the text begins with, instead of the lines of FILE; may be repeated"),
  OPTION_TEXTS(ids, "ids", "IDS", "the same as token ids, such as \"5 6 7\", which gives ids; needs no tokenizer"),
  OPTION_INTEGER(generate.max_new, "max-new", "N", 1, 100000000, "most tokens that are generated",
                 .unset = "as the model says, else 256"),
  OPTION_INTEGER(generate.min_new, "min-new", "N", 0, 100000000, "fewest tokens that are generated", BY_MODEL),
  OPTION_TEXTS(generate.stop, "stop", "TEXT", "a text ends before TEXT; may be repeated"),
  OPTION_INTEGER(generate.samples, "samples", "N", 1, 100000, "texts for each prompt: so many are drawn, or the best of --beam",
                 .unset = "1"),
  OPTION_FLAG(generate.ignore_end, "ignore-end", "end tokens are tokens like others"),
  OPTION_CHOICE(generate.on_full, "on-full", "stop|slide",
                "a text that fills the model's positions ends, or goes on after its latter half"),
  OPTION_GROUP("Drawing: any of these draws tokens by their probability; otherwise the model says whether to"),
  OPTION_NUMBER(generate.temperature, "temperature", "T", -NO_LIMIT, NO_LIMIT,
                "above 1 evens probabilities out, below 1 sharpens them; 0 takes the most probable token", BY_MODEL),
  OPTION_INTEGER(generate.top_k, "top-k", "K", 0, 1000000000, "draw from the K most probable tokens only; 0 is all", BY_MODEL),
  OPTION_NUMBER(generate.top_p, "top-p", "P", -NO_LIMIT, NO_LIMIT,
                "draw from the fewest tokens only whose probabilities sum up to P, above 0 and at most 1", BY_MODEL),
  OPTION_NUMBER(generate.min_p, "min-p", "P", 0, 1, "draw from tokens only at least P times as probable as the best", BY_MODEL),
  OPTION_SEED(generate.seed),
  OPTION_GROUP("Searching, rules"),
  OPTION_INTEGER(generate.beam, "beam", "N", 1, 32, "hypotheses that are kept; 1 takes the most probable token", BY_MODEL),
  OPTION_NUMBER(generate.length_penalty, "length-penalty", "A", -10, 10,
                "of beams: the sum of log-probabilities is divided by length ^ A", BY_MODEL),
  OPTION_NUMBER(generate.repetition_penalty, "repetition-penalty", "X", 0.1, 10,
                "above 1 makes tokens that stand there already less probable", BY_MODEL),
  OPTION_INTEGER(generate.no_repeat_ngram, "no-repeat-ngram", "N", 0, 1000, "n-grams of N tokens occur once; 0 is off", BY_MODEL),
  OPTION_GROUP("Output"),
  OPTION_FLAG(steps, "steps", "print each step instead: token, probability, and the most probable ones with theirs"),
  OPTION_CHOICE(format, "format", "text|json",
                "texts, of FILE one a line with blanks for line ends; or an object a line, with prompt, text, tokens and why it "
                "ended"),
  OPTION_DTYPE(dtype),
  OPTION_FLAG(accept_cuts, "accept-cuts", "the exit status is 0, not 3, when prompts were refused"),
  OPTION_OUTPUT(output),
};

struct work {
  const struct arguments *arguments;
  struct qkv_context *context;
  struct qkv_model *model;
  struct qkv_generator *generator;
  struct output output;
  const char *name;    // where the prompts come from, for messages
  bool lines;          // prompts are lines: so are texts
  bool streaming;
  struct tally empty, long_prompts, invalid, full, slid;
  size_t done, texts, tokens;
  enum qkv_ending ending;  // of the last text
  double start;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// ---- what is printed ----

static const char *ending_name(enum qkv_ending ending) {
  static const char *const names[] = {"end", "stop", "length", "full", "caller", "stuck", "empty prompt", "long prompt"};
  return names[ending];
}

static bool write_piece(void *user, size_t prompt, size_t sample, const char *text) {
  struct work *work = user;
  (void)prompt, (void)sample;
  if (text) fputs(text, work->output.stream);
  fflush(work->output.stream);
  return !output_failed(&work->output);
}

static void print_step(FILE *out, const struct qkv_generated_token *token, size_t number) {
  fprintf(out, "%zu\t", number);
  output_json_text(out, token->text);
  fprintf(out, "\t%.4f\t", token->probability);
  for (size_t i = 0; i < token->alternative_count; i++) {
    if (i) fputs("  ", out);
    output_json_text(out, token->alternatives[i].text);
    fprintf(out, " %.4f", token->alternatives[i].probability);
  }
  fputc('\n', out);
}

static void print_steps(FILE *out, const struct qkv_generated *text) {
  for (size_t i = 0; i < text->token_count; i++) print_step(out, &text->tokens[i], i + 1);
  fprintf(out, "ended: %s\n", ending_name(text->ending));
}

static void print_json(FILE *out, const struct qkv_generated *text, const char *prompt, size_t number, size_t sample) {
  fprintf(out, "{\"prompt\": ");
  output_json_text(out, prompt);
  fprintf(out, ", \"number\": %zu, \"sample\": %zu, \"text\": ", number, sample);
  output_json_text(out, text->text);
  fprintf(out, ", \"ending\": \"%s\", \"score\": %.6f, \"lost\": %zu, \"tokens\": [", ending_name(text->ending), text->score,
          text->lost);
  for (size_t i = 0; i < text->token_count; i++) {
    const struct qkv_generated_token *token = &text->tokens[i];
    fprintf(out, "%s{\"id\": %d, \"text\": ", i ? ", " : "", (int)token->id);
    output_json_text(out, token->text);
    fprintf(out, ", \"probability\": %.9g", token->probability);
    for (size_t k = 0; k < token->alternative_count; k++) {
      fprintf(out, "%s{\"id\": %d, \"text\": ", k ? ", " : ", \"alternatives\": [", (int)token->alternatives[k].id);
      output_json_text(out, token->alternatives[k].text);
      fprintf(out, ", \"probability\": %.9g}", token->alternatives[k].probability);
    }
    fputs(token->alternative_count ? "]}" : "}", out);
  }
  fputs("]}\n", out);
}

static void print_ids(FILE *out, const struct qkv_generated *text) {
  for (size_t i = 0; i < text->token_count; i++) fprintf(out, "%s%d", i ? " " : "", (int)text->tokens[i].id);
  fputc('\n', out);
}

static void print_line(FILE *out, const char *text) {
  for (; *text; text++) fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
  fputc('\n', out);
}

static void print_text(struct work *work, const struct qkv_generated *text, const char *prompt, size_t number, size_t sample) {
  FILE *out = work->output.stream;
  bool first = work->texts++ == 0, json = strcmp(work->arguments->format, "json") == 0;
  if (json) {
    print_json(out, text, prompt, number, sample);
    return;
  }
  if (!first && (work->arguments->steps || !work->lines)) fputs("---\n", out);
  if (work->arguments->steps) print_steps(out, text);
  else if (work->arguments->ids.count) print_ids(out, text);
  else if (work->streaming) fputc('\n', out);
  else if (work->lines) print_line(out, text->text);
  else fprintf(out, "%s%s\n", prompt, text->text);
}

static void print_all(struct work *work, const struct qkv_generations *found, const char *const *prompts) {
  for (size_t i = 0; i < found->count; i++) {
    const struct qkv_generation *generation = &found->items[i];
    size_t number = ++work->done;
    bool full = false, slid = false;
    for (size_t k = 0; k < generation->count; k++) {
      const struct qkv_generated *text = &generation->items[k];
      print_text(work, text, prompts[i], number, k);
      work->tokens += text->token_count;
      work->ending = text->ending;
      full |= text->ending == QKV_ENDED_FULL;
      slid |= text->lost > 0;
    }
    enum qkv_ending ending = generation->items[0].ending;
    if (ending == QKV_REFUSED_EMPTY) tally_add(&work->empty, number);
    if (ending == QKV_REFUSED_LONG) tally_add(&work->long_prompts, number);
    if (generation->invalid) tally_add(&work->invalid, number);
    if (full) tally_add(&work->full, number);
    if (slid) tally_add(&work->slid, number);
  }
}

// ---- prompts ----

static bool generate(struct work *work, const char *const *prompts, size_t count) {
  struct qkv_generations *found =
    qkv_generate(work->context, work->generator, &(struct qkv_strings){.items = (const char **)prompts, .count = count});
  if (!found) return false;
  print_all(work, found, prompts);
  qkv_generations_free(found);
  return true;
}

static int generate_prompts(struct call *call, struct work *work) {
  const struct qkv_strings *prompts = &work->arguments->prompts;
  if (work->streaming) fputs(prompts->items[0], work->output.stream);
  return generate(work, prompts->items, prompts->count) ? EXIT_DONE : call_failed(call, work->context);
}

static int generate_ids(struct call *call, struct work *work) {
  const struct qkv_strings *given = &work->arguments->ids;
  struct qkv_ids *prompts = calloc(given->count, sizeof *prompts);
  char problem[200] = "no memory";
  bool fine = prompts;
  for (size_t i = 0; fine && i < given->count; i++)
    fine = numbers_parse_ids(given->items[i], (int32_t **)&prompts[i].items, &prompts[i].count, problem, sizeof problem);
  int status = fine ? EXIT_DONE : call_misused(call, "--ids: %s", problem);
  struct qkv_generations *found = fine ? qkv_generate_ids(work->context, work->generator, prompts, given->count) : NULL;
  if (found) print_all(work, found, given->items);
  else if (fine) status = call_failed(call, work->context);
  qkv_generations_free(found);
  for (size_t i = 0; prompts && i < given->count; i++) free((int32_t *)prompts[i].items);
  free(prompts);
  return status;
}

// At least one line if there is any, and then those that are there already.
static size_t read_lines(struct lines *lines, char **texts) {
  size_t count = 0, bytes = 0;
  while (count < TOGETHER && bytes < TOGETHER_BYTES && (count == 0 || lines_ready(lines))) {
    char *line = lines_next(lines);
    if (!line) break;
    texts[count++] = line;
    bytes += strlen(line);
  }
  return count;
}

static int generate_lines(struct call *call, struct work *work, struct lines *lines) {
  char *texts[TOGETHER];
  size_t count;
  while ((count = read_lines(lines, texts)) > 0) {
    bool fine = generate(work, (const char *const *)texts, count);
    for (size_t i = 0; i < count; i++) free(texts[i]);
    if (!fine) return call_failed(call, work->context);
    if (!lines->finished) fflush(work->output.stream);
    if (output_failed(&work->output)) break;  // output_close says why
    if (message_is_terminal())
      message_progress("%zu prompts, %.0f tokens a second", work->done, (double)work->tokens / (now() - work->start + 1e-9));
  }
  return lines->failed ? EXIT_FAILED : EXIT_DONE;
}

static void report(const struct work *work) {
  tally_report(&work->empty, work->name, "had nothing to begin with, and the model names no token for that (bos_token_id)");
  tally_report(&work->long_prompts, work->name,
               "had more tokens than the model takes, and nothing was generated (--on-full slide)");
  tally_report(&work->invalid, work->name, "held bytes that are no UTF-8, read as U+FFFD");
  tally_report(&work->full, work->name, "got a text that ended because the model's positions were used up (--on-full slide)");
  tally_report(&work->slid, work->name, "got a text longer than the model's positions: its beginning went out of sight");
  static const char *const endings[] = {"by an end token", "before a stop string", "at the length limit (--max-new)",
                                        "at the model's positions (--on-full)", "", "because no token was possible", "", ""};
  double seconds = now() - work->start;
  message_note("%zu tokens in %.1f s, %.0f a second%s%s", work->tokens, seconds, (double)work->tokens / (seconds + 1e-9),
               work->texts == 1 && *endings[work->ending] ? "; ended " : "", work->texts == 1 ? endings[work->ending] : "");
}

// ---- the verb ----

// One text alone is written while it is generated.
static bool streams(const struct arguments *arguments) {
  const struct qkv_generate_options *wanted = &arguments->generate;
  return arguments->prompts.count == 1 && wanted->samples <= 1 && wanted->beam <= 1 && !arguments->steps &&
         strcmp(arguments->format, "text") == 0;
}

static bool open_generator(const struct call *call, struct work *work) {
  struct qkv_generate_options wanted = work->arguments->generate;
  work->model = call_open_model(call, work->context, call->positional.items[0], work->arguments->dtype);
  if (!work->model) return false;
  if (work->streaming) wanted.text = write_piece, wanted.user = work;
  if (work->arguments->steps) wanted.alternatives = SHOWN_ALTERNATIVES;
  work->generator = qkv_generator_new(work->context, work->model, &wanted);
  work->start = now();
  return work->generator != NULL;
}

static int write_texts(struct call *call, struct work *work, struct lines *lines) {
  if (!output_open(&work->output, work->arguments->output)) return EXIT_FAILED;
  int status = work->lines ? generate_lines(call, work, lines) : work->arguments->ids.count ? generate_ids(call, work)
                                                                                           : generate_prompts(call, work);
  report(work);
  if (status != EXIT_DONE) output_abandon(&work->output);
  else if (!output_close(&work->output)) status = EXIT_FAILED;
  bool refused = work->empty.count || work->long_prompts.count;
  return status == EXIT_DONE && refused && !work->arguments->accept_cuts ? EXIT_CUT : status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  bool ids = arguments->ids.count > 0, prompts = ids || arguments->prompts.count > 0;
  if (call_contradicts(call, "ids", "prompt", "prompts are texts or ids")) return EXIT_MISUSED;
  if (prompts && call->positional.count > 1)
    return call_misused(call, "prompts come from --prompt, --ids or FILE, not from several");
  struct work work = {.arguments = arguments, .lines = !prompts, .streaming = streams(arguments)};
  work.name = ids ? "--ids" : "--prompt";
  struct lines lines = {.descriptor = -1};
  if (!prompts && !lines_open(&lines, call->positional.count > 1 ? call->positional.items[1] : NULL)) return EXIT_FAILED;
  if (!prompts) work.name = lines.name;
  work.context = call_context(call);
  int status = open_generator(call, &work) ? write_texts(call, &work, &lines) : call_failed(call, work.context);
  if (!prompts) lines_close(&lines);
  qkv_generator_free(work.generator);
  qkv_model_free(work.model);
  qkv_context_free(work.context);
  return status;
}

const struct verb verb_generate = {
  .name = "generate",
  .usage = "MODEL [FILE]",
  .summary = "goes on with a text",
  .description =
    "Continues each --prompt, or each line of FILE or of standard input, with a language model. A --prompt is printed with its "
    "text, as it is generated if it is the only one, else with --- between texts; for a line, the text alone is printed, on a "
    "line. The same seed gives the same texts, whatever is generated together and with however many threads.",
  .example =
    "qkv generate out --prompt \"Once upon a time\"\nqkv generate out --prompt \"Once upon a time\" --temperature 0.8 "
    "--top-p 0.95 --samples 3 --seed 7\nqkv generate out prompts.txt --max-new 40 --stop \".\" > texts.txt",
  .least = 1,
  .most = 2,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
