// The four normal forms of Unicode. Characters are decomposed, combining marks put in order and, for NFC and NFKC,
// composed again; each result remembers by how much it differs in length from what it replaces, in the way of
// `tokenizers`, so that alignments come out alike.
#include <stdlib.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/normalizer.h"

struct mark {
  uint32_t character;
  int change;      // as in rewrite_character
  uint32_t order;  // of arrival, so that sorting is stable
  uint8_t class;   // canonical combining class
};

struct marks {
  struct mark *items;
  size_t count, capacity;
};

// In ASCII nothing happens; below U+0300 nothing is decomposed by NFC.
static bool is_unchanged(const struct aligned_text *text, bool compose, bool compatibility) {
  unsigned char limit = compose && !compatibility ? 0xCC : 0x80;  // 0xCC leads U+0300
  for (size_t i = 0; i < text->size; i++)
    if ((unsigned char)text->data[i] >= limit) return false;
  return true;
}

static int by_class(const void *a, const void *b) {
  const struct mark *x = a, *y = b;
  if (x->class != y->class) return x->class < y->class ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static void sort_marks(struct mark *items, size_t count) {
  if (count > 32) {
    qsort(items, count, sizeof *items, by_class);
    return;
  }
  for (size_t i = 1; i < count; i++) {
    struct mark item = items[i];
    size_t k = i;
    for (; k > 0 && by_class(&items[k - 1], &item) > 0; k--) items[k] = items[k - 1];
    items[k] = item;
  }
}

static bool decompose(struct marks *marks, const char *text, size_t size, bool compatibility, struct error *error) {
  utf8proc_int32_t parts[32];
  int options = UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0), bound = UTF8PROC_BOUNDCLASS_START;
  marks->count = 0;
  for (size_t i = 0, pending = 0; i < size || pending < marks->count;) {
    if (i == size) {
      sort_marks(marks->items + pending, marks->count - pending);
      break;
    }
    uint32_t c;
    i += (size_t)utf8_decode(text + i, text + size, &c, NULL);
    utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 32, (utf8proc_option_t)options, &bound);
    if (count < 0 || count > 32) {
      parts[0] = (utf8proc_int32_t)c;
      count = 1;
    }
    if (!memory_grow(error, &marks->items, &marks->capacity, marks->count + (size_t)count, sizeof *marks->items)) return false;
    for (utf8proc_ssize_t k = 0; k < count; k++) {
      uint8_t class = (uint8_t)utf8proc_get_property(parts[k])->combining_class;
      if (class == 0) {
        sort_marks(marks->items + pending, marks->count - pending);
        pending = marks->count;
      }
      marks->items[marks->count] = (struct mark){(uint32_t)parts[k], k > 0, (uint32_t)marks->count, class};
      marks->count++;
    }
  }
  return true;
}

static bool may_compose(uint32_t c) {
  return utf8proc_get_property((utf8proc_int32_t)c)->comb_index != UINT16_MAX || (c >= 0x1100 && c <= 0x11FF) ||
         (c >= 0xAC00 && c <= 0xD7A3);
}

static bool compose_pair(uint32_t first, uint32_t second, uint32_t *composed) {
  // U+11A7 stands just before the trailing consonants and composes with nothing; utf8proc would swallow it.
  if (second == 0x11A7 || !may_compose(second) || !may_compose(first)) return false;
  utf8proc_int32_t pair[2] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second};
  if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1) return false;
  *composed = (uint32_t)pair[0];
  return true;
}

// Composes in place; the result is never longer. A character of class 0 takes up the marks behind it that compose with
// it and are not blocked by one of the same or a higher class.
static void compose(struct marks *marks) {
  size_t kept = 0, starter = SIZE_MAX;
  int last_class = -1;  // of the marks kept behind the starter; -1: none
  for (size_t i = 0; i < marks->count; i++) {
    struct mark mark = marks->items[i];
    uint32_t composed;
    bool blocked = starter == SIZE_MAX || (last_class >= 0 && last_class >= mark.class);
    if (!blocked && compose_pair(marks->items[starter].character, mark.character, &composed)) {
      marks->items[starter].character = composed;
      marks->items[starter].change += mark.change - 1;
      continue;
    }
    if (mark.class == 0) {
      starter = kept;
      last_class = -1;
    } else if (starter != SIZE_MAX) {
      last_class = mark.class;
    }
    marks->items[kept++] = mark;
  }
  marks->count = kept;
}

// ASCII characters begin a stretch of their own: nothing before them combines with them. So a stretch is what lies
// from one ASCII character that is followed by others to the next one.
static size_t stretch_end(const char *data, size_t size, size_t at) {
  at++;
  while (at < size && (data[at] & 0x80)) at++;
  return at;
}

bool unicode_form_apply(struct working_text *working, bool composed, bool compatibility, struct error *error) {
  const struct aligned_text *text = working_current(working);
  if (is_unchanged(text, composed, compatibility)) return true;
  struct rewriter rewriter = rewrite_begin(working, error);
  struct marks marks = {0};
  while (rewriter.offset < text->size && error->code == 0) {
    size_t ascii = rewriter.offset;
    while (ascii + 1 < text->size && !(text->data[ascii] & 0x80) && !(text->data[ascii + 1] & 0x80)) ascii++;
    if (ascii > rewriter.offset) rewrite_copy(&rewriter, ascii - rewriter.offset);
    size_t start = rewriter.offset, end = stretch_end(text->data, text->size, start);
    if (!decompose(&marks, text->data + start, end - start, compatibility, error)) break;
    if (composed) compose(&marks);
    for (size_t i = 0; i < marks.count; i++) rewrite_character(&rewriter, marks.items[i].character, marks.items[i].change);
    rewrite_skip(&rewriter, end > rewriter.offset ? end - rewriter.offset : 0);
  }
  free(marks.items);
  return rewrite_end(&rewriter);
}
