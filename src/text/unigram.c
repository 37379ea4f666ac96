#include "text/unigram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const double UNKNOWN_PENALTY = 10;

bool unigram_add(struct unigram *model, const char *piece, size_t size, double score, const char *name, struct error *error) {
  size_t id = model->vocabulary.size;
  if (!isfinite(score))
    return error_set(error, ERROR_FORMAT, "%s: the score of piece %zu, \"%.60s\", is not a number", name, id, piece);
  if (!vocabulary_add(&model->vocabulary, piece, size, (long long)id, name, error) ||
      !memory_grow(error, &model->scores, &model->score_capacity, id + 1, sizeof *model->scores))
    return false;
  model->scores[id] = score;
  return true;
}

bool unigram_prepare(struct unigram *model, struct error *error) {
  double least = INFINITY;
  for (size_t i = 0; i < model->vocabulary.size; i++) least = model->scores[i] < least ? model->scores[i] : least;
  model->unknown_score = least - UNKNOWN_PENALTY;
  for (int byte = 0; byte < 256; byte++) {
    char text[8];
    int size = snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
    model->fallback_ids[byte] = vocabulary_find(&model->vocabulary, text, (size_t)size);
  }
  return trie_build(&model->trie, &model->vocabulary, error);
}

static void offer(struct unigram_ending *ending, double score, size_t start, int32_t id) {
  if (ending->start == UINT32_MAX || score > ending->score) *ending = (struct unigram_ending){score, (uint32_t)start, id};
}

// Fills endings[0 .. size].
static bool find_best(const struct unigram *model, const char *word, size_t size, struct unigram_ending *endings,
                      struct error *error) {
  const struct trie *trie = &model->trie;
  for (size_t i = 0; i <= size; i++) endings[i] = (struct unigram_ending){0, UINT32_MAX, -1};
  for (size_t start = 0, length; start < size; start += length) {
    uint32_t ignored, node = 0;
    length = (size_t)utf8_decode(word + start, word + size, &ignored, NULL);
    double score = endings[start].score;
    bool covered = false;  // by a piece of this character alone
    for (size_t i = start; i < size && (node = trie_child(trie, node, word[i])); i++) {
      int32_t id = trie->ids[node];
      if (id < 0) continue;
      offer(&endings[i + 1], model->scores[id] + score, start, id);
      covered |= i + 1 == start + length;
    }
    if (covered) continue;
    if (model->unknown < 0)
      return error_set(error, ERROR_FORMAT,
                       "the vocabulary has neither a piece for \"%.*s\" nor an unknown token (the model's unk_id is null)",
                       (int)length, word + start);
    offer(&endings[start + length], model->unknown_score + score, start, model->unknown);
  }
  return true;
}

// A stretch of the word as one token of the vocabulary, as bytes, or as the unknown token.
static bool add_stretch(const struct unigram *model, const char *word, size_t start, size_t end, struct token_list *out,
                        struct error *error) {
  struct token token = {vocabulary_find(&model->vocabulary, word + start, end - start), (uint32_t)start, (uint32_t)end};
  if (token.id >= 0) return token_list_add(out, token, error);
  bool bytes = model->byte_fallback;
  for (size_t i = start; bytes && i < end; i++) bytes = model->fallback_ids[(unsigned char)word[i]] >= 0;
  token.id = model->unknown;
  if (!bytes) return token_list_add(out, token, error);
  for (size_t i = start; i < end; i++) {
    token.id = model->fallback_ids[(unsigned char)word[i]];
    if (!token_list_add(out, token, error)) return false;
  }
  return true;
}

// From the end of the best cut to its beginning, then turned round: endings[i].start becomes where the piece that begins
// before i ends.
static bool add_best(const struct unigram *model, const char *word, size_t size, struct unigram_ending *endings,
                     struct token_list *out, struct error *error) {
  uint32_t next = UINT32_MAX;
  for (uint32_t end = (uint32_t)size; end > 0;) {
    uint32_t start = endings[end].start;
    endings[end].start = next;
    next = end;
    end = start;
  }
  for (uint32_t start = 0, end = next; start < size; start = end, end = endings[end].start) {
    if (endings[end].id != model->unknown) {
      if (!token_list_add(out, (struct token){endings[end].id, start, end}, error)) return false;
      continue;
    }
    while (end < size && endings[endings[end].start].id == model->unknown) end = endings[end].start;
    if (!add_stretch(model, word, start, end, out, error)) return false;
  }
  return true;
}

bool unigram_encode(const struct unigram *model, const char *word, size_t size, struct unigram_scratch *scratch,
                    struct token_list *out, struct error *error) {
  if (size == 0) return true;
  if (!memory_grow(error, &scratch->endings, &scratch->capacity, size + 1, sizeof *scratch->endings)) return false;
  return find_best(model, word, size, scratch->endings, error) && add_best(model, word, size, scratch->endings, out, error);
}

void unigram_scratch_free(struct unigram_scratch *scratch) {
  free(scratch->endings);
  *scratch = (struct unigram_scratch){0};
}

void unigram_free(struct unigram *model) {
  vocabulary_free(&model->vocabulary);
  trie_free(&model->trie);
  free(model->scores);
  *model = (struct unigram){0};
}
