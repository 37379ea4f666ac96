// What may not or should hardly come next: penalties and bans, applied to one row of logits (greedy search) or of
// log-probabilities (beam search) just before the best are chosen. transformers calls them logits processors.
#pragma once
#include "generate/generation.h"

// What a banned id gets: below everything a model can say, and far enough from the end of f32 to be added to.
#define LOGIT_NEVER (-1e30f)

struct logits_rules {
  const struct generation_options *options;
  int vocabulary;
  bool any;            // some rule may apply to some row
  bool history;        // some rule looks at what was generated
  bool repetition;
  uint32_t *seen;      // [vocabulary] the turn in which an id was last met; only with repetition
  uint32_t turn;
  float *removed;      // what banned ids had, row after row
  size_t removed_count, removed_capacity;
};

struct rule_row {
  float *logits;            // [vocabulary]
  const int32_t *target;    // [length] prefix and what was generated; only read if rules.history
  int length;
  const int32_t *source;    // [source_count]
  int source_count;
  int min_length;
  bool first;               // nothing was generated yet
};

bool logits_rules_open(struct logits_rules *rules, const struct generation_options *options, int vocabulary, struct error *error);
void logits_rules_close(struct logits_rules *rules);
// Applies all rules to a row. Appends the values of the ids that it bans to rules->removed, which the caller empties.
bool logits_rules_apply(struct logits_rules *rules, const struct rule_row *row, struct error *error);
