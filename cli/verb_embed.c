// qkv embed: vectors of texts, or of a word in texts.
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/tally.h"
#include "cli/text_list.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_strings texts;
  const char *word, *format, *dtype, *output, *normalize;
  struct qkv_embed_options embed;
  bool accept_cuts;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->dtype = "f32";
  arguments->embed = qkv_embed_options_default();
}

static const struct option options[] = {
  OPTION_TEXTS(texts, "text", "TEXT", "a text, instead of the lines of a file"),
  OPTION_TEXT(word, "word", "WORD", "the vectors of this word where it first stands in each text, after every layer"),
  OPTION_INTEGER(embed.layer, "layer", "N", 0, 1000, "whose hidden states, 0 being the embeddings' output", .unset = "the last"),
  OPTION_CHOICE(embed.pooling, "pooling", "mean|cls|max|mean-sqrt|last", "how the hidden states of a text become one vector",
                .unset = "as the model's modules.json says"),
  OPTION_CHOICE(normalize, "normalize", "on|off", "give vectors the length 1", .unset = "as the model's modules.json says"),
  OPTION_INTEGER(embed.max_length, "max-length", "N", 1, 1 << 24, "tokens of a text; the rest is cut off",
                 .unset = "as the model's files say"),
  OPTION_DTYPE(dtype),
  OPTION_CHOICE(format, "format", "text|json|npy", "numbers with blanks between, JSON objects, or NumPy's file format",
                .unset = "npy if FILE ends in .npy, else text"),
  OPTION_FLAG(accept_cuts, "accept-cuts", "the exit status is 0, not 3, when texts were cut"),
  OPTION_OUTPUT(output),
};

static const char *format_of(const struct arguments *arguments) {
  if (arguments->format) return arguments->format;
  size_t length = arguments->output ? strlen(arguments->output) : 0;
  return length > 4 && strcmp(arguments->output + length - 4, ".npy") == 0 ? "npy" : "text";
}

static void print_row(FILE *out, const float *row, size_t width, const char *between) {
  for (size_t i = 0; i < width; i++) fprintf(out, "%s%.9g", i ? between : "", row[i]);
}

// A line for each text; of a word one for each layer, with the numbers of line and layer in front.
static void print_text(FILE *out, const struct qkv_array *vectors) {
  size_t layers = vectors->dimensions == 3 ? vectors->shape[1] : 1, width = vectors->shape[vectors->dimensions - 1];
  for (size_t i = 0; i < vectors->shape[0] * layers; i++) {
    if (vectors->dimensions == 3) fprintf(out, "%zu\t%zu\t", i / layers + 1, i % layers);
    print_row(out, vectors->data + i * width, width, " ");
    fputc('\n', out);
  }
}

static void print_json(FILE *out, const struct qkv_array *vectors) {
  size_t layers = vectors->dimensions == 3 ? vectors->shape[1] : 1, width = vectors->shape[vectors->dimensions - 1];
  for (size_t i = 0; i < vectors->shape[0]; i++) {
    fprintf(out, "{\"line\": %zu, \"%s\": [", i + 1, vectors->dimensions == 3 ? "layers" : "vector");
    for (size_t k = 0; k < layers; k++) {
      if (vectors->dimensions == 3) fprintf(out, "%s[", k ? ", " : "");
      print_row(out, vectors->data + (i * layers + k) * width, width, ", ");
      if (vectors->dimensions == 3) fputc(']', out);
    }
    fputs("]}\n", out);
  }
}

static int show(const struct arguments *arguments, const struct qkv_array *vectors) {
  struct output output;
  const char *format = format_of(arguments);
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (strcmp(format, "npy") == 0)
    numbers_write_npy(output.stream, vectors);
  else if (strcmp(format, "json") == 0)
    print_json(output.stream, vectors);
  else
    print_text(output.stream, vectors);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

static int report(const struct arguments *arguments, const struct text_list *texts, const struct qkv_embeddings *embeddings) {
  struct tally cut = {0}, invalid = {0};
  for (size_t i = 0; i < texts->list.count; i++) {
    if (embeddings->cut[i]) tally_add(&cut, i + 1);
    if (embeddings->invalid[i]) tally_add(&invalid, i + 1);
  }
  tally_report(&cut, texts->name, "longer than the model takes, cut");
  tally_report(&invalid, texts->name, "held bytes that are no UTF-8, read as U+FFFD");
  return cut.count && !arguments->accept_cuts ? EXIT_CUT : EXIT_DONE;
}

static int embed(struct call *call, const struct text_list *texts) {
  struct arguments *arguments = call->arguments;
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = call_open_model(call, context, call->positional.items[0], arguments->dtype);
  struct qkv_embeddings *embeddings = !model            ? NULL
                                      : arguments->word ? qkv_embed_word(context, model, &texts->list, arguments->word)
                                                        : qkv_embed(context, model, &texts->list, &arguments->embed);
  int status = embeddings ? show(arguments, &embeddings->vectors) : call_failed(call, context);
  if (status == EXIT_DONE) status = report(arguments, texts, embeddings);
  qkv_embeddings_free(embeddings);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

static int run(struct call *call) {
  struct arguments *arguments = call->arguments;
  const char *file = call->positional.count > 1 ? call->positional.items[1] : NULL;
  if (file && arguments->texts.count) return call_misused(call, "--text and FILE contradict each other; give one of them");
  if (call_contradicts(call, "word", "layer", "a word's vectors of every layer are given") ||
      call_contradicts(call, "word", "pooling", "a word's vector is the mean of its tokens'"))
    return EXIT_MISUSED;
  if (arguments->normalize) arguments->embed.normalize = strcmp(arguments->normalize, "on") == 0;
  struct text_list texts;
  int status = text_list_read(&texts, &arguments->texts, file) ? embed(call, &texts) : EXIT_FAILED;
  text_list_free(&texts);
  return status;
}

const struct verb verb_embed = {
  .name = "embed",
  .usage = "MODEL [FILE]",
  .summary = "vectors of sentences, or of a word in them",
  .description =
    "Writes a vector for each line of FILE (or standard input), in the order of the lines. How a model's hidden states become "
    "one vector is read from its modules.json and 1_Pooling/config.json; without these files --pooling has to say it.",
  .example =
    "qkv embed all-MiniLM-L6-v2 sentences.txt -o vectors.npy\n"
    "qkv embed all-MiniLM-L6-v2 --text \"A bank of the river.\" --text \"A bank gave a loan.\" --word bank --format json",
  .least = 1,
  .most = 2,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
