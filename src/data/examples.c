#include "data/examples.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { BLOCK_SIZE = 1 << 20 };

struct example_block {
  struct example_block *next;
  size_t used, size;
  _Alignas(16) char bytes[];
};

void *example_memory(struct examples *examples, size_t bytes, struct error *error) {
  struct example_block *block = examples->blocks;
  bytes = (bytes + 15) & ~(size_t)15;
  if (!block || block->size - block->used < bytes) {
    size_t size = bytes > BLOCK_SIZE ? bytes : BLOCK_SIZE;
    if (!(block = memory_new(error, 1, sizeof *block + size))) return NULL;
    block->size = size;
    block->next = examples->blocks;
    examples->blocks = block;
  }
  block->used += bytes;
  return block->bytes + block->used - bytes;
}

struct text_line example_text(struct examples *examples, const char *text, size_t size, struct error *error) {
  char *copy = example_memory(examples, size + 1, error);
  if (copy) memcpy(copy, text, size);
  return (struct text_line){copy, copy ? size : 0};
}

struct example *example_add(struct examples *examples, uint64_t place, struct error *error) {
  if (!memory_grow(error, &examples->items, &examples->capacity, examples->count + 1, sizeof *examples->items)) return NULL;
  struct example *example = &examples->items[examples->count++];
  *example = (struct example){.place = place};
  return example;
}

bool example_next_line(const char **at, const char *end, struct text_line *line) {
  if (*at >= end) return false;
  const char *start = *at, *stop = memchr(start, '\n', (size_t)(end - start));
  *at = stop ? stop + 1 : end;
  if (!stop) stop = end;
  else if (stop > start && stop[-1] == '\r') stop--;
  *line = (struct text_line){start, (size_t)(stop - start)};
  return true;
}

// What follows "B-" or "I-", or NULL for what is outside of any entity.
static const char *entity_type(struct text_line tag) {
  return tag.size > 2 && (tag.text[0] == 'B' || tag.text[0] == 'I') && tag.text[1] == '-' ? tag.text + 2 : NULL;
}

// An I-X has to follow B-X or I-X.
static bool tags_are_consistent(const struct text_line *tags, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *type = entity_type(tags[i]), *before = i ? entity_type(tags[i - 1]) : NULL;
    if (type && tags[i].text[0] == 'I' && (!before || strcmp(type, before) != 0)) return false;
  }
  return true;
}

bool example_add_words(struct examples *examples, uint64_t place, const struct text_line *words, const struct text_line *tags,
                       size_t count, struct error *error) {
  struct example *example = example_add(examples, place, error);
  if (!example) return false;
  example->part_count = count;
  example->parts = example_memory(examples, count * sizeof *words, error);
  if (tags) example->tags = example_memory(examples, count * sizeof *tags, error);
  if (!example->parts || (tags && !example->tags)) return false;
  memcpy(example->parts, words, count * sizeof *words);
  if (!tags) return true;
  memcpy(example->tags, tags, count * sizeof *tags);
  return tags_are_consistent(tags, count) || ledger_add(&examples->ledger, LEDGER_BROKEN_TAGS, place, error);
}

bool example_read_text(struct examples *examples, const struct example_source *source) {
  const char *at = source->text, *end = at + source->size;
  struct text_line line;
  for (uint64_t number = 1; example_next_line(&at, end, &line); number++) {
    const char *tab = source->options->shape == EXAMPLE_TEXT ? memchr(line.text, '\t', line.size) : NULL;
    struct example *example = example_add(examples, place_of(source->file, number), source->error);
    if (!example) return false;
    size_t first = tab ? (size_t)(tab - line.text) : line.size;
    example->text = example_text(examples, line.text, first, source->error);
    if (tab) example->pair = example_text(examples, tab + 1, line.size - first - 1, source->error);
  }
  return source->error->code == ERROR_NONE;
}

static const struct reader {
  const char *format;
  bool (*read)(struct examples *examples, const struct example_source *source);
} readers[] = {{"text", example_read_text},
               {"tsv", example_read_tsv},
               {"jsonl", example_read_jsonl},
               {"json", example_read_squad},
               {"conll", example_read_conll}};

static const char *format_of(const char *path, const struct example_options *options) {
  if (options->format) return options->format;
  const char *ending = strrchr(path, '.');
  ending = ending ? ending + 1 : "";
  if (strcmp(ending, "jsonl") == 0) return "jsonl";
  switch (options->shape) {
    case EXAMPLE_WORDS: return "conll";
    case EXAMPLE_QUESTION: return "json";
    case EXAMPLE_CHOICE: return "jsonl";
    default: return strcmp(ending, "tsv") == 0 || options->labelled ? "tsv" : "text";
  }
}

static bool read_source(struct examples *examples, const struct example_source *source) {
  const char *format = format_of(source->path, source->options);
  for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
    if (strcmp(readers[i].format, format) == 0) return readers[i].read(examples, source);
  return error_set(source->error, ERROR_USAGE, "%s: the format \"%s\" is unknown; wanted text, tsv, jsonl, json or conll",
                   source->path, format);
}

bool examples_read(struct examples *examples, const char *path, const struct example_options *options, struct error *error) {
  const char **paths = memory_resize(error, examples->paths, examples->path_count + 1, sizeof *paths);
  if (!paths) return false;
  examples->paths = paths;
  struct buffer content = {0};
  char *name = memory_copy_text(error, strcmp(path, "-") == 0 ? "standard input" : path);
  if (!name) return false;
  paths[examples->path_count++] = name;
  examples->shape = options->shape;
  bool ok = file_read(&content, path, error);
  if (ok) {
    struct example_source source = {name, examples->path_count - 1, buffer_string(&content), content.size, options, error};
    if (source.size >= 3 && memcmp(source.text, "\xEF\xBB\xBF", 3) == 0) {
      source.text += 3;
      source.size -= 3;
    }
    ok = read_source(examples, &source);
  }
  buffer_free(&content);
  return ok;
}

bool examples_hold_out(struct examples *examples, struct examples *valid, double share, struct error *error) {
  *valid = (struct examples){.shape = examples->shape};
  valid->items = memory_new(error, examples->count + 1, sizeof *valid->items);
  valid->paths = memory_new(error, examples->path_count + 1, sizeof *valid->paths);
  if (!valid->items || !valid->paths) return false;
  for (size_t i = 0; i < examples->path_count; i++)
    if (!(valid->paths[valid->path_count++] = memory_copy_text(error, examples->paths[i]))) return false;
  size_t kept = 0;
  for (size_t i = 0; i < examples->count; i++) {
    const struct example *example = &examples->items[i];
    uint64_t words = 0;
    for (size_t k = 0; examples->shape == EXAMPLE_WORDS && k < example->part_count; k++)
      words = text_fingerprint(words, example->parts[k]);
    // Questions about one context stay on one side.
    struct text_line text = examples->shape == EXAMPLE_QUESTION ? example->pair
                            : examples->shape == EXAMPLE_WORDS  ? (struct text_line){(const char *)&words, sizeof words}
                                                                : example->text;
    if (parallel_text_held_out(text, share)) valid->items[valid->count++] = *example;
    else examples->items[kept++] = *example;
  }
  examples->count = kept;
  return true;
}

void examples_free(struct examples *examples) {
  for (struct example_block *block = examples->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  for (size_t i = 0; i < examples->path_count; i++) free((char *)examples->paths[i]);
  free(examples->paths);
  free(examples->items);
  ledger_free(&examples->ledger);
  *examples = (struct examples){0};
}
