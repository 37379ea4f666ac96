// The manual page and docs/command.md: the whole command on one page.
#include <ctype.h>
#include <string.h>

#include "cli/help.h"

static const char introduction[] =
  "qkv trains, fine-tunes, runs and looks inside Transformers. Models are directories in the layout of Hugging Face: "
  "config.json, model.safetensors, tokenizer.json.";

static const struct {
  const char *heading, *text;
} sections[] = {
  {"Arguments and options",
   "Options may stand anywhere after the verb: --name value or --name=value. After -- everything is an argument; - is standard "
   "input. When an option that takes one value is given twice, the last one counts. Sizes are written 512M or 4G, durations 90s, 20m or "
   "1h30m. Results go to standard output or to the file of -o, one per input line; notes, progress, warnings and errors go to standard "
   "error. Layers and heads count from 0."},
  {"Exit status",
   "0: all done. 1: it failed. 2: the call was wrong. 3: done, but some input was cut or refused, as standard error says."},
  {"Environment",
   "QKV_CPU=reference|avx2|avx512|amx limits the instructions that are used; without it the best that the processor has are taken."},
};

static const size_t section_count = sizeof sections / sizeof *sections;

// One line at a time: `text` moves on, the length of the line is returned.
static int next_line(const char **line, const char **text) {
  if (!**text) return -1;
  int length = (int)strcspn(*text, "\n");
  *line = *text;
  *text += length + ((*text)[length] == '\n');
  return length;
}

static void roff(FILE *out, const char *text, int length) {
  if (length && (*text == '.' || *text == '\'')) fputs("\\&", out);
  for (int i = 0; i < length; i++) {
    if (text[i] == '\\') fputs("\\e", out);
    else if (text[i] == '-') fputs("\\-", out);
    else if (text[i] == '|') fputs("|\\:", out);  // a long list of words may be broken here
    else fputc(text[i], out);
  }
}

static void roff_lines(FILE *out, const char *text, const char *between) {
  const char *line;
  for (int length, first = 1; (length = next_line(&line, &text)) >= 0; first = 0) {
    if (!first) fputs(between, out);
    roff(out, line, length);
    fputc('\n', out);
  }
}

static void man_verb(FILE *out, const struct verb *verb) {
  fprintf(out, ".SS \"");
  roff(out, verb->name, (int)strlen(verb->name));
  fputs("\"\n", out);
  const char *usage = verb->usage, *line = "";
  int length = next_line(&line, &usage);
  do {
    fprintf(out, ".B qkv %s\n", verb->name);
    roff(out, line, length < 0 ? 0 : length);
    fputs(" [options]\n.br\n", out);
  } while ((length = next_line(&line, &usage)) >= 0);
  fputs(".PP\n", out);
  roff_lines(out, verb->description, ".PP\n");
  struct call empty = help_defaults(verb);
  const struct option *option;
  for (size_t i = 0; empty.arguments && (option = verb_option(verb, i)); i++) {
    if (option->kind == OPTION_KIND_GROUP) {
      fprintf(out, ".PP\n.I %s\n", option->help);
      continue;
    }
    char sentence[2000];
    fputs(".TP\n\\fB", out);
    if (option->letter) fprintf(out, "\\-%c\\fR, \\fB", option->letter);
    fputs("\\-\\-", out);
    roff(out, option->name, (int)strlen(option->name));
    fputs("\\fR", out);
    if (option->value) {
      fputs(" \\fI", out);
      roff(out, option->value, (int)strlen(option->value));
      fprintf(out, "\\fR%s", option->kind == OPTION_KIND_FILES ? "..." : "");
    }
    fputc('\n', out);
    help_sentence(&empty, i, sentence, sizeof sentence);
    roff_lines(out, sentence, ".br\n");
  }
  call_free(&empty);
  fputs(".PP\nExample:\n.PP\n.nf\n", out);
  roff_lines(out, verb->example, "");
  fputs(".fi\n", out);
}

void help_man(FILE *out) {
  fprintf(out, ".TH QKV 1 \"\" \"qkv %s\" \"User Commands\"\n.ad l\n.SH NAME\nqkv \\- train, run and look inside Transformers\n",
          qkv_version());
  fputs(".SH SYNOPSIS\n.B qkv\n.I VERB ARGUMENTS\n[options]\n.br\n.B qkv help\n.RI [ VERB ]\n.br\n.B qkv \\-\\-version\n", out);
  fputs(".SH DESCRIPTION\n", out);
  roff_lines(out, introduction, ".PP\n");
  fputs(".SH VERBS\n", out);
  for (size_t i = 0; i < verb_count; i++) man_verb(out, verbs[i]);
  for (size_t i = 0; i < section_count; i++) {
    fputs(".SH \"", out);
    for (const char *c = sections[i].heading; *c; c++) fputc(toupper((unsigned char)*c), out);
    fputs("\"\n", out);
    roff_lines(out, sections[i].text, ".PP\n");
  }
}

// Text between pipes of a table, or plain: what Markdown would take as markup is escaped.
static void markdown(FILE *out, const char *text) {
  for (; *text; text++) {
    if (strchr("|<>*_`\\", *text)) fputc('\\', out);
    fputc(*text, out);
  }
}

static void markdown_verb(FILE *out, const struct verb *verb) {
  fprintf(out, "\n## qkv %s\n\n```\n", verb->name);
  const char *usage = verb->usage, *line = "";
  int length = next_line(&line, &usage);
  do fprintf(out, "qkv %s%s%.*s [options]\n", verb->name, length > 0 ? " " : "", length < 0 ? 0 : length, line);
  while ((length = next_line(&line, &usage)) >= 0);
  fputs("```\n", out);
  for (const char *text = verb->description; (length = next_line(&line, &text)) >= 0;) {
    char paragraph[4000];
    snprintf(paragraph, sizeof paragraph, "%.*s", length, line);
    fputc('\n', out);
    markdown(out, paragraph);
    fputc('\n', out);
  }
  fputs("\n| option | |\n|---|---|\n", out);
  struct call empty = help_defaults(verb);
  const struct option *option;
  for (size_t i = 0; empty.arguments && (option = verb_option(verb, i)); i++) {
    char sentence[2000];
    if (option->kind == OPTION_KIND_GROUP) {
      fprintf(out, "| **%s** | |\n", option->help);
      continue;
    }
    fputs("| `", out);
    if (option->letter) fprintf(out, "-%c`, `", option->letter);
    fprintf(out, "--%s%s", option->name, option->value ? " " : "");
    for (const char *c = option->value ? option->value : ""; *c; c++) fprintf(out, *c == '|' ? "\\|" : "%c", *c);
    fprintf(out, "%s` | ", option->kind == OPTION_KIND_FILES ? "..." : "");
    markdown(out, help_sentence(&empty, i, sentence, sizeof sentence));
    fputs(" |\n", out);
  }
  call_free(&empty);
  fprintf(out, "\n```\n%s\n```\n", verb->example);
}

void help_markdown(FILE *out) {
  fputs("# The command\n\n<!-- Made by `qkv help --markdown` from the option tables; a test compares. -->\n\n", out);
  markdown(out, introduction);
  fputs("\n\n| verb | does |\n|---|---|\n", out);
  for (size_t i = 0; i < verb_count; i++) {
    fprintf(out, "| [%s](#qkv-", verbs[i]->name);
    for (const char *c = verbs[i]->name; *c; c++) fputc(*c == ' ' ? '-' : *c, out);
    fputs(") | ", out);
    markdown(out, verbs[i]->summary);
    fputs(" |\n", out);
  }
  for (size_t i = 0; i < section_count; i++) {
    fprintf(out, "\n## %s\n\n", sections[i].heading);
    markdown(out, sections[i].text);
    fputc('\n', out);
  }
  for (size_t i = 0; i < verb_count; i++) markdown_verb(out, verbs[i]);
}
