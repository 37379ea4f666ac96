// The numbers of one validation. Which ones there are a task decides; a row of struct score_kind says how a number is called in
// log.jsonl, by --metric and for people.
#pragma once
#include "base/buffer.h"

struct score_kind {
  const char *metric;          // its name for --metric
  const char *key;             // in log.jsonl
  const char *name;            // beside a curve
  const char *before, *after;  // what stands around it in a sentence
  double factor;               // in the sentence: 100 for a share that is shown in percent
  int decimals;
  bool smaller_is_better;
  bool headline;               // also said at the end of a training
};

enum { SCORES_MOST = 12 };

struct scores {
  double loss;                 // of the validation, per target: the first item, too
  struct {
    const struct score_kind *kind;
    double value;
  } items[SCORES_MOST];
  int count;
};

// Scores that several tasks have.
extern const struct score_kind score_loss, score_perplexity, score_accuracy;

void scores_add(struct scores *scores, const struct score_kind *kind, double value);
// Starts scores with the loss per target, and where `tokens` says that targets are tokens, with perplexity and accuracy.
struct loss;
struct scores scores_of_loss(const struct loss *sum, bool tokens);
// The value by which models are compared: larger is better. A metric that is not among the scores is the loss.
double scores_rank(const struct scores *scores, const char *metric);
// "loss 4.922, perplexity 137.24, 27.7 % of tokens right"; headlines: only those, each after a comma.
void scores_write_text(const struct scores *scores, bool headlines, struct buffer *out);
// ,"valid_loss":4.922,"perplexity":137.24 ...; headlines: the loss and those.
void scores_write_json(const struct scores *scores, bool headlines, struct buffer *out);
