// Text to translated text: lines become pieces that fit the model, the session searches for each piece, the texts of a line's
// pieces are joined again.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_generation.h"
#include "api/public_model.h"
#include "api/word_alignment.h"
#include "base/memory.h"
#include "generate/ensemble.h"
#include "generate/forced_decoding.h"
#include "generate/session.h"

struct qkv_translator {
  const struct model *models[ENSEMBLE_MODELS];
  int model_count;
  const struct tokenizer *tokenizer;
  struct generation_options generation;
  struct session *session;
  int32_t *prefix;  // [prefix_count] in the target's ids
  int prefix_count;
  int longest;      // source tokens that the model takes
  bool split, scores, alignments;
};

// One call of qkv_translate.
struct job {
  struct qkv_translator *translator;
  struct error *error;
  const struct qkv_strings *texts;
  struct source_pieces pieces;
  struct source_line *lines;      // [texts->count]
  struct generation **found;      // [pieces.count]
  size_t *first_pair;             // [pieces.count] of each piece's hypotheses in `pairs`
  struct forced_pair *pairs;      // each hypothesis beside its source, with the prefix, and aligned if that is wanted
  int32_t *tokens;                // what the pairs point into
  struct qkv_translation *items;  // [texts->count]
};

struct qkv_translate_options qkv_translate_options_default(void) {
  return (struct qkv_translate_options){.beam = -1, .nbest = -1, .length_penalty = NAN, .max_length = -1, .min_length = -1,
                                        .repetition_penalty = NAN, .no_repeat_ngram = -1};
}

// ---- the translator ----

static bool set_generation(struct qkv_translator *translator, const struct qkv_model *first,
                           const struct qkv_translate_options *options, struct error *error) {
  struct generation_options *generation = &translator->generation;
  if (!public_generation_options(generation, &first->checkpoint, error)) return false;
  const int64_t integers[] = {options->beam, options->nbest, options->max_length, options->min_length, options->no_repeat_ngram};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
    if (integers[i] > INT32_MAX)
      return error_set(error, ERROR_USAGE, "an option of the translation is %lld; that is too large", (long long)integers[i]);
  if (options->beam >= 0) generation->beams = (int)options->beam;
  generation->nbest = options->nbest >= 0 ? (int)options->nbest : 1;
  if (!isnan(options->length_penalty)) generation->length_penalty = options->length_penalty;
  if (options->max_length >= 0) generation->max_new_tokens = (int)options->max_length;
  if (options->min_length >= 0) generation->min_new_tokens = (int)options->min_length;
  if (!isnan(options->repetition_penalty)) generation->repetition_penalty = options->repetition_penalty;
  if (options->no_repeat_ngram >= 0) generation->no_repeat_ngram_size = (int)options->no_repeat_ngram;
  if (options->scores) generation->token_scores = true;
  if (generation->nbest > generation->beams)
    return error_set(error, ERROR_USAGE, "%d hypotheses are wanted and the search keeps %d; set beam to at least %d",
                     generation->nbest, generation->beams, generation->nbest);
  return true;
}

static bool set_prefix(struct qkv_translator *translator, const char *prefix, struct error *error) {
  if (!prefix || !*prefix) return true;
  struct encoding encoding = {.keep_all = true};
  bool fine = tokenizer_encode(translator->tokenizer, prefix, strlen(prefix), false, &encoding, error);
  if (fine) translator->prefix = memory_new(error, encoding.count + 1, sizeof *translator->prefix);
  if (translator->prefix) {
    if (encoding.count) memcpy(translator->prefix, encoding.ids, encoding.count * sizeof *encoding.ids);
    translator->prefix_count = (int)encoding.count;
  }
  encoding_free(&encoding);
  return fine && translator->prefix;
}

static bool set_models(struct qkv_translator *translator, struct qkv_model *const *models, size_t count, struct error *error) {
  const char *names[ENSEMBLE_MODELS];
  if (count < 1 || count > ENSEMBLE_MODELS)
    return error_set(error, ERROR_USAGE, "%zu models were given; wanted 1 to %d", count, ENSEMBLE_MODELS);
  for (size_t i = 0; i < count; i++) {
    names[i] = models[i]->directory;
    translator->models[i] = public_model_ready(models[i], error);
    if (!translator->models[i]) return false;
  }
  translator->model_count = (int)count;
  const struct arch *arch = &translator->models[0]->arch;
  if (arch->family != FAMILY_ENCODER_DECODER)
    return error_set(error, ERROR_UNSUPPORTED, "%s: the model is no encoder-decoder; it cannot translate", names[0]);
  translator->longest = arch->positions == POSITIONS_NONE ? 1 << 20 : arch->max_positions;
  translator->tokenizer = public_model_tokenizer(models[0], error);
  return translator->tokenizer && (count == 1 || ensemble_check(translator->models, names, (int)count, error));
}

struct qkv_translator *qkv_translator_new(struct qkv_context *context, struct qkv_model *const *models, size_t count,
                                          const struct qkv_translate_options *options) {
  struct error *error = public_begin(context);
  struct qkv_translate_options standard = qkv_translate_options_default();
  if (!options) options = &standard;
  const char *on_long = options->on_long ? options->on_long : "split";
  if (strcmp(on_long, "split") != 0 && strcmp(on_long, "cut") != 0)
    return error_set(error, ERROR_USAGE, "on_long is \"%s\"; wanted split or cut", on_long), NULL;
  struct qkv_translator *translator = memory_new(error, 1, sizeof *translator);
  if (!translator) return NULL;
  translator->split = on_long[0] == 's';
  translator->scores = options->scores;
  translator->alignments = options->alignments;
  if (set_models(translator, models, count, error) && set_generation(translator, models[0], options, error) &&
      set_prefix(translator, options->prefix, error))
    translator->session = session_open(translator->models, translator->model_count, &translator->generation, error);
  if (translator->session) return translator;
  qkv_translator_free(translator);
  return NULL;
}

void qkv_translator_free(struct qkv_translator *translator) {
  if (!translator) return;
  session_close(translator->session);
  generation_options_free(&translator->generation);
  free(translator->prefix);
  free(translator);
}

// ---- searching ----

static bool read_lines(struct job *job) {
  struct qkv_translator *translator = job->translator;
  for (size_t i = 0; i < job->texts->count; i++)
    if (!source_pieces_add(&job->pieces, &job->lines[i], translator->tokenizer, job->texts->items[i], i, translator->longest,
                           translator->split, job->error))
      return false;
  return true;
}

// The beginning that is given belongs to the first piece of a line.
static int prefix_of(const struct job *job, size_t piece) {
  return job->lines[job->pieces.items[piece].line].first == piece ? job->translator->prefix_count : 0;
}

static bool search(struct job *job) {
  size_t count = job->pieces.count;
  if (count == 0) return true;
  struct generation_request *requests = memory_new(job->error, count, sizeof *requests);
  job->found = memory_new(job->error, count, sizeof *job->found);
  bool fine = requests && job->found;
  for (size_t i = 0; fine && i < count; i++)
    requests[i] = (struct generation_request){.source = job->pieces.items[i].ids, .source_count = job->pieces.items[i].count,
                                              .prefix = job->translator->prefix, .prefix_count = prefix_of(job, i)};
  fine = fine && session_run(job->translator->session, requests, count, job->found, job->error);
  free(requests);
  return fine;
}

// ---- results ----

// Sources and whole targets, side by side.
static bool pair_all(struct job *job) {
  const struct qkv_translator *translator = job->translator;
  size_t pairs = 0, tokens = 0;
  for (size_t i = 0; i < job->pieces.count; i++) {
    const struct generation *generation = job->found[i];
    pairs += generation->count;
    for (int k = 0; k < generation->count; k++) tokens += prefix_of(job, i) + generation->hypotheses[k].count;
  }
  job->first_pair = memory_new(job->error, job->pieces.count, sizeof *job->first_pair);
  job->pairs = memory_new(job->error, pairs, sizeof *job->pairs);
  job->tokens = memory_new(job->error, 2 * tokens, sizeof *job->tokens);
  if (!job->first_pair || !job->pairs || !job->tokens) return false;
  int32_t *target = job->tokens, *alignment = job->tokens + tokens;
  size_t n = 0;
  for (size_t i = 0; i < job->pieces.count; i++) {
    job->first_pair[i] = n;
    for (int k = 0; k < job->found[i]->count; k++, n++) {
      const struct hypothesis *hypothesis = &job->found[i]->hypotheses[k];
      int prefix = prefix_of(job, i), count = prefix + hypothesis->count;
      for (int t = 0; t < count; t++) target[t] = t < prefix ? translator->prefix[t] : hypothesis->ids[t - prefix];
      job->pairs[n] = (struct forced_pair){.source = job->pieces.items[i].ids,
                                           .source_count = job->pieces.items[i].count,
                                           .target = target,
                                           .target_count = count,
                                           .alignment = alignment};
      target += count;
      alignment += count;
    }
  }
  return !translator->alignments ||
         forced_decode(translator->models, translator->model_count, translator->generation.start_id, job->pairs, n, job->error);
}

static bool align(const struct job *job, size_t piece, const struct forced_pair *pair, struct buffer *out, int *source_words,
                  int *target_words) {
  const struct source_piece *source = &job->pieces.items[piece];
  struct aligned_piece aligned = {.source_text = job->texts->items[source->line], .source = source, .target = pair->target,
                                  .target_count = pair->target_count, .alignment = pair->alignment};
  return word_alignment_add(out, &aligned, job->translator->tokenizer, source_words, target_words, job->error);
}

// Hypothesis `rank` of a line: those of its pieces, joined.
static bool join(const struct job *job, const struct source_line *line, int rank, struct qkv_hypothesis *out) {
  struct buffer text = {0}, alignment = {0};
  int source_words = 0, target_words = 0;
  bool fine = true;
  for (size_t i = line->first; fine && i < line->first + line->count; i++) {
    const struct forced_pair *pair = &job->pairs[job->first_pair[i] + rank];
    if (text.size) buffer_char(&text, ' ');
    fine = tokenizer_decode(job->translator->tokenizer, pair->target, pair->target_count, true, &text, job->error);
    if (fine && job->translator->alignments) fine = align(job, i, pair, &alignment, &source_words, &target_words);
    out->score += job->found[i]->hypotheses[rank].score;
  }
  // One line in, one line out: what a tokenizer decodes as a line end would break that.
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] == '\n' || text.data[i] == '\r' || text.data[i] == 0) text.data[i] = ' ';
  fine = fine && buffer_check(&text, job->error) && buffer_check(&alignment, job->error);
  if (fine) out->text = memory_copy_text(job->error, buffer_string(&text));
  if (fine && job->translator->alignments) out->alignment = memory_copy_text(job->error, buffer_string(&alignment));
  buffer_free(&text);
  buffer_free(&alignment);
  return fine && out->text && (out->alignment || !job->translator->alignments);
}

static bool give_line(struct job *job, size_t index) {
  const struct source_line *line = &job->lines[index];
  struct qkv_translation *item = &job->items[index];
  int count = 1;
  for (size_t i = 0; i < line->count; i++) {
    const struct generation *generation = job->found[line->first + i];
    if (i == 0 || generation->count < count) count = generation->count;
    item->unfinished |= generation->hypotheses[0].ending != ENDING_TOKEN;
  }
  struct qkv_hypothesis *hypotheses = memory_new(job->error, count, sizeof *hypotheses);
  item->hypotheses = hypotheses;
  item->pieces = line->count;
  item->cut = line->cut;
  item->invalid = line->invalid;
  for (int rank = 0; hypotheses && rank < count; rank++) {
    item->count++;
    if (!join(job, line, rank, &hypotheses[rank])) return false;
  }
  return hypotheses != NULL;
}

static void free_items(struct qkv_translation *items, size_t count) {
  for (size_t i = 0; items && i < count; i++) {
    for (size_t k = 0; k < items[i].count; k++) {
      free((char *)items[i].hypotheses[k].text);
      free((char *)items[i].hypotheses[k].alignment);
    }
    free((struct qkv_hypothesis *)items[i].hypotheses);
  }
  free(items);
}

struct qkv_translations *qkv_translate(struct qkv_context *context, struct qkv_translator *translator,
                                       const struct qkv_strings *lines) {
  struct error *error = public_begin(context);
  struct job job = {.translator = translator, .error = error, .texts = lines};
  struct qkv_translations *translations = memory_new(error, 1, sizeof *translations);
  job.lines = memory_new(error, lines->count + 1, sizeof *job.lines);
  job.items = memory_new(error, lines->count + 1, sizeof *job.items);
  bool fine = translations && job.lines && job.items && read_lines(&job) && search(&job) && pair_all(&job);
  for (size_t i = 0; fine && i < lines->count; i++) fine = give_line(&job, i);
  for (size_t i = 0; job.found && i < job.pieces.count; i++) free(job.found[i]);
  free(job.found);
  free(job.first_pair);
  free(job.pairs);
  free(job.tokens);
  free(job.lines);
  source_pieces_free(&job.pieces);
  if (fine) {
    *translations = (struct qkv_translations){.items = job.items, .count = lines->count};
    return translations;
  }
  free_items(job.items, lines->count);
  free(translations);
  return NULL;
}

void qkv_translations_free(struct qkv_translations *translations) {
  if (!translations) return;
  free_items((struct qkv_translation *)translations->items, translations->count);
  free(translations);
}
