#include "generate/generation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool id_lists_add(struct id_lists *lists, const int32_t *ids, int count, struct error *error) {
  int total = id_lists_total(lists);
  if (!memory_grow(error, &lists->ends, &lists->end_capacity, (size_t)lists->count + 1, sizeof *lists->ends) ||
      !memory_grow(error, &lists->ids, &lists->id_capacity, (size_t)total + count, sizeof *lists->ids))
    return false;
  memcpy(lists->ids + total, ids, count * sizeof *ids);
  lists->ends[lists->count++] = total + count;
  return true;
}

static void id_lists_free(struct id_lists *lists) {
  free(lists->ids);
  free(lists->ends);
  *lists = (struct id_lists){0};
}

void generation_options_default(struct generation_options *options, const struct arch *arch) {
  *options = (struct generation_options){.beams = 1, .nbest = 1, .samples = 1, .temperature = 1, .top_p = 1, .length_penalty = 1,
                                         .repetition_penalty = 1, .forced_bos_id = -1};
  options->start_id = arch->family == FAMILY_DECODER ? -1 : arch->decoder_start_id;
  if (arch->eos_id >= 0) options->eos_ids[options->eos_count++] = arch->eos_id;
  if (arch->forced_eos_id >= 0) options->forced_eos_ids[options->forced_eos_count++] = arch->forced_eos_id;
}

void generation_options_free(struct generation_options *options) {
  id_lists_free(&options->bad_words);
  id_lists_free(&options->suppressed);
  id_lists_free(&options->begin_suppressed);
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

static bool check_list(const char *name, const struct id_lists *lists, const struct arch *arch, struct error *error) {
  bool fine = true;
  for (int i = 0; i < id_lists_total(lists) && fine; i++) fine = check_id(name, lists->ids[i], arch, error);
  return fine;
}

static bool check_ids(const struct generation_options *options, const struct arch *arch, struct error *error) {
  bool starts = arch->family == FAMILY_ENCODER_DECODER;
  if (starts && options->start_id < 0)
    return error_set(error, ERROR_USAGE, "nothing says what the decoder starts with; set decoder_start_token_id in config.json");
  bool fine = !starts || check_id("decoder_start_token_id", options->start_id, arch, error);
  for (int i = 0; i < options->eos_count && fine; i++) fine = check_id("eos_token_id", options->eos_ids[i], arch, error);
  for (int i = 0; i < options->forced_eos_count && fine; i++)
    fine = check_id("forced_eos_token_id", options->forced_eos_ids[i], arch, error);
  if (fine && options->forced_bos_id >= 0) fine = check_id("forced_bos_token_id", options->forced_bos_id, arch, error);
  return fine && check_list("an id of bad_words_ids", &options->bad_words, arch, error) &&
         check_list("an id of suppress_tokens", &options->suppressed, arch, error) &&
         check_list("an id of begin_suppress_tokens", &options->begin_suppressed, arch, error);
}

static bool check_width(const struct generation_options *options, struct error *error) {
  int most_beams = CANDIDATES / (options->eos_count > 1 ? options->eos_count + 1 : 2);
  if (!check_range("num_beams", options->beams, 1, most_beams, error) ||
      !check_range("num_return_sequences", options->samples, 1, MAX_BEAMS, error))
    return false;
  if (options->nbest < 1 || options->nbest > options->beams)
    return error_set(error, ERROR_USAGE, "%d hypotheses are wanted of a search with %d beams; raise num_beams", options->nbest,
                     options->beams);
  if (options->beams > 1 && (options->sampling || options->samples > 1))
    return error_set(error, ERROR_USAGE, "samples are drawn (do_sample) or beams are kept (num_beams %d), not both",
                     options->beams);
  return true;
}

static bool check_sampling(const struct generation_options *options, struct error *error) {
  if (!options->sampling) return true;
  if (!(options->temperature > 0))
    return error_set(error, ERROR_USAGE, "temperature is %g; wanted a number above 0 to draw with (0: the most probable token)",
                     options->temperature);
  if (!(options->top_p > 0 && options->top_p <= 1))
    return error_set(error, ERROR_USAGE, "top_p is %g; wanted a number above 0, at most 1: with 0 nothing would be left to draw "
                     "from; temperature 0 takes the most probable token", options->top_p);
  return check_range("temperature", options->temperature, 1e-6, 1e6, error) &&
         check_range("top_k", options->top_k, 0, 1e9, error) && check_range("min_p", options->min_p, 0, 1, error);
}

bool generation_options_check(const struct generation_options *options, const struct arch *arch, struct error *error) {
  if (arch->family == FAMILY_ENCODER)
    return error_set(error, ERROR_UNSUPPORTED, "this model has no decoder; it reads text and cannot write any");
  return check_width(options, error) && check_sampling(options, error) &&
         check_range("length_penalty", options->length_penalty, -1000, 1000, error) &&
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
  enum { LONGEST = 1 << 17 };
  if (arch->positions == POSITIONS_NONE) return 1 << 16;
  return arch->max_positions < LONGEST ? arch->max_positions : LONGEST;
}

int generation_max_length(const struct generation_options *options, const struct arch *arch, int prefix) {
  int most = options->slide ? INT32_MAX - KEY_PAGE : generation_most_length(arch);
  int64_t wanted = (int64_t)prefix + (options->max_new_tokens ? options->max_new_tokens : DEFAULT_NEW_TOKENS);
  if (options->max_length && !options->max_new_tokens) wanted = options->max_length;
  return wanted < most ? (int)wanted : most;
}

int generation_min_length(const struct generation_options *options, int prefix) {
  return options->min_new_tokens ? prefix + options->min_new_tokens : options->min_length;
}

bool generation_check_numbers(const float *numbers, size_t rows, size_t stride, struct error *error) {
  for (size_t r = 0; r < rows; r++)
    if (!isfinite(numbers[r * stride]))
      return error_set(error, ERROR_NUMERIC,
                       "the model's logits hold NaN or infinity: its weights are damaged or its training diverged");
  return true;
}
