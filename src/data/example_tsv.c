// Tables with TABs between the columns and no quoting: label and one or two texts. Which column is which comes from --columns,
// or from the header, or without both from their number.
#include <stdio.h>
#include <string.h>

#include "data/examples.h"

enum role { ROLE_LABEL, ROLE_TEXT, ROLE_PAIR, ROLES };

struct columns {
  int of[ROLES];  // the role's column from 0, -1: it has none
};

static const char *const role_names[ROLES] = {"label", "text", "pair"};

// Names that GLUE's files and others give to their columns. An earlier name wins.
static const char *const known_names[ROLES][10] = {
    {"label", "gold_label", "score", "similarity", "class", "target", "is_duplicate", "quality", "rating", 0},
    {"text", "sentence", "sentence1", "question1", "premise", "text_a", "review", "#1 string", "question", 0},
    {"pair", "text_pair", "sentence2", "question2", "hypothesis", "text_b", "#2 string", "context", 0}};

static bool is_named(struct text_line cell, const char *name) {
  return cell.size == strlen(name) && strncasecmp(cell.text, name, cell.size) == 0;
}

// The cell of that number; its text is NULL if the line has fewer.
static struct text_line cell_of(struct text_line line, int number) {
  const char *at = line.text, *end = line.text + line.size;
  for (;;) {
    const char *tab = memchr(at, '\t', (size_t)(end - at));
    if (number-- == 0) return (struct text_line){at, (size_t)((tab ? tab : end) - at)};
    if (!tab) return (struct text_line){NULL, 0};
    at = tab + 1;
  }
}

static int count_cells(struct text_line line) {
  int count = 1;
  for (size_t i = 0; i < line.size; i++) count += line.text[i] == '\t';
  return count;
}

static void columns_from_header(struct columns *columns, struct text_line header) {
  int count = count_cells(header);
  for (int role = 0; role < ROLES; role++)
    for (int n = 0; columns->of[role] < 0 && known_names[role][n]; n++)
      for (int i = 0; i < count; i++)
        if (columns->of[role] < 0 && is_named(cell_of(header, i), known_names[role][n])) columns->of[role] = i;
  // QNLI: the question is judged against a sentence.
  if (columns->of[ROLE_PAIR] < 0)
    for (int i = 0, question = -1; i < count; i++) {
      if (is_named(cell_of(header, i), "question")) question = i;
      if (question >= 0 && columns->of[ROLE_TEXT] != question && is_named(cell_of(header, i), "sentence")) {
        columns->of[ROLE_PAIR] = i;
        columns->of[ROLE_TEXT] = question;
      }
    }
}

static bool columns_from_names(struct columns *columns, const char *names, struct error *error) {
  int column = 0;
  for (const char *at = names; *at; column++) {
    size_t size = strcspn(at, ",");
    int role = 0;
    while (role < ROLES && !(strlen(role_names[role]) == size && strncmp(at, role_names[role], size) == 0)) role++;
    if (role == ROLES && !(size == 1 && *at == '-'))
      return error_set(error, ERROR_USAGE, "--columns %s: \"%.*s\" is not a column; wanted label, text, pair, or - to skip one",
                       names, (int)size, at);
    if (role < ROLES && columns->of[role] >= 0)
      return error_set(error, ERROR_USAGE, "--columns %s: \"%s\" stands there twice; name each once, and skip columns with -",
                       names, role_names[role]);
    if (role < ROLES) columns->of[role] = column;
    at += size + (at[size] == ',');
  }
  return true;
}

// Without a header: text; label, text; or label, text, pair. Unlabelled: text; text, pair.
static void columns_from_count(struct columns *columns, int count, bool labelled) {
  bool label = labelled || count > 2;
  if (label) columns->of[ROLE_LABEL] = 0;
  columns->of[ROLE_TEXT] = label;
  if (count > 1 + label) columns->of[ROLE_PAIR] = 1 + label;
}

static bool decide_columns(struct columns *columns, struct text_line first, const struct example_source *source) {
  const struct example_options *options = source->options;
  if (options->columns) {
    if (!columns_from_names(columns, options->columns, source->error)) return false;
  } else if (options->no_header) {
    columns_from_count(columns, count_cells(first), options->labelled);
  } else {
    columns_from_header(columns, first);
  }
  for (int role = 0; role < ROLE_PAIR; role++)
    if (columns->of[role] < 0 && (role == ROLE_TEXT || options->labelled))
      return error_set(source->error, ERROR_FORMAT,
                       "%s line 1: no column is called \"%s\" in \"%.*s\"; name the columns in their order, such as --columns "
                       "label,text (with --no-header if the first line is data)",
                       source->path, role_names[role], (int)(first.size < 200 ? first.size : 200), first.text);
  return true;
}

static bool read_line(struct examples *examples, const struct example_source *source, const struct columns *columns,
                      struct text_line line, uint64_t number) {
  struct text_line cells[ROLES] = {{0}};
  for (int role = 0; role < ROLES; role++) {
    if (columns->of[role] < 0) continue;
    cells[role] = cell_of(line, columns->of[role]);
    if (!cells[role].text && (role != ROLE_LABEL || source->options->labelled))
      return error_set(source->error, ERROR_FORMAT, "%s line %llu: column %d (%s) is missing; the line has %d column%s",
                       source->path, (unsigned long long)number, columns->of[role] + 1, role_names[role], count_cells(line),
                       count_cells(line) == 1 ? "" : "s");
  }
  struct example *example = example_add(examples, place_of(source->file, number), source->error);
  if (!example) return false;
  struct text_line *fields[ROLES] = {&example->label, &example->text, &example->pair};
  for (int role = 0; role < ROLES; role++)
    if (cells[role].text) *fields[role] = example_text(examples, cells[role].text, cells[role].size, source->error);
  return source->error->code == ERROR_NONE;
}

// Blank lines behind the last row, unless they are texts of a table of one column.
static bool is_blank_end(const struct columns *columns, struct text_line line, const char *at, const char *end) {
  int used = 0;
  for (int role = 0; role < ROLES; role++) used += columns->of[role] >= 0;
  while (at < end && (*at == '\n' || *at == '\r')) at++;
  return used > 1 && line.size == 0 && at == end;
}

bool example_read_tsv(struct examples *examples, const struct example_source *source) {
  if (source->options->shape != EXAMPLE_TEXT)
    return error_set(source->error, ERROR_USAGE, "%s: a table with label and text does not fit this task; see docs/formats.md",
                     source->path);
  struct columns columns = {{-1, -1, -1}};
  const char *at = source->text, *end = at + source->size;
  struct text_line line;
  for (uint64_t number = 1; example_next_line(&at, end, &line); number++) {
    if (number == 1 && !decide_columns(&columns, line, source)) return false;
    if (number == 1 && !source->options->no_header) continue;
    if (is_blank_end(&columns, line, at, end)) break;
    if (!read_line(examples, source, &columns, line, number)) return false;
  }
  return true;
}
