// How good a model is on text that it does not learn from: loss, perplexity, share of tokens predicted right, and with a
// translator the scores of its translations.
#pragma once
#include "data/batch_plan.h"
#include "data/translation_batch.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "model/model.h"

// Appends to `lines` one line of text for each sample of the validation corpus, in order. Handed in at run time, because
// training does not know how translations are found.
struct translator {
  void *user;
  bool (*translate)(void *user, const struct model *model, struct buffer *lines, struct error *error);
};

struct validation {
  const struct corpus *corpus;
  const struct parallel_text *text;  // what the corpus was made of
  int decoder_start_id;
  struct translator translator;      // translate NULL: only the loss
  struct batch_plan plan;
  struct translation_batch batch;
  struct buffer translations;        // of the last validation
};

struct validation_scores {
  double loss, perplexity, accuracy; // per target token; accuracy from 0 to 1
  bool translated;
  struct bleu_statistics bleu_statistics;
  double bleu, chrf;
};

bool validation_open(struct validation *validation, const struct corpus *corpus, const struct parallel_text *text,
                     int decoder_start_id, size_t batch_tokens, struct error *error);
void validation_close(struct validation *validation);
bool validation_run(struct validation *validation, struct context *context, const struct model *model,
                    struct validation_scores *scores, struct error *error);

// The raw text of a sample, and its last translation.
struct text_line validation_source(const struct validation *validation, size_t sample);
struct text_line validation_target(const struct validation *validation, size_t sample);
struct text_line validation_translation(const struct validation *validation, size_t sample);
