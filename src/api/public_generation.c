#include "api/public_generation.h"

#include <math.h>

#include "hf/heads.h"

static void take(int *field, int said) {
  if (said >= 0) *field = said;
}

static bool take_ends(struct generation_options *options, const struct generation_defaults *said, struct error *error) {
  if (said->eos_count > EOS_IDS)
    return error_set(error, ERROR_UNSUPPORTED, "generation_config.json: \"eos_token_id\" has %zu ids; at most %d are supported",
                     said->eos_count, EOS_IDS);
  if (said->eos_count) options->eos_count = 0;
  for (size_t i = 0; i < said->eos_count; i++) options->eos_ids[options->eos_count++] = said->eos_ids[i];
  options->forced_eos_count = 0;  // the defaults are config.json's where the file is missing
  if (said->forced_eos_id >= 0) options->forced_eos_ids[options->forced_eos_count++] = said->forced_eos_id;
  return true;
}

static bool take_bad_words(struct generation_options *options, const struct generation_defaults *said, struct error *error) {
  for (size_t i = 0; i < said->bad_word_count; i++) {
    size_t start = i ? said->bad_word_ends[i - 1] : 0;
    if (!id_lists_add(&options->bad_words, said->bad_words + start, (int)(said->bad_word_ends[i] - start), error)) return false;
  }
  return true;
}

static bool take_ids(struct id_lists *lists, const int *ids, size_t count, struct error *error) {
  return count == 0 || id_lists_add(lists, ids, (int)count, error);
}

bool public_generation_options(struct generation_options *options, const struct checkpoint *checkpoint, struct error *error) {
  static const enum early_stopping stopping[] = {[EARLY_FALSE] = EARLY_STOPPING_NO, [EARLY_TRUE] = EARLY_STOPPING_YES,
                                                 [EARLY_NEVER] = EARLY_STOPPING_NEVER};
  const struct generation_defaults *said = &checkpoint->generation;
  generation_options_default(options, &checkpoint->arch);
  if (checkpoint->arch.family == FAMILY_ENCODER_DECODER) options->beams = DEFAULT_BEAMS;
  take(&options->beams, said->num_beams);
  take(&options->max_length, said->max_length);
  take(&options->max_new_tokens, said->max_new_tokens);
  take(&options->min_length, said->min_length);
  take(&options->min_new_tokens, said->min_new_tokens);
  take(&options->no_repeat_ngram_size, said->no_repeat_ngram_size);
  take(&options->encoder_no_repeat_ngram_size, said->encoder_no_repeat_ngram_size);
  if (checkpoint->arch.family == FAMILY_ENCODER_DECODER) take(&options->start_id, said->decoder_start_id);
  take(&options->forced_bos_id, said->forced_bos_id);
  if (!isnan(said->length_penalty)) options->length_penalty = said->length_penalty;
  if (!isnan(said->repetition_penalty)) options->repetition_penalty = said->repetition_penalty;
  if (said->early_stopping != EARLY_UNSAID) options->early_stopping = stopping[said->early_stopping];
  options->renormalize = said->renormalize_logits;
  return take_ends(options, said, error) && take_bad_words(options, said, error) &&
         take_ids(&options->suppressed, said->suppressed, said->suppressed_count, error) &&
         take_ids(&options->begin_suppressed, said->begin_suppressed, said->begin_suppressed_count, error);
}

bool public_continues_text(const struct qkv_model *model, struct error *error) {
  static const char *const families[] = {"an encoder-decoder (see qkv translate)", "an encoder, which only reads", "a decoder"};
  const struct arch *arch = &model->checkpoint.arch;
  if (arch->family != FAMILY_DECODER)
    return error_set(error, ERROR_UNSUPPORTED, "%s: only a language model with a decoder alone goes on with a text; this is %s",
                     model->directory, families[arch->family]);
  if (arch->head != HEAD_LANGUAGE && arch->head != HEAD_DOUBLE)
    return heads_refuse(arch, model->directory, HEAD_LANGUAGE, error);
  return true;
}
