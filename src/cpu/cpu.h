// Chooses the kernels for the processor that the program runs on.
#pragma once
#include "base/error.h"
#include "tensor/kernels.h"

// The best table that this processor has and QKV_CPU (reference, avx2, avx512) allows. NULL and error set when QKV_CPU names
// something else. The table lives as long as the program.
const struct kernels *cpu_kernels(struct error *error);
// A given table by name, for tests; NULL when it was not built or this processor can't run it.
const struct kernels *cpu_kernels_named(const char *name);
// Does nothing at all: for measuring how much memory a batch needs.
const struct kernels *cpu_kernels_measuring(void);
// "AMD EPYC 9554 64-Core Processor", or "unknown processor"
const char *cpu_name(void);
