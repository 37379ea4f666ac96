// Chooses the kernels for the processor that the program runs on.
#pragma once
#include "base/error.h"
#include "tensor/kernels.h"

// How products with weights are computed. All else is f32 in either case: the weights' masters, sums, statistics, losses.
enum precision {
  PRECISION_AUTO,  // bf16 where the processor has instructions for it, f32 elsewhere
  PRECISION_F32,
  PRECISION_BF16,  // both factors rounded to bf16
};

// "auto", "f32", "bf16"
bool precision_read(enum precision *precision, const char *name, struct error *error);

// The best table that this processor has and QKV_CPU (reference, avx2, avx512, amx) allows: that one or, where the
// processor lacks it, the next below. NULL and error set when QKV_CPU names
// something else, or when bf16 is wanted and cannot be had. The table lives as long as the program. While a
// profile is open (tensor/profile.h) it is one that counts.
const struct kernels *cpu_kernels(enum precision precision, struct error *error);
// A given table by name, for tests ("reference", "avx2", "avx512", "avx512-bf16", "amx-bf16"); NULL when it was not built or this
// processor can't run it.
const struct kernels *cpu_kernels_named(const char *name);
// Does nothing at all: for measuring how much memory a batch needs.
const struct kernels *cpu_kernels_measuring(enum number_type product_type);
// "AMD EPYC 9554 64-Core Processor", or "unknown processor"
const char *cpu_name(void);
