#include "base/random.h"

#include <math.h>

enum { ROUNDS = 7 };

void random_block(uint32_t out[4], struct random_key key, uint64_t low, uint64_t high) {
  uint32_t c0 = (uint32_t)low, c1 = (uint32_t)(low >> 32), c2 = (uint32_t)high, c3 = (uint32_t)(high >> 32);
  uint32_t k0 = key.word[0], k1 = key.word[1];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
    c0 = n0;
    c1 = (uint32_t)b;
    c2 = n2;
    c3 = (uint32_t)a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

struct random_key random_key(uint64_t seed, uint64_t purpose) {
  uint32_t block[4];
  random_block(block, (struct random_key){{0x71766B00u, 0x5EEDu}}, seed, purpose);
  return (struct random_key){{block[0], block[1]}};
}

uint64_t random_bits(struct random_key key, uint64_t counter) {
  uint32_t block[4];
  random_block(block, key, counter, 0);
  return (uint64_t)block[0] << 32 | block[1];
}

double random_uniform(struct random_key key, uint64_t counter) { return (double)(random_bits(key, counter) >> 11) * 0x1p-53; }

double random_normal(struct random_key key, uint64_t counter) {
  uint32_t block[4];
  random_block(block, key, counter, 1);
  double u = ((double)(((uint64_t)block[0] << 32 | block[1]) >> 11) + 0.5) * 0x1p-53;
  double v = (double)(((uint64_t)block[2] << 32 | block[3]) >> 11) * 0x1p-53;
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);  // Box and Muller
}

uint64_t random_below(struct random_key key, uint64_t counter, uint64_t n) {
  return (uint64_t)(((unsigned __int128)random_bits(key, counter) * n) >> 64);
}

uint64_t random_permuted(struct random_key key, uint64_t position, uint64_t n) {
  int half = 1;
  while (half < 32 && ((uint64_t)1 << (2 * half)) < n) half++;
  uint64_t mask = ((uint64_t)1 << half) - 1, x = position;
  do {  // values outside [0, n) are walked on: the network permutes [0, 4^half), which is less than 4 n
    uint64_t left = x >> half, right = x & mask;
    for (uint64_t round = 0; round < 6; round++) {
      uint32_t block[4];
      random_block(block, key, right, round + 2);
      uint64_t next = left ^ (((uint64_t)block[0] << 32 | block[1]) & mask);
      left = right;
      right = next;
    }
    x = left << half | right;
  } while (x >= n);
  return x;
}
