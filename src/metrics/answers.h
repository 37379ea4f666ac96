// Exact match and F1 of answers, with the numbers of SQuAD's evaluation script (Rajpurkar et al., 2016): both texts in lower
// case, without ASCII punctuation and the articles a, an, the, and the best of several right answers counts.
//
// An answer that is not there is the empty text; it is right exactly where the list of right answers is empty (SQuAD 2.0).
#pragma once
#include "metrics/metric_text.h"

struct answer_scores {
  double exact, f1;  // 0 or 1; 0 to 1
};

bool answer_score(struct answer_scores *scores, struct metric_text predicted, const struct metric_text *right, size_t count,
                  struct error *error);
// Appends the text as it is compared: its words with single blanks between them.
void answer_normalise(struct buffer *out, struct metric_text text);
