#include "api/word_alignment.h"

#include <stdlib.h>

#include "base/memory.h"
#include "text/text_stream.h"

struct word_pair {
  int source, target;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// [size + 1] how many words begin before each byte; the last one is the number of words. NULL and error set on failure.
static int *count_words(const char *text, size_t size, struct error *error) {
  int *begun = memory_new(error, size + 1, sizeof *begun);
  for (size_t i = 0; begun && i < size; i++) begun[i + 1] = begun[i] + (!is_blank(text[i]) && (i == 0 || is_blank(text[i - 1])));
  return begun;
}

// The word that the bytes [start, end) of the text belong to, by their last one that is no blank; -1 if all are.
static int word_of(const char *text, const int *begun, size_t start, size_t end) {
  while (end > start && is_blank(text[end - 1])) end--;
  return end > start ? begun[end] - 1 : -1;
}

static int compare(const void *a, const void *b) {
  const struct word_pair *x = a, *y = b;
  return x->source != y->source ? (x->source > y->source) - (x->source < y->source)
                                : (x->target > y->target) - (x->target < y->target);
}

// ends [target_count] receives how much text there is after each token, the last one's including what was left over.
static bool target_text(struct buffer *text, size_t *ends, const struct aligned_piece *piece, const struct tokenizer *tokenizer,
                        struct error *error) {
  struct text_stream stream = {0};
  bool fine = text_stream_start(&stream, tokenizer, NULL, 0, error);
  for (int i = 0; fine && i < piece->target_count; i++) {
    fine = text_stream_add(&stream, piece->target[i], text, error);
    if (fine && i + 1 == piece->target_count) fine = text_stream_finish(&stream, text, error);
    ends[i] = text->size;
  }
  text_stream_free(&stream);
  return fine;
}

bool word_alignment_add(struct buffer *out, const struct aligned_piece *piece, const struct tokenizer *tokenizer,
                        int *source_words, int *target_words, struct error *error) {
  const char *source_text = piece->source_text + piece->source->start;
  struct buffer text = {0};
  struct word_pair *pairs = memory_new(error, piece->target_count + 1, sizeof *pairs);
  size_t *ends = memory_new(error, piece->target_count + 1, sizeof *ends);
  bool fine = pairs && ends && target_text(&text, ends, piece, tokenizer, error);
  int *source_begun = fine ? count_words(source_text, piece->source->size, error) : NULL;
  int *target_begun = fine ? count_words(buffer_string(&text), text.size, error) : NULL;
  int count = 0;
  fine = source_begun && target_begun;
  for (int i = 0; fine && i < piece->target_count; i++) {
    int from = piece->alignment[i], target = word_of(buffer_string(&text), target_begun, i ? ends[i - 1] : 0, ends[i]);
    int source = word_of(source_text, source_begun, piece->source->starts[from], piece->source->ends[from]);
    if (target >= 0 && source >= 0) pairs[count++] = (struct word_pair){*source_words + source, *target_words + target};
  }
  if (count) qsort(pairs, count, sizeof *pairs, compare);
  for (int i = 0; i < count; i++)
    if (i == 0 || compare(&pairs[i - 1], &pairs[i]) != 0)
      buffer_format(out, "%s%d-%d", out->size ? " " : "", pairs[i].source, pairs[i].target);
  if (fine) {
    *source_words += source_begun[piece->source->size];
    *target_words += target_begun[text.size];
  }
  buffer_free(&text);
  free(pairs);
  free(ends);
  free(source_begun);
  free(target_begun);
  return fine;
}
