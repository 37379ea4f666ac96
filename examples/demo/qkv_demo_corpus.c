// qkv-demo-corpus DIRECTORY [--seed N] [--train N] [--valid N] [--test N]
// Writes parallel English and Spanish text of the demo's synthetic language.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo_corpus.h"

struct arguments {
  const char *directory;
  uint64_t seed;
  size_t wanted[SPLITS];
};

static const char *const usage = "usage: qkv-demo-corpus DIRECTORY [--seed N] [--train N] [--valid N] [--test N]\n";

static bool read_number(const char *text, uint64_t *number) {
  char *end;
  if (!text || *text < '0' || *text > '9') return false;
  *number = strtoull(text, &end, 10);
  return !*end && *number < 1000000000;
}

static bool read_arguments(struct arguments *arguments, int count, char **words) {
  static const char *const options[SPLITS] = {"--train", "--valid", "--test"};
  for (int i = 1; i < count; i++) {
    uint64_t number;
    bool option = !strncmp(words[i], "--", 2), known = false;
    if (!option && arguments->directory) return false;
    if (!option) arguments->directory = words[i];
    if (!option) continue;
    if (!read_number(words[i + 1], &number)) return false;  // the list ends with NULL
    for (int split = 0; split < SPLITS; split++) {
      if (strcmp(words[i], options[split])) continue;
      arguments->wanted[split] = number;
      known = true;
    }
    if (!strcmp(words[i], "--seed")) {
      arguments->seed = number;
      known = true;
    }
    if (!known) return false;
    i++;
  }
  return arguments->directory;
}

int main(int count, char **words) {
  struct arguments arguments = {.seed = 1, .wanted = {24000, 400, 800}};
  if (!read_arguments(&arguments, count, words)) {
    fputs(usage, stderr);
    return 2;
  }
  struct error error = {0};
  struct corpus corpus;
  bool done = corpus_make(&corpus, arguments.seed, arguments.wanted, &error);
  done = done && corpus_write(&corpus, arguments.directory, &error);
  if (done)
    printf("%s: %zu pairs to learn from, %zu to watch the training, %zu to test\n", arguments.directory,
           corpus.counts[TRAIN], corpus.counts[VALID], corpus.counts[TEST]);
  else
    fprintf(stderr, "qkv-demo-corpus: %s\n", error.message);
  corpus_free(&corpus);
  return !done;
}
