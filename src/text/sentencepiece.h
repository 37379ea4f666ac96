// The file that SentencePiece writes (spiece.model, sentencepiece.bpe.model, tokenizer.model): a protobuf message ModelProto of
// pieces, of the trainer's settings and of the normalizer's. Texts point into the bytes that were read.
#pragma once
#include <stdint.h>

#include "base/error.h"

enum sentencepiece_type {
  PIECE_NORMAL = 1,
  PIECE_UNKNOWN = 2,
  PIECE_CONTROL = 3,
  PIECE_USER_DEFINED = 4,
  PIECE_UNUSED = 5,
  PIECE_BYTE = 6,
};

struct sentencepiece_model {
  struct sentencepiece {
    const char *text;
    size_t size;
    float score;
    int type;
  } * pieces;
  size_t count, capacity;
  enum { SENTENCEPIECE_UNIGRAM = 1, SENTENCEPIECE_BPE = 2 } kind;
  bool byte_fallback, add_dummy_prefix, remove_extra_whitespaces;
  int64_t unknown_id;
  const char *charsmap;
  size_t charsmap_size;
};

bool sentencepiece_read(struct sentencepiece_model *model, const char *bytes, size_t size, const char *name, struct error *error);
void sentencepiece_free(struct sentencepiece_model *model);
