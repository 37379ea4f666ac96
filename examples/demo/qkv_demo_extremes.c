// qkv-demo-extremes HYPOTHESES REFERENCES SOURCES
// Prints how many sentences are translated exactly as the reference says, the three longest of them, and the three worst by
// their own BLEU.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "metrics/bleu.h"

enum { SHOWN = 3, FILES = 3 };

struct lines {
  struct buffer content;
  char **items;
  size_t count;
};

struct scored {
  size_t line, size;
  double score;
};

static bool read_lines(struct lines *lines, const char *path, struct error *error) {
  if (!file_read(&lines->content, path, error)) return false;
  size_t capacity = 0;
  for (char *at = lines->content.data, *end; at && *at; at = end + 1) {
    end = strchrnul(at, '\n');
    if (!memory_grow(error, &lines->items, &capacity, lines->count + 1, sizeof *lines->items)) return false;
    lines->items[lines->count++] = at;
    if (!*end) break;
    *end = 0;
  }
  return true;
}

// Best first; of equally good ones the longer first.
static int by_score(const void *a, const void *b) {
  const struct scored *x = a, *y = b;
  if (x->score != y->score) return x->score > y->score ? -1 : 1;
  if (x->size != y->size) return x->size > y->size ? -1 : 1;
  return x->line < y->line ? -1 : 1;
}

static bool score_all(struct scored *scored, const struct lines files[FILES], struct error *error) {
  const struct bleu_options options = {.effective_order = true};
  for (size_t i = 0; i < files[0].count; i++) {
    struct bleu_statistics statistics = {0};
    struct metric_text reference = metric_text(files[1].items[i]);
    if (!bleu_add(&statistics, &options, metric_text(files[0].items[i]), &reference, 1, error)) return false;
    scored[i] = (struct scored){i, reference.size, bleu_score(&statistics, &options).score};
  }
  qsort(scored, files[0].count, sizeof *scored, by_score);
  return true;
}

static void show(const struct lines files[FILES], const struct scored *scored) {
  const char *hypothesis = files[0].items[scored->line], *reference = files[1].items[scored->line];
  bool right = !strcmp(hypothesis, reference);
  printf("  %5.1f  %s\n         %s\n", scored->score, files[2].items[scored->line], hypothesis);
  if (!right) printf("         (should be: %s)\n", reference);
}

static void report(const struct lines files[FILES], const struct scored *scored) {
  size_t count = files[0].count, right = 0, shown = count < SHOWN ? count : SHOWN;
  for (size_t i = 0; i < count; i++) right += !strcmp(files[0].items[i], files[1].items[i]);
  printf("%zu of %zu sentences are exactly right.\n\nThe best three, by the BLEU of each:\n", right, count);
  for (size_t i = 0; i < shown; i++) show(files, &scored[i]);
  printf("\nThe worst three:\n");
  for (size_t i = 0; i < shown; i++) show(files, &scored[count - 1 - i]);
}

int main(int count, char **arguments) {
  struct lines files[FILES] = {0};
  struct error error = {0};
  if (count != 1 + FILES) {
    fputs("usage: qkv-demo-extremes HYPOTHESES REFERENCES SOURCES\n", stderr);
    return 2;
  }
  bool fine = true;
  for (int i = 0; fine && i < FILES; i++) fine = read_lines(&files[i], arguments[i + 1], &error);
  if (fine && (files[0].count != files[1].count || files[0].count != files[2].count))
    fine = error_set(&error, ERROR_FORMAT, "the files have %zu, %zu and %zu lines; they must be equally long", files[0].count,
                     files[1].count, files[2].count);
  struct scored *scored = fine ? memory_new(&error, files[0].count, sizeof *scored) : NULL;
  if (scored && score_all(scored, files, &error)) report(files, scored);
  if (error.code) fprintf(stderr, "qkv-demo-extremes: %s\n", error.message);
  for (int i = 0; i < FILES; i++) {
    buffer_free(&files[i].content);
    free(files[i].items);
  }
  free(scored);
  return error.code != ERROR_NONE;
}
