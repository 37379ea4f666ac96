// Regular expressions of tokenizer.json, or plain texts to look for, matched under a limit.
//
// `tokenizers` matches with Oniguruma in Ruby's syntax, qkv with PCRE2: the pattern is translated where the two read the
// same text differently (\s, \w, \h, \b, names of scripts, ^, $), and refused where it cannot be.
#pragma once
#include "base/buffer.h"
#include "base/error.h"

struct pattern;
struct pattern_scratch;  // of one thread; made by the first match, freed by pattern_scratch_free

struct pattern *pattern_regex(const char *regex, const char *name, struct error *error);
struct pattern *pattern_text(const char *text, struct error *error);
void pattern_free(struct pattern *pattern);
void pattern_scratch_free(struct pattern_scratch *scratch);

// The first match at or after `from` in valid UTF-8. 1: found, [*start, *end) is it; 0: none; -1: error set (the limit).
int pattern_match(const struct pattern *pattern, const char *text, size_t size, size_t from, size_t *start, size_t *end,
                  struct pattern_scratch **scratch, struct error *error);
