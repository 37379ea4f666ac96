#include "data/sentences.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { LONG_DOCUMENT = 200 };  // sentences: so long ones give their ends for validation

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

static bool is_quote(const char *at, const char *end, size_t *size) {
  if (strchr("\"')]", *at) && *at) return *size = 1, true;
  if (end - at >= 3 && (memcmp(at, "\xE2\x80\x9D", 3) == 0 || memcmp(at, "\xE2\x80\x99", 3) == 0)) return *size = 3, true;
  return false;
}

// A lower-case letter goes on with the sentence ("e.g. this").
static bool can_begin(const char *at, const char *end) { return at >= end || !islower((unsigned char)*at); }

// "Mr." and single letters are no ends.
static bool is_abbreviation(const char *text, const char *dot) {
  static const char *const known[] = {"Mr",  "Mrs", "Ms",  "Dr", "St",  "Prof", "Capt",
                                      "Col", "Gen", "Rev", "vs", "etc", "No",   "Vol"};
  const char *start = dot;
  while (start > text && isalpha((unsigned char)start[-1])) start--;
  size_t size = (size_t)(dot - start);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strlen(known[i]) == size && memcmp(known[i], start, size) == 0) return true;
  return size == 1;
}

size_t sentence_end(const char *text, size_t size) {
  const char *end = text + size;
  for (const char *at = text; at < end; at++) {
    size_t quote;
    if (*at != '.' && *at != '!' && *at != '?') continue;
    if (*at == '.' && is_abbreviation(text, at)) continue;
    const char *behind = at + 1;
    while (behind < end && (*behind == '.' || *behind == '!' || *behind == '?')) behind++;
    while (behind < end && is_quote(behind, end, &quote)) behind += quote;
    if (behind < end && !is_blank(*behind)) continue;
    while (behind < end && is_blank(*behind)) behind++;
    if (can_begin(behind, end)) return (size_t)(behind - text);
  }
  return size;
}

// ---- reading ----

struct reader {
  struct sentences *sentences;
  const struct sentence_options *options;
  struct encoding encoding;
  const char *path;
  struct error *error;
};

static bool end_document(struct sentences *sentences, struct error *error) {
  if (!memory_grow(error, &sentences->documents, &sentences->document_capacity, sentences->document_count + 2,
                   sizeof *sentences->documents))
    return false;
  if (!sentences->document_count) sentences->documents[0] = 0;
  if (sentences->documents[sentences->document_count] == sentences->count) return true;
  sentences->documents[++sentences->document_count] = sentences->count;
  return true;
}

static bool add_tokens(struct sentences *sentences, const int32_t *ids, size_t count, uint64_t place, struct error *error) {
  if (!memory_grow(error, &sentences->tokens, &sentences->token_capacity, sentences->token_count + count, sizeof *ids) ||
      !memory_grow(error, &sentences->starts, &sentences->start_capacity, sentences->count + 2, sizeof *sentences->starts) ||
      !memory_grow(error, &sentences->places, &sentences->place_capacity, sentences->count + 1, sizeof *sentences->places))
    return false;
  memcpy(sentences->tokens + sentences->token_count, ids, count * sizeof *ids);
  if (!sentences->count) sentences->starts[0] = 0;
  sentences->token_count += count;
  sentences->places[sentences->count++] = place;
  sentences->starts[sentences->count] = sentences->token_count;
  return true;
}

static bool add_sentence(struct reader *reader, const char *text, size_t size, uint64_t place) {
  struct sentences *sentences = reader->sentences;
  struct encoding *encoding = &reader->encoding;
  struct ledger *ledger = &sentences->ledger;
  encoding->keep_all = true;
  if (!tokenizer_encode(reader->options->tokenizer, text, size, false, encoding, reader->error)) return false;
  ledger->read++;
  if (!encoding->count) return ledger_add(ledger, LEDGER_EMPTY_BOTH, place, reader->error);
  for (size_t i = 0; i < encoding->count; i++)
    if (encoding->ids[i] < 0 || encoding->ids[i] >= reader->options->vocabulary)
      return error_set(
        reader->error, ERROR_FORMAT,
        "%s line %llu: the tokenizer gives the id %d, but the model has only %d tokens; tokenizer.json and config.json do "
        "not belong together",
        reader->path, (unsigned long long)place_line(place), encoding->ids[i], reader->options->vocabulary);
  size_t count = encoding->count < reader->options->longest ? encoding->count : reader->options->longest;
  ledger->kept++;
  ledger->invalid_bytes += encoding->invalid;
  return (count == encoding->count || ledger_add(ledger, LEDGER_CUT, place, reader->error)) &&
         (!encoding->invalid || ledger_add(ledger, LEDGER_INVALID_TEXT, place, reader->error)) &&
         (!memchr(text, 0, size) || ledger_add(ledger, LEDGER_ZERO_BYTE, place, reader->error)) &&
         add_tokens(sentences, encoding->ids, count, place, reader->error);
}

static bool add_line(struct reader *reader, struct text_line line, uint64_t place) {
  const char *text = line.text;
  size_t left = line.size;
  while (left) {
    size_t size = reader->options->split ? sentence_end(text, left) : left;
    if (!add_sentence(reader, text, size, place)) return false;
    text += size;
    left -= size;
  }
  return true;
}

bool sentences_read(struct sentences *sentences, const struct line_file *file, size_t file_number,
                    const struct sentence_options *options, struct error *error) {
  struct reader reader = {.sentences = sentences, .options = options, .path = file->path, .error = error};
  bool ok = true;
  for (size_t i = 0; ok && i < file->count; i++) {
    struct text_line line = line_file_get(file, i);
    while (line.size && is_blank(line.text[line.size - 1])) line.size--;
    while (line.size && is_blank(*line.text)) line.text++, line.size--;
    ok = line.size ? add_line(&reader, line, place_of(file_number, i + 1)) : end_document(sentences, error);
  }
  ok = ok && end_document(sentences, error);
  encoding_free(&reader.encoding);
  return ok;
}

// ---- holding out ----

// How many sentences of the document stay.
static size_t kept_of(const struct sentences *sentences, size_t document, double share) {
  size_t first = sentences->documents[document], count = sentences->documents[document + 1] - first;
  if (count >= LONG_DOCUMENT) return count - (size_t)((double)count * share);
  const int32_t *tokens = sentences->tokens + sentences->starts[first];
  struct text_line bytes = {(const char *)tokens,
                            (size_t)(sentences->starts[first + count] - sentences->starts[first]) * sizeof *tokens};
  return parallel_text_held_out(bytes, share) ? 0 : count;
}

static bool copy_range(struct sentences *to, const struct sentences *from, size_t first, size_t end, struct error *error) {
  for (size_t i = first; i < end; i++)
    if (!add_tokens(to, from->tokens + from->starts[i], (size_t)(from->starts[i + 1] - from->starts[i]), from->places[i], error))
      return false;
  return end_document(to, error);
}

bool sentences_hold_out(struct sentences *sentences, struct sentences *valid, double share, struct error *error) {
  struct sentences kept = {.ledger = sentences->ledger};
  bool ok = true;
  for (size_t d = 0; ok && d < sentences->document_count; d++) {
    size_t first = sentences->documents[d], end = sentences->documents[d + 1], middle = first + kept_of(sentences, d, share);
    ok = copy_range(&kept, sentences, first, middle, error) && copy_range(valid, sentences, middle, end, error);
  }
  sentences->ledger = (struct ledger){0};
  sentences_free(sentences);
  *sentences = kept;
  valid->ledger.read = valid->ledger.kept = valid->count;
  // What was cut or repaired stays in the ledger of all that was read.
  sentences->ledger.read -= valid->count;
  sentences->ledger.kept -= valid->count;
  sentences->ledger.held_out = valid->count;
  return ok;
}

void sentences_free(struct sentences *sentences) {
  free(sentences->tokens);
  free(sentences->starts);
  free(sentences->places);
  free(sentences->documents);
  ledger_free(&sentences->ledger);
  *sentences = (struct sentences){0};
}
