// BLEU (Papineni et al., 2002) with the numbers and the signature of sacreBLEU.
//
// Statistics are added line by line, or merged; the corpus score is computed from their sums. A line's own score is the
// score of statistics that hold that line alone, with effective_order on.
#pragma once
#include "metrics/metric_text.h"

enum { BLEU_ORDERS = 4 };

enum bleu_tokenizer { BLEU_TOKENIZER_13A, BLEU_TOKENIZER_NONE, BLEU_TOKENIZER_CHARACTERS };
enum bleu_smoothing { BLEU_SMOOTHING_EXPONENTIAL, BLEU_SMOOTHING_FLOOR, BLEU_SMOOTHING_ADD_K, BLEU_SMOOTHING_NONE };

// All zero is sacreBLEU's default for a corpus.
struct bleu_options {
  enum bleu_tokenizer tokenizer;
  enum bleu_smoothing smoothing;
  double smoothing_value;  // of floor and add-k; 0: their defaults, 0.1 and 1
  bool lowercase;
  bool effective_order;    // only orders of which the hypotheses have n-grams count: for single lines
};

// Starts from all zero.
struct bleu_statistics {
  uint64_t hypothesis_length, reference_length;  // in tokens; of several references the closest
  uint64_t correct[BLEU_ORDERS], total[BLEU_ORDERS];
  uint64_t lines;
  int references;  // how many a line has; -1: it varies
};

struct bleu_result {
  double score;  // 0 to 100
  double precisions[BLEU_ORDERS];
  double brevity_penalty;
  double ratio;  // hypothesis_length / reference_length
};

// Adds one line with `count` >= 1 references. The statistics are unchanged when it fails.
bool bleu_add(struct bleu_statistics *statistics, const struct bleu_options *options, struct metric_text hypothesis,
              const struct metric_text *references, size_t count, struct error *error);
void bleu_merge(struct bleu_statistics *into, const struct bleu_statistics *from);
struct bleu_result bleu_score(const struct bleu_statistics *statistics, const struct bleu_options *options);

// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
void bleu_signature(struct buffer *out, const struct bleu_statistics *statistics, const struct bleu_options *options);
// "BLEU|SIGNATURE = 41.02 70.1/48.2/34.5/25.0 (BP = 1.000 ratio = 1.002 hyp_len = 100 ref_len = 98)"
void bleu_format(struct buffer *out, const struct bleu_statistics *statistics, const struct bleu_options *options);

// The tokens that BLEU counts, joined by blanks; the text is in lower case already where that is wanted.
void bleu_tokenize(struct buffer *out, enum bleu_tokenizer tokenizer, struct metric_text text);
