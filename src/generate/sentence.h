// One sentence on its way: the beams or samples that run, those that have finished, and the rules by which candidates become
// the one or the other. Knows nothing of models, batches or caches; greedy search is the case of one sample that is not drawn.
//
// What the beams have in common is stored once: a hypothesis is a path of nodes from its last token back to the prefix.
#pragma once
#include "generate/generation.h"

struct node {
  int32_t id, parent;  // parent -1: the prefix
  float log_prob;
};

struct beam {
  int32_t node;
  int parent;   // which beam of the step before it goes on
  int sample;   // which sample this is; 0 in a search
  float score;  // sum of log-probabilities
};

struct finished {
  int32_t node;
  int count;    // generated tokens
  int sample;
  int lost;     // ids of its beginning that were out of sight
  float score;  // with the length penalty
  enum ending ending;
};

struct sentence {
  const struct generation_request *request;
  int prefix;      // start token and given beginning
  int length;      // of every running hypothesis, the prefix among it
  int min_length, max_length;
  int full;        // length at which the model's positions are used up; 0: never
  int first;       // ids before this one are out of sight: the sequence slides over the model's positions
  struct beam beams[MAX_BEAMS];        // best first; samples in their order, but in the first step one for all of them
  int beam_count;
  struct finished pool[MAX_BEAMS];     // best first; samples as they ended
  int pool_count;
  struct node *nodes;
  struct alternative *alternatives;    // [node_count, options->alternatives]
  size_t node_count, node_capacity, alternative_capacity;
  bool done;
};

// The best next tokens of each running beam, best first: row i belongs to beam i. The log-probability of id ids[i][j] is
// values[i][j] - log_sums[i] (log_sums NULL: nobody asks). Values near LOGIT_NEVER are impossible.
struct candidates {
  const float *values;   // [beams, per_row]
  const int32_t *ids;    // [beams, per_row]
  const float *log_sums; // [beams]
  int per_row;
  const struct drawn *drawn;  // [sentence_draws] for each running sample; NULL unless sampling
};

struct drawn {
  int32_t id;            // -1: nothing was possible
  float log_prob;
};

// Candidates that a step wants of each beam.
int sentence_candidates(const struct generation_options *options, int vocabulary);
// The nodes' memory is kept from the sentence that used it before.
void sentence_start(struct sentence *sentence, const struct generation_request *request, const struct generation_options *options,
                    const struct arch *arch);
void sentence_free(struct sentence *sentence);
// How many samples go on in this step, and which beam, and so which row, and which sample the i-th is.
int sentence_draws(const struct sentence *sentence);
void sentence_draw(const struct sentence *sentence, int i, int *beam, int *sample);
// The ids that are the only ones allowed next; 0 when nothing is forced.
int sentence_forced(const struct sentence *sentence, const struct generation_options *options, const int **ids);
// Writes prefix and generated ids of a beam: [length]; or the last of them.
void sentence_ids(const struct sentence *sentence, const struct generation_options *options, int beam, int32_t *ids);
int32_t sentence_last_id(const struct sentence *sentence, const struct generation_options *options, int beam);
bool sentence_advance(struct sentence *sentence, const struct generation_options *options, const struct candidates *candidates,
                      struct error *error);
// What was found, once it is done.
struct generation *sentence_result(struct sentence *sentence, const struct generation_options *options, struct error *error);
