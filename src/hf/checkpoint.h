// A model directory: config.json, model.safetensors (or its shards) and generation_config.json, read and written.
//
// The model's weights point into the mapped file until something makes values of their own; so a checkpoint has to outlive
// every use of its model. The original JSON is kept, and patched when saving.
#pragma once
#include "hf/generation_config.h"
#include "hf/heads.h"
#include "hf/safetensors.h"
#include "model/model.h"

struct layout;

struct checkpoint {
  struct arch arch;
  struct model *model;
  struct safetensors tensors;
  const struct layout *layout;
  cJSON *config;                   // as read
  struct generation_defaults generation;
  struct labels labels;            // of HEAD_CLASSIFY and HEAD_TAG; empty when another head or number was asked for
  enum number_type type;           // of most numbers in the file
};

// Another head than the one that config.json names: for fine-tuning. Tensors of the head that the file lacks, or has for another
// number of labels, start from random numbers; a warning lists them.
struct head_choice {
  enum head_kind head;
  int labels;      // of HEAD_CLASSIFY and HEAD_TAG, otherwise 0
  uint64_t seed;   // of the random numbers
  bool language_too, both_orders;  // the knobs of struct arch; what the file's layout can't say becomes a "qkv" model
  int vocabulary;  // tokens that the model is to have at least: new ones start from random numbers, behind those that are there
  bool through;    // the head reads these features through this LSTM, whatever the file says
  enum feature_kind features;
  struct lstm_arch lstm;
  const enum pooling *pooling;  // of a head for texts; NULL: the layout's own, or what is there
};

// Needs config.json and model.safetensors; generation_config.json may be missing. On failure nothing is left to close.
bool checkpoint_open(const char *directory, struct checkpoint *out, struct error *error);
bool checkpoint_open_as(const char *directory, const struct head_choice *choice, struct checkpoint *out, struct error *error);
// What config.json says, without the weights.
bool checkpoint_arch(const char *directory, struct arch *arch, struct error *error);
void checkpoint_close(struct checkpoint *checkpoint);

struct checkpoint_saving {
  enum number_type type;                         // of the numbers in the file
  size_t shard_size;                             // the most bytes of tensors in one file; 0: one file
  const cJSON *config;                           // of the checkpoint that the model came from, or NULL
  const struct generation_defaults *generation;  // NULL: those that follow from the arch
  const struct labels *labels;                   // NULL: those of config, or LABEL_0 and so on
};

// Writes the model in the layout that model->arch.layout names into a directory, which is made if missing. Each file appears
// complete or not at all; the weights come last. transformers opens the result.
bool checkpoint_save(const char *directory, const struct model *model, const struct checkpoint_saving *saving,
                     struct error *error);
