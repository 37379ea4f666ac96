#include "text/learn_bpe.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/bytes_alphabet.h"
#include "text/hash.h"

// Every word is a run of symbols in one array, which shrinks in place as pairs are merged. A pair knows its count and the
// words in which it was seen; a heap orders pairs by count and is put right when an entry comes up whose count is no
// longer true.

struct learnt_word {
  size_t start;
  uint32_t length;
  uint64_t count;
};

struct pair {
  uint64_t key;  // left << 32 | right
  int64_t count;
  uint32_t *words;
  size_t word_count, word_capacity;
  bool merged;
};

struct candidate {
  int64_t count;
  uint64_t key;
  uint32_t pair;
};

struct learner {
  struct vocabulary *vocabulary;
  const char *prefix;
  int32_t *symbols;
  struct learnt_word *words;
  size_t word_count;
  struct pair *pairs;
  size_t pair_count, pair_capacity;
  uint32_t *slots;  // index + 1
  size_t slot_count;
  struct candidate *heap;
  size_t heap_count, heap_capacity;
  uint32_t *changed;  // pairs whose count grew by the current merge
  size_t changed_count, changed_capacity;
  struct error *error;
};

// The alphabet ---------------------------------------------------------------------------------------------------------

struct letter {
  uint32_t character;
  uint64_t count;
};

struct letters {
  struct letter *items;
  size_t count, capacity;
  uint32_t *index;  // code point -> index + 1
};

static bool count_letter(struct letters *letters, uint32_t c, uint64_t count, struct error *error) {
  if (letters->index[c] == 0) {
    if (!memory_grow(error, &letters->items, &letters->capacity, letters->count + 1, sizeof *letters->items)) return false;
    letters->items[letters->count++] = (struct letter){c, 0};
    letters->index[c] = (uint32_t)letters->count;
  }
  letters->items[letters->index[c] - 1].count += count;
  return true;
}

static int by_frequency(const void *a, const void *b) {
  const struct letter *x = a, *y = b;
  if (x->count != y->count) return x->count > y->count ? -1 : 1;
  return x->character < y->character ? -1 : x->character > y->character;
}

static int by_code_point(const void *a, const void *b) {
  const struct letter *x = a, *y = b;
  return x->character < y->character ? -1 : x->character > y->character;
}

static bool count_letters(const struct bpe_learning *learning, struct letters *letters, struct error *error) {
  for (int byte = 0; learning->bytes && byte < 256; byte++)
    if (!count_letter(letters, bytes_alphabet_character((unsigned char)byte), UINT64_MAX / 512, error)) return false;
  for (size_t i = 0; !learning->bytes && i < learning->word_count; i++) {
    const struct word_view *word = &learning->words[i];
    for (size_t at = 0; at < word->size;) {
      uint32_t c;
      at += (size_t)utf8_decode(word->text + at, word->text + word->size, &c, NULL);
      if (c && !count_letter(letters, c, word->count, error)) return false;  // U+0000 cannot be written to tokenizer.json
    }
  }
  return true;
}

static bool add_token(struct vocabulary *vocabulary, const char *text, size_t size, struct error *error) {
  if (vocabulary_find(vocabulary, text, size) >= 0) return true;  // a special token looks like it
  return vocabulary_add(vocabulary, text, size, (long long)vocabulary->size, "learnt vocabulary", error);
}

static bool learn_alphabet(const struct bpe_learning *learning, struct vocabulary *vocabulary, size_t *cut, struct error *error) {
  struct letters letters = {.index = memory_new(error, 0x110000, sizeof *letters.index)};
  bool ok = letters.index && count_letters(learning, &letters, error);
  size_t room = learning->vocab_size > vocabulary->count ? learning->vocab_size - vocabulary->count : 0;
  if (ok && letters.count > room) {
    *cut = letters.count - room;
    qsort(letters.items, letters.count, sizeof *letters.items, by_frequency);
    letters.count = room;
  }
  if (ok && letters.count) qsort(letters.items, letters.count, sizeof *letters.items, by_code_point);
  for (size_t i = 0; ok && i < letters.count; i++) {
    char text[4];
    ok = add_token(vocabulary, text, (size_t)utf8_encode(text, letters.items[i].character), error);
  }
  free(letters.items);
  free(letters.index);
  return ok;
}

// Words as symbols -----------------------------------------------------------------------------------------------------

static int compare_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// A character that is written with a mark, in every word: with a suffix the last one, with a prefix all but the first.
static bool see_marked(const struct bpe_learning *learning, const struct word_view *word, const struct vocabulary *alphabet,
                       struct vocabulary *seen, struct error *error) {
  for (size_t at = 0, length; at < word->size; at += length) {
    uint32_t ignored;
    length = (size_t)utf8_decode(word->text + at, word->text + word->size, &ignored, NULL);
    bool marked = learning->prefix ? at > 0 : at + length == word->size;
    if (marked && vocabulary_find(alphabet, word->text + at, length) >= 0 && vocabulary_find(seen, word->text + at, length) < 0 &&
        !vocabulary_add(seen, word->text + at, length, (long long)seen->size, "learnt vocabulary", error))
      return false;
  }
  return true;
}

// Characters with a mark become tokens of their own, in the order of their bytes.
static bool learn_marked(const struct bpe_learning *learning, struct vocabulary *vocabulary, struct error *error) {
  if (!learning->suffix && !learning->prefix) return true;
  struct vocabulary seen = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < learning->word_count; i++)
    ok = see_marked(learning, &learning->words[i], vocabulary, &seen, error);
  const char **sorted = ok ? memory_new(error, seen.size, sizeof *sorted) : NULL;
  for (size_t i = 0; sorted && i < seen.size; i++) sorted[i] = vocabulary_token(&seen, (int32_t)i, NULL);
  if (sorted) qsort(sorted, seen.size, sizeof *sorted, compare_text);
  struct buffer text = {0};
  ok = sorted != NULL;
  for (size_t i = 0; ok && i < seen.size && vocabulary->count < learning->vocab_size; i++) {
    buffer_clear(&text);
    if (learning->prefix) buffer_text(&text, learning->prefix);
    buffer_text(&text, sorted[i]);
    if (learning->suffix) buffer_text(&text, learning->suffix);
    ok = buffer_check(&text, error) && add_token(vocabulary, text.data, text.size, error);
  }
  buffer_free(&text);
  free(sorted);
  vocabulary_free(&seen);
  return ok;
}

static int32_t symbol_of(const struct bpe_learning *learning, const struct vocabulary *vocabulary, const struct word_view *word,
                         size_t at, size_t length) {
  char text[64];
  size_t before = learning->prefix && at > 0 ? strlen(learning->prefix) : 0, size = before + length;
  if (size > sizeof text) return -1;
  if (before) memcpy(text, learning->prefix, before);
  if (learning->bytes) size = (size_t)utf8_encode(text, bytes_alphabet_character((unsigned char)word->text[at]));
  else memcpy(text + before, word->text + at, length);
  size_t mark = learning->suffix && at + length == word->size ? strlen(learning->suffix) : 0;
  if (size + mark > sizeof text) return -1;
  if (mark) memcpy(text + size, learning->suffix, mark);
  return vocabulary_find(vocabulary, text, size + mark);
}

// Characters that have no token are left out, as if they were not there.
static bool spell_words(struct learner *learner, const struct bpe_learning *learning) {
  size_t total = 0, at = 0;
  for (size_t i = 0; i < learning->word_count; i++) total += learning->words[i].size;
  learner->symbols = memory_new(learner->error, total, sizeof *learner->symbols);
  learner->words = memory_new(learner->error, learning->word_count, sizeof *learner->words);
  if (!learner->symbols || !learner->words) return false;
  for (size_t i = 0; i < learning->word_count; i++) {
    const struct word_view *word = &learning->words[i];
    size_t start = at;
    for (size_t k = 0, length; k < word->size; k += length) {
      uint32_t c;
      length = learning->bytes ? 1 : (size_t)utf8_decode(word->text + k, word->text + word->size, &c, NULL);
      int32_t symbol = symbol_of(learning, learner->vocabulary, word, k, length);
      if (symbol >= 0) learner->symbols[at++] = symbol;
    }
    learner->words[learner->word_count++] = (struct learnt_word){start, (uint32_t)(at - start), word->count};
  }
  return true;
}

// Pairs ----------------------------------------------------------------------------------------------------------------

static uint64_t key_of(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }

static size_t slot_of(const struct learner *learner, uint64_t key) {
  size_t mask = learner->slot_count - 1, i = hash_mix(key * 0x9E3779B97F4A7C15u) & mask;
  while (learner->slots[i] && learner->pairs[learner->slots[i] - 1].key != key) i = (i + 1) & mask;
  return i;
}

static bool grow_slots(struct learner *learner) {
  size_t wanted = learner->slot_count ? 2 * learner->slot_count : 4096;
  uint32_t *slots = memory_new(learner->error, wanted, sizeof *slots);
  if (!slots) return false;
  free(learner->slots);
  learner->slots = slots;
  learner->slot_count = wanted;
  for (size_t i = 0; i < learner->pair_count; i++) learner->slots[slot_of(learner, learner->pairs[i].key)] = (uint32_t)i + 1;
  return true;
}

static struct pair *get_pair(struct learner *learner, int32_t left, int32_t right) {
  if (2 * (learner->pair_count + 1) > learner->slot_count && !grow_slots(learner)) return NULL;
  uint64_t key = key_of(left, right);
  size_t slot = slot_of(learner, key);
  if (learner->slots[slot]) return &learner->pairs[learner->slots[slot] - 1];
  if (!memory_grow(learner->error, &learner->pairs, &learner->pair_capacity, learner->pair_count + 1, sizeof *learner->pairs))
    return NULL;
  struct pair *pair = &learner->pairs[learner->pair_count++];
  *pair = (struct pair){.key = key};
  learner->slots[slot] = (uint32_t)learner->pair_count;
  return pair;
}

static bool see_in_word(struct learner *learner, struct pair *pair, size_t word) {
  if (pair->word_count && pair->words[pair->word_count - 1] == word) return true;
  if (!memory_grow(learner->error, &pair->words, &pair->word_capacity, pair->word_count + 1, sizeof *pair->words)) return false;
  pair->words[pair->word_count++] = (uint32_t)word;
  return true;
}

static bool count_pairs(struct learner *learner) {
  for (size_t w = 0; w < learner->word_count; w++) {
    const struct learnt_word *word = &learner->words[w];
    for (size_t i = 0; i + 1 < word->length; i++) {
      struct pair *pair = get_pair(learner, learner->symbols[word->start + i], learner->symbols[word->start + i + 1]);
      if (!pair || !see_in_word(learner, pair, w)) return false;
      pair->count += (int64_t)word->count;
    }
  }
  return true;
}

// The heap -------------------------------------------------------------------------------------------------------------

static bool better(struct candidate a, struct candidate b) { return a.count != b.count ? a.count > b.count : a.key < b.key; }

static bool push(struct learner *learner, uint32_t index) {
  if (!memory_grow(learner->error, &learner->heap, &learner->heap_capacity, learner->heap_count + 1, sizeof *learner->heap))
    return false;
  struct candidate candidate = {learner->pairs[index].count, learner->pairs[index].key, index};
  size_t i = learner->heap_count++;
  for (; i > 0 && better(candidate, learner->heap[(i - 1) / 2]); i = (i - 1) / 2) learner->heap[i] = learner->heap[(i - 1) / 2];
  learner->heap[i] = candidate;
  return true;
}

static struct candidate pop(struct learner *learner) {
  struct candidate top = learner->heap[0], last = learner->heap[--learner->heap_count];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= learner->heap_count) break;
    if (child + 1 < learner->heap_count && better(learner->heap[child + 1], learner->heap[child])) child++;
    if (!better(learner->heap[child], last)) break;
    learner->heap[i] = learner->heap[child];
    i = child;
  }
  learner->heap[i] = last;
  return top;
}

// The pair of the largest true count, or NULL when none reaches min_frequency.
static struct pair *best_pair(struct learner *learner, uint64_t min_frequency) {
  while (learner->heap_count) {
    struct candidate top = pop(learner);
    struct pair *pair = &learner->pairs[top.pair];
    if (pair->count != top.count) {
      if (pair->count > 0 && !push(learner, top.pair)) return NULL;
      continue;
    }
    return pair->count >= (int64_t)min_frequency ? pair : NULL;
  }
  return NULL;
}

// Merging --------------------------------------------------------------------------------------------------------------

static bool change(struct learner *learner, int32_t left, int32_t right, int64_t by, size_t word) {
  struct pair *pair = get_pair(learner, left, right);
  if (!pair) return false;
  pair->count += by;
  if (by < 0) return true;
  if (!see_in_word(learner, pair, word)) return false;
  if (!memory_grow(learner->error, &learner->changed, &learner->changed_capacity, learner->changed_count + 1,
                   sizeof *learner->changed))
    return false;
  learner->changed[learner->changed_count++] = (uint32_t)(pair - learner->pairs);
  return true;
}

// Merges left to right, as encoding will.
static bool merge_in_word(struct learner *learner, size_t index, int32_t left, int32_t right, int32_t merged) {
  struct learnt_word *word = &learner->words[index];
  int32_t *symbols = learner->symbols + word->start;
  int64_t count = (int64_t)word->count;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < word->length; i++) {
    if (i + 1 >= word->length || symbols[i] != left || symbols[i + 1] != right) {
      symbols[kept++] = symbols[i];
      continue;
    }
    if (kept > 0 &&
        (!change(learner, symbols[kept - 1], left, -count, index) || !change(learner, symbols[kept - 1], merged, count, index)))
      return false;
    if (i + 2 < word->length &&
        (!change(learner, right, symbols[i + 2], -count, index) || !change(learner, merged, symbols[i + 2], count, index)))
      return false;
    symbols[kept++] = merged;
    i++;
  }
  word->length = kept;
  return true;
}

static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static bool push_changed(struct learner *learner) {
  if (learner->changed_count) qsort(learner->changed, learner->changed_count, sizeof *learner->changed, by_number);
  for (size_t i = 0; i < learner->changed_count; i++) {
    if (i && learner->changed[i] == learner->changed[i - 1]) continue;
    if (learner->pairs[learner->changed[i]].count > 0 && !push(learner, learner->changed[i])) return false;
  }
  learner->changed_count = 0;
  return true;
}

static int32_t merged_token(struct learner *learner, int32_t left, int32_t right) {
  size_t left_size, right_size;
  struct buffer text = {0};
  const char *left_text = vocabulary_token(learner->vocabulary, left, &left_size),
             *right_text = vocabulary_token(learner->vocabulary, right, &right_size);
  size_t skip = learner->prefix ? strlen(learner->prefix) : 0;
  if (skip > right_size || memcmp(right_text, learner->prefix ? learner->prefix : "", skip) != 0) skip = 0;
  buffer_append(&text, left_text, left_size);
  buffer_append(&text, right_text + skip, right_size - skip);
  int32_t id = -1;
  if (buffer_check(&text, learner->error) && add_token(learner->vocabulary, text.data, text.size, learner->error))
    id = vocabulary_find(learner->vocabulary, text.data, text.size);
  buffer_free(&text);
  return id;
}

static bool merge_pair(struct learner *learner, struct pair *pair, struct learnt_merge *merge) {
  merge->left = (int32_t)(pair->key >> 32);
  merge->right = (int32_t)(pair->key & UINT32_MAX);
  int32_t merged = merged_token(learner, merge->left, merge->right);
  if (merged < 0) return false;
  uint32_t *words = pair->words;
  size_t count = pair->word_count;
  // The pair gives its list away before other pairs move in memory.
  pair->words = NULL;
  pair->word_count = pair->word_capacity = 0;
  pair->merged = true;
  pair->count = 0;
  bool ok = true;
  qsort(words, count, sizeof *words, by_number);
  for (size_t i = 0; ok && i < count; i++)
    if (i == 0 || words[i] != words[i - 1]) ok = merge_in_word(learner, words[i], merge->left, merge->right, merged);
  free(words);
  return ok && push_changed(learner);
}

static bool learn_merges(struct learner *learner, const struct bpe_learning *learning, struct learnt_merge **merges,
                         size_t *merge_count) {
  size_t capacity = 0;
  for (size_t i = 0; i < learner->pair_count; i++)
    if (!push(learner, (uint32_t)i)) return false;
  while (learner->vocabulary->count < learning->vocab_size) {
    struct pair *pair = best_pair(learner, learning->min_frequency);
    if (!pair) break;
    struct learnt_merge merge;
    bool again = pair->merged;  // two ways to the same token can make a pair that was merged before: its merge is there
    if (!merge_pair(learner, pair, &merge)) return false;
    if (again) continue;
    if (!memory_grow(learner->error, merges, &capacity, *merge_count + 1, sizeof **merges)) return false;
    (*merges)[(*merge_count)++] = merge;
  }
  return learner->error->code == 0;
}

bool bpe_learn(const struct bpe_learning *learning, struct vocabulary *vocabulary, struct learnt_merge **merges,
               size_t *merge_count, size_t *alphabet_cut, struct error *error) {
  struct learner learner = {.vocabulary = vocabulary, .prefix = learning->prefix, .error = error};
  *merges = NULL;
  *merge_count = *alphabet_cut = 0;
  bool ok = learn_alphabet(learning, vocabulary, alphabet_cut, error) && learn_marked(learning, vocabulary, error) &&
            spell_words(&learner, learning) && count_pairs(&learner) && learn_merges(&learner, learning, merges, merge_count);
  for (size_t i = 0; i < learner.pair_count; i++) free(learner.pairs[i].words);
  free(learner.pairs);
  free(learner.slots);
  free(learner.heap);
  free(learner.changed);
  free(learner.symbols);
  free(learner.words);
  return ok;
}
