// qkv fill: which words fit, as a table.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/tally.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_strings texts;
  const char *candidates, *format, *dtype, *output;
  int64_t top;
  bool accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->top = -1;
  arguments->format = "text";
  arguments->dtype = "auto";
}

static const struct option options[] = {
  OPTION_TEXTS(texts, "text", "TEXT", "the text; may be repeated"),
  OPTION_INTEGER(top, "top", "N", 1, 64, "how many of the most probable ones are printed", .unset = "10"),
  OPTION_TEXT(candidates, "candidates", "A,B,C", "score these instead"),
  OPTION_CHOICE(format, "format", "text|json", "a table, or an object for each text"),
  OPTION_DTYPE(dtype),
  OPTION_FLAG(accept_cuts, "accept-cuts", "the exit status is 0, not 3, when texts were cut or refused"),
  OPTION_OUTPUT(output),
};

// "a,b,c": the strings point into *copy, which the caller frees with items.
static bool split(const char *list, char **copy, struct qkv_strings *out) {
  size_t count = 1;
  for (const char *c = list; *c; c++) count += *c == ',';
  *copy = strdup(list);
  out->items = calloc(count, sizeof *out->items);
  if (!*copy || !out->items) return false;
  for (char *rest = *copy, *one; (one = strsep(&rest, ","));) out->items[out->count++] = one;
  return true;
}

static void print_table(FILE *out, const struct qkv_place *place) {
  for (size_t i = 0; i < place->count; i++) {
    const struct qkv_guess *guess = &place->guesses[i];
    fprintf(out, "%.4f\t%.4f\t", exp(guess->log_probability), guess->log_probability);
    output_json_text(out, guess->text);
    fputc('\n', out);
  }
}

static void print_json(FILE *out, const char *text, const struct qkv_filling *filling) {
  fputs("{\"text\": ", out);
  output_json_text(out, text);
  fputs(", \"places\": [", out);
  for (size_t p = 0; p < filling->count; p++) {
    fputs(p ? ", [" : "[", out);
    for (size_t i = 0; i < filling->places[p].count; i++) {
      const struct qkv_guess *guess = &filling->places[p].guesses[i];
      fprintf(out, "%s{\"text\": ", i ? ", " : "");
      output_json_text(out, guess->text);
      fprintf(out, ", \"id\": %d, \"log_probability\": %.9g}", (int)guess->id, guess->log_probability);
    }
    fputc(']', out);
  }
  fputs("]}\n", out);
}

static int print(const struct arguments *arguments, const struct qkv_fillings *found) {
  struct tally cut = {0}, refused = {0}, invalid = {0};
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  for (size_t i = 0; i < found->count; i++) {
    const struct qkv_filling *filling = &found->items[i];
    if (strcmp(arguments->format, "json") == 0) print_json(output.stream, arguments->texts.items[i], filling);
    for (size_t p = 0; p < filling->count && strcmp(arguments->format, "json") != 0; p++) {
      if (i + p) fputc('\n', output.stream);
      print_table(output.stream, &filling->places[p]);
    }
    if (filling->cut) tally_add(&cut, i + 1);
    if (filling->count == 0) tally_add(&refused, i + 1);
    if (filling->invalid) tally_add(&invalid, i + 1);
  }
  tally_report(&cut, "--text", "had more tokens than the model takes; its beginning was passed over");
  tally_report(&refused, "--text", "had no place to fill");
  tally_report(&invalid, "--text", "held bytes that are no UTF-8, read as U+FFFD");
  if (!output_close(&output)) return EXIT_FAILED;
  return (cut.count || refused.count) && !arguments->accept_cuts ? EXIT_CUT : EXIT_DONE;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  if (arguments->texts.count == 0) return call_misused(call, "--text is missing: which text?");
  if (call_contradicts(call, "candidates", "top", "candidates are all scored")) return EXIT_MISUSED;
  struct qkv_fill_options wanted = {.top = arguments->top};
  char *copy = NULL;
  struct qkv_context *context = call_context(call);
  if (arguments->candidates && !split(arguments->candidates, &copy, &wanted.candidates)) message_error("out of memory");
  struct qkv_model *model = call_open_model(call, context, call->positional.items[0], arguments->dtype);
  struct qkv_fillings *found = model ? qkv_fill(context, model, &arguments->texts, &wanted) : NULL;
  int status = found ? print(arguments, found) : call_failed(call, context);
  qkv_fillings_free(found);
  qkv_model_free(model);
  qkv_context_free(context);
  free(wanted.candidates.items);
  free(copy);
  return status;
}

const struct verb verb_fill = {
  .name = "fill",
  .usage = "MODEL --text TEXT",
  .summary = "which words fit",
  .description =
    "Prints what may stand at each [MASK] of a text by a model of masked words, or what may follow the text by a language model: "
    "probability, its natural logarithm, and the token, most probable first. "
    "Behind a text candidates may have several tokens, whose probabilities are multiplied (chain rule); a [MASK] stands for "
    "one token.",
  .example =
    "qkv fill bert --text \"The [MASK] sat on the mat.\" --top 5\nqkv fill out --text \"The cat sat on the\" --top 10\n"
    "qkv fill out --text \"The cat sat on the\" --candidates mat,dog,moon",
  .least = 1,
  .most = 1,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
