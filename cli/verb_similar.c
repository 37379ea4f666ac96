// qkv similar: lines ranked by how alike their vectors are to that of a query.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/tally.h"
#include "cli/text_list.h"
#include "cli/verb.h"

struct arguments {
  const char *word, *format, *dtype, *output;
  struct qkv_embed_options embed;
  int64_t top;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->dtype = "f32";
  arguments->format = "text";
  arguments->top = 10;
  arguments->embed = qkv_embed_options_default();
}

static const struct option options[] = {
  OPTION_INTEGER(top, "top", "N", 1, NO_LIMIT, "how many lines to show"),
  OPTION_TEXT(word, "word", "WORD",
              "compare the contexts of this word: its vectors after the last layer, in QUERY and in every line"),
  OPTION_CHOICE(embed.pooling, "pooling", "mean|cls|max|mean-sqrt|last", "how the hidden states of a text become one vector",
                .unset = "as the model's modules.json says"),
  OPTION_DTYPE(dtype),
  OPTION_CHOICE(format, "format", "text|json", "cosine, line number and line with tabs between, or JSON objects"),
  OPTION_OUTPUT(output),
};

struct ranked {
  double cosine;
  size_t line;  // from 0
};

static double cosine(const float *x, const float *y, size_t width) {
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < width; i++) {
    xx += (double)x[i] * x[i];
    yy += (double)y[i] * y[i];
    xy += (double)x[i] * y[i];
  }
  return xx > 0 && yy > 0 ? xy / (sqrt(xx) * sqrt(yy)) : 0;
}

static int compare(const void *a, const void *b) {
  const struct ranked *x = a, *y = b;
  if (x->cosine != y->cosine) return x->cosine < y->cosine ? 1 : -1;
  return (x->line > y->line) - (x->line < y->line);
}

// Vector 0 is the query's, the others are the lines'.
static struct ranked *rank(const struct qkv_array *vectors, size_t count) {
  struct ranked *order = malloc((count + 1) * sizeof *order);
  if (!order) return NULL;
  size_t width = vectors->shape[vectors->dimensions - 1], layers = vectors->dimensions == 3 ? vectors->shape[1] : 1;
  const float *last = vectors->data + (layers - 1) * width;
  for (size_t i = 0; i < count; i++) order[i] = (struct ranked){cosine(last, last + (i + 1) * layers * width, width), i};
  qsort(order, count, sizeof *order, compare);
  return order;
}

static int show(const struct arguments *arguments, const struct text_list *lines, const struct ranked *order) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  bool json = strcmp(arguments->format, "json") == 0;
  for (size_t i = 0; i < lines->list.count && i < (size_t)arguments->top; i++) {
    const char *text = lines->list.items[order[i].line];
    if (!json) {
      fprintf(output.stream, "%.6f\t%zu\t%s\n", order[i].cosine, order[i].line + 1, text);
      continue;
    }
    fprintf(output.stream, "{\"cosine\": %.9g, \"line\": %zu, \"text\": ", order[i].cosine, order[i].line + 1);
    output_json_text(output.stream, text);
    fputs("}\n", output.stream);
  }
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

static int compare_all(struct call *call, const struct text_list *lines, const struct qkv_strings *all) {
  const struct arguments *arguments = call->arguments;
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = call_open_model(call, context, call->positional.items[0], arguments->dtype);
  struct qkv_embeddings *embeddings = !model            ? NULL
                                      : arguments->word ? qkv_embed_word(context, model, all, arguments->word)
                                                        : qkv_embed(context, model, all, &arguments->embed);
  struct ranked *order = embeddings ? rank(&embeddings->vectors, lines->list.count) : NULL;
  int status = order ? show(arguments, lines, order) : embeddings ? EXIT_FAILED : call_failed(call, context);
  if (embeddings && !order) message_error("similar: out of memory");
  struct tally cut = {0};
  for (size_t i = 0; status == EXIT_DONE && i < lines->list.count; i++)
    if (embeddings->cut[i + 1]) tally_add(&cut, i + 1);
  tally_report(&cut, lines->name, "longer than the model takes, cut");
  if (status == EXIT_DONE && !lines->list.count) message_warning("%s: there is no line to compare", lines->name);
  free(order);
  qkv_embeddings_free(embeddings);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

static int run(struct call *call) {
  struct text_list lines;
  if (call_contradicts(call, "word", "pooling", "a word's vector is the mean of its tokens'")) return EXIT_MISUSED;
  int status = EXIT_FAILED;
  if (text_list_read(&lines, NULL, call->positional.count > 2 ? call->positional.items[2] : NULL)) {
    struct qkv_strings all = {malloc((lines.list.count + 1) * sizeof *all.items), lines.list.count + 1};
    if (all.items) {
      all.items[0] = call->positional.items[1];
      for (size_t i = 0; i < lines.list.count; i++) all.items[i + 1] = lines.list.items[i];
      status = compare_all(call, &lines, &all);
    } else {
      message_error("similar: out of memory");
    }
    free(all.items);
  }
  text_list_free(&lines);
  return status;
}

const struct verb verb_similar = {
  .name = "similar",
  .usage = "MODEL QUERY [FILE]",
  .summary = "lines ranked by their likeness to a text",
  .description =
    "Ranks the lines of FILE (or standard input) by the cosine between their vectors and that of the text QUERY; the vectors "
    "are those of `qkv embed`. With --word, the word's own vectors are compared instead: which lines use it as QUERY does. A "
    "FILE without lines gives an empty ranking, a warning and the exit status 0.",
  .example =
    "qkv similar all-MiniLM-L6-v2 \"Where do I pay?\" questions.txt --top 3\n"
    "qkv similar all-MiniLM-L6-v2 \"The bank of the river.\" lines.txt --word bank",
  .least = 2,
  .most = 3,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
