// Loops of multiply-adds on this thread, as many as `rounds` says; they return how many floating-point operations that was.
// sink [3]: two factors in, some result out, so that no compiler leaves the work away.
#pragma once
#include <stddef.h>

double peak_avx2(size_t rounds, float *sink);
double peak_avx512(size_t rounds, float *sink);
double peak_bf16(size_t rounds, float *sink);
double peak_amx(size_t rounds, float *sink);
