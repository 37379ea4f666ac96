// What a model would say if it stopped after each layer: the output head applied to every hidden state (nostalgebraist,
// "interpreting GPT: the logit lens", 2020). Pre-norm models' states go through the final norm first.
#pragma once
#include "inspect/nearest_words.h"
#include "inspect/page_detail.h"
#include "inspect/pass_record.h"

// ,"lens":[{"ids":[[17,5],...],"probabilities":[[0.5,0.1],...],"entropy":[...],"cosine":[...]},...] a layer each, with a row for
// each token. entropy in bits; cosine of the state to the embedding of the token that goes in. The last layer's logits of the
// tokens in `kept` go to `logits`, [kept, vocabulary].
bool logit_lens_write(struct buffer *out, struct word_list *words, const struct model *model, const struct pass_record *record,
                      const char *stack, int tokens, const int32_t *ids, const struct page_chosen *kept, float *logits,
                      struct error *error);
