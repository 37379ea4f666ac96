// The context behind every public call: where its error goes.
//
// Every public function starts with public_begin, which forgets the last call's error.
#pragma once
#include "base/error.h"
#include "qkv.h"

struct qkv_context {
  struct error error;
};

struct error *public_begin(struct qkv_context *context);
