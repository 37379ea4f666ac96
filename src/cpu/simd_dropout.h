// Dropout's random bits, 128 columns at a time: one Philox 4x32-7 (base/random.h) with another counter in each lane.
//
// Column c of a row belongs to group c / 128; its lane is c % 16 and its place among the eight 16-bit halves of that lane's
// four words is c % 128 / 16, low half first.
#pragma once
#include "cpu/simd.h"
#include "tensor/kernels.h"

enum { DROPOUT_VECS = 8, DROPOUT_COLUMNS = DROPOUT_VECS * LANES };

INLINE bool drops(const struct dropout *dropout) { return dropout && dropout->threshold > 0; }

// factor[j]: what columns group * 128 + 16 j .. + 15 are multiplied by, the dropout's scale or 0.
static inline void dropout_factors(const struct dropout *dropout, uint32_t site, uint64_t row_key, int group,
                                   vec factor[DROPOUT_VECS]) {
  ivec c0 = ivec_set((uint32_t)row_key), c1 = ivec_set((uint32_t)(row_key >> 32));
  ivec c2 = ivec_add(ivec_set((uint32_t)group * LANES), ivec_count()), c3 = ivec_set(site);
  uint32_t k0 = dropout->key[0], k1 = dropout->key[1];
  const ivec multiplier0 = ivec_set(0xD2511F53u), multiplier1 = ivec_set(0xCD9E8D57u);
  for (int round = 0; round < 7; round++) {
    ivec high0, low0, high1, low1;
    ivec_multiply_wide(c0, multiplier0, &high0, &low0);
    ivec_multiply_wide(c2, multiplier1, &high1, &low1);
    c0 = ivec_xor(ivec_xor(high1, c1), ivec_set(k0));
    c2 = ivec_xor(ivec_xor(high0, c3), ivec_set(k1));
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const ivec words[4] = {c0, c1, c2, c3}, limit = ivec_set(dropout->threshold - 1), low_half = ivec_set(0xFFFF);
  const vec scale = vec_set(dropout->scale);
  for (int j = 0; j < DROPOUT_VECS; j += 2) {
    factor[j] = vec_keep(ivec_greater(ivec_and(words[j / 2], low_half), limit), scale);
    factor[j + 1] = vec_keep(ivec_greater(ivec_right(words[j / 2], 16), limit), scale);
  }
}

// The factors of one row's group; ones where there is no dropout.
INLINE void row_factors(const struct dropout *dropout, int row, int group, vec factor[DROPOUT_VECS]) {
  if (drops(dropout)) dropout_factors(dropout, dropout->site, dropout->row_keys[row], group, factor);
  else
    for (int j = 0; j < DROPOUT_VECS; j++) factor[j] = vec_set(1.0f);
}
