// qkv inspect: the attention of one sentence, drawn in the terminal.
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  const char *attention, *shades, *output;
  int64_t layer, head, width, beam;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->attention = "cross";
  arguments->shades = "auto";
  arguments->layer = arguments->head = -1;
  arguments->beam = 4;
}

static const struct option options[] = {
  OPTION_CHOICE(attention, "attention", "cross|encoder|decoder",
                "which attention: of the target over the source, or of a side over itself"),
  OPTION_INTEGER(layer, "layer", "L", 0, 1000, "which layer, counted from 0",
                 .unset = "of cross-attention the last but one, else the last"),
  OPTION_INTEGER(head, "head", "H", 0, 1000, "which head, counted from 0", .unset = "the mean of all heads"),
  OPTION_CHOICE(shades, "shades", "auto|ascii|blocks|256|true", "how cells are shaded; auto looks at the terminal"),
  OPTION_INTEGER(width, "width", "N", 20, 1000, "columns to draw in", .unset = "those of the terminal, or 100"),
  OPTION_INTEGER(beam, "beam", "N", 1, 64, "hypotheses of the search when the target is not given"),
  OPTION_OUTPUT(output),
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

static int show(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *source, const char *target) {
  const struct arguments *arguments = call->arguments;
  struct qkv_attention_record *record = qkv_attention_record(context, model, source, target);
  const struct qkv_attention_view view = {.kind = arguments->attention,
                                          .layer = arguments->layer,
                                          .head = arguments->head,
                                          .shades = shades_here(arguments),
                                          .width = arguments->width ? arguments->width : terminal_width()};
  const char *picture = record ? qkv_attention_print(context, record, &view) : NULL;
  int status = picture ? EXIT_DONE : call_failed(call, context);
  struct output output;
  if (picture && !output_open(&output, arguments->output)) {
    status = EXIT_FAILED;
  } else if (picture) {
    fprintf(output.stream, "source: %s\ntarget: %s\n\n%s", source, target, picture);
    if (!output_close(&output)) status = EXIT_FAILED;
  }
  qkv_attention_record_free(record);
  return status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const char *source = call->positional.items[1], *given = call->positional.count > 2 ? call->positional.items[2] : NULL;
  if (!*source) return call_misused(call, "the text is empty; give a sentence");
  if (given && call_given(call, "beam")) return call_misused(call, "--beam searches for a target, and the target is given");
  struct qkv_context *context = call_context(call);
  struct qkv_model *model = qkv_model_open(context, call->positional.items[0], "f32");
  char *target = model && !given ? translate(context, model, arguments, source) : NULL;
  int status =
    model && (given || target) ? show(call, context, model, source, given ? given : target) : call_failed(call, context);
  free(target);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

const struct verb verb_inspect = {
  .name = "inspect",
  .usage = "MODEL TEXT [TARGET]",
  .summary = "draws a sentence's attention in the terminal",
  .description =
    "Translates TEXT (or takes TARGET as its translation), and draws how much each target token looked at each source token, "
    "or a side at itself. Layers and heads count from 0.",
  .example =
    "qkv inspect out \"A man rides a red bike.\"\nqkv inspect out \"A red bike.\" \"Ein rotes Fahrrad.\" --attention encoder "
    "--layer 0 --head 2",
  .least = 2,
  .most = 3,
  .common = COMMON_THREADS | COMMON_QUIET,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
