#include "data/treebank.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { COLUMNS = 10, FORM = 1, HEAD = 6, RELATION = 7, EXTRA = 9 };

struct reader {
  struct treebank *treebank;
  struct error *error;
  const char *path;
  size_t line;
  struct treebank_sentence sentence;  // being read
  struct buffer text;
  size_t capacity;
  bool blank;                         // before the next word
};

static bool wrong(const struct reader *reader, const char *what) {
  return error_set(reader->error, ERROR_FORMAT,
                   "%s:%zu: %s; a CoNLL-U line has ten columns separated by tabs: number, word, ..., head, relation, ...",
                   reader->path, reader->line, what);
}

// ---- a word ----

// Cuts a line apart in place.
static int split(char *line, char *columns[COLUMNS]) {
  int count = 0;
  for (char *at = line; at && count < COLUMNS; count++) {
    columns[count] = at;
    at = strchr(at, '\t');
    if (at) *at++ = 0;
  }
  return count;
}

static int find_relation(struct reader *reader, char *name) {
  struct treebank *treebank = reader->treebank;
  char *subtype = strchr(name, ':');
  if (subtype) *subtype = 0;
  for (int i = 0; i < treebank->relation_count; i++)
    if (strcmp(treebank->relations[i], name) == 0) return i;
  if (!memory_grow(reader->error, &treebank->relations, &treebank->relation_capacity, (size_t)treebank->relation_count + 1,
                   sizeof *treebank->relations))
    return -1;
  char *copy = memory_copy_text(reader->error, name);
  if (!copy) return -1;
  treebank->relations[treebank->relation_count] = copy;
  return treebank->relation_count++;
}

static bool add_word(struct reader *reader, char *columns[COLUMNS]) {
  struct treebank_sentence *sentence = &reader->sentence;
  char *end;
  long head = strtol(columns[HEAD], &end, 10);
  if (end == columns[HEAD] || *end || head < 0 || head > 100000)
    return wrong(reader, "the head in column 7 is no number of a word");
  if (strtol(columns[0], NULL, 10) != sentence->count + 1)
    return wrong(reader, "the words of a sentence are not numbered 1, 2, 3");
  int relation = find_relation(reader, columns[RELATION]);
  if (relation < 0 ||
      !memory_grow(reader->error, &sentence->words, &reader->capacity, (size_t)sentence->count + 1, sizeof *sentence->words))
    return false;
  if (reader->blank) buffer_char(&reader->text, ' ');
  size_t start = reader->text.size;
  buffer_text(&reader->text, columns[FORM]);
  reader->blank = strstr(columns[EXTRA], "SpaceAfter=No") == NULL;
  sentence->words[sentence->count++] = (struct treebank_word){
    .start = start, .end = reader->text.size, .head = (int)head - 1, .relation = relation};
  return true;
}

// ---- a sentence ----

static bool check_heads(struct reader *reader) {
  for (int i = 0; i < reader->sentence.count; i++)
    if (reader->sentence.words[i].head >= reader->sentence.count || reader->sentence.words[i].head == i)
      return wrong(reader, "a word of the sentence before depends on itself or on a word that is not there");
  return true;
}

static bool end_sentence(struct reader *reader) {
  struct treebank *treebank = reader->treebank;
  if (!reader->sentence.count) return true;
  if (!check_heads(reader) || !buffer_check(&reader->text, reader->error) ||
      !memory_grow(reader->error, &treebank->sentences, &treebank->capacity, treebank->count + 1, sizeof *treebank->sentences))
    return false;
  reader->sentence.text = memory_copy_text(reader->error, buffer_string(&reader->text));
  if (!reader->sentence.text) return false;
  treebank->sentences[treebank->count++] = reader->sentence;
  reader->sentence = (struct treebank_sentence){0};
  reader->capacity = 0;
  reader->blank = false;
  buffer_clear(&reader->text);
  return true;
}

static bool read_line(struct reader *reader, char *line) {
  char *columns[COLUMNS];
  size_t length = strlen(line);
  if (length && line[length - 1] == '\r') line[length - 1] = 0;
  if (!*line) return end_sentence(reader);
  if (*line == '#') return true;
  if (split(line, columns) < COLUMNS) return wrong(reader, "there are fewer columns");
  if (strpbrk(columns[0], "-.")) return true;  // a range of words that are listed after it, or a word that is not in the text
  if (!reader->sentence.count) reader->sentence.line = reader->line;
  return add_word(reader, columns);
}

bool treebank_read(struct treebank *treebank, const char *path, struct error *error) {
  struct reader reader = {.treebank = treebank, .error = error, .path = path};
  struct buffer content = {0};
  *treebank = (struct treebank){0};
  bool fine = file_read(&content, path, error);
  for (char *line = content.data, *next; fine && line && *line; line = next) {
    reader.line++;
    next = strchr(line, '\n');
    if (next) *next++ = 0;
    fine = read_line(&reader, line);
  }
  fine = fine && end_sentence(&reader) &&
         (treebank->count || error_set(error, ERROR_FORMAT, "%s: there is no sentence in it", path));
  buffer_free(&content);
  buffer_free(&reader.text);
  free(reader.sentence.words);
  if (!fine) treebank_free(treebank);
  return fine;
}

void treebank_free(struct treebank *treebank) {
  for (size_t i = 0; i < treebank->count; i++) {
    free(treebank->sentences[i].text);
    free(treebank->sentences[i].words);
  }
  for (int i = 0; i < treebank->relation_count; i++) free(treebank->relations[i]);
  free(treebank->sentences);
  free(treebank->relations);
  *treebank = (struct treebank){0};
}
