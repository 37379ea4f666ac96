#include "cli/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/nearest.h"

#define VERB_ROW(name) &verb_##name,
const struct verb *const verbs[] = {VERBS(VERB_ROW)};
const size_t verb_count = sizeof verbs / sizeof *verbs;

static const struct {
  enum common common;
  struct option option;
} common_options[] = {
  {COMMON_THREADS,
   {.kind = OPTION_KIND_INTEGER,
    .name = "threads",
    .offset = offsetof(struct call, threads),
    .value = "N",
    .low = 1,
    .high = 1024,
    .help = "how many threads work; the result never depends on it",
    .unset = "one per processor"}},
  {COMMON_QUIET,
   {.kind = OPTION_KIND_FLAG,
    .name = "quiet",
    .letter = 'q',
    .offset = offsetof(struct call, quiet),
    .help = "no progress and no notes on standard error; warnings and errors stay"}},
  {COMMON_PROFILE,
   {.kind = OPTION_KIND_FLAG,
    .name = "profile",
    .offset = offsetof(struct call, profile),
    .help = "at the end say on standard error where the time went, by kernel and by operation, and how near that is to what the "
            "machine can do"}},
  {0, {.kind = OPTION_KIND_FLAG, .name = "help", .letter = 'h', .offset = offsetof(struct call, help), .help = "show this text"}},
};

const struct option *verb_option(const struct verb *verb, size_t index) {
  if (index < verb->option_count) return &verb->options[index];
  index -= verb->option_count;
  for (size_t i = 0; i < sizeof common_options / sizeof *common_options; i++)
    if ((common_options[i].common & ~verb->common) == 0 && index-- == 0) return &common_options[i].option;
  return NULL;
}

void *verb_option_field(const struct call *call, size_t index) {
  char *base = index < call->verb->option_count ? call->arguments : (char *)call;
  return base + verb_option(call->verb, index)->offset;
}

const struct verb *verb_find(char *const *words, size_t count, size_t *used) {
  const struct verb *found = NULL;
  for (size_t i = 0; i < verb_count; i++) {
    const char *blank = strchr(verbs[i]->name, ' ');
    size_t first = blank ? (size_t)(blank - verbs[i]->name) : strlen(verbs[i]->name);
    if (count == 0 || strlen(words[0]) != first || memcmp(words[0], verbs[i]->name, first) != 0) continue;
    if (blank && (count < 2 || strcmp(words[1], blank + 1) != 0)) continue;
    if (found && !blank) continue;
    found = verbs[i];
    *used = blank ? 2 : 1;
  }
  return found;
}

const char *verb_nearest(const char *name) {
  struct nearest nearest = nearest_start(name);
  for (size_t i = 0; i < verb_count; i++) nearest_offer(&nearest, verbs[i]->name);
  return nearest.best;
}

static size_t find_option(const struct verb *verb, const char *name, size_t length) {
  const struct option *option;
  for (size_t i = 0; (option = verb_option(verb, i)); i++)
    if (option->name && strlen(option->name) == length && memcmp(option->name, name, length) == 0) return i;
  return SIZE_MAX;
}

static size_t find_letter(const struct verb *verb, char letter) {
  const struct option *option;
  for (size_t i = 0; (option = verb_option(verb, i)); i++)
    if (letter && option->letter == letter) return i;
  return SIZE_MAX;
}

bool call_given(const struct call *call, const char *name) {
  size_t index = find_option(call->verb, name, strlen(name));
  if (index != SIZE_MAX) return call->given[index];
  message_error("internal: %s has no option --%s", call->verb->name, name);
  abort();  // a mistake in a verb's source, which any run of the verb's tests shows
}

int call_misused(const struct call *call, const char *format, ...) {
  char text[2000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  message_error("%s: %s (see qkv help %s)", call->verb->name, text, call->verb->name);
  return EXIT_MISUSED;
}

bool call_contradicts(const struct call *call, const char *a, const char *b, const char *why) {
  if (!call_given(call, a) || !call_given(call, b)) return false;
  call_misused(call, "--%s and --%s contradict each other: %s", a, b, why);
  return true;
}

bool call_lacks(const struct call *call, const char *name, const char *needed) {
  if (!call_given(call, name) || call_given(call, needed)) return false;
  call_misused(call, "--%s needs --%s", name, needed);
  return true;
}

static void show_warning(void *user, const char *text) {
  (void)user;
  message_warning("%s", text);
}

struct qkv_context *call_context(const struct call *call) {
  struct qkv_context *context = qkv_context_new();
  if (!context) {
    message_error("%s: out of memory", call->verb->name);
    exit(EXIT_FAILED);
  }
  qkv_context_on_warning(context, show_warning, NULL);
  return context;
}

struct qkv_model *call_open_model(const struct call *call, struct qkv_context *context, const char *directory,
                                  const char *dtype) {
  struct qkv_model *model = qkv_model_open(context, directory, dtype);
  if (model)
    message_note("qkv %s: %s: %s, %d thread%s", qkv_version(), call->verb->name, qkv_model_path(model), qkv_threads(),
                 qkv_threads() == 1 ? "" : "s");
  return model;
}

int call_failed(const struct call *call, const struct qkv_context *context) {
  message_error("%s: %s", call->verb->name, qkv_message(context));
  return qkv_status(context) == QKV_USAGE ? EXIT_MISUSED : EXIT_FAILED;
}

static int unknown_option(const struct call *call, const char *word, size_t length) {
  struct nearest nearest = nearest_start(word + strspn(word, "-"));
  const struct option *option;
  nearest.length = length - strspn(word, "-");
  for (size_t i = 0; (option = verb_option(call->verb, i)); i++)
    if (option->name) nearest_offer(&nearest, option->name);
  if (nearest.best) return call_misused(call, "unknown option %.*s; did you mean --%s?", (int)length, word, nearest.best);
  return call_misused(call, "unknown option %.*s", (int)length, word);
}

static bool is_option(const struct verb *verb, const char *word) {
  if (word[0] != '-' || word[1] == 0) return false;
  if (strcmp(word, "--") == 0) return true;
  if (word[1] == '-') return find_option(verb, word + 2, strcspn(word + 2, "=")) != SIZE_MAX;
  return find_letter(verb, word[1]) != SIZE_MAX && word[2] == 0;
}

static int set(struct call *call, size_t index, const char *text) {
  const struct option *option = verb_option(call->verb, index);
  char problem[500];
  if (option_set(option, verb_option_field(call, index), text, problem, sizeof problem))
    return call->given[index] = true, EXIT_DONE;
  return call_misused(call, "--%s %s", option->name, problem);
}

// Handles the option words[*at] and the values that follow it; moves *at behind them.
static int parse_option(struct call *call, int count, char **words, int *at) {
  char *word = words[(*at)++];
  bool is_long = word[1] == '-';
  size_t length = is_long ? strcspn(word, "=") : 2;
  size_t index = is_long ? find_option(call->verb, word + 2, length - 2) : find_letter(call->verb, word[1]);
  if (index == SIZE_MAX) return unknown_option(call, word, is_long ? length : strlen(word));
  const struct option *option = verb_option(call->verb, index);
  const char *value = word[length] ? word + length + (word[length] == '=') : NULL;

  if (!option_takes_value(option)) {
    if (value) return call_misused(call, "--%s takes no value; got \"%s\"", option->name, value);
    return set(call, index, "");
  }
  if (value) return set(call, index, value);
  if (*at == count) return call_misused(call, "--%s wants a value: --%s %s", option->name, option->name, option->value);
  if (is_option(call->verb, words[*at]))
    return call_misused(call, "--%s wants a value, and %s is an option; if the value is meant, write --%s=%s", option->name,
                        words[*at], option->name, words[*at]);
  do {
    int status = set(call, index, words[(*at)++]);
    if (status != EXIT_DONE) return status;
  } while (option->kind == OPTION_KIND_FILES && *at < count && (words[*at][0] != '-' || words[*at][1] == 0));
  return EXIT_DONE;
}

// The n-th word of the usage, "MODEL" from "MODEL [FILE]".
static void positional_name(const struct verb *verb, size_t n, char *out, size_t size) {
  const char *at = verb->usage;
  while (n-- && *at) {
    at += strcspn(at, " \n");
    at += *at == ' ';
  }
  snprintf(out, size, "%.*s", (int)strcspn(at, " .\n"), at);
}

int call_parse(struct call *call, int count, char **words) {
  size_t options = 0;
  while (verb_option(call->verb, options)) options++;
  call->given = calloc(options + 1, sizeof *call->given);
  call->arguments = calloc(1, call->verb->size + 1);
  call->positional.items = calloc((size_t)count + 1, sizeof *call->positional.items);
  if (!call->given || !call->arguments || !call->positional.items) {
    message_error("out of memory");
    return EXIT_FAILED;
  }
  if (call->verb->defaults) call->verb->defaults(call->arguments);

  bool only_arguments = false;
  for (int at = 0; at < count;) {
    if (!only_arguments && strcmp(words[at], "--") == 0) {
      only_arguments = true;
      at++;
    } else if (!only_arguments && words[at][0] == '-' && words[at][1]) {
      int status = parse_option(call, count, words, &at);
      if (status != EXIT_DONE) return status;
    } else {
      call->positional.items[call->positional.count++] = words[at++];
    }
  }
  if (call->help) return EXIT_DONE;
  if (call->positional.count < call->verb->least) {
    char name[100];
    positional_name(call->verb, call->positional.count, name, sizeof name);
    return call_misused(call, "%s is missing: qkv %s %.*s", name, call->verb->name, (int)strcspn(call->verb->usage, "\n"),
                        call->verb->usage);
  }
  if (call->positional.count > call->verb->most)
    return call_misused(call, "one argument too many: \"%s\"; the call is qkv %s %.*s", call->positional.items[call->verb->most],
                        call->verb->name, (int)strcspn(call->verb->usage, "\n"), call->verb->usage);
  return EXIT_DONE;
}

void call_free(struct call *call) {
  for (size_t i = 0; call->given && call->arguments && verb_option(call->verb, i); i++)
    if (option_is_list(verb_option(call->verb, i))) free(((struct qkv_strings *)verb_option_field(call, i))->items);
  free(call->given);
  free(call->arguments);
  free(call->positional.items);
}
