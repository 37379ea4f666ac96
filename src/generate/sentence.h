// One sentence on its way: the beams that run, those that have finished, and the rules by which candidates become the one or
// the other. Knows nothing of models, batches or caches; greedy search is the case of one beam.
//
// What the beams have in common is stored once: a hypothesis is a path of nodes from its last token back to the prefix.
#pragma once
#include "generate/generation.h"

struct generation_request {
  const int32_t *source;  // [source_count] with whatever special tokens the model wants
  int source_count;
  const int32_t *prefix;  // [prefix_count] a beginning of the target that is given, after the start token
  int prefix_count;
};

struct node {
  int32_t id, parent;  // parent -1: the prefix
  float log_prob;
};

struct beam {
  int32_t node;
  int parent;   // which beam of the step before it goes on
  float score;  // sum of log-probabilities
};

struct finished {
  int32_t node;
  int count;    // generated tokens
  float score;  // with the length penalty
  bool ended;
};

enum { MAX_BEAMS = CANDIDATES / 2 };

struct sentence {
  const struct generation_request *request;
  int prefix;      // start token and given beginning
  int length;      // of every running hypothesis, the prefix among it
  int min_length, max_length;
  struct beam beams[MAX_BEAMS];        // best first
  int beam_count;
  struct finished pool[MAX_BEAMS];     // best first
  int pool_count;
  struct node *nodes;
  size_t node_count, node_capacity;
  bool done;
};

// The best next tokens of each running beam, best first: row i belongs to beam i. The log-probability of id ids[i][j] is
// values[i][j] - log_sums[i] (log_sums NULL: nobody asks). Values near LOGIT_NEVER are impossible.
struct candidates {
  const float *values;   // [beams, per_row]
  const int32_t *ids;    // [beams, per_row]
  const float *log_sums; // [beams]
  int per_row;
};

// Candidates that a step wants of each beam.
int sentence_candidates(const struct generation_options *options, int vocabulary);
// The nodes' memory is kept from the sentence that used it before.
void sentence_start(struct sentence *sentence, const struct generation_request *request, const struct generation_options *options,
                    const struct arch *arch);
// The ids that are the only ones allowed next; 0 when nothing is forced.
int sentence_forced(const struct sentence *sentence, const struct generation_options *options, const int **ids);
// Writes prefix and generated ids of a beam: [length].
void sentence_ids(const struct sentence *sentence, const struct generation_options *options, int beam, int32_t *ids);
bool sentence_advance(struct sentence *sentence, const struct generation_options *options, const struct candidates *candidates,
                      struct error *error);
// What was found, once it is done.
struct generation *sentence_result(const struct sentence *sentence, const struct generation_options *options,
                                   struct error *error);
