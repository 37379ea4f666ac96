#include "data/corpus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

// The text is taken in rounds of TASKS x TASK_LINES lines: each task encodes its lines into buffers of its own, and the
// results are stored in the order of the lines, so that the number of threads cannot change them.
enum { TASKS = 64, TASK_LINES = 64 };

struct encoded_line {
  uint32_t source_count, target_count;  // 0: empty
  size_t invalid;
  bool held_out, zero_byte, cut, too_long, in_valid;
  uint64_t fingerprint;
};

struct task {
  size_t first, count;                  // lines
  struct encoded_line lines[TASK_LINES];
  struct buffer ids;                    // i32: of each line that is kept, source then target
  struct error error;
};

struct reader {
  const struct corpus_options *options;
  const struct line_file *source, *target;
  struct task *tasks;
  struct encoding *encodings;           // one per worker
};

static bool blank(struct text_line line) {
  for (size_t i = 0; i < line.size; i++)
    if (!strchr(" \t\r\v\f", line.text[i]) || !line.text[i]) return false;
  return true;
}

static bool known_fingerprint(const struct corpus *corpus, uint64_t fingerprint) {
  size_t low = 0, high = corpus->fingerprint_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (corpus->fingerprints[middle] < fingerprint) low = middle + 1;
    else high = middle;
  }
  return low < corpus->fingerprint_count && corpus->fingerprints[low] == fingerprint;
}

// Appends the ids of one side, ending with eos. Returns how many; 0 when the text gives none.
static uint32_t encode_side(const struct reader *reader, struct task *task, struct encoding *encoding, struct text_line text,
                            struct encoded_line *line, const char *path, size_t number, int vocabulary) {
  const struct corpus_options *options = reader->options;
  if (!tokenizer_encode(options->tokenizer, text.text, text.size, true, encoding, &task->error)) return 0;
  line->invalid += encoding->invalid;
  line->zero_byte |= memchr(text.text, 0, text.size) != NULL;
  size_t count = encoding->count;
  while (count && encoding->ids[count - 1] == options->eos_id) count--;
  if (!count) return 0;
  if (count + 1 > options->max_tokens) {
    if (options->cut_long) line->cut = true;
    else line->too_long = true;
    count = options->max_tokens - 1;
  }
  for (size_t i = 0; i < count; i++)
    if (encoding->ids[i] < 0 || encoding->ids[i] >= vocabulary) {
      error_set(&task->error, ERROR_FORMAT,
                "%s line %zu: the tokenizer gives the id %d, but the model has only %d tokens; tokenizer.json and config.json "
                "do not belong together",
                path, number, (int)encoding->ids[i], vocabulary);
      return 0;
    }
  int32_t end = options->eos_id;
  buffer_append(&task->ids, encoding->ids, count * sizeof *encoding->ids);
  buffer_append(&task->ids, &end, sizeof end);
  return (uint32_t)count + 1;
}

static void encode_line(const struct reader *reader, struct task *task, struct encoding *encoding, size_t number,
                        struct encoded_line *line) {
  const struct corpus_options *options = reader->options;
  *line = (struct encoded_line){0};
  struct text_line source = line_file_get(reader->source, number), target = line_file_get(reader->target, number);
  if (!text_part_has(options->part, source, options->held_out)) {
    line->held_out = true;
    return;
  }
  size_t start = task->ids.size;
  if (!blank(source))
    line->source_count =
      encode_side(reader, task, encoding, source, line, reader->source->path, number + 1, options->source_vocab);
  if (!blank(target))
    line->target_count =
      encode_side(reader, task, encoding, target, line, reader->target->path, number + 1, options->target_vocab);
  if (!line->source_count || !line->target_count || line->too_long) task->ids.size = start;
  line->fingerprint = text_fingerprint(text_fingerprint(0, source), target);
  line->in_valid = options->compare && known_fingerprint(options->compare, line->fingerprint);
}

static void encode_task(void *data, size_t index, int worker) {
  struct reader *reader = data;
  struct task *task = &reader->tasks[index];
  buffer_clear(&task->ids);
  for (size_t i = 0; i < task->count && task->error.code == ERROR_NONE; i++)
    encode_line(reader, task, &reader->encodings[worker], task->first + i, &task->lines[i]);
  if (task->error.code == ERROR_NONE) buffer_check(&task->ids, &task->error);
}

// The two temporary files while they are written.
struct store {
  FILE *tokens, *samples;  // of the corpus' two files
  uint64_t *fingerprints;
  size_t fingerprint_capacity;
};

static bool note(struct corpus *corpus, const struct encoded_line *line, uint64_t place, struct error *error) {
  struct ledger *ledger = &corpus->ledger;
  ledger->read++;
  ledger->invalid_bytes += line->invalid;
  enum ledger_reason dropped = !line->source_count && !line->target_count ? LEDGER_EMPTY_BOTH
                               : !line->source_count                      ? LEDGER_EMPTY_SOURCE
                               : !line->target_count                      ? LEDGER_EMPTY_TARGET
                               : line->too_long                           ? LEDGER_TOO_LONG
                                                                          : LEDGER_REASONS;
  if (dropped != LEDGER_REASONS) return ledger_add(ledger, dropped, place, error);
  ledger->kept++;
  return (!line->cut || ledger_add(ledger, LEDGER_CUT, place, error)) &&
         (!line->invalid || ledger_add(ledger, LEDGER_INVALID_TEXT, place, error)) &&
         (!line->zero_byte || ledger_add(ledger, LEDGER_ZERO_BYTE, place, error)) &&
         (!line->in_valid || ledger_add(ledger, LEDGER_IN_VALID, place, error));
}

static bool store_line(struct corpus *corpus, struct store *store, const struct encoded_line *line, const int32_t *ids,
                       uint64_t place, bool fingerprints, struct error *error) {
  struct sample sample = {corpus->source_tokens + corpus->target_tokens, place, line->source_count, line->target_count};
  fwrite(ids, sizeof *ids, (size_t)line->source_count + line->target_count, store->tokens);
  fwrite(&sample, sizeof sample, 1, store->samples);
  corpus->source_tokens += line->source_count;
  corpus->target_tokens += line->target_count;
  if (line->source_count > corpus->longest_source) corpus->longest_source = line->source_count;
  if (line->target_count > corpus->longest_target) corpus->longest_target = line->target_count;
  corpus->count++;
  if (!fingerprints) return true;
  if (!memory_grow(error, &corpus->fingerprints, &store->fingerprint_capacity, corpus->count, sizeof(uint64_t))) return false;
  corpus->fingerprints[corpus->fingerprint_count++] = line->fingerprint;
  return true;
}

static bool store_task(struct corpus *corpus, struct store *store, const struct task *task, size_t file, bool fingerprints,
                       struct error *error) {
  if (task->error.code != ERROR_NONE) return error_set(error, task->error.code, "%s", task->error.message);
  const int32_t *ids = (const int32_t *)(const void *)task->ids.data;
  for (size_t i = 0; i < task->count; i++) {
    const struct encoded_line *line = &task->lines[i];
    uint64_t place = place_of(file, task->first + i + 1);
    if (line->held_out) {
      corpus->ledger.held_out++;
      continue;
    }
    if (!note(corpus, line, place, error)) return false;
    if (!line->source_count || !line->target_count || line->too_long) continue;
    if (!store_line(corpus, store, line, ids, place, fingerprints, error)) return false;
    ids += (size_t)line->source_count + line->target_count;
  }
  return true;
}

static bool read_file(struct corpus *corpus, struct store *store, struct reader *reader, size_t file, struct error *error) {
  size_t lines = reader->source->count;
  for (size_t first = 0; first < lines; first += (size_t)TASKS * TASK_LINES) {
    size_t tasks = 0;
    for (size_t start = first; start < lines && tasks < TASKS; start += TASK_LINES, tasks++) {
      reader->tasks[tasks].first = start;
      reader->tasks[tasks].count = lines - start < TASK_LINES ? lines - start : TASK_LINES;
    }
    parallel_for(tasks, encode_task, reader);
    for (size_t i = 0; i < tasks; i++)
      if (!store_task(corpus, store, &reader->tasks[i], file, reader->options->fingerprints, error)) return false;
    if (ferror(store->tokens) || ferror(store->samples))
      return error_set(error, ERROR_FILE, "%s: cannot write the token ids to a temporary file: %s; the disk needs about %zu MB",
                       reader->options->directory, strerror(errno), (size_t)(reader->source->map.size >> 20) * 3 + 1);
  }
  return true;
}

static int compare_numbers(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static bool read_all(struct corpus *corpus, struct store *store, struct reader *reader, const struct parallel_text *text,
                     struct error *error) {
  for (size_t i = 0; i < text->count; i++) {
    corpus->paths[i] = text->sources[i].path;
    reader->source = &text->sources[i];
    reader->target = &text->targets[i];
    if (!read_file(corpus, store, reader, i, error)) return false;
  }
  if (corpus->count > UINT32_MAX)
    return error_set(error, ERROR_UNSUPPORTED, "the training text has %zu pairs; at most %u are supported", corpus->count,
                     UINT32_MAX);
  const char *directory = reader->options->directory;
  if (!unnamed_file_map(&corpus->token_file, directory, error) || !unnamed_file_map(&corpus->sample_file, directory, error))
    return false;
  corpus->tokens = corpus->token_file.map;
  corpus->samples = corpus->sample_file.map;
  if (corpus->fingerprint_count) qsort(corpus->fingerprints, corpus->fingerprint_count, sizeof(uint64_t), compare_numbers);
  return true;
}

bool corpus_read(struct corpus *corpus, const struct parallel_text *text, const struct corpus_options *options,
                 struct error *error) {
  *corpus = (struct corpus){0};
  int workers = parallel_threads();
  bool ok = unnamed_file_open(&corpus->token_file, options->directory, error) &&
            unnamed_file_open(&corpus->sample_file, options->directory, error);
  struct store store = {corpus->token_file.stream, corpus->sample_file.stream, NULL, 0};
  struct reader reader = {.options = options};
  reader.tasks = memory_new(error, TASKS, sizeof *reader.tasks);
  reader.encodings = memory_new(error, (size_t)workers, sizeof *reader.encodings);
  corpus->paths = memory_new(error, text->count, sizeof *corpus->paths);
  ok = ok && reader.tasks && reader.encodings && corpus->paths;
  ok = ok && read_all(corpus, &store, &reader, text, error);
  for (int i = 0; reader.encodings && i < workers; i++) encoding_free(&reader.encodings[i]);
  for (int i = 0; reader.tasks && i < TASKS; i++) buffer_free(&reader.tasks[i].ids);
  free(reader.encodings);
  free(reader.tasks);
  if (!ok) corpus_close(corpus);
  return ok;
}

void corpus_close(struct corpus *corpus) {
  unnamed_file_close(&corpus->token_file);
  unnamed_file_close(&corpus->sample_file);
  ledger_free(&corpus->ledger);
  free(corpus->paths);
  free(corpus->fingerprints);
  *corpus = (struct corpus){0};
}
