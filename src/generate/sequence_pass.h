// Runs many sequences through a model of one stack: sorted by length inside, packed into batches, each batch's hidden states
// handed to a function. What a sequence gives depends on nothing but itself (neighbours, order, batches and threads change no
// bit).
#pragma once
#include "model/model.h"
#include "model/packed_batch.h"

struct pass_sequence {
  const int32_t *ids, *types;  // [count]; types NULL: all 0
  int count;                   // at least 1
  int second;                  // as in struct packed_sequence
};

struct sequence_pass {
  const struct model *model;              // prepared
  const struct pass_sequence *sequences;  // [count]
  size_t count;
  // Called for each batch: text i of it is sequence numbers[i], its rows are those of batch->texts[i]. False ends the pass.
  bool (*take)(void *user, struct context *context, const struct batch *batch, struct tensor *hidden, const uint32_t *numbers);
  // Called with each operation's result while a batch runs, as in struct context; may be NULL.
  void (*probe)(void *user, const char *name, const struct tensor *tensor);
  // Called before each batch; may be NULL.
  void (*begin)(void *user, const struct batch *batch, const uint32_t *numbers);
  void *user;
};

bool sequence_pass_run(const struct sequence_pass *pass, struct error *error);
