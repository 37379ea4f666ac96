// The options of a training as one table: read from and written to training.json, checked against bounds and each other.
// The struct itself is the public one; a field that is negative or NULL has not been decided yet.
#pragma once
#include "base/error.h"
#include "base/json.h"
#include "qkv.h"

struct qkv_train_options train_options_default(void);

// Fills what is undecided from options->config. *owner receives the document that the new strings lie in; the caller
// deletes it (cJSON_Delete) when the options are not used any more, and frees *lists (see train_options_free_lists).
struct train_option_lists {
  const char **train, **valid;
};
bool train_options_read(struct qkv_train_options *options, cJSON **owner, struct train_option_lists *lists, struct error *error);
void train_options_free_lists(struct train_option_lists *lists);

// Bounds of every number, known words, and options that contradict each other. complete: nothing more will be read from a file.
bool train_options_check(const struct qkv_train_options *options, bool complete, struct error *error);

// {"task": "translation", ...} with everything that is decided.
cJSON *train_options_json(const struct qkv_train_options *options, struct error *error);
bool train_options_write(const struct qkv_train_options *options, const char *path, struct error *error);
