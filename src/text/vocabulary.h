// A two-way table of tokens and ids. Ids may have gaps.
//
// Invariant: a token has one id and an id one token; text lives in one buffer, each token followed by a zero byte.
#pragma once
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct vocabulary {
  struct buffer text;
  struct vocabulary_entry {
    uint32_t offset, size;  // offset UINT32_MAX: no such id
  } * entries;
  size_t size, capacity;  // size: largest id + 1
  size_t count;           // ids that exist
  uint32_t *slots;        // open addressing: id + 1, 0 is free
  size_t slot_count;      // 0 or a power of two, at least 2 * count
};

// False with an error when the token or the id is there already; name is the file for the message.
bool vocabulary_add(struct vocabulary *vocabulary, const char *token, size_t size, long long id, const char *name,
                    struct error *error);
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *token, size_t size);  // -1: not there
const char *vocabulary_token(const struct vocabulary *vocabulary, int32_t id, size_t *size);   // NULL: not there
void vocabulary_free(struct vocabulary *vocabulary);
