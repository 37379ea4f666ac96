// Translates the validation corpus with the model as it is, greedily: what validation.h wants as its translator.
#pragma once
#include "data/corpus.h"
#include "generate/session.h"

struct valid_translator {
  const struct corpus *corpus;
  const struct tokenizer *tokenizer;
  struct generation_options options;
};

bool valid_translator_open(struct valid_translator *translator, const struct corpus *corpus, const struct tokenizer *tokenizer,
                           const struct arch *arch, struct error *error);
void valid_translator_close(struct valid_translator *translator);
// user: a struct valid_translator.
bool valid_translator_run(void *user, const struct model *model, struct buffer *lines, struct error *error);
