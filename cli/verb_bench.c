// qkv bench: what this machine does, and a model on it.
#include <string.h>

#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  const char *dtype, *format, *output;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->format = "text";
  arguments->dtype = "auto";
}

static const struct option options[] = {
  OPTION_CHOICE(dtype, "dtype", "auto|f32|bf16", "in which products with weights are computed while MODEL is measured"),
  OPTION_CHOICE(format, "format", "text|json", "a table, or an object a line"),
  OPTION_OUTPUT(output),
};

static void print_text(FILE *out, const struct qkv_bench *bench) {
  fprintf(out, "%-40s %-16s %12s %-8s %12s %8s\n", "what", "path", "rate", "", "bound", "reached");
  for (size_t i = 0; i < bench->count; i++) {
    const struct qkv_rate *rate = &bench->rates[i];
    fprintf(out, "%-40s %-16s %12.1f %-8s", rate->what, rate->path, rate->rate, rate->unit);
    if (rate->bound > 0) fprintf(out, " %12.1f %6.0f %%", rate->bound, 100 * rate->rate / rate->bound);
    putc('\n', out);
  }
}

static void print_json(FILE *out, const struct qkv_bench *bench) {
  for (size_t i = 0; i < bench->count; i++) {
    const struct qkv_rate *rate = &bench->rates[i];
    fputs("{\"what\": ", out);
    output_json_text(out, rate->what);
    fputs(", \"path\": ", out);
    output_json_text(out, rate->path);
    fprintf(out, ", \"rate\": %.6g, \"unit\": \"%s\"", rate->rate, rate->unit);
    if (rate->bound > 0) fprintf(out, ", \"bound\": %.6g", rate->bound);
    fputs("}\n", out);
  }
}

static int show(const struct arguments *arguments, const struct qkv_bench *bench) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (strcmp(arguments->format, "json") == 0) print_json(output.stream, bench);
  else print_text(output.stream, bench);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const char *directory = call->positional.count ? call->positional.items[0] : NULL;
  if (!directory && call_given(call, "dtype")) return call_misused(call, "--dtype is about MODEL, which is missing");
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = directory ? call_open_model(call, context, directory, arguments->dtype) : NULL;
  struct qkv_bench *bench = model || !directory ? qkv_bench(context, model) : NULL;
  int status = bench ? show(arguments, bench) : call_failed(call, context);
  qkv_bench_free(bench);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

const struct verb verb_bench = {
  .name = "bench", .usage = "[MODEL]", .summary = "how fast this machine is, and a model on it",
  .description =
    "Measures matrix products by every path that the processor has (rows x outputs x inputs), the memory, and with MODEL how many "
    "tokens a second it learns from, reads and writes, on made-up text of 32 tokens a sentence. Beside each rate stands what "
    "the machine could do at most, measured, too: multiply-adds that touch nothing but registers, or bytes read from memory, "
    "whichever takes longer; for a model the products alone. Takes less than a minute. The machine should do nothing else meanwhile.",
  .example = "qkv bench\nqkv bench out --threads 1",
  .least = 0, .most = 1, .common = COMMON_THREADS | COMMON_QUIET, .size = sizeof(struct arguments), .defaults = defaults,
  VERB_OPTIONS(options), .run = run,
};
