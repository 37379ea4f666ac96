// Samples of masked language modelling and next sentence prediction (Devlin et al., 2019, 3.1 and A.1; Lan et al., 2020, 3.1).
//
// The documents are cut once into segments: as many following sentences as fit into max_length with [CLS] and two [SEP], for
// random neighbours also the one that no longer fits, and at least two, as in the released code of BERT. A sample is a segment;
// everything else is drawn anew in each epoch, as a function of (seed, epoch, sample, position):
//   - where the segment is split into A and B; in half of the cases B is replaced by sentences of another document (label 1), or
//     A and B change places (label 1). What is too long is cut by the same rule whatever the label, so that neither lengths nor
//     broken ends tell the labels apart (a model finds such a tell long before it reads);
//   - which tokens are predicted (mask_rate of them, at least one), and which of these become [MASK], any token, or stay.
// In the first short_epochs epochs a sample is a part of its segment that fits into short_length: short sequences, then long
// ones.
#pragma once
#include "base/random.h"
#include "data/samples.h"
#include "data/sentences.h"
#include "model/packed_batch.h"

enum next_sentence { NEXT_RANDOM, NEXT_SWAPPED, NEXT_NONE };

struct masking {
  double rate;            // share of the tokens that are predicted
  double masked, random;  // shares of these that become [MASK] or any token; the rest stays
  bool whole_words;       // a word's pieces are predicted together
  const bool *continues;  // [vocabulary] whether a token goes on with the word before it; NULL: every token is a word
  int mask_id, vocabulary;
};

struct masked_samples {
  const struct sentences *sentences;
  const struct arch *arch;
  struct masking masking;
  enum next_sentence next;
  int cls_id, sep_id;
  size_t max_length, short_length;  // rows of a sample; short_length 0: as max_length
  uint64_t short_epochs;
  uint64_t seed;
  bool validation;  // a single document is no error then: every second text is the one that follows
  // Made by masked_samples_make:
  struct masked_segment {
    size_t first, end;  // sentences
    size_t document;
  } * segments;  // [count]
  size_t count, capacity;
  struct packed_batch packed;
  int32_t *rows;  // ids, types and labels of one sample
  struct masked_group *groups;
};

// Cuts the segments. The fields above the line are set; the sentences have to outlive the samples.
bool masked_samples_make(struct masked_samples *samples, struct samples *out, const char *const *paths, struct error *error);
void masked_samples_free(struct masked_samples *samples);

// Chooses what is predicted in a sequence and changes its ids; labels [count] become the ids that stood there, -1 elsewhere.
// Tokens with maskable false are left alone. groups: room for `count`. Returns how many tokens are predicted.
struct masked_group {
  uint64_t random;
  int first, count;
};
size_t mask_tokens(const struct masking *masking, struct random_key key, int32_t *ids, const bool *special, int32_t *labels,
                   size_t count, struct masked_group *groups);
