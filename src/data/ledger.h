// The ledger: what became of every line that was read. Nothing is dropped, cut or repaired without an entry here.
//
// Invariant: read == kept + the counts of all reasons that drop. A line may have several entries that don't drop.
#pragma once
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum ledger_reason {
  LEDGER_EMPTY_BOTH,    // dropped from here on
  LEDGER_EMPTY_SOURCE,
  LEDGER_EMPTY_TARGET,
  LEDGER_EMPTY_TEXT,
  LEDGER_TOO_LONG,
  LEDGER_NO_ANSWER,     // a question whose context does not hold its answer
  LEDGER_DROPPING,      // how many reasons drop
  LEDGER_CUT = LEDGER_DROPPING,  // kept from here on
  LEDGER_INVALID_TEXT,
  LEDGER_ZERO_BYTE,
  LEDGER_UNKNOWN,       // holds what the tokenizer has no token for
  LEDGER_IN_VALID,      // the same pair also stands in the validation text
  LEDGER_BROKEN_TAGS,   // an I- tag that continues nothing
  LEDGER_REASONS,
};

// All of the line numbers are kept up to LEDGER_LINES a reason; beyond, only counted.
enum { LEDGER_LINES = 100000 };

struct ledger_entry {
  uint64_t count;     // lines
  uint64_t *places;   // file << 48 | 1-based line number
  size_t place_count, capacity;
};

struct ledger {
  uint64_t read, kept;
  uint64_t held_out;        // lines that belong to the other part of the same files
  uint64_t invalid_bytes;
  struct ledger_entry entries[LEDGER_REASONS];
};

static inline uint64_t place_of(size_t file, uint64_t line) { return (uint64_t)file << 48 | line; }
static inline size_t place_file(uint64_t place) { return (size_t)(place >> 48); }
static inline uint64_t place_line(uint64_t place) { return place & (((uint64_t)1 << 48) - 1); }

bool ledger_add(struct ledger *ledger, enum ledger_reason reason, uint64_t place, struct error *error);
void ledger_free(struct ledger *ledger);
const char *ledger_name(enum ledger_reason reason);      // "empty_source", as in log.jsonl
const char *ledger_meaning(enum ledger_reason reason);   // "dropped: the source is empty"

// One JSON object with counts and lines: {"read":3,"kept":2,"empty_source":{"count":1,"lines":["train.en:17"]}}. paths names
// the source files.
void ledger_write_json(const struct ledger *ledger, struct buffer *out, const char *const *paths);
// A sentence a line for people; nothing when there is nothing to say beyond the counts. shown: line numbers per reason.
void ledger_write_text(const struct ledger *ledger, struct buffer *out, const char *const *paths, int shown);
