// The head of a model in config.json: the class in "architectures" says which, and "id2label" names its labels.
//
// A layout's table of heads is read in both directions: from the class to the knobs of struct arch, and from arch.head to the
// first class that has it.
#pragma once
#include "hf/layout.h"

// Names of the classes that a head tells apart, by number.
struct labels {
  char **names;  // [count]
  int count;
};

// "id2label", or LABEL_0, LABEL_1, ... as many as "num_labels" (2 without it) says, as transformers has it.
bool labels_read(struct labels *out, const cJSON *config, const char *path, struct error *error);
bool labels_copy(struct labels *out, const struct labels *from, struct error *error);
int labels_find(const struct labels *labels, const char *name);  // -1: there is none of that name
void labels_free(struct labels *labels);

// Sets arch.head and what belongs to it from the class; an unknown class is a warning and counts as the layout's first.
bool heads_read(struct arch *arch, const struct layout *layout, const cJSON *config, const char *path, struct error *error);
// Sets "architectures" where it says another head than arch does, and "id2label" with "label2id" where they have another number
// of labels. labels may be NULL.
bool heads_write(cJSON *config, const struct layout *layout, const struct arch *arch, const struct labels *labels,
                 struct error *error);
// Gives the arch another head (labels: of HEAD_CLASSIFY and HEAD_TAG, otherwise 0), in its own layout's way. False where the
// layout has no such head.
bool heads_set(struct arch *arch, enum head_kind head, int labels, struct error *error);
// The same, but double heads are there for every decoder. Where the layout has no class for them, config_can_say says so.
bool heads_choose(struct arch *arch, enum head_kind head, int labels, struct error *error);
// Lets a head for texts look at something else than the layout's own does, without a pooler.
void heads_pool(struct arch *arch, enum pooling pooling);
// The class of transformers that the arch is saved as.
const char *heads_architecture(const struct layout *layout, const struct arch *arch);
// "a head for sequence classification", for messages.
const char *heads_name(enum head_kind head);
// Says what a model without the wanted head is, and how to get one that has it. Always false.
bool heads_refuse(const struct arch *arch, const char *directory, enum head_kind wanted, struct error *error);
