// How a directory says that hidden states become the vector of a text: modules.json, the pooling module's config.json and
// sentence_bert_config.json, as the library sentence-transformers writes them (Reimers and Gurevych, 2019).
#pragma once
#include "base/error.h"

enum text_pooling { TEXT_FIRST = 1, TEXT_MEAN = 2, TEXT_MAX = 4, TEXT_MEAN_SQRT = 8, TEXT_LAST = 16 };

struct sentence_modules {
  bool found;        // whether there is a modules.json
  int pooling;       // text_pooling values; several are put one behind the other, in this order
  bool normalized;   // to length 1
  int max_length;    // rows of a text with its special tokens; 0: not said
};

bool sentence_modules_read(struct sentence_modules *modules, const char *directory, struct error *error);
// "mean", "cls", "max", "mean-sqrt", "last"; 0 for any other name.
int text_pooling_find(const char *name);
