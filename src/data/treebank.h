// Sentences with syntactic relations, from a CoNLL-U file (Universal Dependencies): one word a line with ten columns separated by
// tabs, a blank line behind each sentence.
//
// Invariant: a word's head is another word of its sentence, or -1 (the root).
#pragma once
#include "base/buffer.h"
#include "base/error.h"

struct treebank_word {
  size_t start, end;  // bytes of the sentence's text
  int head;           // index of the word that it depends on
  int relation;       // index in `relations`
};

struct treebank_sentence {
  char *text;         // the words with blanks between, except where the file says SpaceAfter=No
  struct treebank_word *words;
  int count;
  size_t line;        // where it begins, from 1
};

struct treebank {
  struct treebank_sentence *sentences;
  size_t count, capacity;
  char **relations;   // names without their subtypes: "nsubj" of "nsubj:pass"
  int relation_count;
  size_t relation_capacity;
};

bool treebank_read(struct treebank *treebank, const char *path, struct error *error);
void treebank_free(struct treebank *treebank);
