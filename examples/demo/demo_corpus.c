#include "demo_corpus.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { PURPOSE_SENTENCES = 1, PURPOSE_COMBINATIONS = 2 };  // of random numbers
enum { MOST_LENGTH = 12 };                                 // in words, of either side

// A set of texts: open addressing over their hashes, equal hashes compared.
struct text_set {
  char **slots;
  size_t slot_count, count;
};

static uint64_t hash(const char *text) {
  uint64_t value = 14695981039346656037u;  // FNV-1a
  for (; *text; text++) value = (value ^ (unsigned char)*text) * 1099511628211u;
  return value ^ value >> 32;
}

static char **slot_of(const struct text_set *set, const char *text) {
  size_t mask = set->slot_count - 1, slot = hash(text) & mask;
  while (set->slots[slot] && strcmp(set->slots[slot], text)) slot = (slot + 1) & mask;
  return &set->slots[slot];
}

static bool contains(const struct text_set *set, const char *text) { return set->slot_count && *slot_of(set, text); }

static bool grow(struct text_set *set, struct error *error) {
  struct text_set larger = {.slot_count = set->slot_count ? set->slot_count * 2 : 1024, .count = set->count};
  larger.slots = memory_new(error, larger.slot_count, sizeof *larger.slots);
  if (!larger.slots) return false;
  for (size_t i = 0; i < set->slot_count; i++)
    if (set->slots[i]) *slot_of(&larger, set->slots[i]) = set->slots[i];
  free(set->slots);
  *set = larger;
  return true;
}

static bool add_text(struct text_set *set, const char *text, struct error *error) {
  if (set->count * 2 >= set->slot_count && !grow(set, error)) return false;
  char **slot = slot_of(set, text);
  if (*slot) return true;
  *slot = memory_copy_text(error, text);
  if (*slot) set->count++;
  return *slot;
}

static void free_texts(struct text_set *set) {
  for (size_t i = 0; i < set->slot_count; i++) free(set->slots[i]);
  free(set->slots);
}

// What nobody could guess from other sentences: the gender of a name shows only with "to be", and each pronoun has its own
// form of liking (te gusta).
static bool is_arbitrary(const struct combination *combination) {
  if (combination->kind != SUBJECT_VERB || combination->first < noun_count) return false;
  bool name = combination->first < noun_count + name_count, being = combination->second == verb_count;
  return name ? being : !being && verbs[combination->second].kind == LIKING;
}

enum split combination_split(uint64_t seed, const struct combination *combination) {
  if (is_arbitrary(combination)) return TRAIN;
  uint64_t number = (uint64_t)combination->kind << 40 | (uint64_t)combination->first << 20 | combination->second;
  uint64_t percent = random_below(random_key(seed, PURPOSE_COMBINATIONS), number, 100);
  return percent < 6 ? TEST : percent < 9 ? VALID : TRAIN;
}

// False if its combinations belong to both valid and test, or if it is too long.
static bool choose_split(enum split *split, const struct pair *pair, uint64_t seed) {
  bool seen[SPLITS] = {false};
  for (size_t i = 0; i < pair->combination_count; i++) seen[combination_split(seed, &pair->combinations[i])] = true;
  *split = seen[TEST] ? TEST : seen[VALID] ? VALID : TRAIN;
  return !(seen[TEST] && seen[VALID]) && pair->english_words <= MOST_LENGTH && pair->spanish_words <= MOST_LENGTH;
}

// Calls for every word of a sentence without its punctuation; stops at the first false.
static bool each_word(const char *text, bool (*call)(struct text_set *set, const char *word, struct error *error),
                      struct text_set *set, struct error *error) {
  while (*text) {
    char word[64];
    size_t size = strcspn(text, " .?"), length = size < sizeof word ? size : sizeof word - 1;
    memcpy(word, text, length);
    word[length] = 0;
    bool marked = !strncmp(word, "¿", 2);
    if (length && !call(set, word + (marked ? 2 : 0), error)) return false;
    text += size + strspn(text + size, " .?");
  }
  return true;
}

static bool is_known(struct text_set *set, const char *word, struct error *error) {
  (void)error;
  return contains(set, word);
}

static bool is_taught(const struct pair *pair, struct text_set *words) {
  return each_word(pair->english, is_known, words, NULL) && each_word(pair->spanish, is_known, words, NULL);
}

static bool teach(const struct pair *pair, struct text_set *words, struct error *error) {
  return each_word(pair->english, add_text, words, error) && each_word(pair->spanish, add_text, words, error);
}

// First all of train, then valid and test, which may only have words of train.
static bool fill(struct corpus *corpus, uint64_t seed, const size_t wanted[SPLITS], struct text_set *sentences,
                 struct text_set *words, struct error *error) {
  struct chooser chooser = {random_key(seed, PURPOSE_SENTENCES), 0};
  size_t total = wanted[TRAIN] + wanted[VALID] + wanted[TEST];
  for (size_t tries = 0; corpus->counts[TRAIN] + corpus->counts[VALID] + corpus->counts[TEST] < total; tries++) {
    if (tries > 100 * total + 100000)
      return error_set(error, ERROR_USAGE, "the grammar does not give %zu distinct pairs; ask for fewer", total);
    struct pair pair;
    enum split split;
    grammar_sentence(&pair, &chooser);
    bool teaching = corpus->counts[TRAIN] < wanted[TRAIN];
    if (!choose_split(&split, &pair, seed) || (split == TRAIN) != teaching || corpus->counts[split] == wanted[split]) continue;
    if (contains(sentences, pair.english) || (!teaching && !is_taught(&pair, words))) continue;
    if (!add_text(sentences, pair.english, error) || (teaching && !teach(&pair, words, error))) return false;
    corpus->pairs[split][corpus->counts[split]++] = pair;
  }
  return true;
}

bool corpus_make(struct corpus *corpus, uint64_t seed, const size_t wanted[SPLITS], struct error *error) {
  *corpus = (struct corpus){0};
  struct text_set sentences = {0}, words = {0};
  bool made = true;
  for (int split = 0; made && split < SPLITS; split++) {
    corpus->pairs[split] = memory_new(error, wanted[split], sizeof(struct pair));
    made = corpus->pairs[split];
  }
  made = made && fill(corpus, seed, wanted, &sentences, &words, error);
  free_texts(&sentences);
  free_texts(&words);
  if (!made) corpus_free(corpus);
  return made;
}

void corpus_free(struct corpus *corpus) {
  for (int split = 0; split < SPLITS; split++) free(corpus->pairs[split]);
  *corpus = (struct corpus){0};
}

static bool write_side(const struct corpus *corpus, enum split split, bool english, const char *path, struct error *error) {
  struct buffer text = {0};
  for (size_t i = 0; i < corpus->counts[split]; i++) {
    buffer_text(&text, english ? corpus->pairs[split][i].english : corpus->pairs[split][i].spanish);
    buffer_char(&text, '\n');
  }
  bool written = buffer_check(&text, error) && file_write_all(path, buffer_string(&text), text.size, error);
  buffer_free(&text);
  return written;
}

bool corpus_write(const struct corpus *corpus, const char *directory, struct error *error) {
  static const char *const files[SPLITS][2] = {{"train.es", "train.en"}, {"valid.es", "valid.en"}, {"test.es", "test.en"}};
  if (!file_make_directory(directory, error)) return false;
  for (int split = 0; split < SPLITS; split++) {
    for (int english = 0; english < 2; english++) {
      char path[4096];
      if (!write_side(corpus, (enum split)split, english, file_join(path, directory, files[split][english]), error)) return false;
    }
  }
  return true;
}
