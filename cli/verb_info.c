// qkv info: what a model is, needs and costs.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  const char *format, *output;
  bool tensors;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->format = "text";
}

static const struct option options[] = {
  OPTION_FLAG(tensors, "tensors", "also list every tensor of the file, with its type and shape"),
  OPTION_CHOICE(format, "format", "text|json", "a fact a line, or an object"),
  OPTION_OUTPUT(output),
};

static void print_shape(FILE *out, const struct qkv_tensor_fact *tensor) {
  putc('[', out);
  for (int i = 0; i < tensor->dimensions; i++) fprintf(out, "%s%" PRId64, i ? ", " : "", tensor->shape[i]);
  putc(']', out);
}

static void print_text(FILE *out, const struct qkv_info *info, bool tensors) {
  for (size_t i = 0; i < info->fact_count; i++) fprintf(out, "%-20s %s\n", info->facts[i].name, info->facts[i].text);
  for (size_t i = 0; tensors && i < info->tensor_count; i++) {
    fprintf(out, "%s%s\t%s\t", i ? "" : "\n", info->tensors[i].name, info->tensors[i].type);
    print_shape(out, &info->tensors[i]);
    putc('\n', out);
  }
}

// Numbers are whole (counts and sizes), have a unit and one digit behind the point, or are short decimal ones, which their text
// already is.
static void print_json(FILE *out, const struct qkv_info *info, bool tensors) {
  putc('{', out);
  for (size_t i = 0; i < info->fact_count; i++) {
    const struct qkv_fact *fact = &info->facts[i];
    fprintf(out, "%s\n  \"%s\": ", i ? "," : "", fact->name);
    if (strcmp(fact->text, "yes") == 0 || strcmp(fact->text, "no") == 0) fputs(fact->number != 0 ? "true" : "false", out);
    else if (isnan(fact->number)) output_json_text(out, fact->text);
    else if (fact->number == floor(fact->number)) fprintf(out, "%.0f", fact->number);
    else if (strchr(fact->text, ' ')) fprintf(out, "%.1f", fact->number);  // the text has a unit
    else fputs(fact->text, out);
  }
  for (size_t i = 0; tensors && i < info->tensor_count; i++) {
    fputs(i ? ",\n    " : ",\n  \"tensors\": {\n    ", out);
    output_json_text(out, info->tensors[i].name);
    fprintf(out, ": {\"dtype\": \"%s\", \"shape\": ", info->tensors[i].type);
    print_shape(out, &info->tensors[i]);
    putc('}', out);
  }
  fputs(tensors && info->tensor_count ? "\n  }\n}\n" : "\n}\n", out);
}

static int show(const struct arguments *arguments, const struct qkv_info *info) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (strcmp(arguments->format, "json") == 0) print_json(output.stream, info, arguments->tensors);
  else print_text(output.stream, info, arguments->tensors);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

static int run(struct call *call) {
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = qkv_model_open(context, call->positional.items[0], NULL);
  struct qkv_info *info = model ? qkv_model_info(context, model) : NULL;
  int status = info ? show(call->arguments, info) : call_failed(call, context);
  qkv_info_free(info);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

const struct verb verb_info = {
  .name = "info", .usage = "MODEL", .summary = "what a model is, needs and costs",
  .description = "Says what kind of Transformer the directory MODEL holds: its size and knobs, its special ids, the type and "
                 "size of its files, and how much memory its weights take to run (memory.run) and to train (memory.train, without "
                 "activations). Of a directory that qkv train made it also says what became of the lines of its text: how many were read, kept, "
                 "dropped or cut, why, and which (train.*, valid.*; all of them stand in log.jsonl). A tokenizer is not needed.\n"
                 "Of a model with a decoder only it says for texts of 512 to 32,768 tokens how many cells the attention of a head has, "
                 "how large the cache of keys and values is, and, unless the model is small enough for the processor's caches, how "
                 "many tokens a second are generated at the end and how long all of it takes, one by one, if nothing but reading the "
                 "weights and the cache took time (generate.read bytes a token, at generate.bandwidth a second, measured).\n"
                 "Sizes are in units of 1,000 bytes; with --format json they are bytes.",
  .example = "qkv info out\nqkv info out --tensors --format json",
  .least = 1, .most = 1, .size = sizeof(struct arguments), .defaults = defaults, VERB_OPTIONS(options), .run = run,
};
