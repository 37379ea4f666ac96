// A training of a translator while it is set up and run: its parts, in the order in which they come to be. Inside src/train only.
//
//   options -> text -> tokenizer -> model -> corpora -> training         translation_task.c puts them together
#pragma once
#include "base/json.h"
#include "hf/checkpoint.h"
#include "train/train_options.h"
#include "train/training.h"
#include "train/valid_translator.h"

struct translation_job {
  struct qkv_train_options options;
  cJSON *config;                      // owns texts of the options
  struct train_option_lists lists;
  const char *out;
  char parent[4096];                  // where temporary files go before OUT exists
  char config_path[4096];             // OUT/training.json, when resuming
  const struct kernels *kernels;
  struct error *error;
  struct parallel_text train_text, valid_text;
  struct tokenizer *tokenizer;
  struct checkpoint checkpoint;       // of --from, or of OUT when resuming
  struct model *model;                // ours, or the checkpoint's
  struct generation_defaults generation;  // of a new model
  struct corpus train, valid;
  struct buffer said, identity;
  struct validation validation;
  struct valid_translator translator;
  struct training training;
  struct context context;
  bool context_open;
};


// Whose lines validation takes, and which share of them where it is a part of the training text.
const struct parallel_text *translation_job_valid_text(const struct translation_job *job);
double translation_job_held_out(const struct translation_job *job);  // 0 with a validation text of its own

// translation_model.c: the tokenizer is learnt, or opened; the model is made, or read. The directory of a model is written.
bool translation_job_get_tokenizer(struct translation_job *job);
bool translation_job_get_model(struct translation_job *job);
bool translation_job_save_model(void *job, const struct model *model, const char *directory, struct error *error);

// translation_corpora.c: text to ids, what became of each line, and what a state of this training has to belong to.
bool translation_job_read_corpora(struct translation_job *job);
void translation_job_say_corpora(const struct translation_job *job);
bool translation_job_log_start(struct translation_job *job);
bool translation_job_make_identity(struct translation_job *job);
