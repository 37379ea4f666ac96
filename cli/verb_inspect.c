// qkv inspect: what a model does with a text (a page, its numbers, one attention as a picture), and what its heads do over many.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/text_list.h"
#include "cli/verb.h"

enum { HEAD_COLUMNS = sizeof ((struct qkv_head *)0)->measures / sizeof(double) };

struct arguments {
  const char *attention, *shades, *output, *detail, *language, *sort, *relations;
  struct qkv_strings at, over;
  bool ablate, tree;
  int64_t layer, head, width, beam, max_new;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->attention = "auto";
  arguments->shades = "auto";
  arguments->language = "en";
  arguments->layer = arguments->head = -1;
  arguments->beam = arguments->max_new = -1;
}

static const struct option options[] = {
  OPTION_FILE(output, "output", "FILE",
              "where to: NAME.html is a page for a browser with everything, NAME.json its numbers, NAME.svg, NAME.png or "
              "NAME.pdf the picture of one attention or of the search, NAME.txt the picture as text",
              .letter = 'o', .unset = "the terminal"),
  OPTION_GROUP("One attention"),
  OPTION_CHOICE(attention, "attention", "auto|cross|encoder|decoder",
                "which attention: of the target over the source, or of a side over itself; auto is cross where there is one"),
  OPTION_INTEGER(layer, "layer", "L", 0, 1000, "which layer, counted from 0; a page opens there",
                 .unset = "of a page 0, of cross-attention the last but one, else the last"),
  OPTION_INTEGER(head, "head", "H", 0, 1000, "which head, counted from 0", .unset = "of a page 0, else the mean of all heads"),
  OPTION_CHOICE(shades, "shades", "auto|ascii|blocks|256|true", "how cells are shaded; auto looks at the terminal"),
  OPTION_INTEGER(width, "width", "N", 20, 1000, "columns to draw in", .unset = "those of the terminal, or 100"),
  OPTION_GROUP("A page"),
  OPTION_FILES(at, "at", "MODEL",
               "the same text at several moments of a training: OUT/steps/*, sorted by number; the page has a slider"),
  OPTION_TEXT(detail, "detail", "PLACES",
              "whose steps are given in numbers: tokens by their places from 0, such as 3,5-8, and in which layers and heads: "
              "tokens=3,5-8,layers=0,2,heads=1",
              .unset = "all tokens if they are few, else the last; all layers, of a text of more than 128 tokens that of "
                       "--layer; all heads"),
  OPTION_CHOICE(language, "lang", "en|es|pt", "language of the page's labels"),
  OPTION_GROUP("What the heads do"),
  OPTION_FILES(over, "over", "FILE",
               "measure every head over the lines of FILE (of a translator: over the lines of two files, sources and targets): "
               "a table, or a part of the page"),
  OPTION_FLAG(ablate, "ablate", "also how much the loss grows with each head switched off"),
  OPTION_TEXT(sort, "sort", "COLUMN", "the table's order: itself, previous, ..., entropy, loss; largest first",
              .unset = "by layer"),
  OPTION_FILE(relations, "relations", "FILE",
              "which head finds which syntactic relation of a treebank best; FILE is CoNLL-U (Universal Dependencies)"),
  OPTION_GROUP("A search: of a translator without a second TEXT, or for what follows the text"),
  OPTION_FLAG(tree, "tree",
              "show the search instead of an attention: all hypotheses of every step, their scores, which were dropped; "
              "a page always has it"),
  OPTION_INTEGER(beam, "beam", "N", 1, 32, "hypotheses that are kept", .unset = "what the model's files say"),
  OPTION_INTEGER(max_new, "max-new", "N", 1, 100000, "most tokens that are searched for", .unset = "what the model's files say"),
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

static bool ends_in(const char *text, const char *ending) {
  size_t length = text ? strlen(text) : 0, size = strlen(ending);
  return length > size && strcmp(text + length - size, ending) == 0;
}

// What can be written; a name without an ending, or a device, gets the text.
static const char *const endings[] = {".html", ".json", ".txt", ".svg", ".png", ".pdf"};
enum { FIRST_PICTURE = 3, ENDINGS = sizeof endings / sizeof *endings };

static bool has_known_ending(const char *output) {
  const char *slash = output ? strrchr(output, '/') : NULL, *point = output ? strrchr(slash ? slash : output, '.') : NULL;
  for (size_t i = 0; i < ENDINGS; i++)
    if (!point || strcmp(point, endings[i]) == 0) return true;
  return false;
}

// "svg", "png" or "pdf", or NULL.
static const char *picture_format(const char *output) {
  for (size_t i = FIRST_PICTURE; i < ENDINGS; i++)
    if (ends_in(output, endings[i])) return endings[i] + 1;
  return NULL;
}

// NULL: the usual one.
static const char *wanted_kind(const struct arguments *arguments) {
  return strcmp(arguments->attention, "auto") == 0 ? NULL : arguments->attention;
}

static bool is_page(const struct arguments *arguments) {
  return ends_in(arguments->output, ".html") || ends_in(arguments->output, ".json");
}

static int write_out(const char *path, const char *heading, const char *bytes, size_t size) {
  struct output output;
  if (!output_open(&output, path)) return EXIT_FAILED;
  fputs(heading, output.stream);
  fwrite(bytes, 1, size, output.stream);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

// ---- one attention ----

static int show_attention(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source,
                          const char *target) {
  const struct arguments *arguments = call->arguments;
  struct qkv_attention_record *record = qkv_attention_record(context, model, source, target);
  const struct qkv_attention_view view = {.kind = wanted_kind(arguments),
                                          .layer = arguments->layer,
                                          .head = arguments->head,
                                          .shades = shades_here(arguments),
                                          .width = arguments->width ? arguments->width : terminal_width()};
  const char *format = picture_format(arguments->output);
  size_t size = 0;
  const char *picture = !record ? NULL
                      : format  ? qkv_attention_draw(context, record, &view, format, &size)
                                : qkv_attention_print(context, record, &view);
  char *heading = NULL;
  int status = picture ? EXIT_DONE : call_failed(call, context);
  if (picture && asprintf(&heading, target ? "source: %s\ntarget: %s\n\n" : "text: %s\n\n", source, target) < 0) heading = NULL;
  if (picture) status = write_out(arguments->output, format || !heading ? "" : heading, picture, format ? size : strlen(picture));
  free(heading);
  qkv_attention_record_free(record);
  return status;
}

// ---- a page ----

enum { MOST_PLACES = 1024 };

// Of --detail.
struct detail {
  struct { int64_t items[MOST_PLACES]; size_t count; } tokens, layers, heads;
};

// What a page shows beside the passes.
struct extras {
  const struct qkv_heads *heads;
  const struct qkv_search_tree *search;
};

// "3" or "5-8", which are appended. Returns what follows, NULL if it is neither.
static const char *read_range(const char *text, int64_t *items, size_t *count) {
  char *end;
  if (*text < '0' || *text > '9') return NULL;
  int64_t first = strtoll(text, &end, 10), last = first;
  if (*end == '-' && end[1] >= '0' && end[1] <= '9') last = strtoll(end + 1, &end, 10);
  if (last < first || last - first >= (int64_t)(MOST_PLACES - *count)) return NULL;
  for (int64_t place = first; place <= last; place++) items[(*count)++] = place;
  return end;
}

// "3,5-8", "tokens=3,layers=0,2,heads=1"; blanks may stand for commas. Without a name places are those of tokens. Returns where
// it goes wrong, NULL if it doesn't.
static const char *read_detail(const char *text, struct detail *detail) {
  const struct {
    const char *name;
    int64_t *items;
    size_t *count;
  } kinds[] = {{"tokens=", detail->tokens.items, &detail->tokens.count},
               {"layers=", detail->layers.items, &detail->layers.count},
               {"heads=", detail->heads.items, &detail->heads.count}};
  int kind = 0;
  for (const char *at = text;; at++) {
    for (int i = 0; i < 3; i++) {
      size_t length = strlen(kinds[i].name);
      if (strncmp(at, kinds[i].name, length) != 0) continue;
      kind = i;
      at += length;
      break;
    }
    const char *end = read_range(at, kinds[kind].items, kinds[kind].count);
    if (!end || (*end && *end != ',' && *end != ' ')) return at;
    if (!*end) return NULL;
    at = end;
  }
}

// "out/steps/200" stands before "out/steps/1000".
static int by_number(const void *first, const void *second) {
  return strverscmp(*(const char *const *)first, *(const char *const *)second);
}

static int write_page(struct call *call, struct qkv_context *context, struct qkv_model *const *models, size_t count,
                      const char *source, const char *target, const struct extras *extras) {
  const struct arguments *arguments = call->arguments;
  struct detail detail;
  detail.tokens.count = detail.layers.count = detail.heads.count = 0;
  const char *wrong = arguments->detail ? read_detail(arguments->detail, &detail) : NULL;
  if (wrong)
    return call_misused(
        call,
        "--detail wants places such as 3,5-8 or tokens=3,layers=0,2,heads=1, at most %d of a kind; got \"%s\" from \"%s\" on",
        MOST_PLACES, arguments->detail, wrong);
  const struct qkv_page_options wanted = {.format = ends_in(arguments->output, ".json") ? "json" : "html",
                                          .language = arguments->language,
                                          .kind = wanted_kind(arguments),
                                          .layer = arguments->layer < 0 ? 0 : arguments->layer,
                                          .head = arguments->head < 0 ? 0 : arguments->head,
                                          .tokens = {detail.tokens.items, detail.tokens.count},
                                          .layers = {detail.layers.items, detail.layers.count},
                                          .heads = {detail.heads.items, detail.heads.count},
                                          .statistics = extras->heads,
                                          .search = extras->search};
  char *page = qkv_inspection_page(context, models, count, source, target, &wanted);
  int status = page ? write_out(arguments->output, "", page, strlen(page)) : call_failed(call, context);
  free(page);
  return status;
}

// The models of --at, or the one model.
static int open_and_write_page(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source,
                               const char *target, const struct extras *extras) {
  struct arguments *arguments = call->arguments;
  size_t count = arguments->at.count;
  if (!count) return write_page(call, context, &model, 1, source, target, extras);
  struct qkv_model **models = calloc(count, sizeof *models);
  if (!models) return write_page(call, context, &model, 0, source, target, extras);
  qsort(arguments->at.items, count, sizeof *arguments->at.items, by_number);
  size_t opened = 0;
  for (size_t i = 0; i < count; i++) {
    models[opened] = qkv_model_open(context, arguments->at.items[i], "f32");
    if (models[opened]) opened++;
    else message_warning("%s; it is left out", qkv_message(context));
  }
  int status = opened ? write_page(call, context, models, opened, source, target, extras) : call_failed(call, context);
  if (status == EXIT_DONE && opened < count) status = EXIT_CUT;
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

// printf pads by bytes.
static int columns_left(const char *text, int width) {
  for (; *text && width > 0; text++) width -= (*text & 0xC0) != 0x80;
  return width;
}

// A row for each continuation that the search looked at, step by step; those on the way to the result have a star.
static void print_tree(FILE *out, const char *source, const struct qkv_search_tree *tree) {
  fprintf(out, "text: %s\nresult: %s\nscore: %.4f, beam %d\n\n", source, tree->text, tree->score, (int)tree->beam);
  fprintf(out, "  %4s %4s %4s %9s %9s  %-8s  %-16s %s\n", "step", "rank", "from", "log p", "sum", "fate", "token", "so far");
  for (size_t i = 0; i < tree->count; i++) {
    const struct qkv_search_node *node = &tree->nodes[i];
    char from[24] = "-";
    if (node->parent >= 0) snprintf(from, sizeof from, "%d", (int)tree->nodes[node->parent].rank);
    if (i && node->step != node[-1].step) fputc('\n', out);
    fprintf(out, "%s %4d %4d %4s %9.4f %9.4f  %-8s  %s%*s %s\n", node->best ? "*" : " ", (int)node->step, (int)node->rank, from,
            node->log_probability, node->sum, node->fate, node->token, columns_left(node->token, 16), "", node->text);
  }
}

static int draw_tree(struct call *call, struct qkv_context *context, const struct qkv_search_tree *tree, const char *format) {
  const struct arguments *arguments = call->arguments;
  size_t size;
  char *picture = qkv_search_draw(context, tree, format, &size);
  int status = picture ? write_out(arguments->output, "", picture, size) : call_failed(call, context);
  free(picture);
  return status;
}

static int show_tree(struct call *call, struct qkv_context *context, const char *source, const struct qkv_search_tree *tree) {
  const struct arguments *arguments = call->arguments;
  const char *format = picture_format(arguments->output);
  struct output output;
  if (format) return draw_tree(call, context, tree, format);
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  print_tree(output.stream, source, tree);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

static bool wants_search(const struct call *call) {
  const struct arguments *arguments = call->arguments;
  return arguments->tree || call_given(call, "beam") || call_given(call, "max-new");
}

static int look(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source, const char *target,
                const struct qkv_heads *heads) {
  const struct arguments *arguments = call->arguments;
  bool translates = is_translator(context, model);
  struct qkv_search_tree *tree = NULL;
  if (!target && (translates || wants_search(call))) {
    tree = qkv_search_tree(context, model, source, arguments->beam, arguments->max_new);
    if (!tree) return call_failed(call, context);
    if (translates) target = tree->text;
  }
  const struct extras extras = {heads, tree};
  bool tree_alone = arguments->tree || (tree && !translates);  // a translator's search mostly serves to find the second text
  int status = is_page(arguments) ? open_and_write_page(call, context, model, source, target, &extras)
               : tree_alone       ? show_tree(call, context, source, tree)
                                  : show_attention(call, context, model, source, target);
  qkv_search_tree_free(tree);
  return status;
}

// ---- heads over a text ----

static int measure_of(const struct qkv_heads *heads, const char *name) {
  for (int m = 0; m < HEAD_COLUMNS; m++)
    if (strcmp(heads->names[m], name) == 0) return m;
  return strcmp(name, "loss") == 0 ? HEAD_COLUMNS : -1;
}

static double value_of(const struct qkv_head *head, int measure) {
  return measure == HEAD_COLUMNS ? head->loss_change : head->measures[measure];
}

static int by_measure(const void *first, const void *second, void *measure) {
  double a = value_of(first, *(int *)measure), b = value_of(second, *(int *)measure);
  if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
  return (a < b) - (a > b);
}

static void print_heads(FILE *out, const struct qkv_heads *heads, const struct qkv_head *items) {
  bool loss = !isnan(heads->loss);
  fprintf(out, "%-9s %5s %4s  %-24s", "attention", "layer", "head", "mostly");
  for (int m = 0; m < HEAD_COLUMNS; m++) fprintf(out, " %11s", heads->names[m]);
  fprintf(out, "%s\n", loss ? " loss without" : "");
  for (size_t i = 0; i < heads->count; i++) {
    const struct qkv_head *head = &items[i];
    fprintf(out, "%-9s %5d %4d  %-24s", head->kind, (int)head->layer, (int)head->head, head->pattern);
    for (int m = 0; m < HEAD_COLUMNS; m++) {
      if (isnan(head->measures[m])) fprintf(out, " %11s", "-");
      else fprintf(out, " %11.3f", head->measures[m]);
    }
    if (loss) fprintf(out, " %+12.4f", head->loss_change);
    fputc('\n', out);
  }
  if (loss) fprintf(out, "\nmean loss of a token with all heads: %.4f\n", heads->loss);
}

static int show_heads(struct call *call, const struct qkv_heads *heads) {
  const struct arguments *arguments = call->arguments;
  int measure = arguments->sort ? measure_of(heads, arguments->sort) : -1;
  if (arguments->sort && measure < 0) return call_misused(call, "--sort: there is no column \"%s\"", arguments->sort);
  if (measure == HEAD_COLUMNS && isnan(heads->loss)) return call_misused(call, "--sort loss needs --ablate");
  struct qkv_head *items = malloc(heads->count * sizeof *items);
  struct output output;
  if (!items || !output_open(&output, arguments->output)) {
    free(items);
    return EXIT_FAILED;
  }
  memcpy(items, heads->items, heads->count * sizeof *items);
  if (measure >= 0) qsort_r(items, heads->count, sizeof *items, by_measure, &measure);
  print_heads(output.stream, heads, items);
  free(items);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

// NULL: it has been said why, and *status is set.
static struct qkv_heads *measure_heads(struct call *call, struct qkv_context *context, struct qkv_model *model, int *status) {
  const struct arguments *arguments = call->arguments;
  bool pairs = arguments->over.count > 1;
  struct text_list texts = {0}, seconds = {0};
  struct qkv_heads *heads = NULL;
  *status = EXIT_FAILED;
  if (text_list_read(&texts, &(struct qkv_strings){0}, arguments->over.items[0]) &&
      (!pairs || text_list_read(&seconds, &(struct qkv_strings){0}, arguments->over.items[1]))) {
    heads = qkv_heads_over(context, model, &texts.list, pairs ? &seconds.list : NULL, arguments->ablate);
    if (!heads) *status = call_failed(call, context);
  }
  if (heads && heads->skipped)
    message_warning("%s: %zu of %zu lines were left out, being empty or longer than the model takes; the first is line %zu",
                    arguments->over.items[0], heads->skipped, heads->texts + heads->skipped, heads->first_skipped + 1);
  text_list_free(&texts);
  text_list_free(&seconds);
  return heads;
}

// ---- relations ----

static void print_relations(FILE *out, const struct qkv_relations *relations) {
  fprintf(out, "%-12s %7s  %-19s %5s %4s %9s %9s %9s\n", "relation", "count", "who looks", "layer", "head", "found", "by place",
          "distance");
  for (size_t i = 0; i < relations->count; i++) {
    const struct qkv_relation *item = &relations->items[i];
    fprintf(out, "%-12s %7lld  %-19s %5d %4d %8.1f%% %8.1f%% %+9d\n", item->relation, (long long)item->count,
            item->to_head ? "dependent at head" : "head at dependent", (int)item->layer, (int)item->head, item->accuracy * 100,
            item->baseline * 100, (int)item->distance);
  }
}

static int show_relations(struct call *call, struct qkv_context *context, struct qkv_model *model) {
  const struct arguments *arguments = call->arguments;
  struct qkv_relations *relations = qkv_relations_of(context, model, arguments->relations);
  struct output output;
  if (!relations) return call_failed(call, context);
  if (relations->skipped)
    message_warning("%s: %zu of %zu sentences were left out, being longer than the model takes", arguments->relations,
                    relations->skipped, relations->sentences + relations->skipped);
  int status = EXIT_FAILED;
  if (output_open(&output, arguments->output)) {
    print_relations(output.stream, relations);
    if (output_close(&output)) status = EXIT_DONE;
  }
  qkv_relations_free(relations);
  return status;
}

// Heads alone, or heads beside what one text shows.
static int look_at_all(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source,
                       const char *target) {
  const struct arguments *arguments = call->arguments;
  if (arguments->relations) return show_relations(call, context, model);
  int status = EXIT_DONE;
  struct qkv_heads *heads = arguments->over.count ? measure_heads(call, context, model, &status) : NULL;
  if (status != EXIT_DONE && !heads) return status;
  status = source ? look(call, context, model, source, target, heads) : show_heads(call, heads);
  qkv_heads_free(heads);
  return status;
}

// Returns EXIT_DONE if the call can be.
static int check_call(struct call *call, const char *source, const char *given) {
  const struct arguments *arguments = call->arguments;
  if (arguments->relations && (source || arguments->over.count || is_page(arguments)))
    return call_misused(call, "--relations makes a table of its own; give it without a text, --over or a page");
  if (!source && !arguments->over.count && !arguments->relations)
    return call_misused(call, "what to look at is missing: a text, --over FILE or --relations FILE");
  if (source && !*source) return call_misused(call, "the text is empty; give a sentence");
  if (!has_known_ending(arguments->output))
    return call_misused(call, "-o %s: the ending says what is written; it can be .html, .json, .txt, .svg, .png or .pdf",
                        arguments->output);
  if (!source && picture_format(arguments->output))
    return call_misused(call, "-o %s: what is measured over a text is a table, not a picture; write it as .txt",
                        arguments->output);
  if (arguments->over.count > 2)
    return call_misused(call, "--over takes one file, or of a translator two; got %zu", arguments->over.count);
  if (given && wants_search(call))
    return call_misused(call, "--beam, --max-new and --tree are of a search, and the second text is given");
  if (!source && wants_search(call))
    return call_misused(call, "--beam, --max-new and --tree search for what follows a text; give one");
  if ((arguments->ablate || arguments->sort) && !arguments->over.count)
    return call_misused(call, "--ablate and --sort belong to --over FILE");
  if (!source && is_page(arguments)) return call_misused(call, "a page shows a text; give one beside --over");
  if (source && arguments->over.count && !is_page(arguments))
    return call_misused(call, "a text and --over FILE together make a page; write it with -o NAME.html");
  if ((arguments->at.count || arguments->detail || call_given(call, "lang")) && !is_page(arguments))
    return call_misused(call, "--at, --detail and --lang belong to a page; write one with -o NAME.html");
  return EXIT_DONE;
}

static int run(struct call *call) {
  const struct qkv_strings *words = &call->positional;
  const char *source = words->count > 1 ? words->items[1] : NULL, *given = words->count > 2 ? words->items[2] : NULL;
  int status = check_call(call, source, given);
  if (status != EXIT_DONE) return status;
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = qkv_model_open(context, words->items[0], "f32");
  status = model ? look_at_all(call, context, model, source, given) : call_failed(call, context);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

const struct verb verb_inspect = {
  .name = "inspect",
  .usage = "MODEL TEXT [TEXT]\nMODEL --over FILE\nMODEL --relations FILE",
  .summary = "shows what a model does with a text: a page for a browser, or attention in the terminal",
  .description =
    "A translator translates TEXT (or takes the second TEXT as its translation); an encoder reads one text or a pair, a decoder "
    "one, or a pair if it labels texts. Without -o one attention is drawn in the terminal: how much each token looks at each "
    "other. With -o NAME.html everything goes into one file for a browser: tokens, all layers and heads, one token's way in "
    "numbers with every formula, what the model would say after each layer, the search, positions, nearest words. "
    "Layers and heads count from 0.",
  .example =
    "qkv inspect out \"A man rides a red bike.\"\nqkv inspect out \"A man rides a red bike.\" -o bike.html\n"
    "qkv inspect out \"A man rides a red bike.\" --at out/steps/* -o learning.html\n"
    "qkv inspect out \"A red bike.\" \"Ein rotes Fahrrad.\" --attention encoder --layer 0 --head 2 -o head.pdf\n"
    "qkv inspect out \"A man rides a red bike.\" --tree --beam 3\n"
    "qkv inspect out --over test.en test.de --ablate --sort loss",
  .least = 1,
  .most = 3,
  .common = COMMON_THREADS | COMMON_QUIET,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
