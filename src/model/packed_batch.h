// Sequences -> a packed batch for a model of one stack: one after the other, each a text of its own that sees only itself.
//
//   packed_begin; for each sequence: packed_add; packed_end
//
// Works for encoders (batch.source) and decoders (batch.target) alike; the sequences are copied.
#pragma once
#include "base/error.h"
#include "model/arch.h"
#include "model/batch.h"

struct packed_sequence {
  const int32_t *ids, *types;  // [count]; types NULL: all 0
  const int32_t *labels;       // [count], -1 where nothing is learnt; NULL: nowhere
  size_t count;                // at least 1
  size_t second;               // arch.both_orders: the row where the other order begins, which sees only itself; 0: none
  uint64_t number;             // sample number: what dropout's random bits are drawn for
  uint64_t line;               // place in the training files
  struct batch_text text;      // its group and what is learnt from it; the rows are filled in
};

// A text from which nothing is learnt.
struct batch_text packed_text(void);

// Starts from all zero; the arrays are reused by the next batch.
struct packed_batch {
  struct batch batch;  // points into the arrays below
  int32_t *ids, *positions, *types, *labels;
  uint64_t *keys, *lines;
  struct span *spans;
  struct batch_text *texts;
  size_t span_count;           // up to two of a text
  size_t row_capacity, text_capacity;
};

void packed_begin(struct packed_batch *packed);
bool packed_add(struct packed_batch *packed, const struct arch *arch, const struct packed_sequence *sequence,
                struct error *error);
const struct batch *packed_end(struct packed_batch *packed, const struct arch *arch);
void packed_free(struct packed_batch *packed);
