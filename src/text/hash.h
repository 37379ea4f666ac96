// One hash for byte strings and one for pairs of numbers, both the same on every machine.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93u;
  x ^= x >> 32;
  return x;
}

static inline uint64_t hash_bytes(const char *bytes, size_t size) {
  uint64_t hash = size * 0x9E3779B97F4A7C15u, word;
  for (; size >= 8; bytes += 8, size -= 8) {
    memcpy(&word, bytes, 8);
    hash = (hash ^ word) * 0xBF58476D1CE4E5B9u;
    hash ^= hash >> 29;
  }
  word = 0;
  for (size_t i = 0; i < size; i++) word |= (uint64_t)(unsigned char)bytes[i] << 8 * i;
  return hash_mix((hash ^ word) * 0x94D049BB133111EBu);
}
