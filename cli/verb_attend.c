// qkv attend: attention by hand, from files of numbers, with every intermediate.
#include <stdlib.h>
#include <string.h>

#include "cli/matrix_file.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  const char *wq, *wk, *wv, *wo, *other, *format, *output;
  int64_t heads, decimals;
  double scale;
  bool causal;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->heads = 1;
  arguments->decimals = 4;
  arguments->format = "text";
}

static const struct option options[] = {
  OPTION_FILE(wq, "wq", "FILE", "the matrix that makes queries, [width of a vector, width of a query]"),
  OPTION_FILE(wk, "wk", "FILE", "the matrix that makes keys"),
  OPTION_FILE(wv, "wv", "FILE", "the matrix that makes values"),
  OPTION_FILE(wo, "wo", "FILE", "the matrix that projects the result", .unset = "no projection"),
  OPTION_FILE(other, "over", "FILE", "the vectors that are looked at, for cross-attention", .unset = "FILE itself"),
  OPTION_INTEGER(heads, "heads", "N", 1, 1024, "heads that share the matrices' columns evenly"),
  OPTION_NUMBER(scale, "scale", "X", -1e6, 1e6, "what products are multiplied by",
                .unset = "1 / sqrt(width of a head's queries)"),
  OPTION_FLAG(causal, "causal", "tokens don't see those behind them"),
  OPTION_INTEGER(decimals, "decimals", "N", 0, 9, "digits behind the point"),
  OPTION_CHOICE(format, "format", "text|json", "tables to read, or JSON with all digits"),
  OPTION_OUTPUT(output),
};

enum { X, OTHER, WQ, WK, WV, WO, FILES };

struct files {
  struct matrix_file matrices[FILES];
};

// ---- out ----

static int width_of(const struct arguments *arguments, const struct qkv_array *array) {
  int widest = 0;
  for (size_t i = 0; i < array->shape[0] * array->shape[1]; i++) {
    int width = snprintf(NULL, 0, "%.*f", (int)arguments->decimals, array->data[i]);
    if (width > widest) widest = width;
  }
  return widest;
}

// Names of tokens stand before rows where they are known; those of the columns above weights.
static void print_step(FILE *out, const struct arguments *arguments, const struct qkv_attend_step *step, char *const *rows,
                       char *const *columns) {
  const struct qkv_array *array = &step->array;
  int width = width_of(arguments, array), named = 0;
  for (size_t r = 0; rows && r < array->shape[0]; r++)
    if ((int)strlen(rows[r]) > named) named = (int)strlen(rows[r]);
  for (size_t c = 0; columns && step->over_tokens && c < array->shape[1]; c++)
    if ((int)strlen(columns[c]) > width) width = (int)strlen(columns[c]);
  fprintf(out, "%s   %s   [%zu, %zu]\n", step->name, step->formula, array->shape[0], array->shape[1]);
  if (columns && step->over_tokens) {
    fprintf(out, "  %*s", named, "");
    for (size_t c = 0; c < array->shape[1]; c++) fprintf(out, "  %*s", width, columns[c]);
    fputc('\n', out);
  }
  for (size_t r = 0; r < array->shape[0]; r++) {
    fprintf(out, "  %-*s", named, rows ? rows[r] : "");
    for (size_t c = 0; c < array->shape[1]; c++)
      fprintf(out, "  %*.*f", width, (int)arguments->decimals, array->data[r * array->shape[1] + c]);
    fputc('\n', out);
  }
  fputc('\n', out);
}

static bool is_of_other(const struct qkv_attend_step *step) {
  return strcmp(step->name, "keys") == 0 || strcmp(step->name, "values") == 0 ||
         strcmp(step->name, "vectors that are looked at") == 0;
}

static void print_text(FILE *out, const struct arguments *arguments, const struct files *files,
                       const struct qkv_attend_steps *steps) {
  char *const *own = files->matrices[X].labels, *const *other = arguments->other ? files->matrices[OTHER].labels : own;
  for (size_t i = 0; i < steps->count; i++)
    print_step(out, arguments, &steps->items[i], is_of_other(&steps->items[i]) ? other : own, other);
}

static void print_json(FILE *out, const struct qkv_attend_steps *steps) {
  fputs("[", out);
  for (size_t i = 0; i < steps->count; i++) {
    const struct qkv_attend_step *step = &steps->items[i];
    fprintf(out, "%s{\"name\":", i ? ",\n" : "");
    output_json_text(out, step->name);
    fputs(",\"formula\":", out);
    output_json_text(out, step->formula);
    fprintf(out, ",\"shape\":[%zu,%zu],\"values\":[", step->array.shape[0], step->array.shape[1]);
    for (size_t r = 0; r < step->array.shape[0]; r++) {
      for (size_t c = 0; c < step->array.shape[1]; c++) {
        float value = step->array.data[r * step->array.shape[1] + c];
        const char *before = c ? "," : r ? ",[" : "[";
        if (value - value == 0) fprintf(out, "%s%.9g", before, value);
        else fprintf(out, "%snull", before);  // minus infinity of a mask: JSON has no such number
      }
      fputs("]", out);
    }
    fputs("]}", out);
  }
  fputs("]\n", out);
}

static int show(const struct arguments *arguments, const struct files *files, const struct qkv_attend_steps *steps) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (strcmp(arguments->format, "json") == 0) print_json(output.stream, steps);
  else print_text(output.stream, arguments, files, steps);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

// ---- in ----

static int attend(struct call *call, const struct files *files) {
  const struct arguments *arguments = call->arguments;
  const struct matrix_file *matrices = files->matrices;
  const struct qkv_attend_input input = {.x = &matrices[X].array,
                                         .other = arguments->other ? &matrices[OTHER].array : NULL,
                                         .wq = &matrices[WQ].array,
                                         .wk = &matrices[WK].array,
                                         .wv = &matrices[WV].array,
                                         .wo = arguments->wo ? &matrices[WO].array : NULL,
                                         .heads = arguments->heads,
                                         .causal = arguments->causal,
                                         .scale = arguments->scale};
  struct qkv_context *context = call_context(call);
  struct qkv_attend_steps *steps = qkv_attend(context, &input);
  int status = steps ? show(arguments, files, steps) : call_failed(call, context);
  qkv_attend_steps_free(steps);
  qkv_context_free(context);
  return status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  if (!arguments->wq || !arguments->wk || !arguments->wv)
    return call_misused(call, "--wq, --wk and --wv are needed: the matrices that make queries, keys and values");
  const char *const paths[FILES] = {[X] = call->positional.items[0], [OTHER] = arguments->other, [WQ] = arguments->wq,
                                    [WK] = arguments->wk, [WV] = arguments->wv, [WO] = arguments->wo};
  struct files files = {0};
  bool fine = true;
  for (int i = 0; fine && i < FILES; i++) fine = !paths[i] || matrix_file_read(&files.matrices[i], paths[i]);
  int status = fine ? attend(call, &files) : EXIT_FAILED;
  for (int i = 0; i < FILES; i++) matrix_file_free(&files.matrices[i]);
  return status;
}

const struct verb verb_attend = {
  .name = "attend",
  .usage = "FILE",
  .summary = "attention by hand: your own vectors and matrices, every intermediate with its shape",
  .description =
    "Reads vectors, a row for each token, and the matrices that make queries, keys and values, and prints each step of scaled "
    "dot-product attention (Vaswani et al., 2017): products, scaling, mask, softmax, weighted sum. Files hold a row a line, "
    "numbers separated by tabs, blanks or commas; the first column may name the tokens.",
  .example =
    "qkv attend x.tsv --wq wq.tsv --wk wk.tsv --wv wv.tsv\n"
    "qkv attend x.tsv --wq wq.tsv --wk wk.tsv --wv wv.tsv --heads 2 --causal",
  .least = 1,
  .most = 1,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
