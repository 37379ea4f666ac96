// The grammar of the demo's language: makes one English sentence at random together with its Spanish translation, and
// says which Spanish word stands for which English one and which combinations of words occur.
#pragma once
#include "base/random.h"
#include "spanish_forms.h"

enum { MOST_WORDS = 40, MOST_COMBINATIONS = 12, SENTENCE = 512 };

// Draws numbers one after the other.
struct chooser {
  struct random_key key;
  uint64_t counter;
};

size_t choose(struct chooser *chooser, size_t n);             // 0 to n - 1
bool chance(struct chooser *chooser, size_t percent);

enum combination_kind { ADJECTIVE_NOUN, SUBJECT_VERB };

// An adjective (its number) with a noun, or a subject with a verb (its number; verb_count is "to be").
struct combination {
  enum combination_kind kind;
  size_t first, second;
};

// Subjects: nouns by their numbers, then names, then pronouns, then "who".
size_t subject_count(void);

struct pair {
  char english[SENTENCE], spanish[SENTENCE];
  struct combination combinations[MOST_COMBINATIONS];
  size_t combination_count;
  size_t english_words, spanish_words;
  bool crosses;  // a Spanish word stands before another whose English word comes first
};

void grammar_sentence(struct pair *pair, struct chooser *chooser);
