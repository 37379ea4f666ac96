// Options as tables: one row says an option's name, kind, bounds and help text, and the parser, --help, the man page, the
// completions and docs/command.md are all made from it.
//
// A verb declares `struct arguments` in its file; a row names the field that its value goes to. The value before parsing,
// set by the verb's `defaults` function, is the default that the help shows.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qkv.h"

enum option_kind {
  OPTION_KIND_GROUP,     // not an option: a heading in the help
  OPTION_KIND_FLAG,      // bool, no value
  OPTION_KIND_SWITCH,    // bool, "on" or "off"
  OPTION_KIND_INTEGER,   // int64_t
  OPTION_KIND_NUMBER,    // double
  OPTION_KIND_SIZE,      // int64_t, bytes: 512M, 4G
  OPTION_KIND_DURATION,  // double, seconds: 90s, 20m, 1h30m
  OPTION_KIND_TEXT,      // const char *
  OPTION_KIND_CHOICE,    // const char *, one of the words in `value`
  OPTION_KIND_FILE,      // const char *
  OPTION_KIND_TEXTS,     // struct qkv_strings; the option may be repeated, each time with one value
  OPTION_KIND_FILES,     // struct qkv_strings; takes all arguments up to the next option, and may be repeated
};

struct option {
  enum option_kind kind;
  const char *name;   // without dashes
  char letter;        // 'o' for -o; 0 without
  size_t offset;      // of the field
  const char *value;  // what stands for the value in the help: "N", "FILE"; the words of a choice: "text|tsv|jsonl"
  double low, high;   // inclusive bounds of integers, numbers, sizes and durations
  const char *help;   // one sentence, lower case, without a full stop
  const char *unset;  // what an empty, zero or NULL default means: "all processors"; NULL shows no default then
};

#define NO_LIMIT 9007199254740992.0  // 2^53: beyond this a double does not hold every integer

// Offset of a field of `struct arguments` whose type must be `type`.
#define OPTION_FIELD(field, type) \
  (offsetof(struct arguments, field) + \
   0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((struct arguments *)0)->field), type) ? 1 : -1]))

#define OPTION_GROUP(heading) {.kind = OPTION_KIND_GROUP, .help = heading}
#define OPTION_FLAG(field, name_, help_, ...) \
  {.kind = OPTION_KIND_FLAG, .name = name_, .offset = OPTION_FIELD(field, bool), .help = help_, __VA_ARGS__}
#define OPTION_SWITCH(field, name_, help_, ...) \
  {.kind = OPTION_KIND_SWITCH, .name = name_, .offset = OPTION_FIELD(field, bool), .value = "on|off", .help = help_, __VA_ARGS__}
#define OPTION_INTEGER(field, name_, value_, low_, high_, help_, ...) \
  {.kind = OPTION_KIND_INTEGER, .name = name_, .offset = OPTION_FIELD(field, int64_t), .value = value_, .low = low_, \
   .high = high_, .help = help_, __VA_ARGS__}
#define OPTION_NUMBER(field, name_, value_, low_, high_, help_, ...) \
  {.kind = OPTION_KIND_NUMBER, .name = name_, .offset = OPTION_FIELD(field, double), .value = value_, .low = low_, \
   .high = high_, .help = help_, __VA_ARGS__}
#define OPTION_SIZE(field, name_, value_, low_, high_, help_, ...) \
  {.kind = OPTION_KIND_SIZE, .name = name_, .offset = OPTION_FIELD(field, int64_t), .value = value_, .low = low_, \
   .high = high_, .help = help_, __VA_ARGS__}
#define OPTION_DURATION(field, name_, value_, low_, high_, help_, ...) \
  {.kind = OPTION_KIND_DURATION, .name = name_, .offset = OPTION_FIELD(field, double), .value = value_, .low = low_, \
   .high = high_, .help = help_, __VA_ARGS__}
#define OPTION_TEXT(field, name_, value_, help_, ...) \
  {.kind = OPTION_KIND_TEXT, .name = name_, .offset = OPTION_FIELD(field, const char *), .value = value_, .help = help_, \
   __VA_ARGS__}
#define OPTION_CHOICE(field, name_, words_, help_, ...) \
  {.kind = OPTION_KIND_CHOICE, .name = name_, .offset = OPTION_FIELD(field, const char *), .value = words_, .help = help_, \
   __VA_ARGS__}
#define OPTION_FILE(field, name_, value_, help_, ...) \
  {.kind = OPTION_KIND_FILE, .name = name_, .offset = OPTION_FIELD(field, const char *), .value = value_, .help = help_, \
   __VA_ARGS__}
#define OPTION_TEXTS(field, name_, value_, help_, ...) \
  {.kind = OPTION_KIND_TEXTS, .name = name_, .offset = OPTION_FIELD(field, struct qkv_strings), .value = value_, .help = help_, \
   __VA_ARGS__}
#define OPTION_FILES(field, name_, value_, help_, ...) \
  {.kind = OPTION_KIND_FILES, .name = name_, .offset = OPTION_FIELD(field, struct qkv_strings), .value = value_, .help = help_, \
   __VA_ARGS__}

// Options that several verbs have, with one wording.
#define OPTION_OUTPUT(field) \
  OPTION_FILE(field, "output", "FILE", "write the result to FILE", .letter = 'o', .unset = "standard output")
#define OPTION_DTYPE(field) \
  OPTION_CHOICE(field, "dtype", "auto|f32|bf16", \
                "in what products with weights are computed, and a decoder keeps its keys and values; auto is bf16 where the processor has " \
                "it, all else is always f32")
#define OPTION_SEED(field) OPTION_INTEGER(field, "seed", "N", 0, NO_LIMIT, "where the random numbers start")

bool option_takes_value(const struct option *option);
bool option_is_list(const struct option *option);

// Sets *field from text. On failure writes what is wrong, as the end of a sentence that starts with the option's name
// ("wants an integer from 1 to 64; got \"x\""), and returns false. Lists grow by one; the strings are not copied.
bool option_set(const struct option *option, void *field, const char *text, char *problem, size_t size);

// The bounds, "1 to 64", "at least 1"; "" without any. The default as text, "" where there is nothing to say.
const char *option_bounds(const struct option *option, char *out, size_t size);
const char *option_default(const struct option *option, const void *field, char *out, size_t size);
