// generation_config.json: how a model's makers want it to be searched. Directories without that file keep the same keys in
// config.json. Only read and written here; src/generate acts on them.
#pragma once
#include "base/json.h"
#include "model/arch.h"

struct generation_defaults {
  // -1 where the file says nothing.
  int max_length, max_new_tokens, min_length, min_new_tokens;
  int num_beams;
  float length_penalty, repetition_penalty;  // NaN where the file says nothing
  int no_repeat_ngram_size, encoder_no_repeat_ngram_size;
  enum { EARLY_UNSAID = -1, EARLY_FALSE, EARLY_TRUE, EARLY_NEVER } early_stopping;
  bool renormalize_logits;  // scores are log-probabilities after all processors
  bool do_sample;
  float temperature, top_p, min_p;
  int top_k;
  int bos_id, pad_id, decoder_start_id, forced_bos_id, forced_eos_id;
  int *eos_ids, *suppressed, *begin_suppressed;  // suppress_tokens never occur, begin_suppress_tokens don't occur first
  size_t eos_count, suppressed_count, begin_suppressed_count;
  int *bad_words;           // all of them, one after the other
  size_t *bad_word_ends;    // [bad_word_count] where each ends in bad_words
  size_t bad_word_count;
  cJSON *original;          // the file, kept for saving; NULL: there was none
};

void generation_defaults_init(struct generation_defaults *defaults);
// What follows from the special ids (-1: there is none): a translator never generates its padding id.
bool generation_defaults_from_arch(struct generation_defaults *defaults, const struct arch *arch, struct error *error);
// From the directory's generation_config.json or, where that is missing, from config.
bool generation_defaults_read(struct generation_defaults *defaults, const char *directory, const cJSON *config,
                              struct error *error);
// Writes what is said, over the original.
bool generation_defaults_write(const struct generation_defaults *defaults, const char *directory, struct error *error);
bool generation_defaults_copy(struct generation_defaults *out, const struct generation_defaults *from, struct error *error);
void generation_defaults_free(struct generation_defaults *defaults);
