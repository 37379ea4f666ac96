#include "data/token_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/utf8.h"

// The pieces are taken in rounds of TASKS x about TASK_BYTES: each task encodes its pieces into a buffer of its own, and the
// results are stored in the order of the pieces, so that the number of threads cannot change them.
enum { TASKS = 64, TASK_BYTES = DOCUMENT_PIECE, TASK_PIECES = 512 };

struct encoded_piece {
  size_t offset, size;     // in the task's text
  uint64_t place;
  bool first, answer;
  size_t start, count;     // in the task's ids
  size_t invalid;
  bool zero_byte;
  uint64_t invalid_line, unknown_line;  // the first one of its kind, counted from the piece's; only with invalid and unknown
  size_t unknown;
};

struct task {
  struct buffer text, ids;
  struct encoded_piece pieces[TASK_PIECES];
  size_t count;
  struct error error;
};

struct reading {
  struct token_stream *stream;
  const struct token_stream_options *options;
  struct document_reader *reader;
  struct task *tasks;
  struct encoding *encodings;  // one per worker
  int unknown_id;
  // Of the document that is being stored
  struct stream_document document;
  bool begun;
};

// --- Encoding

static void note_piece(const struct reading *reading, const struct encoding *encoding, const char *text,
                       struct encoded_piece *piece) {
  piece->invalid = encoding->invalid;
  piece->zero_byte = memchr(text, 0, piece->size) != NULL;
  if (piece->invalid) piece->invalid_line = count_line_ends(text, utf8_invalid(text, piece->size));
  for (size_t i = 0; reading->unknown_id >= 0 && i < encoding->count; i++) {
    if (encoding->ids[i] != reading->unknown_id) continue;
    if (!piece->unknown++) piece->unknown_line = count_line_ends(text, encoding->starts[i]);
  }
}

static bool encode_piece(struct reading *reading, struct task *task, struct encoding *encoding, struct encoded_piece *piece) {
  const struct token_stream_options *options = reading->options;
  const char *text = buffer_string(&task->text) + piece->offset;
  bool prompt = reading->reader->kind == DOCUMENTS_PAIRS && !piece->answer;
  if (!tokenizer_encode(options->tokenizer, text, piece->size, prompt, encoding, &task->error)) return false;
  while (prompt && encoding->count && encoding->ids[encoding->count - 1] == options->end_id) encoding->count--;
  for (size_t i = 0; i < encoding->count; i++)
    if (encoding->ids[i] < 0 || encoding->ids[i] >= options->vocabulary)
      return error_set(&task->error, ERROR_FORMAT,
                       "%s line %" PRIu64 ": the tokenizer gives the id %d, but the model has only %d tokens; tokenizer.json and "
                       "config.json do not belong together",
                       reading->reader->paths[place_file(piece->place)], place_line(piece->place), (int)encoding->ids[i],
                       options->vocabulary);
  note_piece(reading, encoding, text, piece);
  piece->start = task->ids.size / sizeof(int32_t);
  piece->count = encoding->count;
  buffer_append(&task->ids, encoding->ids, encoding->count * sizeof *encoding->ids);
  return buffer_check(&task->ids, &task->error);
}

static void encode_task(void *data, size_t index, int worker) {
  struct reading *reading = data;
  struct task *task = &reading->tasks[index];
  buffer_clear(&task->ids);
  for (size_t i = 0; i < task->count && encode_piece(reading, task, &reading->encodings[worker], &task->pieces[i]); i++) continue;
}

// Takes the next pieces into a task. False at the end of the text.
static bool fill_task(struct reading *reading, struct task *task, struct error *error) {
  struct document_piece piece;
  bool more = true;
  task->count = 0;
  buffer_clear(&task->text);
  // A prompt and its answer stay together.
  while (more && (reading->reader->is_waiting || (task->text.size < TASK_BYTES && task->count < TASK_PIECES - 1))) {
    if (!(more = documents_next(reading->reader, &piece, error))) break;
    task->pieces[task->count++] = (struct encoded_piece){.offset = task->text.size, .size = piece.size, .place = piece.place,
                                                         .first = piece.first, .answer = piece.answer};
    buffer_append(&task->text, piece.text, piece.size);
  }
  return more && buffer_check(&task->text, error);
}

// --- Storing

static void write_ids(struct reading *reading, const int32_t *ids, size_t count) {
  fwrite(ids, sizeof *ids, count, reading->stream->token_file.stream);
  reading->stream->count += count;
}

static bool note(struct reading *reading, const struct encoded_piece *piece, struct error *error) {
  struct ledger *ledger = &reading->stream->ledger;
  ledger->invalid_bytes += piece->invalid;
  return (!piece->invalid || ledger_add(ledger, LEDGER_INVALID_TEXT, piece->place + piece->invalid_line, error)) &&
         (!piece->unknown || ledger_add(ledger, LEDGER_UNKNOWN, piece->place + piece->unknown_line, error)) &&
         (!piece->zero_byte || ledger_add(ledger, LEDGER_ZERO_BYTE, piece->place, error));
}

static void end_document(struct reading *reading) {
  struct token_stream *stream = reading->stream;
  if (!reading->begun) return;
  fwrite(&reading->document, sizeof reading->document, 1, stream->document_file.stream);
  stream->document_count++;
  stream->ledger.kept++;
  reading->begun = false;
}

static bool store_text(struct reading *reading, const struct task *task, const struct encoded_piece *piece, struct error *error) {
  struct token_stream *stream = reading->stream;
  const int32_t *ids = (const int32_t *)(const void *)task->ids.data + piece->start;
  if (piece->first) {
    end_document(reading);
    stream->ledger.read++;
  }
  if (!piece->count) return !piece->first || ledger_add(&stream->ledger, LEDGER_EMPTY_TEXT, piece->place, error);
  if (!reading->begun) {
    int32_t begin = reading->options->begin_id;
    reading->document = (struct stream_document){stream->count, stream->count, piece->place};
    if (begin >= 0) write_ids(reading, &begin, 1);
    reading->begun = true;
  }
  write_ids(reading, ids, piece->count);
  stream->bytes += piece->size;
  return note(reading, piece, error);
}

// A prompt waits for its answer, which is the piece behind it.
static bool store_pair(struct reading *reading, const struct task *task, const struct encoded_piece *prompt,
                       const struct encoded_piece *answer, struct error *error) {
  struct token_stream *stream = reading->stream;
  const struct token_stream_options *options = reading->options;
  const int32_t *ids = (const int32_t *)(const void *)task->ids.data, *prompt_ids = ids + prompt->start;
  int32_t begin = options->begin_id;
  size_t prompt_count = prompt->count, answer_count = answer->count, end = options->end_id >= 0;
  stream->ledger.read++;
  if (!prompt_count && begin >= 0) prompt_ids = &begin, prompt_count = 1;
  if (!prompt_count || !(answer_count + end)) return ledger_add(&stream->ledger, LEDGER_EMPTY_TEXT, prompt->place, error);
  if (prompt_count + answer_count > options->most) {
    if (!options->cut_long) return ledger_add(&stream->ledger, LEDGER_TOO_LONG, prompt->place, error);
    if (!ledger_add(&stream->ledger, LEDGER_CUT, prompt->place, error)) return false;
    if (answer_count >= options->most) answer_count = options->most - 1;
    size_t kept = options->most - answer_count;
    if (kept < prompt_count) prompt_ids += prompt_count - kept, prompt_count = kept;
  }
  reading->document = (struct stream_document){stream->count, stream->count + prompt_count, prompt->place};
  reading->begun = true;
  write_ids(reading, prompt_ids, prompt_count);
  write_ids(reading, ids + answer->start, answer_count);
  stream->bytes += answer->size;
  end_document(reading);
  return note(reading, prompt, error) && note(reading, answer, error);
}

static bool store_task(struct reading *reading, const struct task *task, struct error *error) {
  if (task->error.code != ERROR_NONE) return error_set(error, task->error.code, "%s", task->error.message);
  for (size_t i = 0; i < task->count; i++) {
    const struct encoded_piece *piece = &task->pieces[i];
    if (piece->answer ? !store_pair(reading, task, piece - 1, piece, error)
                      : !reading->stream->pairs && !store_text(reading, task, piece, error))
      return false;
  }
  return true;
}

static bool read_all(struct reading *reading, struct error *error) {
  struct token_stream *stream = reading->stream;
  const char *directory = reading->options->directory;
  for (bool more = true; more;) {
    size_t count = 0;
    while (more && count < TASKS) more = fill_task(reading, &reading->tasks[count++], error);
    if (error->code != ERROR_NONE) return false;
    stream->pairs = reading->reader->kind == DOCUMENTS_PAIRS;
    parallel_for(count, encode_task, reading);
    for (size_t i = 0; i < count; i++)
      if (!store_task(reading, &reading->tasks[i], error)) return false;
    if (ferror(stream->token_file.stream) || ferror(stream->document_file.stream))
      return error_set(error, ERROR_FILE,
                       "%s: cannot write the token ids to a temporary file: %s; the disk needs about %" PRIu64 " MB", directory,
                       strerror(errno), (reading->reader->bytes >> 20) * 2 + 1);
  }
  end_document(reading);
  return unnamed_file_map(&stream->token_file, directory, error) && unnamed_file_map(&stream->document_file, directory, error);
}

// Answers and texts from right to left; a begin token and a prompt stay in front.
static void reverse(struct token_stream *stream) {
  int32_t *tokens = stream->token_file.map;
  for (size_t d = 0; d < stream->document_count; d++) {
    const struct stream_document *document = &stream->documents[d];
    uint64_t low = stream->pairs ? document->answer : document->start + (stream->begin_id >= 0),
             high = stream_document_end(stream, d);
    for (; low + 1 < high; low++, high--) {
      int32_t kept = tokens[low];
      tokens[low] = tokens[high - 1];
      tokens[high - 1] = kept;
    }
  }
}

bool token_stream_read(struct token_stream *stream, struct document_reader *reader, const struct document_options *documents,
                       const struct token_stream_options *options, struct error *error) {
  *stream = (struct token_stream){.begin_id = options->begin_id, .end_id = options->end_id, .paths = reader->paths};
  int workers = parallel_threads();
  struct reading reading = {.stream = stream, .options = options, .reader = reader,
                            .unknown_id = tokenizer_special_ids(options->tokenizer).unknown};
  if (reading.unknown_id == options->end_id) reading.unknown_id = -1;
  documents_start(reader, documents, &stream->ledger);
  reading.tasks = memory_new(error, TASKS, sizeof *reading.tasks);
  reading.encodings = memory_new(error, (size_t)workers, sizeof *reading.encodings);
  bool ok = reading.tasks && reading.encodings && unnamed_file_open(&stream->token_file, options->directory, error) &&
            unnamed_file_open(&stream->document_file, options->directory, error) && read_all(&reading, error);
  for (int i = 0; reading.encodings && i < workers; i++) encoding_free(&reading.encodings[i]);
  for (int i = 0; reading.tasks && i < TASKS; i++) {
    buffer_free(&reading.tasks[i].text);
    buffer_free(&reading.tasks[i].ids);
  }
  free(reading.encodings);
  free(reading.tasks);
  stream->tokens = stream->token_file.map;
  stream->documents = stream->document_file.map;
  if (ok && options->reversed) reverse(stream);
  if (!ok) token_stream_close(stream);
  return ok;
}

void token_stream_close(struct token_stream *stream) {
  unnamed_file_close(&stream->token_file);
  unnamed_file_close(&stream->document_file);
  ledger_free(&stream->ledger);
  *stream = (struct token_stream){0};
}

size_t token_stream_find(const struct token_stream *stream, uint64_t index) {
  size_t low = 0, high = stream->document_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (stream->documents[middle].start <= index) low = middle;
    else high = middle;
  }
  return low;
}
