// How fast a model runs on this machine: updates of a training, passes, and generation, on made-up text.
#pragma once
#include "api/public_model.h"
#include "tensor/profile.h"

struct bench_rate {
  const char *what;
  double rate;        // tokens per second
  double operations;  // of products, per token; 0: not counted
};

enum { BENCH_RATES = 4 };

// Fills rates; returns how many, 0 after a failure. Takes a copy of the model from its directory, so the one that is open stays
// as it is.
int bench_model(struct qkv_model *model, struct bench_rate rates[BENCH_RATES], struct error *error);
