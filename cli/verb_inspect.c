// qkv inspect: the attention of one sentence, drawn in the terminal.
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  const char *attention, *shades, *output, *detail, *language;
  struct qkv_strings at;
  int64_t layer, head, width, beam;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->attention = "auto";
  arguments->shades = "auto";
  arguments->language = "en";
  arguments->layer = arguments->head = -1;
  arguments->beam = 4;
}

static const struct option options[] = {
  OPTION_FILE(output, "output", "FILE",
              "where to: NAME.html is a page for a browser with everything, NAME.json its numbers, NAME.svg the picture of one attention, any other "
              "name the picture as text",
              .letter = 'o', .unset = "the terminal"),
  OPTION_GROUP("One attention"),
  OPTION_CHOICE(attention, "attention", "auto|cross|encoder|decoder",
                "which attention: of the target over the source, or of a side over itself; auto is cross where there is one"),
  OPTION_INTEGER(layer, "layer", "L", 0, 1000, "which layer, counted from 0; a page opens there",
                 .unset = "of cross-attention the last but one, else the last"),
  OPTION_INTEGER(head, "head", "H", 0, 1000, "which head, counted from 0", .unset = "the mean of all heads"),
  OPTION_CHOICE(shades, "shades", "auto|ascii|blocks|256|true", "how cells are shaded; auto looks at the terminal"),
  OPTION_INTEGER(width, "width", "N", 20, 1000, "columns to draw in", .unset = "those of the terminal, or 100"),
  OPTION_GROUP("A page"),
  OPTION_FILES(at, "at", "MODEL...", "the same text at several moments of a training: OUT/steps/*, sorted by number; the page has a slider"),
  OPTION_TEXT(detail, "detail", "N,N,...", "the tokens whose steps are given in numbers, by their place from 0",
              .unset = "all if they are few, else the last"),
  OPTION_CHOICE(language, "lang", "en|es|pt", "language of the page's labels"),
  OPTION_GROUP("A translator without TARGET"),
  OPTION_INTEGER(beam, "beam", "N", 1, 64, "hypotheses of the search for it"),
};

static int64_t terminal_width(void) {
  struct winsize size;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 100;
}

static bool says_utf8(const char *variable) {
  const char *value = getenv(variable);
  return value && (strstr(value, "UTF-8") || strstr(value, "utf8"));
}

static const char *shades_here(const struct arguments *arguments) {
  if (strcmp(arguments->shades, "auto") != 0) return arguments->shades;
  if (!says_utf8("LC_ALL") && !says_utf8("LC_CTYPE") && !says_utf8("LANG")) return "ascii";
  if (!isatty(STDOUT_FILENO) || arguments->output || getenv("NO_COLOR")) return "blocks";
  const char *colors = getenv("COLORTERM"), *terminal = getenv("TERM");
  if (colors && (strstr(colors, "truecolor") || strstr(colors, "24bit"))) return "true";
  return terminal && strstr(terminal, "256") ? "256" : "blocks";
}

// The caller frees it. NULL when the context says why.
static char *translate(struct qkv_context *context, struct qkv_model *model, const struct arguments *arguments,
                       const char *source) {
  struct qkv_translate_options translating = qkv_translate_options_default();
  translating.beam = arguments->beam;
  struct qkv_translator *translator = qkv_translator_new(context, &model, 1, &translating);
  const struct qkv_strings lines = {&source, 1};
  struct qkv_translations *found = translator ? qkv_translate(context, translator, &lines) : NULL;
  char *text = found ? strdup(found->items[0].hypotheses[0].text) : NULL;
  qkv_translations_free(found);
  qkv_translator_free(translator);
  return text;
}

static bool ends_in(const char *text, const char *ending) {
  size_t length = text ? strlen(text) : 0, size = strlen(ending);
  return length > size && strcmp(text + length - size, ending) == 0;
}

static bool is_page(const struct arguments *arguments) { return ends_in(arguments->output, ".html") || ends_in(arguments->output, ".json"); }

static int write_out(const char *path, const char *heading, const char *text) {
  struct output output;
  if (!output_open(&output, path)) return EXIT_FAILED;
  fprintf(output.stream, "%s%s", heading, text);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

// ---- one attention ----

static int show_attention(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source, const char *target) {
  const struct arguments *arguments = call->arguments;
  struct qkv_attention_record *record = qkv_attention_record(context, model, source, target);
  const struct qkv_attention_view view = {.kind = strcmp(arguments->attention, "auto") == 0 ? NULL : arguments->attention,
                                          .layer = arguments->layer,
                                          .head = arguments->head,
                                          .shades = shades_here(arguments),
                                          .width = arguments->width ? arguments->width : terminal_width()};
  bool svg = ends_in(arguments->output, ".svg");
  const char *picture = !record ? NULL : svg ? qkv_attention_svg(context, record, &view) : qkv_attention_print(context, record, &view);
  char *heading = NULL;
  int status = picture ? EXIT_DONE : call_failed(call, context);
  if (picture && asprintf(&heading, target ? "source: %s\ntarget: %s\n\n" : "text: %s\n\n", source, target) < 0) heading = NULL;
  if (picture) status = write_out(arguments->output, svg || !heading ? "" : heading, picture);
  free(heading);
  qkv_attention_record_free(record);
  return status;
}

// ---- a page ----

enum { MOST_DETAIL = 1024 };

// "3,5,8"
static bool read_detail(const char *text, int64_t tokens[MOST_DETAIL], size_t *count) {
  *count = 0;
  for (const char *at = text; at && *at; (*count)++) {
    char *end;
    if (*count == MOST_DETAIL || *at < '0' || *at > '9') return false;
    tokens[*count] = strtoll(at, &end, 10);
    if (*end && (*end != ',' || !end[1])) return false;
    at = *end ? end + 1 : end;
  }
  return !text || *count > 0;
}

// "out/steps/200" stands before "out/steps/1000".
static int by_number(const void *first, const void *second) { return strverscmp(*(const char *const *)first, *(const char *const *)second); }

static char *start_of(const struct arguments *arguments) {
  char *start = NULL, kind[40] = "";
  if (strcmp(arguments->attention, "auto") != 0) snprintf(kind, sizeof kind, "&kind=%s", arguments->attention);
  if (asprintf(&start, "view=attention&lang=%s%s&layer=%lld&head=%lld", arguments->language, kind, (long long)(arguments->layer < 0 ? 0 : arguments->layer),
               (long long)(arguments->head < 0 ? 0 : arguments->head)) < 0)
    return NULL;
  return start;
}

static int write_page(struct call *call, struct qkv_context *context, struct qkv_model *const *models, size_t count, const char *source,
                      const char *target) {
  const struct arguments *arguments = call->arguments;
  int64_t tokens[MOST_DETAIL];
  struct qkv_page_options wanted = {.format = ends_in(arguments->output, ".json") ? "json" : "html", .language = arguments->language, .tokens = tokens};
  if (!read_detail(arguments->detail, tokens, &wanted.token_count))
    return call_misused(call, "--detail wants numbers of tokens such as 3,5,8; got \"%s\"", arguments->detail);
  char *start = start_of(arguments);
  wanted.start = start;
  char *page = qkv_inspection_page(context, models, count, source, target, &wanted);
  int status = page ? write_out(arguments->output, "", page) : call_failed(call, context);
  free(page);
  free(start);
  return status;
}

// The models of --at, or the one model.
static int open_and_write_page(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source, const char *target) {
  struct arguments *arguments = call->arguments;
  size_t count = arguments->at.count;
  if (!count) return write_page(call, context, &model, 1, source, target);
  struct qkv_model **models = calloc(count, sizeof *models);
  if (!models) return write_page(call, context, &model, 0, source, target);
  qsort(arguments->at.items, count, sizeof *arguments->at.items, by_number);
  size_t opened = 0;
  while (opened < count && (models[opened] = qkv_model_open(context, arguments->at.items[opened], "f32"))) opened++;
  int status = opened == count ? write_page(call, context, models, count, source, target) : call_failed(call, context);
  for (size_t i = 0; i < opened; i++) qkv_model_free(models[i]);
  free(models);
  return status;
}

// ---- the verb ----

static bool is_translator(struct qkv_context *context, struct qkv_model *model) {
  struct qkv_info *info = qkv_model_info(context, model);
  bool both = info && qkv_info_number(info, "encoder.layers") > 0 && qkv_info_number(info, "decoder.layers") > 0;
  qkv_info_free(info);
  return both;
}

static int look(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source, const char *target) {
  char *found = NULL;
  if (!target && is_translator(context, model)) {
    found = translate(context, model, call->arguments, source);
    if (!found) return call_failed(call, context);
    target = found;
  }
  int status = is_page(call->arguments) ? open_and_write_page(call, context, model, source, target) : show_attention(call, context, model, source, target);
  free(found);
  return status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const char *source = call->positional.items[1], *given = call->positional.count > 2 ? call->positional.items[2] : NULL;
  if (!*source) return call_misused(call, "the text is empty; give a sentence");
  if (given && call_given(call, "beam")) return call_misused(call, "--beam searches for a target, and the target is given");
  if ((arguments->at.count || arguments->detail || call_given(call, "lang")) && !is_page(arguments))
    return call_misused(call, "--at, --detail and --lang belong to a page; write one with -o NAME.html");
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = qkv_model_open(context, call->positional.items[0], "f32");
  int status = model ? look(call, context, model, source, given) : call_failed(call, context);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

const struct verb verb_inspect = {
  .name = "inspect",
  .usage = "MODEL TEXT [TEXT]",
  .summary = "shows what a model does with a text: a page for a browser, or attention in the terminal",
  .description =
    "A translator translates TEXT (or takes the second TEXT as its translation); an encoder reads one text or a pair, a decoder one. "
    "Without -o one attention is drawn in the terminal: how much each token looks at each other. With -o NAME.html everything goes "
    "into one file for a browser: tokens, all layers and heads, one token's way in numbers with every formula, what the model would say "
    "after each layer, positions, nearest words. Layers and heads count from 0.",
  .example =
    "qkv inspect out \"A man rides a red bike.\"\nqkv inspect out \"A man rides a red bike.\" -o bike.html\n"
    "qkv inspect out \"A man rides a red bike.\" --at out/steps/* -o learning.html\n"
    "qkv inspect out \"A red bike.\" \"Ein rotes Fahrrad.\" --attention encoder --layer 0 --head 2 -o head.svg",
  .least = 2,
  .most = 3,
  .common = COMMON_THREADS | COMMON_QUIET,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
