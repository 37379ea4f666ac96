#include "text/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/character.h"

// Reading --------------------------------------------------------------------------------------------------------------

static void mark_start(struct added_matcher *matcher, unsigned first, unsigned second) {
  unsigned pair = first << 8 | second;
  matcher->starts[pair / 64] |= (uint64_t)1 << pair % 64;
}

static int longer_first(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? 1 : x > y ? -1 : 0;
}

static bool fill_matcher(struct added_matcher *matcher, const struct added_tokens *added, bool after_normalizer, const char *name,
                         struct error *error) {
  size_t capacity = 0;
  for (size_t i = 0; i < added->count; i++) {
    const struct added_token *token = &added->items[i];
    if (token->after_normalizer != after_normalizer) continue;
    const char *text = after_normalizer && token->normalized ? token->normalized : token->content;
    size_t size = strlen(text);
    // Two tokens may be normalized to the same text; the first is the one that is found.
    if (size == 0 || vocabulary_find(&matcher->texts, text, size) >= 0) continue;
    if (!vocabulary_add(&matcher->texts, text, size, (long long)i, name, error)) return false;
    for (unsigned second = 0; second < 256; second++)
      if (size == 1 || second == (unsigned char)text[1]) mark_start(matcher, (unsigned char)text[0], second);
    size_t known = 0;
    while (known < matcher->length_count && matcher->lengths[known] != size) known++;
    if (known < matcher->length_count) continue;
    if (!memory_grow(error, &matcher->lengths, &capacity, matcher->length_count + 1, sizeof *matcher->lengths)) return false;
    matcher->lengths[matcher->length_count++] = (uint32_t)size;
  }
  if (matcher->length_count) qsort(matcher->lengths, matcher->length_count, sizeof *matcher->lengths, longer_first);
  return true;
}

static bool check_id(const struct added_tokens *added, const struct vocabulary *model, const char *content, long long id,
                     const char *name, struct error *error) {
  int32_t known = vocabulary_find(model, content, strlen(content));
  if (known >= 0 && known != id)
    return error_set(error, ERROR_FORMAT,
                     "%s: the added token \"%.60s\" has the id %lld, but the id %d in the model's vocabulary", name, content, id,
                     known);
  const char *other = id >= 0 && id <= INT32_MAX ? vocabulary_token(model, (int32_t)id, NULL) : NULL;
  if (other && known < 0)
    return error_set(error, ERROR_FORMAT,
                     "%s: the added token \"%.60s\" has the id %lld, which is \"%.60s\" in the model's vocabulary", name, content,
                     id, other);
  return true;
}

static bool normalize_content(struct added_token *token, const struct normalizer_list *normalizer, struct error *error) {
  if (!token->after_normalizer || normalizer->count == 0) return true;
  struct buffer text = {0};
  bool ok = normalizer_text(normalizer, token->content, strlen(token->content), &text, error);
  if (ok && strcmp(buffer_string(&text), token->content) != 0)
    ok = (token->normalized = memory_copy_text(error, buffer_string(&text))) != NULL;
  buffer_free(&text);
  return ok;
}

static bool read_token(struct added_tokens *added, const cJSON *json, const struct vocabulary *model,
                       const struct normalizer_list *normalizer, const char *name, struct error *error) {
  const char *content = json_text(json, "content", NULL, name, error);
  long long id = json_integer(json, "id", -1, name, error);
  if (!content) return error_set(error, ERROR_FORMAT, "%s: an added token has no \"content\"", name);
  if (*content == 0) return true;  // `tokenizers` ignores it, too
  if (!check_id(added, model, content, id, name, error) ||
      !vocabulary_add(&added->contents, content, strlen(content), id, name, error))
    return false;
  if (!memory_grow(error, &added->items, &added->capacity, added->count + 1, sizeof *added->items)) return false;
  struct added_token *token = &added->items[added->count++];
  *token = (struct added_token){.id = (int32_t)id};
  token->special = json_boolean(json, "special", false, name, error);
  token->single_word = json_boolean(json, "single_word", false, name, error);
  token->lstrip = json_boolean(json, "lstrip", false, name, error);
  token->rstrip = json_boolean(json, "rstrip", false, name, error);
  token->after_normalizer = json_boolean(json, "normalized", true, name, error);
  token->content = memory_copy_text(error, content);
  if (error->code || !normalize_content(token, normalizer, error)) return false;
  return !token->special || vocabulary_add(&added->specials, content, strlen(content), id, name, error);
}

static int by_id(const void *a, const void *b) {
  int32_t x = ((const struct added_token *)a)->id, y = ((const struct added_token *)b)->id;
  return x < y ? -1 : x > y;
}

bool added_tokens_read(struct added_tokens *added, const cJSON *json, const struct vocabulary *model,
                       const struct normalizer_list *normalizer, const char *name, struct error *error) {
  const cJSON *item;
  cJSON_ArrayForEach(item, json) {
    if (!read_token(added, item, model, normalizer, name, error)) return false;
  }
  if (added->count) qsort(added->items, added->count, sizeof *added->items, by_id);
  return fill_matcher(&added->raw, added, false, name, error) && fill_matcher(&added->normalized, added, true, name, error);
}

void added_tokens_free(struct added_tokens *added) {
  for (size_t i = 0; i < added->count; i++) {
    free(added->items[i].content);
    free(added->items[i].normalized);
  }
  free(added->items);
  vocabulary_free(&added->contents);
  vocabulary_free(&added->specials);
  vocabulary_free(&added->raw.texts);
  vocabulary_free(&added->normalized.texts);
  free(added->raw.lengths);
  free(added->normalized.lengths);
  *added = (struct added_tokens){0};
}

// Finding --------------------------------------------------------------------------------------------------------------

static uint32_t character_before(const char *text, size_t at) {
  uint32_t c;
  size_t start = at - 1;
  while (start > 0 && (text[start] & 0xC0) == 0x80) start--;
  utf8_decode(text + start, text + at, &c, NULL);
  return c;
}

static bool is_single_word(const char *text, size_t size, size_t start, size_t end) {
  uint32_t after = ' ';
  if (end < size) utf8_decode(text + end, text + size, &after, NULL);
  return (start == 0 || !character_is_word(character_before(text, start))) && !character_is_word(after);
}

static size_t strip_left(const char *text, size_t start, size_t taken) {
  while (start > taken && character_is_space(character_before(text, start))) {
    start--;
    while (start > 0 && (text[start] & 0xC0) == 0x80) start--;
  }
  return start;
}

static size_t strip_right(const char *text, size_t size, size_t end) {
  while (end < size) {
    uint32_t c;
    size_t length = (size_t)utf8_decode(text + end, text + size, &c, NULL);
    if (!character_is_space(c)) break;
    end += length;
  }
  return end;
}

static const struct added_token *match_at(const struct added_tokens *added, const struct added_matcher *matcher, const char *text,
                                          size_t size) {
  for (size_t i = 0; i < matcher->length_count; i++) {
    if (matcher->lengths[i] > size) continue;
    int32_t index = vocabulary_find(&matcher->texts, text, matcher->lengths[i]);
    if (index >= 0) return &added->items[index];
  }
  return NULL;
}

bool added_tokens_next(const struct added_tokens *added, const struct added_matcher *matcher, const char *text, size_t size,
                       size_t *from, size_t taken, struct added_match *match) {
  if (matcher->length_count == 0) return false;
  for (size_t i = *from; i < size; i++) {
    unsigned pair = (unsigned)(unsigned char)text[i] << 8 | (i + 1 < size ? (unsigned char)text[i + 1] : 0);
    if (!(matcher->starts[pair / 64] >> pair % 64 & 1)) continue;
    const struct added_token *token = match_at(added, matcher, text + i, size - i);
    if (!token) continue;
    size_t start = i, end = i + strlen(matcher == &added->normalized && token->normalized ? token->normalized : token->content);
    i = end - 1;
    if (start < taken) continue;  // inside the blanks that the token before took
    if (token->single_word && !is_single_word(text, size, start, end)) continue;
    *from = end;
    *match = (struct added_match){token->lstrip ? strip_left(text, start, taken) : start,
                                  token->rstrip ? strip_right(text, size, end) : end, token};
    return true;
  }
  *from = size;
  return false;
}

const struct added_token *added_tokens_find(const struct added_tokens *added, int32_t id) {
  const char *content = vocabulary_token(&added->contents, id, NULL);
  if (!content) return NULL;
  for (size_t low = 0, high = added->count; low < high;) {  // items are in the order of their ids
    size_t middle = (low + high) / 2;
    if (added->items[middle].id == id) return &added->items[middle];
    if (added->items[middle].id < id) low = middle + 1;
    else high = middle;
  }
  return NULL;
}
