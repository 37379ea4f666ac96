// What is chosen for a training that says nothing else: a size and settings that are good for the amount of text. Two
// tables: sizes, and settings by the number of sentence pairs.
#pragma once
#include "base/buffer.h"
#include "qkv.h"

struct size_preset {
  const char *name;
  int hidden, ffn, heads, encoder_layers, decoder_layers;
  double learning_rate;  // the highest, with the inverse square root schedule
  int warmup_steps;
};

const struct size_preset *size_preset_find(const char *name);  // NULL: no such size

// Decides everything of `options` that is undecided, and appends to `said` what was chosen and why, a line each.
void recipe_decide(struct qkv_train_options *options, uint64_t pairs, struct buffer *said);
// What depends on the order of training, once it is known: how many updates an epoch has.
void recipe_decide_steps(struct qkv_train_options *options, uint64_t pairs, int64_t updates_per_epoch, struct buffer *said);
