// A training: updates, validations, the best model so far in its directory, a state to go on from, and the end.
//
// Invariant: OUT is a model directory at every moment. Its model.safetensors is the best by the metric at any validation so
// far, and the initial weights before the first. Everything that decides how a training goes on is in `position`, the weights
// with their moments, and the averages' copies; they are what state.h writes.
#pragma once
#include "data/batch_plan.h"
#include "qkv.h"
#include "train/average.h"
#include "train/schedule.h"
#include "train/training_log.h"
#include "train/update.h"

struct training_position {
  int64_t step;         // updates done
  uint64_t epoch;       // from 0
  uint64_t update;      // the next one within the epoch
  double seconds;       // spent, also by earlier runs
  int64_t tokens;       // rows of encoder and decoder learnt from
  bool has_best;
  double best_score;    // larger is better
  double score_loss;    // validation loss of the model with the best score: it decides between equal scores
  double best_loss;     // the lowest of any validation
  int64_t best_step;
  int64_t worse;        // validations since score or loss last improved
  int64_t validated;    // the last update after which a validation took place
  uint64_t log_size;    // of log.jsonl when the state was written
  int64_t planned;      // updates that --max-time will hold, by the speed so far; 0: nobody knows yet
};

enum training_end { END_STEPS, END_EPOCHS, END_TIME, END_PATIENCE, END_INTERRUPTED };

struct training {
  // Given
  const struct qkv_train_options *options;  // all decided
  const char *directory;
  struct model *model;
  struct context *context;
  struct error *error;
  const struct samples *samples;
  struct schedule schedule;
  bool timed;           // the schedule falls over --max-time: its total is position.planned
  double weights[TARGET_HEADS];  // of the heads' losses in their sum
  struct optimizer_options optimizer;
  const struct qkv_train_listener *listener;  // may be NULL
  void *user;             // of the three functions that follow
  bool (*validate)(void *user, struct scores *scores);
  void (*show_validation)(void *user);  // after validate: samples for people; may be NULL
  bool (*save_model)(void *user, const char *directory);
  const struct score_kind *const *curves;  // scores that curves.svg shows beside the loss, NULL behind the last; may be NULL
  const char *identity;   // what a state has to be of to go on from it; see state.h
  // Held
  struct training_position position;
  struct batch_plan plan;
  struct average average;
  struct training_log log;
  struct scores best_scores;
  double started;         // clock
  double state_saved, state_cost;
  int64_t saved_step;     // of the last state that is complete
  double update_seconds, validation_seconds;  // of one, smoothed; for the estimate of what is left
  double progress_shown;
  enum training_end end;
  bool averaged;          // the model in the directory is a mean of several
  int64_t averaged_count;
};

// resumed: position, weights and averages have been read from a state.
bool training_open(struct training *training, bool resumed);
bool training_run(struct training *training);
void training_close(struct training *training);

// How the options say that samples become batches.
struct batch_plan_options training_plan_options(const struct qkv_train_options *options);

// A line for the listener. The text may have several lines; each is a note of its own.
void training_say(const struct training *training, enum qkv_train_event event, const char *format, ...)
  __attribute__((format(printf, 3, 4)));
