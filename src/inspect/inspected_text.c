#include "inspect/inspected_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

char *inspected_label(const struct tokenizer *tokenizer, int32_t id, struct error *error) {
  struct buffer text = {0};
  const char *name = tokenizer_token(tokenizer, id);
  char *label = NULL;
  if (tokenizer_decode(tokenizer, &id, 1, true, &text, error)) {
    const char *start = buffer_string(&text);
    start += strspn(start, " ");
    size_t size = strlen(start);
    while (size && start[size - 1] == ' ') size--;
    bool plain = size > 0 && strcspn(start, "\t\r\n") >= size;
    struct buffer shown = {0};
    if (plain) buffer_append(&shown, start, size);
    else buffer_text(&shown, name ? name : "?");
    if (buffer_check(&shown, error)) label = memory_copy_text(error, buffer_string(&shown));
    buffer_free(&shown);
  }
  buffer_free(&text);
  return label;
}

static bool grow(struct inspected_side *side, struct error *error) {
  size_t wanted = (size_t)side->count + 1, capacity = side->capacity;
  struct { void *array; size_t size; } arrays[] = {
    {&side->ids, sizeof *side->ids}, {&side->types, sizeof *side->types}, {&side->starts, sizeof *side->starts},
    {&side->ends, sizeof *side->ends}, {&side->sequences, sizeof *side->sequences}, {&side->labels, sizeof *side->labels}};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    size_t own = capacity;
    if (!memory_grow(error, arrays[i].array, &own, wanted, arrays[i].size)) return false;
    side->capacity = own;
  }
  return true;
}

// `at` is the token's place in `encoding`, or -1 for one that is no part of a text.
static bool add(struct inspected_side *side, const struct tokenizer *tokenizer, int32_t id, const struct encoding *encoding,
                int at, struct error *error) {
  size_t before = side->capacity;
  if ((size_t)side->count + 1 > before && !grow(side, error)) {
    side->capacity = before;
    return false;
  }
  char *label = inspected_label(tokenizer, id, error);
  if (!label) return false;
  int i = side->count++;
  side->ids[i] = id;
  side->labels[i] = label;
  side->types[i] = at >= 0 ? encoding->types[at] : 0;
  side->starts[i] = at >= 0 ? encoding->starts[at] : 0;
  side->ends[i] = at >= 0 ? encoding->ends[at] : 0;
  side->sequences[i] = at >= 0 ? encoding->sequences[at] : -1;
  return true;
}

static bool add_all(struct inspected_side *side, const struct tokenizer *tokenizer, const struct encoding *encoding,
                    struct error *error) {
  for (size_t i = 0; i < encoding->count; i++)
    if (!add(side, tokenizer, encoding->ids[i], encoding, (int)i, error)) return false;
  return true;
}

static void side_free(struct inspected_side *side) {
  for (int i = 0; i < side->count; i++) free(side->labels[i]);
  free(side->labels);
  free(side->ids);
  free(side->types);
  free(side->starts);
  free(side->ends);
  free(side->sequences);
}

static bool encode(struct inspected_side *side, const struct tokenizer *tokenizer, const char *first, const char *second,
                   struct error *error) {
  struct encoding encoding = {.keep_all = true};
  bool fine = second ? tokenizer_encode_pair(tokenizer, first, strlen(first), second, strlen(second), true, &encoding, error)
                     : tokenizer_encode(tokenizer, first, strlen(first), true, &encoding, error);
  fine = fine && add_all(side, tokenizer, &encoding, error);
  encoding_free(&encoding);
  return fine;
}

// The decoder reads the start token, then all but the last of what it predicts.
static bool shift_right(struct inspected_text *text, const struct arch *arch, const struct tokenizer *tokenizer,
                        struct error *error) {
  const struct inspected_side *outputs = &text->outputs;
  const struct encoding places = {
      .types = outputs->types, .starts = outputs->starts, .ends = outputs->ends, .sequences = outputs->sequences};
  bool fine = add(&text->inputs, tokenizer, arch->decoder_start_id, &places, -1, error);
  for (int i = 0; fine && i + 1 < outputs->count; i++) fine = add(&text->inputs, tokenizer, outputs->ids[i], &places, i, error);
  return fine;
}

static bool check_length(const struct inspected_text *text, const struct arch *arch, struct error *error) {
  int longest = text->source.count > text->inputs.count ? text->source.count : text->inputs.count;
  if (arch->positions == POSITIONS_NONE || longest <= arch->max_positions) return true;
  return error_set(error, ERROR_USAGE, "the text has %d tokens and the model takes %d; give a shorter one", longest,
                   arch->max_positions);
}

static bool fill(struct inspected_text *text, const struct arch *arch, const struct tokenizer *tokenizer, const char *first,
                 const char *second, struct error *error) {
  if (arch->family == FAMILY_ENCODER) {
    if (!encode(&text->source, tokenizer, first, second, error)) return false;
  } else if (arch->family == FAMILY_DECODER) {
    if (second && !arch_has_texts(arch))
      return error_set(error, ERROR_USAGE, "a decoder that labels no texts reads one text; two were given");
    if (!encode(&text->inputs, tokenizer, first, second, error)) return false;
  } else {
    if (!encode(&text->source, tokenizer, first, NULL, error) || !encode(&text->outputs, tokenizer, second, NULL, error) ||
        !shift_right(text, arch, tokenizer, error))
      return false;
  }
  bool empty = arch->family == FAMILY_ENCODER_DECODER ? !text->source.count || !text->outputs.count
                                                      : !text->source.count && !text->inputs.count;
  if (empty)
    return error_set(error, ERROR_USAGE, "the %s has no tokens; there is nothing to look at",
                     text->source.count ? "target" : "source");
  return check_length(text, arch, error);
}

bool inspected_text_make(struct inspected_text *text, const struct arch *arch, const struct tokenizer *tokenizer,
                         const char *first, const char *second, struct error *error) {
  *text = (struct inspected_text){0};
  if (fill(text, arch, tokenizer, first, second, error)) return true;
  inspected_text_free(text);
  return false;
}

void inspected_text_free(struct inspected_text *text) {
  side_free(&text->source);
  side_free(&text->inputs);
  side_free(&text->outputs);
  *text = (struct inspected_text){0};
}

struct pass_sides inspected_text_sides(const struct inspected_text *text) {
  return (struct pass_sides){.source = text->source.ids, .source_types = text->source.types, .target = text->inputs.ids,
                             .source_count = text->source.count, .target_count = text->inputs.count};
}
