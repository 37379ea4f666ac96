// How to search: the options of generation_config.json with the meaning that `generate` of transformers gives them, and what
// a search finds.
//
// Lengths are counted in target tokens. max_length and min_length count the decoder's prefix (the start token and whatever
// beginning is given; for a model with a decoder only, the prompt); max_new_tokens and min_new_tokens don't.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/arch.h"

// Lists of ids, one behind the other: list i is ids[ends[i - 1]] to ids[ends[i]].
struct id_lists {
  int32_t *ids;
  int *ends;
  int count;
  size_t id_capacity, end_capacity;
};

enum early_stopping {
  EARLY_STOPPING_NO,     // stop when the running beams are not expected to beat the finished ones any more
  EARLY_STOPPING_YES,    // stop as soon as `beams` hypotheses have finished
  EARLY_STOPPING_NEVER,  // stop when no running beam can, whatever its length, beat the finished ones
};

enum {
  EOS_IDS = 8,
  CANDIDATES = 64,
  MAX_BEAMS = CANDIDATES / 2,  // and samples of one request
  DEFAULT_NEW_TOKENS = 256,
  MAX_ALTERNATIVES = CANDIDATES,
  STOP_WINDOW = 256,           // ids that a stop looks at, at most
};

// Why a hypothesis ended.
enum ending {
  ENDING_NONE,      // nothing was possible
  ENDING_TOKEN,     // an end token
  ENDING_STOP,      // generation_options.stops
  ENDING_LENGTH,    // max_length or max_new_tokens
  ENDING_FULL,      // the model's positions
  ENDING_WATCHER,   // generation_options.watch
};

// What became of one of the continuations that a step of a search looked at.
struct search_choice {
  int32_t node;       // its number, by which later choices name it; -1: it was dropped
  int32_t parent;     // the hypothesis that it goes on from; -1: the beginning
  int32_t id;
  float log_prob;     // of the id
  float sum;          // of the ids up to it
  float score;        // sum / count ^ length_penalty, by which finished hypotheses are ranked; greedy search: the sum
  enum ending ending; // ENDING_NONE: it goes on
};

struct generation_request {
  const int32_t *source;  // [source_count] with whatever special tokens the model wants; none for a decoder alone
  int source_count;
  const int32_t *prefix;  // [prefix_count] a beginning of the target that is given, after the start token; or the prompt
  int prefix_count;
  int samples;            // 0: 1. Samples of one request share the prompt's cache
  int first_sample;       // number of the first one, for the random numbers
  uint64_t line;          // number of the input, for the random numbers
};

struct generation_options {
  int beams;              // 1: greedy search, or sampling
  int nbest;              // hypotheses to return, at most `beams`
  int samples;            // most samples of a request
  bool sampling;          // ids are drawn by their probabilities: beams is 1
  double temperature;     // logits are divided by it
  int top_k;              // only the most probable ones are drawn from; 0: all
  double top_p;           // only the fewest whose probabilities sum up to it; 1: all
  double min_p;           // only those at least this times as probable as the most probable one; 0: all
  uint64_t seed;
  double length_penalty;  // hypotheses are ranked by sum of log-probabilities / length ^ length_penalty
  enum early_stopping early_stopping;
  int max_length, max_new_tokens;  // 0: not set; max_new_tokens wins; with neither, DEFAULT_NEW_TOKENS new ones
  int min_length, min_new_tokens;  // the end token is impossible before; min_new_tokens wins
  bool slide;                      // a sequence longer than the model's positions goes on with its latter half
  double repetition_penalty;       // > 1 makes ids that stand in the target already less probable
  int no_repeat_ngram_size;        // n-grams of this size occur once; 0: off
  int encoder_no_repeat_ngram_size;  // n-grams of the source (without a source: of the prompt) don't occur; 0: off
  bool renormalize;                // log-probabilities are normalised again after all the rules above and below
  bool token_scores;               // greedy search: compute them although nothing needs them; others always have them
  int alternatives;                // of every step that are kept, at most MAX_ALTERNATIVES
  int start_id;                    // what the decoder starts with; -1: with the prefix
  int eos_ids[EOS_IDS], eos_count;
  int forced_bos_id;               // the first token after the start; -1: none
  int forced_eos_ids[EOS_IDS], forced_eos_count;  // the last token at max_length
  struct id_lists bad_words;       // sequences that must not occur; those of one id never do
  struct id_lists suppressed, begin_suppressed;  // ids that never occur; that don't occur first
  // Looks at the last ids that were generated (at most stop_window of them) after each; true ends the hypothesis there. NULL: no.
  bool (*stops)(void *user, const int32_t *ids, int count);
  int stop_window;
  void *stop_user;
  // Called with each id as it is generated, not in a beam search, and with -1 when the sample has ended; false ends it. Workers
  // may call at the same time, but never for one request. NULL: nobody watches.
  bool (*watch)(void *user, const struct generation_request *request, int sample, int32_t id);
  void *watch_user;
  // Called after each step of a search with all the continuations that it looked at, the most probable first; of greedy search
  // and of samples with the one that was taken. step counts from 1. Called by workers as watch is. NULL: nobody records.
  void (*record)(void *user, const struct generation_request *request, int step, const struct search_choice *choices, int count);
  void *record_user;
};

// What the architecture's config says, and otherwise greedy search without any rule.
void generation_options_default(struct generation_options *options, const struct arch *arch);
void generation_options_free(struct generation_options *options);
// Options that contradict each other or the model, by the names they have in generation_config.json.
bool generation_options_check(const struct generation_options *options, const struct arch *arch, struct error *error);
bool id_lists_add(struct id_lists *lists, const int32_t *ids, int count, struct error *error);
static inline int id_lists_total(const struct id_lists *lists) { return lists->count ? lists->ends[lists->count - 1] : 0; }
static inline const int32_t *id_list(const struct id_lists *lists, int i, int *count) {
  int start = i ? lists->ends[i - 1] : 0;
  *count = lists->ends[i] - start;
  return lists->ids + start;
}

// Hypotheses that run side by side for one request.
static inline int generation_width(const struct generation_options *options) {
  return options->beams > options->samples ? options->beams : options->samples;
}
// The longest sequence that the model's positions allow, on either side.
int generation_most_length(const struct arch *arch);
// How long a target may become, the prefix among it: what the options say, within the model's positions.
int generation_max_length(const struct generation_options *options, const struct arch *arch, int prefix);
int generation_min_length(const struct generation_options *options, int prefix);
// Numbers [rows], `stride` apart, that came out of a model.
bool generation_check_numbers(const float *numbers, size_t rows, size_t stride, struct error *error);

struct alternative {
  int32_t id;
  float log_prob;     // LOGIT_NEVER (logits_rules.h) where there were fewer
};

struct hypothesis {
  int32_t *ids;       // [count] what was generated, without the prefix, with the end token if it was reached
  float *log_probs;   // [count] what each id added to the sum; NULL where nobody asked (greedy search). Of sampled ids: of the
                      // distribution that was drawn from
  struct alternative *alternatives;  // [count, options->alternatives] the best of each step, or NULL
  int count;
  float score;        // sum of log_probs / count ^ length_penalty; greedy and samples: the plain sum, 0 if nobody asked
  int lost;           // ids of the beginning that were out of sight at the end, after sliding
  enum ending ending;
};

// One block of memory; free() frees it.
struct generation {
  int count;  // hypotheses, best first; samples in their order
  struct hypothesis hypotheses[];
};
