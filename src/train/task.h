// Tasks: what a model is trained for. Everything else - options, updates, validations, states, logs - is the same for all.
//
// How to add a task
//   1. One file src/train/NAME_task.c with `const struct task NAME_task = {...}` and a struct for what it holds (state_size).
//      What turns files into samples and samples into batches goes to src/data/NAME_batch.c, as a struct samples.
//   2. One line in the table of task.c, and a line in the file list of meson.build.
//   3. recipe.c: rows for what is chosen when nothing is said (sizes, settings by the amount of text, the rest).
//   4. Options of its own: a field in struct qkv_train_options (qkv.h), a row in train_options.c, a row in cli/verb_train.c; its
//      name goes into `options` below. An option that some task lists is refused by the tasks that don't.
//   5. A validation adds its scores with scores_add; a score that no task has yet is a struct score_kind in the task's file, and
//      its name for --metric goes into `metrics`.
//   6. cli/verb_train.c names the task, its families and its metrics; docs/formats.md shows a line of its input.
//
// The functions of a task are called in the order in which they stand in the struct, for a training and for --show-batch alike.
// They find everything in the job, put what they make into the job or their state, and on failure set job->error and return
// false; close is called in any case, after whatever went wrong. job_say and error_warn are the ways to tell the user something.
#pragma once
#include "base/json.h"
#include "data/parallel_text.h"
#include "hf/checkpoint.h"
#include "text/tokenizer.h"
#include "train/train_options.h"
#include "train/training.h"
#include "train/validation.h"

struct job;

struct task {
  const char *name;      // of --task
  const char *files;     // what --train and --valid are: "pairs of files SOURCE TARGET"
  const char *options;   // those that not every task takes, each between blanks: " label-smoothing max-length "
  const char *families;  // of a new model, between blanks; the first one is the default
  const char *metrics;   // of --metric, between blanks
  const struct score_kind *const *curves;  // drawn beside the loss, at most CURVES_MOST and NULL behind them; NULL: none
  size_t state_size;     // of job->state, which is zero at the beginning

  // Opens the files of options.train and options.valid. Sets job->amount, by which the recipe chooses; afterwards every option
  // that recipe_decide knows is decided.
  bool (*open_text)(struct job *job);
  // Sets job->tokenizer from the training text. Only called where no tokenizer is given (--tokenizer, --from).
  bool (*learn_tokenizer)(struct job *job);
  // Completes what a new model is like. The knobs that are options and the family's are set before (job_model.c); left are
  // family, vocabularies, stacks, special ids and the like.
  bool (*describe_model)(struct job *job, struct arch *arch);
  // Which head a model that is opened (--from, --resume) is to have; NULL: its own.
  bool (*choose_head)(struct job *job, struct head_choice *choice);
  // Looks at job->model, new or opened: whether it suits the task, with a message that says what would. May set what a new model
  // says about generation (job->generation).
  bool (*check_model)(struct job *job);
  // Sets job->train and job->valid. Both are needed: without --valid a part of the training text is held out.
  bool (*read_samples)(struct job *job);
  // What became of the text: said before the training and once more at its end.
  void (*say_text)(const struct job *job);
  // Adds to the identity of a state what a resumed training must find again: a fingerprint of the samples.
  void (*add_identity)(const struct job *job, cJSON *identity);
  // The scores of job->model as it is; most begin with validation_loss. Called again and again.
  bool (*validate)(struct job *job, struct scores *scores);
  // Bytes that validate takes at most beside validation_loss and before the first validation; NULL: none to speak of.
  size_t (*validation_memory)(const struct job *job);
  // Samples for people, after validate; may be NULL.
  void (*show_validation)(const struct job *job);
  // --show-batch: the batch as text. Everything that is learnt has to be visible in it.
  void (*show_batch)(const struct job *job, const struct batch *batch, struct buffer *out);
  // The last lines: what to do with the model.
  void (*say_next)(const struct job *job);
  const char *scored;    // how the headline scores came to be: "greedy"; may be NULL
  // Frees what the state holds.
  void (*close)(struct job *job);
};

// NULL: no such task.
const struct task *task_find(const char *name);
// The index-th task of the table; NULL behind the last.
const struct task *task_at(size_t index);
// Whether `name` stands in a list of words between blanks.
bool task_lists(const char *words, const char *name);

// A training while it is set up and run: its parts, in the order in which they come to be.
struct job {
  const struct task *task;
  void *state;                        // of the task
  struct error *error;
  struct qkv_train_options options;
  cJSON *config;                      // owns texts of the options
  struct train_option_lists lists;
  const char *out;                    // NULL with --show-batch
  char parent[4096];                  // where temporary files go before OUT exists
  char config_path[4096];             // OUT/training.json, when resuming
  const struct kernels *kernels;
  uint64_t amount;                    // of training text, in the unit of the task's recipe
  struct tokenizer *tokenizer;
  struct checkpoint checkpoint;       // of --from, or of OUT when resuming; model NULL: the model is new
  struct model *model;                // ours, or the checkpoint's
  struct generation_defaults generation;  // of a new model
  struct labels labels;               // of the model's head, set by the task; empty: it has none
  struct samples train, valid;
  struct buffer said, identity;
  struct validation validation;
  struct training training;
  struct context context;
  bool context_open;
};

// job.c
bool job_run(const char *out, const struct qkv_train_options *options, const struct qkv_train_listener *listener,
             struct error *error);
bool job_show_batch(struct buffer *text, const struct qkv_train_options *options, struct error *error);
static inline bool job_has_valid(const struct job *job) { return job->options.valid.count > 0; }
// A note for the user, a line or several.
#define job_say(job, ...) training_say(&(job)->training, QKV_TRAIN_NOTE, __VA_ARGS__)

// --show-batch: a line of tokens with their ids; -1, where nothing is learnt, is "-".
void job_show_tokens(const struct job *job, struct buffer *out, const char *name, const int32_t *ids, int count);

size_t job_validation_tokens(const struct qkv_train_options *options);  // of a batch of the validation text

// job_model.c
bool job_get_tokenizer(struct job *job);
bool job_get_model(struct job *job);
bool job_save_model(struct job *job, const char *directory);
// The id of a special token of the job's tokenizer: `id` if it is one, otherwise that of `token`; a missing one is an error.
int job_special_id(const struct job *job, const char *role, int32_t id, const char *token);

// job_identity.c
bool job_log_start(struct job *job);
bool job_make_identity(struct job *job);
// "3000 pairs, 00f1e2..." of up to two blocks of bytes.
void job_add_fingerprint(cJSON *identity, const char *name, size_t count, const char *unit, struct text_line first,
                         struct text_line second);
