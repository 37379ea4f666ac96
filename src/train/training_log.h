// OUT/log.jsonl, one JSON object a line for every update and every validation, and OUT/curves.svg drawn from the same numbers.
//
// State: the points of the curves, in memory; lines that found no room on the disk; the file's size, which a training's state
// keeps so that a resumed run cuts off what was written after its beginning.
#pragma once
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "train/optimizer.h"
#include "train/scores.h"

enum { CURVES_MOST = 2 };

struct training_log {
  char path[4096], curves_path[4096];
  bool open;
  int descriptor;
  uint64_t size;          // of the file
  struct buffer waiting;  // to be written there
  struct points {
    double *x, *y;
    size_t count, x_capacity, y_capacity;
  } loss, valid_loss, scores[CURVES_MOST];
  const struct score_kind *const *curves;  // which scores are drawn beside the losses, NULL behind the last; may be NULL
};

struct log_update {
  int64_t step;
  double epoch, loss, learning_rate, norm, seconds;  // seconds since the training began
  int64_t labels, tokens;                            // tokens: rows of encoder and decoder
  const struct model *layers;                        // whose gradients are written layer by layer; NULL: they are not
};

// Starts a new log, or cuts an existing one to `size` bytes and goes on with it.
bool training_log_open(struct training_log *log, const char *directory, const struct score_kind *const *curves, bool resumed,
                       uint64_t size, struct error *error);
void training_log_close(struct training_log *log);
bool training_log_update(struct training_log *log, const struct log_update *update, struct error *error);
bool training_log_validation(struct training_log *log, int64_t step, const struct scores *scores, bool best, double seconds,
                             struct error *error);
// A line that is already a JSON object. A full disk is no error here: the lines wait for training_log_flush.
bool training_log_line(struct training_log *log, const char *json, struct error *error);
// Makes what was written durable enough to be counted on, and draws the curves. *size receives the file's size.
bool training_log_flush(struct training_log *log, uint64_t *size, struct error *error);
