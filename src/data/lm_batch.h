// Samples of a token stream for a decoder that learns the next token (see samples.h): the label of a token is the one behind it;
// at the end of a document the end token, or nothing if there is none.
//
//   blocks   for training: the whole stream, cut into blocks of `context` tokens without padding. Where the first block begins is
//            drawn for every epoch, and the last one goes on at the stream's beginning, so that a token has other tokens before
//            it from epoch to epoch. A block holds as many documents as come; each sees itself only, with positions from 0 on,
//            unless `cross` lets attention and positions run on through the block.
//   windows  for measuring: every token once, with up to `context` tokens in sight. A window moves on by `stride` and counts the
//            tokens that the one before has not counted (with stride == context nothing is seen twice: fast, but the first tokens
//            of a window know little). Without `cross` a document has windows of its own.
//   pairs    of prompts and answers: a sample each; the answer and its end are learnt.
#pragma once
#include "data/samples.h"
#include "data/token_stream.h"

// A row of tokens: label_count of them, the last ones, have labels.
struct token_run {
  uint64_t start;
  uint32_t count, label_count;
};

struct lm_samples {
  const struct token_stream *stream;
  size_t context;
  bool cross;
  uint64_t seed;            // of the blocks' beginnings
  struct token_run *runs;   // [run_count] of windows and pairs; NULL: blocks
  size_t run_count;
  // The last batch
  struct batch batch;
  int32_t *ids, *positions, *labels;
  uint64_t *keys, *places;
  struct span *spans;
  size_t row_capacity, span_capacity;
};

// Each starts from stream, context, cross (and seed), and is to be freed. The result points to *of.
struct samples lm_blocks(struct lm_samples *of);
bool lm_windows(struct lm_samples *of, size_t stride, struct samples *samples, struct error *error);
bool lm_pairs(struct lm_samples *of, struct samples *samples, struct error *error);
void lm_samples_free(struct lm_samples *of);
