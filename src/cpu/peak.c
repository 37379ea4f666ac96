// The most products per second that this instruction set can do: multiply-adds that touch nothing but registers.
#include "cpu/peak.h"

#include "cpu/simd.h"

// As many sums side by side as keep the units busy and fit into the registers.
#if defined(SIMD_AVX512)
enum { CHAINS = 12 };
#else
enum { CHAINS = 5 };
#endif

double KERNEL_NAME(peak)(size_t rounds, float *sink) {
  vec sums[CHAINS], x = vec_set(sink[0]), y = vec_set(sink[1]);
  for (int i = 0; i < CHAINS; i++) sums[i] = vec_set((float)i);
  for (size_t round = 0; round < rounds; round++)
    for (int i = 0; i < CHAINS; i++) sums[i] = vec_fma(x, sums[i], y);
  for (int i = 1; i < CHAINS; i++) sums[0] = vec_add(sums[0], sums[i]);
  sink[2] = vec_first(sums[0]);
  return 2.0 * LANES * CHAINS * (double)rounds;
}
