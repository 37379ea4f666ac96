// A batch: sequences one after the other without padding, as ids with positions, and spans that say who sees whom; and what is to
// be learnt from them. Built by src/data for training and by others for inference; the memory belongs to the builder.
//
// The side that predicts is the target, or the source of a model without a decoder. What is learnt depends on arch.head:
//
//   head               labels, per row                          texts                                           targets
//   HEAD_LANGUAGE      id of the next (causal) or masked token  -                                               label_count
//   HEAD_TAG           class                                    -                                               label_count
//   HEAD_REPLACED      1 not the original word, 0 it is         -                                               label_count
//   HEAD_CLASSIFY      -                                        label: class; with arch.labels 1 value          text_label_count
//     language_too     as HEAD_LANGUAGE                         the same                                        both
//   HEAD_NEXT_SENTENCE -                                        label: 0 B follows A, 1 it does not             text_label_count
//   HEAD_SPAN          -                                        start, end: rows counted from the text's first  text_label_count
//   HEAD_CHOICE        -                                        label: 1 the group's right one, 0 a wrong one   text_label_count
//   HEAD_PRETRAINING   as HEAD_LANGUAGE                         as HEAD_NEXT_SENTENCE                           both
//   HEAD_DOUBLE        as HEAD_LANGUAGE                         as HEAD_CHOICE                                  both
//
// Only rows whose label is not -1 reach the vocabulary.
#pragma once
#include <stdint.h>

#include "tensor/span.h"

// One side: what goes through one stack.
struct batch_side {
  int rows;
  const int32_t *ids;         // [rows]
  const int32_t *positions;   // [rows], 0-based within each sequence
  const int32_t *types;       // [rows] segments; NULL: all 0
  const uint64_t *row_keys;   // [rows], for dropout: sample number << 24 | position; may be NULL when nothing is dropped
  const struct span *spans;   // [span_count], self-attention
  int span_count;
};

// One sequence of the predicting side that a head speaks about as a whole; with arch.both_orders two of them, one after the
// other.
struct batch_text {
  int first, count;    // its rows
  int row;             // the row that stands for it (arch.pooling): first, first + count - 1, or any other of a builder's choice
  int second;          // arch.both_orders: the row that stands for the other order; 0: there is none
  int group;           // choices of one question are neighbours with the same number; other heads don't read it
  int32_t label;       // see above; -1: nothing is learnt here. In a group either no text or exactly one has 1
  int32_t start, end;  // HEAD_SPAN, from 0 to count - 1, the same row for "no answer"; start -1: nothing is learnt here
  float value;         // regression; NaN: nothing is learnt here
};

struct batch {
  struct batch_side source;   // rows == 0 without an encoder
  struct batch_side target;   // rows == 0 without a decoder
  const struct span *cross;   // [cross_count]: target rows over source rows
  int cross_count;
  const int32_t *labels;      // [rows of the side that predicts], -1 where nothing is learnt; NULL: no head asks for it
  int label_count;            // labels that are not -1
  const struct batch_text *texts;  // [text_count], in the order of their rows; NULL: no head asks for it
  int text_count;
  int text_label_count;       // texts from which something is learnt; of HEAD_CHOICE groups
  int sequences;
  const uint64_t *lines;      // [sequences] place (file and line) of each in the training files, or NULL
};
