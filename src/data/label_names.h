// The labels of a task by name and number, as config.json's id2label says them.
#pragma once
#include "data/examples.h"

struct label_names {
  char **names;  // [count]
  int count;
};

// Those that occur in the examples (labels, or tags of words), sorted: numbers by value, "O" before other tags.
bool label_names_collect(struct label_names *names, const struct examples *examples, struct error *error);
int label_names_find(const struct label_names *names, const char *text);  // -1: there is none of that name
// "0, 1, 2": the first ones, for messages.
void label_names_list(const struct label_names *names, char *out, size_t size);
void label_names_free(struct label_names *names);
