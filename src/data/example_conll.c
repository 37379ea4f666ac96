// Files in the form of CoNLL-2003: a word a line, its columns separated by blanks or TABs, the word first and the tag last; a
// blank line after each sentence; -DOCSTART- lines are skipped. Without labels every line may hold the word alone.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/examples.h"

struct sentence {
  struct text_line *words, *tags;
  size_t count, word_capacity, tag_capacity;
  uint64_t place;
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool end_sentence(struct examples *examples, struct sentence *sentence, bool tagged, struct error *error) {
  if (!sentence->count) return true;
  bool ok = example_add_words(examples, sentence->place, sentence->words, tagged ? sentence->tags : NULL, sentence->count, error);
  sentence->count = 0;
  return ok;
}

static bool add_word(struct examples *examples, const struct example_source *source, struct sentence *sentence,
                     struct text_line line, uint64_t number) {
  size_t end = line.size, word = 0;
  while (end && is_blank(line.text[end - 1])) end--;
  while (word < end && !is_blank(line.text[word])) word++;
  size_t tag = end;
  while (tag && !is_blank(line.text[tag - 1])) tag--;
  if (source->options->labelled && tag == 0)
    return error_set(source->error, ERROR_FORMAT, "%s line %llu: \"%.*s\" has no tag; wanted the word first and its tag last",
                     source->path, (unsigned long long)number, (int)(end < 100 ? end : 100), line.text);
  if (!sentence->count) sentence->place = place_of(source->file, number);
  if (!memory_grow(source->error, &sentence->words, &sentence->word_capacity, sentence->count + 1, sizeof *sentence->words) ||
      !memory_grow(source->error, &sentence->tags, &sentence->tag_capacity, sentence->count + 1, sizeof *sentence->tags))
    return false;
  sentence->words[sentence->count] = example_text(examples, line.text, word, source->error);
  sentence->tags[sentence->count++] = example_text(examples, line.text + tag, tag ? end - tag : 0, source->error);
  return source->error->code == ERROR_NONE;
}

// Whether every line has a tag beside its word, in which case they are read even if nobody asked for labels.
static bool has_tags(const struct example_source *source) {
  const char *at = source->text, *end = at + source->size;
  struct text_line line;
  while (example_next_line(&at, end, &line)) {
    size_t size = line.size, first = 0;
    while (size && is_blank(line.text[size - 1])) size--;
    while (first < size && !is_blank(line.text[first])) first++;
    if (size && first == size) return false;
  }
  return true;
}

bool example_read_conll(struct examples *examples, const struct example_source *source) {
  struct sentence sentence = {0};
  const char *at = source->text, *end = at + source->size;
  bool ok = source->options->shape == EXAMPLE_WORDS ||
            error_set(source->error, ERROR_USAGE, "%s: words with tags belong to --task tag", source->path);
  bool tagged = source->options->labelled || has_tags(source);
  struct text_line line;
  for (uint64_t number = 1; ok && example_next_line(&at, end, &line); number++) {
    bool blank = true;
    for (size_t i = 0; blank && i < line.size; i++) blank = is_blank(line.text[i]);
    bool start = line.size >= 10 && memcmp(line.text, "-DOCSTART-", 10) == 0;
    ok = blank || start ? end_sentence(examples, &sentence, tagged, source->error)
                        : add_word(examples, source, &sentence, line, number);
  }
  ok = ok && end_sentence(examples, &sentence, tagged, source->error);
  free(sentence.words);
  free(sentence.tags);
  return ok;
}
