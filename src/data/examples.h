// Labelled examples as files hold them, whatever the format: a text or a pair of texts with a label, words with tags, a question
// about a context with its answers, a question with choices.
//
// All texts lie in memory of the examples and are followed by a zero byte. A text whose pointer is NULL is not there at all,
// which differs from an empty one. Tags, answers' starts and choices are checked while reading: an error names the file and line.
#pragma once
#include "data/ledger.h"
#include "data/parallel_text.h"

enum example_shape { EXAMPLE_TEXT, EXAMPLE_WORDS, EXAMPLE_QUESTION, EXAMPLE_CHOICE };

struct example {
  uint64_t place;            // file << 48 | 1-based line; questions of SQuAD's JSON are counted instead of lines
  struct text_line text;     // of questions and choices: the question
  struct text_line pair;     // the second text; of questions: the context
  struct text_line label;    // of choices: the number of the right one, from 0
  struct text_line id;       // of questions
  struct text_line *parts;   // [part_count] words, answers or choices
  struct text_line *tags;    // [part_count] of words; NULL: there are none
  size_t *starts;            // [part_count] of answers: bytes into the context
  size_t part_count;
  bool impossible;           // a question that the context does not answer
};

struct examples {
  enum example_shape shape;
  struct example *items;     // [count]
  size_t count, capacity;
  const char **paths;        // [path_count] by file number
  size_t path_count;
  struct ledger ledger;      // of what was dropped or repaired while reading
  struct example_block *blocks;
};

struct example_options {
  enum example_shape shape;
  const char *format;        // "text", "tsv", "jsonl", "json" (SQuAD's), "conll"; NULL: by the file's ending
  const char *columns;       // "label,text,pair" in the file's order, "-" for one to skip; NULL: from the header
  bool no_header;            // the first line of a TSV is data
  bool labelled;             // a label has to be there
  bool placed;               // questions whose answer is not where it is said to stand are dropped: nobody can learn from them
};

// Adds a file's examples ("-" is standard input). Starts from all zero; the shape is that of the first file.
bool examples_read(struct examples *examples, const char *path, const struct example_options *options, struct error *error);
// Moves the share of the examples that is held out for validation, a function of their texts alone, to `valid`, whose texts go on
// belonging to `examples`. Returns false when memory is short.
bool examples_hold_out(struct examples *examples, struct examples *valid, double share, struct error *error);
void examples_free(struct examples *examples);

// ---- for the readers of one format each ----

struct example_source {
  const char *path;
  size_t file;                            // its number
  const char *text;
  size_t size;
  const struct example_options *options;
  struct error *error;
};

// The next line of a text without its end; false after the last.
bool example_next_line(const char **at, const char *end, struct text_line *line);
struct example *example_add(struct examples *examples, uint64_t place, struct error *error);
void *example_memory(struct examples *examples, size_t bytes, struct error *error);  // zeroed; lives as long as the examples
struct text_line example_text(struct examples *examples, const char *text, size_t size, struct error *error);
// Adds words with tags (NULL: none), having looked at the tags: inconsistent ones are kept and counted.
bool example_add_words(struct examples *examples, uint64_t place, const struct text_line *words, const struct text_line *tags,
                       size_t count, struct error *error);

bool example_read_text(struct examples *examples, const struct example_source *source);
bool example_read_tsv(struct examples *examples, const struct example_source *source);
bool example_read_jsonl(struct examples *examples, const struct example_source *source);
bool example_read_squad(struct examples *examples, const struct example_source *source);
bool example_read_conll(struct examples *examples, const struct example_source *source);
