#include "data/documents.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { CUT_SEARCH = 1 << 20 };  // how far behind DOCUMENT_PIECE bytes a place to cut is looked for

bool documents_open(struct document_reader *reader, const char *const *paths, size_t count, struct error *error) {
  *reader = (struct document_reader){.count = count};
  reader->paths = memory_new(error, count, sizeof *reader->paths);
  reader->maps = memory_new(error, count, sizeof *reader->maps);
  if (!reader->paths || !reader->maps) return false;
  for (size_t i = 0; i < count; i++) {
    reader->paths[i] = paths[i];
    if (!file_map_open(&reader->maps[i], paths[i], error)) return false;
    if (!reader->maps[i].size) return error_set(error, ERROR_FORMAT, "%s: the file is empty", paths[i]);
    reader->bytes += reader->maps[i].size;
  }
  return true;
}

void documents_close(struct document_reader *reader) {
  for (size_t i = 0; reader->maps && i < reader->count; i++)
    if (reader->maps[i].data) file_map_close(&reader->maps[i]);
  cJSON_Delete(reader->object);
  free(reader->maps);
  free(reader->paths);
  *reader = (struct document_reader){0};
}

void documents_start(struct document_reader *reader, const struct document_options *options, struct ledger *ledger) {
  cJSON_Delete(reader->object);
  reader->options = *options;
  reader->ledger = ledger;
  reader->object = NULL;
  reader->file = 0;
  reader->open = reader->begun = reader->is_waiting = false;
  reader->kind = DOCUMENTS_UNKNOWN;
}

// --- Files and their parts

static bool ends_in(const char *path, const char *ending) {
  size_t size = strlen(path), wanted = strlen(ending);
  return size >= wanted && strcmp(path + size - wanted, ending) == 0;
}

static bool has_lines(const struct document_reader *reader) {
  return ends_in(reader->paths[reader->file], ".jsonl") || ends_in(reader->paths[reader->file], ".tsv");
}

uint64_t count_line_ends(const char *text, size_t size) {
  uint64_t lines = 0;
  for (const char *at = text, *end = text + size; (at = memchr(at, '\n', (size_t)(end - at))); at++) lines++;
  return lines;
}

// Where the held-out part of a file begins: at a line start, or for want of lines between two characters.
static size_t split_at(const struct document_reader *reader, const struct file_map *map) {
  double share = reader->options.held_out;
  size_t wanted = map->size - (size_t)((double)map->size * share);
  if (wanted >= map->size) return map->size;
  const char *line = memchr(map->data + wanted, '\n', map->size - wanted);
  if (line && (size_t)(line + 1 - map->data) < map->size) return (size_t)(line + 1 - map->data);
  line = memrchr(map->data, '\n', wanted);
  if (line && (has_lines(reader) || (size_t)(line - map->data) > map->size / 2)) return (size_t)(line + 1 - map->data);
  if (has_lines(reader)) return map->size;
  while (wanted < map->size && ((unsigned char)map->data[wanted] & 0xC0) == 0x80) wanted++;
  return wanted;
}

static void open_file(struct document_reader *reader) {
  const struct file_map *map = &reader->maps[reader->file];
  size_t start = map->size >= 3 && memcmp(map->data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0, split = map->size;
  if (reader->options.part != PART_ALL) split = split_at(reader, map);
  if (split < start) split = start;
  reader->at = reader->options.part == PART_HELD_OUT ? split : start;
  reader->end = reader->options.part == PART_KEPT ? split : map->size;
  reader->line = 1 + count_line_ends(map->data, reader->at);
  reader->prompt_column = reader->answer_column = -1;
  reader->open = true;
  reader->begun = reader->separated = false;
}

static void move_to(struct document_reader *reader, size_t place) {
  reader->line += count_line_ends(reader->maps[reader->file].data + reader->at, place - reader->at);
  reader->at = place;
}

static struct text_line line_at(const struct document_reader *reader, size_t start, size_t *next) {
  const char *text = reader->maps[reader->file].data + start, *stop = memchr(text, '\n', reader->end - start);
  size_t size = stop ? (size_t)(stop - text) : reader->end - start;
  *next = start + size + (stop != NULL);
  if (stop && size && text[size - 1] == '\r') size--;
  return (struct text_line){text, size};
}

// --- Plain text

static bool separates(const struct document_reader *reader, struct text_line line) {
  const char *separator = reader->options.separator;
  if (!separator) return false;
  if (strcmp(separator, "blank") != 0) return line.size == strlen(separator) && memcmp(line.text, separator, line.size) == 0;
  for (size_t i = 0; i < line.size; i++)
    if (!strchr(" \t\r\v\f", line.text[i]) || !line.text[i]) return false;
  return true;
}

static void find_end(struct document_reader *reader) {
  const char *data = reader->maps[reader->file].data;
  for (size_t start = reader->at, next; start < reader->end; start = next) {
    struct text_line line = line_at(reader, start, &next);
    const char *mark = memmem(line.text, line.size, DOCUMENT_MARK, strlen(DOCUMENT_MARK));
    if (mark) {
      reader->stop = (size_t)(mark - data);
      reader->after = reader->stop + strlen(DOCUMENT_MARK);
      return;
    }
    if (!separates(reader, line)) continue;
    reader->stop = start;
    reader->after = next;
    return;
  }
  reader->stop = reader->after = reader->end;
}

static bool is_line_end(char c) { return c == '\n' || c == '\r'; }

static void begin_document(struct document_reader *reader) {
  const char *data = reader->maps[reader->file].data;
  find_end(reader);
  size_t start = reader->at;
  while (reader->separated && start < reader->stop && is_line_end(data[start])) start++;
  move_to(reader, start);
  while (reader->after > reader->stop && reader->stop > reader->at && is_line_end(data[reader->stop - 1])) reader->stop--;
  reader->begun = true;
}

static bool is_visible(char c) { return c > ' ' && c < 0x7F; }
static bool is_ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static size_t cut_size(const char *text, size_t size) {
  if (size <= DOCUMENT_PIECE + DOCUMENT_PIECE / 2) return size;
  size_t end = size < DOCUMENT_PIECE + CUT_SEARCH ? size : DOCUMENT_PIECE + CUT_SEARCH;
  for (size_t i = DOCUMENT_PIECE; i + 1 < end; i++) {
    if (text[i] == '\n' && is_visible(text[i - 1]) && is_visible(text[i + 1])) return i + 1;
    if (text[i] == ' ' && is_ascii_letter(text[i - 1]) && is_ascii_letter(text[i + 1])) return i;
  }
  while (end < size && ((unsigned char)text[end] & 0xC0) == 0x80) end++;
  return end;
}

// The next piece of a plain file; false at the end of its part.
static bool next_text(struct document_reader *reader, struct document_piece *piece) {
  for (bool first = false; reader->at < reader->end;) {
    if (!reader->begun) {
      begin_document(reader);
      first = true;
    }
    const char *text = reader->maps[reader->file].data + reader->at;
    size_t size = cut_size(text, reader->stop - reader->at);
    *piece = (struct document_piece){text, size, place_of(reader->file, reader->line), first, false};
    move_to(reader, reader->at + size);
    if (reader->at == reader->stop) {
      move_to(reader, reader->after);
      reader->separated = true;
      reader->begun = false;
    }
    if (size) return true;
  }
  return false;
}

// --- Lines: JSONL and TSV

static bool bad_line(const struct document_reader *reader, struct error *error, const char *what) {
  return error_set(error, ERROR_FORMAT, "%s line %" PRIu64 ": %s", reader->paths[reader->file], reader->line, what);
}

static bool give_pair(struct document_reader *reader, struct document_piece *piece, struct text_line prompt,
                      struct text_line answer) {
  uint64_t place = place_of(reader->file, reader->line);
  *piece = (struct document_piece){prompt.text, prompt.size, place, true, false};
  reader->waiting = (struct document_piece){answer.text, answer.size, place, false, true};
  reader->is_waiting = true;
  reader->kind = DOCUMENTS_PAIRS;
  return true;
}

static bool is_text(const cJSON *item, struct text_line *text) {
  if (!cJSON_IsString(item)) return false;
  *text = (struct text_line){item->valuestring, strlen(item->valuestring)};
  return true;
}

// *given: whether the line holds a piece.
static bool read_json_line(struct document_reader *reader, struct text_line line, struct document_piece *piece, bool *given,
                           struct error *error) {
  struct text_line text, prompt, answer;
  cJSON_Delete(reader->object);
  reader->object = cJSON_ParseWithLength(line.text, line.size);
  if (!cJSON_IsObject(reader->object))
    return bad_line(reader, error, "no JSON object; wanted {\"text\": ...} or {\"prompt\": ..., \"answer\": ...}");
  if (is_text(cJSON_GetObjectItemCaseSensitive(reader->object, "prompt"), &prompt) &&
      is_text(cJSON_GetObjectItemCaseSensitive(reader->object, "answer"), &answer)) {
    *given = true;
    return give_pair(reader, piece, prompt, answer);
  }
  if (!is_text(cJSON_GetObjectItemCaseSensitive(reader->object, "text"), &text))
    return bad_line(reader, error, "the object has neither \"text\" nor \"prompt\" and \"answer\" as texts");
  uint64_t place = place_of(reader->file, reader->line);
  *piece = (struct document_piece){text.text, text.size, place, true, false};
  *given = text.size > 0;
  reader->kind = DOCUMENTS_TEXT;
  if (*given || !reader->ledger) return true;
  reader->ledger->read++;
  return ledger_add(reader->ledger, LEDGER_EMPTY_TEXT, place, error);
}

static struct text_line cell(struct text_line line, int column) {
  const char *at = line.text, *end = line.text + line.size;
  for (; column > 0 && at; column--)
    if ((at = memchr(at, '\t', (size_t)(end - at)))) at++;
  if (!at) return (struct text_line){0};
  const char *stop = memchr(at, '\t', (size_t)(end - at));
  return (struct text_line){at, (size_t)((stop ? stop : end) - at)};
}

static bool is_word(struct text_line text, const char *word) {
  return text.text && text.size == strlen(word) && memcmp(text.text, word, text.size) == 0;
}

static bool read_header(struct document_reader *reader, struct error *error) {
  size_t next;
  struct text_line header = line_at(reader, reader->maps[reader->file].data[0] == '\xEF' ? 3 : 0, &next), name;
  if (reader->options.no_header) {
    reader->prompt_column = 0;
    reader->answer_column = 1;
    return true;
  }
  for (int i = 0; (name = cell(header, i)).text; i++) {
    if (is_word(name, "prompt")) reader->prompt_column = i;
    if (is_word(name, "answer")) reader->answer_column = i;
  }
  if (reader->prompt_column < 0 || reader->answer_column < 0)
    return error_set(
      error, ERROR_FORMAT,
      "%s line 1: the header names no columns \"prompt\" and \"answer\"; with --no-header the first two columns are these",
      reader->paths[reader->file]);
  if (reader->line == 1) move_to(reader, next);
  return true;
}

static bool read_table_line(struct document_reader *reader, struct text_line line, struct document_piece *piece,
                            struct error *error) {
  struct text_line prompt = cell(line, reader->prompt_column), answer = cell(line, reader->answer_column);
  if (!prompt.text || !answer.text) return bad_line(reader, error, "the column of the prompt or the answer is missing");
  return give_pair(reader, piece, prompt, answer);
}

static bool next_line(struct document_reader *reader, struct document_piece *piece, struct error *error) {
  bool table = ends_in(reader->paths[reader->file], ".tsv");
  if (table && reader->prompt_column < 0 && !read_header(reader, error)) return false;
  for (bool given = false; reader->at < reader->end;) {
    size_t next;
    struct text_line line = line_at(reader, reader->at, &next);
    bool fine = table || !line.size || read_json_line(reader, line, piece, &given, error);
    if (table) fine = given = read_table_line(reader, line, piece, error);
    if (!fine) return false;
    move_to(reader, next);
    if (given) return true;
  }
  return false;
}

// --- All files

bool documents_next(struct document_reader *reader, struct document_piece *piece, struct error *error) {
  if (reader->is_waiting) {
    *piece = reader->waiting;
    reader->is_waiting = false;
    return true;
  }
  for (; reader->file < reader->count; reader->file++, reader->open = false) {
    if (!reader->open) open_file(reader);
    int before = reader->kind;
    bool given = has_lines(reader) ? next_line(reader, piece, error) : next_text(reader, piece);
    if (error->code != ERROR_NONE) return false;
    if (!given) continue;
    if (!has_lines(reader)) reader->kind = DOCUMENTS_TEXT;
    if (before != DOCUMENTS_UNKNOWN && before != (int)reader->kind)
      return error_set(error, ERROR_FORMAT,
                       "%s line %" PRIu64 ": text and pairs of prompt and answer in one training; give one of the two",
                       reader->paths[place_file(piece->place)], place_line(piece->place));
    return true;
  }
  return false;
}
