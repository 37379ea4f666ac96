// A verb is what follows `qkv`: a table row with its usage, options and function. Each has a file of its own, verb_NAME.c,
// that defines `const struct verb verb_NAME`; the list below makes it known.
#pragma once
#include "cli/option.h"

struct call;

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_MISUSED = 2, EXIT_CUT = 3 };

// Options that the framework itself acts on; a verb takes those that mean something to it.
enum common { COMMON_THREADS = 1, COMMON_QUIET = 2, COMMON_PROFILE = 4 };

struct verb {
  const char *name;         // "translate", "tokenizer train"
  const char *usage;        // the arguments: "MODEL [FILE]"; several lines for several forms
  const char *summary;      // a few words, lower case, for the list of verbs
  const char *description;  // sentences; paragraphs are separated by "\n"
  const char *example;      // command lines, separated by "\n"
  size_t least, most;       // how many arguments
  enum common common;
  size_t size;                        // of struct arguments
  void (*defaults)(void *arguments);  // called on zeroed memory; may be NULL
  const struct option *options;
  size_t option_count;
  int (*run)(struct call *call);  // returns an exit status
};

#define VERB_OPTIONS(table) .options = table, .option_count = sizeof table / sizeof *table
#define ANY_NUMBER SIZE_MAX

// One invocation.
struct call {
  const struct verb *verb;
  void *arguments;               // the verb's struct arguments, filled
  struct qkv_strings positional;
  bool *given;                   // per option, in the order of verb_option
  int64_t threads;
  bool quiet, profile, help;
};

// The verbs in the order of the help. `name` is that of the variable: verb_name.
#define VERBS(VERB)     \
  VERB(train)           \
  VERB(translate)       \
  VERB(generate)        \
  VERB(fill)            \
  VERB(eval)            \
  VERB(score)           \
  VERB(predict)         \
  VERB(embed)           \
  VERB(similar)         \
  VERB(inspect)         \
  VERB(attend)          \
  VERB(info)            \
  VERB(bench)           \
  VERB(forward)         \
  VERB(tokenize)        \
  VERB(detokenize)      \
  VERB(tokenizer_train) \
  VERB(help)

#define VERB_DECLARE(name) extern const struct verb verb_##name;
VERBS(VERB_DECLARE)

extern const struct verb *const verbs[];
extern const size_t verb_count;

// The option of that number: the verb's own, then the common ones it takes; NULL after the last.
const struct option *verb_option(const struct verb *verb, size_t index);
// Where the option's value goes, given the call.
void *verb_option_field(const struct call *call, size_t index);
// The verb that the words start with, and how many words its name has; NULL if there is none.
const struct verb *verb_find(char *const *words, size_t count, size_t *used);
// The verb whose name is nearest to `name`, or NULL if none is near.
const char *verb_nearest(const char *name);

// Whether the caller gave the option. The name must be one of the verb's.
bool call_given(const struct call *call, const char *name);
// Reports a wrong call on standard error, with where to read on. Returns EXIT_MISUSED.
int call_misused(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Returns true, after saying so, if both options were given; `why` ends the sentence "--a and --b contradict each other: ".
bool call_contradicts(const struct call *call, const char *a, const char *b, const char *why);
// Returns true, after saying so, if `name` was given without `needed`.
bool call_lacks(const struct call *call, const char *name, const char *needed);

// A context whose warnings go to standard error. Ends the process when there is no memory even for that.
struct qkv_context *call_context(const struct call *call);
// Opens a model for products in dtype ("auto", "f32", "bf16") and notes on standard error by which path it runs. NULL after a
// failure, about which call_failed can tell.
struct qkv_model *call_open_model(const struct call *call, struct qkv_context *context, const char *directory, const char *dtype);
// Says the context's message on standard error. Returns the exit status that belongs to it.
int call_failed(const struct call *call, const struct qkv_context *context);

// Fills the call from the command line after the verb. Returns EXIT_DONE or EXIT_MISUSED, having said why.
int call_parse(struct call *call, int count, char **words);
void call_free(struct call *call);
