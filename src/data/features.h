// Labelled examples as what a model with a head takes: sequences of ids with special tokens and segments, cut or windowed to the
// model's length, and what is to be learnt from each.
//
//   rows      [row_count]     of all sequences, one after the other
//   sequences [count]         a text or pair; some words of a sentence; a window over a context; one of several choices
//   samples   [sample_count]  sequences that have to stay together: the choices of a question, otherwise one
//
// With arch.both_orders a pair is one sequence in both orders, one after the other, each seeing only itself.
//
// Methods: pairs are cut at the longer side (Devlin et al., 2019, released code); a word's first piece carries its tag (5.3);
// contexts that are too long are read in windows with a stride, those without the answer point at row 0 (released code for
// SQuAD).
#pragma once
#include "data/examples.h"
#include "data/label_names.h"
#include "model/packed_batch.h"
#include "data/samples.h"
#include "text/tokenizer.h"

struct feature_row {
  int32_t id, type, label;  // label: of the word that begins here, or the next token; -1: nothing is learnt
  int32_t word;             // number of the word that begins here; -1: none does
  uint32_t start, end;      // bytes of the context; both 0 outside of it
};

struct feature {
  uint64_t first;  // row
  uint32_t count;  // rows
  uint32_t second; // arch.both_orders: the row with which the other order begins; 0: there is none
  uint32_t example;
  struct batch_text text;  // what is learnt from it as a whole
};

struct feature_sample {
  uint32_t first, count;  // sequences
};

struct features {
  const struct examples *examples;
  const struct arch *arch;
  struct feature_row *rows;
  struct feature *sequences;
  struct feature_sample *samples;
  size_t row_count, count, sample_count;
  size_t row_capacity, capacity, sample_capacity;
  uint32_t longest;  // rows of a sequence
  struct ledger ledger;
  struct packed_batch packed;  // the last batch that was filled
  int32_t *scratch;
  size_t scratch_capacity;
};

struct feature_options {
  const struct tokenizer *tokenizer;
  const struct arch *arch;           // with the head that the features are for
  const struct label_names *labels;  // of HEAD_CLASSIFY and HEAD_TAG, unless labels is 1
  size_t max_length;                 // rows of a sequence; 0: as many as the model has positions
  size_t stride;                     // rows between the beginnings of two windows over a context; 0: 128
  size_t max_question;               // rows of a question beside its context; 0: 64
  bool training;                     // drop what nothing can be learnt from; else every example gives a sequence
  bool next_tokens;                  // rows are to learn the next token; the arch has a vocabulary beside the texts' head
};

// The examples have to outlive the features. Labels are taken where the examples have them.
bool features_make(struct features *features, const struct examples *examples, const struct feature_options *options,
                   struct error *error);
void features_free(struct features *features);
// For training and validation (samples.h); ignores the epoch.
struct samples features_samples(struct features *features);
// A batch of samples with what is to be learnt from them.
const struct batch *features_batch(struct features *features, const uint32_t *list, size_t count, struct error *error);
