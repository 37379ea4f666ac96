// The help that a terminal shows, and the texts that all its forms share.
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"

enum { WIDTH = 100, COLUMN = 30 };

struct call help_defaults(const struct verb *verb) {
  struct call call = {.verb = verb, .arguments = calloc(1, verb->size + 1)};
  if (call.arguments && verb->defaults) verb->defaults(call.arguments);
  return call;
}

const char *help_sentence(const struct call *empty, size_t index, char *out, size_t size) {
  const struct option *option = verb_option(empty->verb, index);
  char bounds[100], standard[300];
  option_bounds(option, bounds, sizeof bounds);
  option_default(option, verb_option_field(empty, index), standard, sizeof standard);
  bool both = *bounds && *standard;
  snprintf(out, size, "%s%s%s%s%s%s%s", option->help, *bounds || *standard ? " (" : "", bounds, both ? "; " : "",
           *standard ? "default " : "", standard, *bounds || *standard ? ")" : "");
  return out;
}

// Writes text wrapped at WIDTH; the first line starts in column `at`, the others in column `indent`.
static void wrap(FILE *out, const char *text, int at, int indent) {
  int column = at;
  while (*text) {
    int length = (int)strcspn(text, " \n");
    if (column > indent && column + 1 + length > WIDTH) {
      fprintf(out, "\n%*s", indent, "");
      column = indent;
    } else if (column > indent) {
      fputc(' ', out);
      column++;
    }
    fwrite(text, 1, (size_t)length, out);
    column += length;
    text += length;
    if (*text == '\n') {
      fprintf(out, "\n%*s", indent, "");
      column = indent;
    }
    if (*text) text++;
  }
  fputc('\n', out);
}

static void lines(FILE *out, const char *start, const char *text) {
  while (*text) {
    int length = (int)strcspn(text, "\n");
    fprintf(out, "%s%.*s\n", start, length, text);
    text += length + (text[length] == '\n');
  }
}

static void usage(FILE *out, const struct verb *verb) {
  const char *text = verb->usage;
  do {
    int length = (int)strcspn(text, "\n");
    fprintf(out, "  qkv %s%s%.*s [options]\n", verb->name, length ? " " : "", length, text);
    text += length + (text[length] == '\n');
  } while (*text);
}

void help_verb(FILE *out, const struct verb *verb) {
  usage(out, verb);
  fputc('\n', out);
  wrap(out, verb->description, 0, 0);
  fputs("\nOptions:\n", out);
  struct call empty = help_defaults(verb);
  const struct option *option;
  for (size_t i = 0; empty.arguments && (option = verb_option(verb, i)); i++) {
    if (option->kind == OPTION_KIND_GROUP) {
      fprintf(out, " %s\n", option->help);
      continue;
    }
    char head[200], sentence[2000];
    snprintf(head, sizeof head, "  %s%.1s%s--%s%s%s%s", option->letter ? "-" : "", option->letter ? &option->letter : "",
             option->letter ? ", " : "", option->name, option->value ? " " : "", option->value ? option->value : "",
             option->kind == OPTION_KIND_FILES ? "..." : "");
    int length = fprintf(out, "%s", head);
    if (length < COLUMN) fprintf(out, "%*s", COLUMN - length, "");
    else fprintf(out, "\n%*s", COLUMN, "");
    wrap(out, help_sentence(&empty, i, sentence, sizeof sentence), COLUMN, COLUMN);
  }
  call_free(&empty);
  fprintf(out, "\nExample:\n");
  lines(out, "  ", verb->example);
}

void help_overview(FILE *out) {
  fputs("qkv trains, runs and looks inside Transformers.\n\n"
        "  qkv VERB ARGUMENTS [options]\n\n", out);
  for (size_t i = 0; i < verb_count; i++) fprintf(out, "  %-18s%s\n", verbs[i]->name, verbs[i]->summary);
  fputs("\n`qkv help VERB` explains a verb; `qkv --version` names the version.\n", out);
}
