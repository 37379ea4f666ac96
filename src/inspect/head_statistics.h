// What each attention head does, measured over many texts: where its weight goes on average (Clark et al., "What does BERT look
// at?", 2019, section 3), and what the model loses when the head is switched off (Michel et al., "Are sixteen heads really better
// than one?", 2019, section 3.2).
#pragma once
#include "inspect/inspected_text.h"

enum head_measure {
  HEAD_ITSELF,       // shares of the attention weight, 0 to 1: on the query's own place,
  HEAD_PREVIOUS,     // the place before it,
  HEAD_NEXT,         // the place behind it,
  HEAD_FIRST,        // the first and the last token,
  HEAD_LAST,
  HEAD_SEPARATOR,    // special tokens such as [SEP] and </s>,
  HEAD_PUNCTUATION,  // tokens without a letter or digit,
  HEAD_SAME_WORD,    // other places that hold the same token
  HEAD_DISTANCE,     // mean distance in tokens
  HEAD_ENTROPY,      // bits, mean over queries
  HEAD_MEASURES,
};

struct head_statistics {
  const char *kind;             // "encoder", "decoder", "cross"
  int layer, head;
  double measures[HEAD_MEASURES];  // of cross-attention those that compare places of one text are NaN
  double queries;               // that were measured
  double loss_change;           // mean loss of a token without this head minus that with it; NaN unless asked for
  const char *pattern;          // what it mostly does, such as "previous token"; "mixed" if nothing stands out
};

struct head_report {
  struct head_statistics *heads;
  size_t count;
  double loss;                  // with all heads; NaN unless asked for
  int64_t tokens;               // that were predicted
  size_t texts, skipped;        // skipped: empty, or longer than the model takes
  size_t first_skipped;         // its number, from 0
};

struct head_text {
  const char *first, *second;
};

const char *head_measure_name(enum head_measure measure);

// ablate: also run the texts once more without each head. Models without a loss over plain text refuse that.
bool head_report_make(struct head_report *report, const struct model *model, const struct tokenizer *tokenizer,
                      const struct head_text *texts, size_t count, bool ablate, struct error *error);
void head_report_free(struct head_report *report);
