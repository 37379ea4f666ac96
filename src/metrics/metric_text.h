// What the metrics mean by text: bytes with a length, lower-casing, white space. All of it is as Python's str sees it,
// because the scores are to be those of sacreBLEU.
//
// Bytes that are not valid UTF-8 count as one character each, equal only to themselves.
#pragma once
#include <stdint.h>

#include "base/buffer.h"

// The release of sacreBLEU whose numbers ours are; tests/metrics/golden.json was made with it.
#define SACREBLEU_VERSION "2.6.0"

struct metric_text {
  const char *data;  // need not end with a zero byte; may hold zero bytes
  size_t size;
};

struct metric_text metric_text(const char *text);  // of a zero-terminated text

// The character at text (text < end), and how many bytes it takes.
int metric_character(const char *text, const char *end, uint32_t *character);
bool metric_is_space(uint32_t character);
bool metric_is_alphanumeric(uint32_t character);  // letters and numbers of all scripts; marks are neither
struct metric_text metric_trim_end(struct metric_text text);
// Cuts the next word (run of characters that are no white space) off *rest. False when there is none.
bool metric_next_word(struct metric_text *rest, struct metric_text *word);

// Appends text in lower case: Unicode's full mapping with its final sigma rule, in no language in particular
// (U+0130 becomes i and U+0307).
void metric_lowercase(struct buffer *out, struct metric_text text);
