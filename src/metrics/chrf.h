// chrF (Popović, 2015) and chrF++ (Popović, 2017) with the numbers and the signature of sacreBLEU: F2 over n-grams of 1 to 6
// characters without white space, and over n-grams of 0 to `word_order` words.
//
// Statistics are added line by line, or merged, as those of BLEU (bleu.h).
#pragma once
#include "metrics/metric_text.h"

enum { CHRF_CHARACTER_ORDERS = 6, CHRF_WORD_ORDERS = 2, CHRF_ORDERS = CHRF_CHARACTER_ORDERS + CHRF_WORD_ORDERS };

struct chrf_options {
  int word_order;  // 0: chrF2; 1: chrF2+; 2: chrF2++
  bool lowercase;
};

// Starts from all zero. Of several references, a line counts against the one that gives it the best score.
struct chrf_statistics {
  uint64_t hypothesis[CHRF_ORDERS], reference[CHRF_ORDERS], match[CHRF_ORDERS];  // the orders of words come last
  uint64_t lines;
  int references;  // how many a line has; -1: it varies
};

// Adds one line with `count` >= 1 references. The statistics are unchanged when it fails.
bool chrf_add(struct chrf_statistics *statistics, const struct chrf_options *options, struct metric_text hypothesis,
              const struct metric_text *references, size_t count, struct error *error);
void chrf_merge(struct chrf_statistics *into, const struct chrf_statistics *from);
double chrf_score(const struct chrf_statistics *statistics, const struct chrf_options *options);  // 0 to 100

const char *chrf_name(const struct chrf_options *options);  // "chrF2", "chrF2+", "chrF2++"
// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0"
void chrf_signature(struct buffer *out, const struct chrf_statistics *statistics, const struct chrf_options *options);
void chrf_format(struct buffer *out, const struct chrf_statistics *statistics, const struct chrf_options *options);
