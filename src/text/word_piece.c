#include "text/word_piece.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

bool word_piece_prepare(struct word_piece *model, const char *prefix, struct error *error) {
  if (!trie_build(&model->trie, &model->vocabulary, error)) return false;
  model->inner = 0;
  model->has_inner = true;
  for (; *prefix && model->has_inner; prefix++) {
    model->inner = trie_child(&model->trie, model->inner, *prefix);
    model->has_inner = model->inner != 0;
  }
  return true;
}

// The longest token that `text` begins with, spelled from `node` on; its length, or 0.
static size_t longest(const struct trie *trie, uint32_t node, const char *text, size_t size, int32_t *id) {
  size_t length = 0;
  for (size_t i = 0; i < size && (node = trie_child(trie, node, text[i])); i++)
    if (trie->ids[node] >= 0) {
      length = i + 1;
      *id = trie->ids[node];
    }
  return length;
}

static bool cut(const struct word_piece *model, const char *word, size_t size, struct token_list *out, bool *known,
                struct error *error) {
  *known = false;
  for (size_t at = 0, length; at < size; at += length) {
    int32_t id = -1;
    if (at > 0 && !model->has_inner) return true;
    length = longest(&model->trie, at ? model->inner : 0, word + at, size - at, &id);
    if (length == 0) return true;
    if (!token_list_add(out, (struct token){id, (uint32_t)at, (uint32_t)(at + length)}, error)) return false;
  }
  *known = true;
  return true;
}

bool word_piece_encode(const struct word_piece *model, const char *word, size_t size, struct token_list *out,
                       struct error *error) {
  size_t before = out->count;
  bool known = false, fits = size <= model->max_characters || utf8_length(word, size) <= model->max_characters;
  if (fits && !cut(model, word, size, out, &known, error)) return false;
  if (known) return true;
  out->count = before;
  int32_t id = vocabulary_find(&model->vocabulary, model->unknown, strlen(model->unknown));
  if (id < 0)
    return error_set(error, ERROR_FORMAT,
                     "the word \"%.*s\" is not made of tokens of the vocabulary, which lacks the unknown token \"%s\", too",
                     (int)(size < 60 ? size : 60), word, model->unknown);
  return token_list_add(out, (struct token){id, 0, (uint32_t)size}, error);
}

void word_piece_free(struct word_piece *model) {
  vocabulary_free(&model->vocabulary);
  trie_free(&model->trie);
  free(model->unknown);
  *model = (struct word_piece){0};
}
