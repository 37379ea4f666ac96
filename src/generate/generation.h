// How to search: the options of generation_config.json with the meaning that `generate` of transformers gives them, and what
// a search finds.
//
// Lengths are counted in target tokens. max_length and min_length count the decoder's prefix (the start token and whatever
// beginning is forced); max_new_tokens and min_new_tokens don't.
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
};

enum early_stopping {
  EARLY_STOPPING_NO,     // stop when the running beams are not expected to beat the finished ones any more
  EARLY_STOPPING_YES,    // stop as soon as `beams` hypotheses have finished
  EARLY_STOPPING_NEVER,  // stop when no running beam can, whatever its length, beat the finished ones
};

enum { EOS_IDS = 8, CANDIDATES = 64, DEFAULT_NEW_TOKENS = 256 };

struct generation_options {
  int beams;              // 1: greedy search
  int nbest;              // hypotheses to return, at most `beams`
  double length_penalty;  // hypotheses are ranked by sum of log-probabilities / length ^ length_penalty
  enum early_stopping early_stopping;
  int max_length, max_new_tokens;  // 0: not set; max_new_tokens wins; with neither, DEFAULT_NEW_TOKENS new ones
  int min_length, min_new_tokens;  // the end token is impossible before; min_new_tokens wins
  double repetition_penalty;       // > 1 makes ids that stand in the target already less probable
  int no_repeat_ngram_size;        // n-grams of this size occur once; 0: off
  int encoder_no_repeat_ngram_size;  // n-grams of the source don't occur; 0: off
  bool renormalize;                // log-probabilities are normalised again after all the rules above and below
  bool token_scores;               // greedy search: compute them although nothing needs them; a beam search always has them
  int start_id;                    // what the decoder starts with
  int eos_ids[EOS_IDS], eos_count;
  int forced_bos_id;               // the first token after the start; -1: none
  int forced_eos_ids[EOS_IDS], forced_eos_count;  // the last token at max_length
  struct id_lists bad_words;       // sequences that must not occur; those of one id never do
};

// What the architecture's config says, and otherwise greedy search without any rule.
void generation_options_default(struct generation_options *options, const struct arch *arch);
void generation_options_free(struct generation_options *options);
// Options that contradict each other or the model, by the names they have in generation_config.json.
bool generation_options_check(const struct generation_options *options, const struct arch *arch, struct error *error);
bool id_lists_add(struct id_lists *lists, const int32_t *ids, int count, struct error *error);
static inline const int32_t *id_list(const struct id_lists *lists, int i, int *count) {
  int start = i ? lists->ends[i - 1] : 0;
  *count = lists->ends[i] - start;
  return lists->ids + start;
}

// The longest sequence that the model's positions allow, on either side.
int generation_most_length(const struct arch *arch);
// How long a target may become, the prefix among it: what the options say, within the model's positions.
int generation_max_length(const struct generation_options *options, const struct arch *arch, int prefix);
int generation_min_length(const struct generation_options *options, int prefix);

struct hypothesis {
  int32_t *ids;       // [count] what was generated, without the prefix, with the end token if it was reached
  float *log_probs;   // [count] what each id added to the sum; NULL where nobody asked (greedy search)
  int count;
  float score;        // sum of log_probs / count ^ length_penalty; greedy: the plain sum, 0 if nobody asked
  bool ended;         // by an end token; otherwise the length was reached
};

// One block of memory; free() frees it.
struct generation {
  int count;  // hypotheses, best first
  struct hypothesis hypotheses[];
};
