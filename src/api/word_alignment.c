#include "api/word_alignment.h"

#include <stdlib.h>

#include "base/memory.h"

struct word_pair {
  int source, target;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static int count_words(const char *text, size_t size) {
  int words = 0;
  for (size_t i = 0; i < size; i++) words += !is_blank(text[i]) && (i == 0 || is_blank(text[i - 1]));
  return words;
}

// The word that the bytes [start, end) of the text belong to, by their last one that is no blank; -1 if all are.
static int word_of(const char *text, size_t start, size_t end) {
  while (end > start && is_blank(text[end - 1])) end--;
  return end > start ? count_words(text, end) - 1 : -1;
}

static int compare(const void *a, const void *b) {
  const struct word_pair *x = a, *y = b;
  return x->source != y->source ? (x->source > y->source) - (x->source < y->source)
                                : (x->target > y->target) - (x->target < y->target);
}

bool word_alignment_add(struct buffer *out, const struct aligned_piece *piece, const struct tokenizer *tokenizer,
                        int *source_words, int *target_words, struct error *error) {
  const char *source_text = piece->source_text + piece->source->start;
  struct word_pair *pairs = memory_new(error, piece->target_count + 1, sizeof *pairs);
  struct buffer text = {0};
  size_t before = 0;
  int count = 0;
  for (int i = 0; pairs && i < piece->target_count; i++) {
    // What a token adds to the text shows when it is decoded with all tokens before it.
    buffer_clear(&text);
    if (!tokenizer_decode(tokenizer, piece->target, (size_t)i + 1, true, &text, error)) break;
    int target = text.size > before ? word_of(buffer_string(&text), before, text.size) : -1;
    int from = piece->alignment[i];
    int source = word_of(source_text, piece->source->starts[from], piece->source->ends[from]);
    if (target >= 0 && source >= 0) pairs[count++] = (struct word_pair){*source_words + source, *target_words + target};
    before = text.size;
  }
  if (count) qsort(pairs, count, sizeof *pairs, compare);
  for (int i = 0; i < count; i++)
    if (i == 0 || compare(&pairs[i - 1], &pairs[i]) != 0)
      buffer_format(out, "%s%d-%d", out->size ? " " : "", pairs[i].source, pairs[i].target);
  *source_words += count_words(source_text, piece->source->size);
  *target_words += count_words(buffer_string(&text), text.size);
  bool fine = pairs && buffer_check(&text, error) && error->code == ERROR_NONE;
  buffer_free(&text);
  free(pairs);
  return fine;
}
