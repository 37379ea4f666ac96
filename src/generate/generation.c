#include "generate/generation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool id_lists_add(struct id_lists *lists, const int32_t *ids, int count, struct error *error) {
  int total = lists->count ? lists->ends[lists->count - 1] : 0;
  int *ends = memory_resize(error, lists->ends, (size_t)lists->count + 1, sizeof *ends);
  if (!ends) return false;
  lists->ends = ends;
  int32_t *all = memory_resize(error, lists->ids, (size_t)total + count, sizeof *all);
  if (!all) return false;
  lists->ids = all;
  memcpy(all + total, ids, count * sizeof *ids);
  lists->ends[lists->count++] = total + count;
  return true;
}

void generation_options_default(struct generation_options *options, const struct arch *arch) {
  *options = (struct generation_options){.beams = 1, .nbest = 1, .length_penalty = 1, .repetition_penalty = 1,
                                         .forced_bos_id = -1};
  options->start_id = arch->decoder_start_id;
  if (arch->eos_id >= 0) options->eos_ids[options->eos_count++] = arch->eos_id;
  if (arch->forced_eos_id >= 0) options->forced_eos_ids[options->forced_eos_count++] = arch->forced_eos_id;
}

void generation_options_free(struct generation_options *options) {
  free(options->bad_words.ids);
  free(options->bad_words.ends);
  options->bad_words = (struct id_lists){0};
}

static bool check_range(const char *name, double value, double low, double high, struct error *error) {
  if (value >= low && value <= high) return true;
  return error_set(error, ERROR_USAGE, "%s is %g; wanted %g to %g", name, value, low, high);
}

static bool check_id(const char *name, int id, const struct arch *arch, struct error *error) {
  if (id >= 0 && id < arch->target_vocab) return true;
  return error_set(error, ERROR_USAGE, "%s is %d; the model's target vocabulary has the ids 0 to %d", name, id,
                   arch->target_vocab - 1);
}

static bool check_ids(const struct generation_options *options, const struct arch *arch, struct error *error) {
  if (options->start_id < 0)
    return error_set(error, ERROR_USAGE, "nothing says what the decoder starts with; set decoder_start_token_id in config.json");
  bool fine = check_id("decoder_start_token_id", options->start_id, arch, error);
  for (int i = 0; i < options->eos_count && fine; i++) fine = check_id("eos_token_id", options->eos_ids[i], arch, error);
  for (int i = 0; i < options->forced_eos_count && fine; i++)
    fine = check_id("forced_eos_token_id", options->forced_eos_ids[i], arch, error);
  if (fine && options->forced_bos_id >= 0) fine = check_id("forced_bos_token_id", options->forced_bos_id, arch, error);
  int total = options->bad_words.count ? options->bad_words.ends[options->bad_words.count - 1] : 0;
  for (int i = 0; i < total && fine; i++) fine = check_id("an id of bad_words_ids", options->bad_words.ids[i], arch, error);
  return fine;
}

bool generation_options_check(const struct generation_options *options, const struct arch *arch, struct error *error) {
  if (arch->family != FAMILY_ENCODER_DECODER)
    return error_set(error, ERROR_UNSUPPORTED, "this model has no encoder and decoder; translating needs both");
  int most_beams = CANDIDATES / (options->eos_count > 1 ? options->eos_count + 1 : 2);
  if (!check_range("num_beams", options->beams, 1, most_beams, error)) return false;
  if (options->nbest < 1 || options->nbest > options->beams)
    return error_set(error, ERROR_USAGE, "%d hypotheses are wanted of a search with %d beams; raise num_beams", options->nbest,
                     options->beams);
  return check_range("length_penalty", options->length_penalty, -1000, 1000, error) &&
         check_range("repetition_penalty", options->repetition_penalty, 1e-6, 1e6, error) &&
         check_range("max_length", options->max_length, 0, 1e9, error) &&
         check_range("max_new_tokens", options->max_new_tokens, 0, 1e9, error) &&
         check_range("min_length", options->min_length, 0, 1e9, error) &&
         check_range("min_new_tokens", options->min_new_tokens, 0, 1e9, error) &&
         check_range("no_repeat_ngram_size", options->no_repeat_ngram_size, 0, 1e9, error) &&
         check_range("encoder_no_repeat_ngram_size", options->encoder_no_repeat_ngram_size, 0, 1e9, error) &&
         check_ids(options, arch, error);
}

int generation_most_length(const struct arch *arch) {
  return arch->positions == POSITIONS_NONE || arch->max_positions > 1 << 16 ? 1 << 16 : arch->max_positions;
}

int generation_max_length(const struct generation_options *options, const struct arch *arch, int prefix) {
  int most = generation_most_length(arch);
  int wanted = prefix + (options->max_new_tokens ? options->max_new_tokens : DEFAULT_NEW_TOKENS);
  if (options->max_length && !options->max_new_tokens) wanted = options->max_length;
  return wanted < most ? wanted : most;
}

int generation_min_length(const struct generation_options *options, int prefix) {
  return options->min_new_tokens ? prefix + options->min_new_tokens : options->min_length;
}
