// Counter-based random numbers (Philox 4x32 with seven rounds; Salmon et al. 2011, "Parallel random numbers: as easy as
// 1, 2, 3"): a number is a function of (key, counter), so that no order of evaluation and no thread count can change it.
#pragma once
#include <stdint.h>

struct random_key {
  uint32_t word[2];
};

// Derives a key for one purpose from the user's seed; different purposes give unrelated streams.
struct random_key random_key(uint64_t seed, uint64_t purpose);
void random_block(uint32_t out[4], struct random_key key, uint64_t counter_low, uint64_t counter_high);

uint64_t random_bits(struct random_key key, uint64_t counter);
double random_uniform(struct random_key key, uint64_t counter);          // in [0, 1)
double random_normal(struct random_key key, uint64_t counter);           // mean 0, deviation 1
uint64_t random_below(struct random_key key, uint64_t counter, uint64_t n);  // in [0, n), n > 0

// A permutation of [0, n) as a function: position -> element, without a table (a Feistel network with cycle walking).
uint64_t random_permuted(struct random_key key, uint64_t position, uint64_t n);
