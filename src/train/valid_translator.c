#include "train/valid_translator.h"

#include <stdlib.h>

#include "base/memory.h"

bool valid_translator_open(struct valid_translator *translator, const struct corpus *corpus, const struct tokenizer *tokenizer,
                           const struct arch *arch, struct error *error) {
  *translator = (struct valid_translator){.corpus = corpus, .tokenizer = tokenizer};
  generation_options_default(&translator->options, arch);
  // A model at its beginning may never end a sentence; much longer than any reference is long enough.
  translator->options.max_new_tokens = (int)corpus->longest_target + 10;
  int32_t padding = arch->pad_id;
  return padding < 0 || padding == arch->eos_id || id_lists_add(&translator->options.bad_words, &padding, 1, error);
}

void valid_translator_close(struct valid_translator *translator) {
  generation_options_free(&translator->options);
  *translator = (struct valid_translator){0};
}

static void append_line(struct buffer *lines, const struct valid_translator *translator, const struct generation *generation,
                        struct error *error) {
  size_t start = lines->size;
  const struct hypothesis *best = generation->count ? &generation->hypotheses[0] : NULL;
  if (best) tokenizer_decode(translator->tokenizer, best->ids, (size_t)best->count, true, lines, error);
  for (size_t i = start; i < lines->size; i++)
    if (lines->data[i] == '\n' || lines->data[i] == '\r') lines->data[i] = ' ';
  buffer_char(lines, '\n');
}

bool valid_translator_run(void *user, const struct model *model, struct buffer *lines, struct error *error) {
  const struct valid_translator *translator = user;
  const struct corpus *corpus = translator->corpus;
  struct generation_request *requests = memory_new(error, corpus->count, sizeof *requests);
  struct generation **results = memory_new(error, corpus->count, sizeof *results);
  struct session *session = requests && results ? session_open(&model, 1, &translator->options, error) : NULL;
  for (size_t i = 0; session && i < corpus->count; i++)
    requests[i] = (struct generation_request){.source = corpus_source(corpus, i),
                                              .source_count = (int)corpus->samples[i].source_count};
  bool ok = session && session_run(session, requests, corpus->count, results, error);
  for (size_t i = 0; ok && i < corpus->count; i++) append_line(lines, translator, results[i], error);
  for (size_t i = 0; results && i < corpus->count; i++) free(results[i]);
  session_close(session);
  free(requests);
  free(results);
  return ok && error->code == ERROR_NONE;
}
