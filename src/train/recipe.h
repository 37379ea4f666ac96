// What is chosen for a training that says nothing else: families, sizes, and settings that are good for the task and the amount
// of text, each a table in recipe.c. Every family has every size, and every task a row without limit in the amount of text.
#pragma once
#include "base/buffer.h"
#include "qkv.h"

struct size_preset {
  const char *families;  // between blanks
  const char *name;
  int hidden, ffn, heads, encoder_layers, decoder_layers;
  double learning_rate;  // the highest, with the schedule of the task
  int warmup_steps;
  int context;           // 0: not an option of its tasks
};

const struct size_preset *size_preset_find(const char *family, const char *name);  // NULL: no such size

// Decides everything of `options` that is undecided, and appends to `said` what was chosen and why, a line each.
// amount: of text, in the task's unit.
void recipe_decide(struct qkv_train_options *options, uint64_t amount, struct buffer *said);
// What depends on the order of training, once it is known: how many updates an epoch has.
void recipe_decide_steps(struct qkv_train_options *options, uint64_t amount, int64_t updates_per_epoch, struct buffer *said);
