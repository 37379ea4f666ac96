#include "metrics/answers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool is_article(const char *word, size_t size) {
  return (size == 1 && word[0] == 'a') || (size == 2 && memcmp(word, "an", 2) == 0) || (size == 3 && memcmp(word, "the", 3) == 0);
}

// The run of letters and digits, or of anything else, that begins at `at`: what Python's \b parts.
static size_t run_length(const char *at, const char *end, bool *letters) {
  const char *start = at;
  for (uint32_t character; at < end;) {
    int length = metric_character(at, end, &character);
    bool is_letter = metric_is_alphanumeric(character);
    if (at == start) *letters = is_letter;
    if (is_letter != *letters) break;
    at += length;
  }
  return (size_t)(at - start);
}

// A blank for each article between other characters, be these dashes that no list of ASCII's punctuation names.
static void remove_articles(struct buffer *out, const struct buffer *text) {
  const char *at = buffer_string(text), *end = at + text->size;
  bool letters = false;
  for (size_t length; at < end; at += length) {
    length = run_length(at, end, &letters);
    if (letters && is_article(at, length)) buffer_char(out, ' ');
    else buffer_append(out, at, length);
  }
}

void answer_normalise(struct buffer *out, struct metric_text text) {
  struct buffer lower = {0}, kept = {0}, bare = {0};
  metric_lowercase(&lower, text);
  for (size_t i = 0; i < lower.size; i++)
    if ((unsigned char)lower.data[i] >= 0x80 || !ispunct((unsigned char)lower.data[i])) buffer_char(&kept, lower.data[i]);
  remove_articles(&bare, &kept);
  struct metric_text rest = {buffer_string(&bare), bare.size}, word;
  size_t start = out->size;
  while (metric_next_word(&rest, &word)) {
    if (out->size > start) buffer_char(out, ' ');
    buffer_append(out, word.data, word.size);
  }
  out->failed |= lower.failed || kept.failed || bare.failed;
  buffer_free(&lower);
  buffer_free(&kept);
  buffer_free(&bare);
}

struct words {
  struct buffer text;
  struct metric_text *items;
  size_t count, capacity;
};

static bool split(struct words *words, struct metric_text text, struct error *error) {
  *words = (struct words){0};
  answer_normalise(&words->text, text);
  if (!buffer_check(&words->text, error)) return false;
  struct metric_text rest = {buffer_string(&words->text), words->text.size}, word;
  while (metric_next_word(&rest, &word)) {
    if (!memory_grow(error, &words->items, &words->capacity, words->count + 1, sizeof word)) return false;
    words->items[words->count++] = word;
  }
  return true;
}

static void free_words(struct words *words) {
  buffer_free(&words->text);
  free(words->items);
}

// Words that both hold, each as often as in the one that has fewer of it. Marks them in b by size 0.
static size_t common(const struct words *a, struct words *b) {
  size_t count = 0;
  for (size_t i = 0; i < a->count; i++)
    for (size_t k = 0; k < b->count; k++)
      if (b->items[k].size && b->items[k].size == a->items[i].size &&
          memcmp(b->items[k].data, a->items[i].data, a->items[i].size) == 0) {
        b->items[k].size = 0;
        count++;
        break;
      }
  return count;
}

static struct answer_scores compare(const struct words *predicted, struct words *right) {
  struct answer_scores scores = {0};
  scores.exact = predicted->text.size == right->text.size &&
                 memcmp(buffer_string(&predicted->text), buffer_string(&right->text), right->text.size) == 0;
  if (!predicted->count || !right->count) {
    scores.f1 = predicted->count == right->count;
    return scores;
  }
  double shared = (double)common(predicted, right);
  if (shared > 0) scores.f1 = 2 * shared / (double)(predicted->count + right->count);
  return scores;
}

bool answer_score(struct answer_scores *scores, struct metric_text predicted, const struct metric_text *right, size_t count,
                  struct error *error) {
  *scores = (struct answer_scores){0};
  struct metric_text none = {"", 0};
  struct words words;
  bool ok = split(&words, predicted, error);
  for (size_t i = 0; ok && i < (count ? count : 1); i++) {
    struct words other;
    ok = split(&other, count ? right[i] : none, error);
    struct answer_scores now = ok ? compare(&words, &other) : *scores;
    if (now.exact > scores->exact) scores->exact = now.exact;
    if (now.f1 > scores->f1) scores->f1 = now.f1;
    free_words(&other);
  }
  free_words(&words);
  return ok;
}
