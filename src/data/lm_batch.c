#include "data/lm_batch.h"

#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

enum { PURPOSE_BLOCKS = 0xB10C };

// --- Runs of samples

static uint64_t block_shift(const struct lm_samples *of, uint64_t epoch) {
  struct random_key key = random_key(of->seed, PURPOSE_BLOCKS);
  return random_below(key, epoch, of->context);
}

static struct token_run run_of(const struct lm_samples *of, uint64_t epoch, size_t sample) {
  if (of->runs) return of->runs[sample];
  uint64_t count = of->stream->count, first = sample * of->context, left = count - first;
  uint32_t size = (uint32_t)(left < of->context ? left : of->context);
  return (struct token_run){(first + block_shift(of, epoch)) % count, size, size};
}

// Whether a document ends with token `index`.
static bool ends_document(const struct token_stream *stream, uint64_t index, size_t *document) {
  while (stream_document_end(stream, *document) <= index) ++*document;
  return stream_document_end(stream, *document) == index + 1;
}

static struct sample_rows count_rows(const void *user, uint64_t epoch, size_t sample) {
  return (struct sample_rows){.target = run_of(user, epoch, sample).count};
}

static void count_targets(const void *user, uint64_t epoch, size_t sample, int64_t targets[TARGET_HEADS]) {
  const struct lm_samples *of = user;
  const struct token_stream *stream = of->stream;
  struct token_run run = run_of(of, epoch, sample);
  targets[0] += run.label_count;
  if (stream->end_id >= 0) return;
  // The last tokens of documents have no labels then.
  uint64_t first = run.start + run.count - run.label_count, end = run.start + run.count;
  for (int part = 0; part < 2 && first < end; part++) {
    uint64_t stop = end < stream->count ? end : stream->count;
    size_t document = token_stream_find(stream, first);
    for (; document < stream->document_count && stream_document_end(stream, document) <= stop; document++) targets[0]--;
    first = 0;
    end -= stop;
  }
}

// --- Batches

static bool reserve_rows(struct lm_samples *of, size_t rows, struct error *error) {
  if (rows <= of->row_capacity) return true;
  if (!memory_resize_array(error, &of->ids, rows, sizeof(int32_t)) ||
      !memory_resize_array(error, &of->positions, rows, sizeof(int32_t)) ||
      !memory_resize_array(error, &of->labels, rows, sizeof(int32_t)) ||
      !memory_resize_array(error, &of->keys, rows, sizeof(uint64_t)))
    return false;
  of->row_capacity = rows;
  return true;
}

static bool add_span(struct lm_samples *of, int row, uint64_t place, struct error *error) {
  size_t count = (size_t)of->batch.sequences;
  if (count == of->span_capacity) {
    size_t wanted = count ? 2 * count : 64;
    if (!memory_resize_array(error, &of->spans, wanted, sizeof(struct span)) ||
        !memory_resize_array(error, &of->places, wanted, sizeof(uint64_t)))
      return false;
    of->span_capacity = wanted;
  }
  of->spans[count] = (struct span){.q0 = row, .k0 = row};
  of->places[count] = place;
  of->batch.sequences++;
  return true;
}

static bool add_run(struct lm_samples *of, struct token_run run, uint64_t sample, int *row, struct error *error) {
  const struct token_stream *stream = of->stream;
  uint64_t index = run.start;
  size_t document = token_stream_find(stream, index);
  bool begins = true;
  for (uint32_t i = 0; i < run.count; i++, ++*row) {
    if (begins && !add_span(of, *row, stream->documents[document].place, error)) return false;
    struct span *span = &of->spans[of->batch.sequences - 1];
    bool last = ends_document(stream, index, &document);
    int32_t label = !last ? stream->tokens[index + 1] : stream->end_id;
    if (i < run.count - run.label_count) label = -1;
    of->ids[*row] = stream->tokens[index];
    of->positions[*row] = span->qn;
    of->keys[*row] = sample << 24 | i;
    of->labels[*row] = label;
    of->batch.label_count += label >= 0;
    span->kn = ++span->qn;
    if (++index == stream->count) {
      index = 0;
      document = 0;
    }
    begins = last && (!of->cross || index == 0);
    if (begins && index) document++;
  }
  return true;
}

static const struct batch *fill_batch(void *user, uint64_t epoch, const uint32_t *list, size_t count, struct error *error) {
  struct lm_samples *of = user;
  size_t rows = 0;
  for (size_t i = 0; i < count; i++) rows += run_of(of, epoch, list[i]).count;
  if (rows > INT_MAX / 2) {
    error_set(error, ERROR_USAGE, "a batch of %zu tokens is too large; use fewer --batch-tokens", rows);
    return NULL;
  }
  if (!reserve_rows(of, rows, error)) return NULL;
  of->batch = (struct batch){0};
  int row = 0;
  for (size_t i = 0; i < count; i++)
    if (!add_run(of, run_of(of, epoch, list[i]), list[i], &row, error)) return NULL;
  of->batch.target = (struct batch_side){.rows = row, .ids = of->ids, .positions = of->positions, .row_keys = of->keys,
                                         .spans = of->spans, .span_count = of->batch.sequences};
  of->batch.labels = of->labels;
  of->batch.lines = of->places;
  return &of->batch;
}

// --- The three kinds

static struct samples make(struct lm_samples *of, size_t count) {
  return (struct samples){.count = count, .user = of, .rows = count_rows, .count_targets = count_targets, .fill = fill_batch,
                          .paths = of->stream->paths, .ledger = &of->stream->ledger};
}

struct samples lm_blocks(struct lm_samples *of) {
  return make(of, (size_t)((of->stream->count + of->context - 1) / of->context));
}

static bool add_windows(struct lm_samples *of, size_t *capacity, uint64_t first, uint64_t end, size_t stride,
                        struct error *error) {
  // From a last token without a label nothing is learnt, and no other sees it.
  if (end > first && of->stream->end_id < 0) end--;
  for (uint64_t done = first; done < end;) {
    uint64_t next = done == first ? first + of->context : done + stride;
    if (next > end) next = end;
    uint64_t start = next - first > of->context ? next - of->context : first;
    if (!memory_grow(error, &of->runs, capacity, of->run_count + 1, sizeof *of->runs)) return false;
    of->runs[of->run_count++] = (struct token_run){start, (uint32_t)(next - start), (uint32_t)(next - done)};
    done = next;
  }
  return true;
}

bool lm_windows(struct lm_samples *of, size_t stride, struct samples *samples, struct error *error) {
  const struct token_stream *stream = of->stream;
  size_t capacity = 0;
  bool ok = true;
  if (of->cross) ok = add_windows(of, &capacity, 0, stream->count, stride, error);
  for (size_t d = 0; ok && !of->cross && d < stream->document_count; d++)
    ok = add_windows(of, &capacity, stream->documents[d].start, stream_document_end(stream, d), stride, error);
  *samples = make(of, of->run_count);
  return ok;
}

bool lm_pairs(struct lm_samples *of, struct samples *samples, struct error *error) {
  const struct token_stream *stream = of->stream;
  of->run_count = stream->document_count;
  of->runs = memory_new(error, of->run_count + 1, sizeof *of->runs);
  for (size_t d = 0; of->runs && d < of->run_count; d++) {
    const struct stream_document *document = &stream->documents[d];
    uint64_t end = stream_document_end(stream, d);
    // The prompt's last token predicts the answer's first.
    of->runs[d] = (struct token_run){document->start, (uint32_t)(end - document->start), (uint32_t)(end - document->answer + 1)};
  }
  *samples = make(of, of->run_count);
  return of->runs != NULL;
}

void lm_samples_free(struct lm_samples *of) {
  free(of->runs);
  free(of->ids);
  free(of->positions);
  free(of->labels);
  free(of->keys);
  free(of->places);
  free(of->spans);
  *of = (struct lm_samples){0};
}
