// Which attention head finds which syntactic relation (Clark et al., "What does BERT look at?", 2019, section 4.2): how often the
// word that a head looks at most is the word's head in the tree, or the other way round its dependent.
//
// Attention between words: to a word that has several tokens their weights are added, from such a word the mean of their rows is
// taken. Special tokens and the word itself don't count.
#pragma once
#include "data/treebank.h"
#include "inspect/inspected_text.h"

struct relation_head {
  const char *relation;  // lives as long as the treebank
  int64_t count;         // of the relation
  bool to_head;          // the dependent looks at its head; false: the head at its dependent
  int layer, head;       // that finds it best
  double accuracy;       // 0 to 1
  double baseline;       // of the best fixed distance, such as "the word before"
  int distance;          // that is: head's place - dependent's place
};

struct relation_report {
  struct relation_head *items;  // two per relation, the most frequent relation first
  size_t count;
  size_t sentences, skipped;    // skipped: longer than the model takes
};

// Of the encoder's self-attention, or the decoder's where there is only that.
bool relation_report_make(struct relation_report *report, const struct model *model, const struct tokenizer *tokenizer,
                          const struct treebank *treebank, struct error *error);
void relation_report_free(struct relation_report *report);
