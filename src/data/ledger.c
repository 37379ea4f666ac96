#include "data/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

static const struct {
  const char *name, *meaning;
} reasons[LEDGER_REASONS] = {
  [LEDGER_EMPTY_BOTH] = {"empty_both", "dropped: both sides are empty"},
  [LEDGER_EMPTY_SOURCE] = {"empty_source", "dropped: the source is empty"},
  [LEDGER_EMPTY_TARGET] = {"empty_target", "dropped: the target is empty"},
  [LEDGER_EMPTY_TEXT] = {"empty_text", "dropped: the text is empty"},
  [LEDGER_TOO_LONG] = {"too_long", "dropped: longer than the limit of tokens"},
  [LEDGER_NO_ANSWER] = {"no_answer", "dropped: the context does not hold the answer where it is said to stand"},
  [LEDGER_CUT] = {"cut", "cut to the limit of tokens"},
  [LEDGER_INVALID_TEXT] = {"invalid_utf8", "kept with U+FFFD in the place of bytes that are not UTF-8"},
  [LEDGER_ZERO_BYTE] = {"zero_bytes", "kept although they hold zero bytes"},
  [LEDGER_UNKNOWN] = {"unknown", "kept with the unknown token in the place of what the vocabulary lacks"},
  [LEDGER_IN_VALID] = {"also_in_valid",
                     "kept although the same pair stands in the validation text, which makes validation look too good"},
  [LEDGER_BROKEN_TAGS] = {"broken_tags", "kept although an I- tag follows no tag of its type"},
};

const char *ledger_name(enum ledger_reason reason) { return reasons[reason].name; }
const char *ledger_meaning(enum ledger_reason reason) { return reasons[reason].meaning; }

bool ledger_add(struct ledger *ledger, enum ledger_reason reason, uint64_t place, struct error *error) {
  struct ledger_entry *entry = &ledger->entries[reason];
  entry->count++;
  if (entry->place_count >= LEDGER_LINES) return true;
  if (!memory_grow(error, &entry->places, &entry->capacity, entry->place_count + 1, sizeof *entry->places)) return false;
  entry->places[entry->place_count++] = place;
  return true;
}

void ledger_free(struct ledger *ledger) {
  for (int i = 0; i < LEDGER_REASONS; i++) free(ledger->entries[i].places);
  *ledger = (struct ledger){0};
}

static void write_place(struct buffer *out, const char *const *paths, uint64_t place, bool quoted) {
  struct buffer text = {0};
  buffer_format(&text, "%s:%" PRIu64, paths[place_file(place)], place_line(place));
  if (quoted) json_write_text(out, buffer_string(&text), text.size);
  else buffer_text(out, buffer_string(&text));
  out->failed |= text.failed;
  buffer_free(&text);
}

void ledger_write_json(const struct ledger *ledger, struct buffer *out, const char *const *paths) {
  buffer_format(out, "{\"read\":%" PRIu64 ",\"kept\":%" PRIu64, ledger->read, ledger->kept);
  if (ledger->held_out) buffer_format(out, ",\"held_out\":%" PRIu64, ledger->held_out);
  if (ledger->invalid_bytes) buffer_format(out, ",\"invalid_bytes\":%" PRIu64, ledger->invalid_bytes);
  for (int i = 0; i < LEDGER_REASONS; i++) {
    const struct ledger_entry *entry = &ledger->entries[i];
    if (!entry->count) continue;
    buffer_format(out, ",\"%s\":{\"count\":%" PRIu64 ",\"lines\":[", reasons[i].name, entry->count);
    for (size_t k = 0; k < entry->place_count; k++) {
      if (k) buffer_char(out, ',');
      write_place(out, paths, entry->places[k], true);
    }
    buffer_text(out, "]}");
  }
  buffer_char(out, '}');
}

void ledger_write_text(const struct ledger *ledger, struct buffer *out, const char *const *paths, int shown) {
  for (int i = 0; i < LEDGER_REASONS; i++) {
    const struct ledger_entry *entry = &ledger->entries[i];
    if (!entry->count) continue;
    buffer_format(out, "%" PRIu64 " line%s %s (", entry->count, entry->count == 1 ? "" : "s", reasons[i].meaning);
    for (size_t k = 0; k < entry->place_count && k < (size_t)shown; k++) {
      if (k) buffer_text(out, ", ");
      write_place(out, paths, entry->places[k], false);
    }
    buffer_text(out, entry->count > (uint64_t)shown ? ", ...)\n" : ")\n");
  }
}
