#include "api/masked_language.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "generate/masked_words.h"
#include "text/cut_encoding.h"

enum { DEFAULT_TOP = 10, MOST_TOP = 64, TOGETHER = 1 << 21 };  // TOGETHER: rows that are run at once

struct masked {
  const struct model *model;
  const struct tokenizer *tokenizer;
  int mask_id;
  size_t limit;
  struct encoding *encodings;  // [count]
  size_t count;
  struct error *error;
};

bool masked_language_is(const struct qkv_model *model) {
  const struct arch *arch = &model->checkpoint.arch;
  return arch->family == FAMILY_ENCODER && arch_has_vocabulary(arch);
}

static bool open_masked(struct masked *masked, struct qkv_model *model, size_t count, struct error *error) {
  *masked = (struct masked){.error = error, .count = count};
  masked->model = public_model_ready(model, error);
  masked->tokenizer = masked->model ? public_model_tokenizer(model, error) : NULL;
  if (!masked->tokenizer) return false;
  const struct arch *arch = &masked->model->arch;
  masked->limit = arch->positions == POSITIONS_NONE ? (size_t)1 << 20 : (size_t)arch->max_positions;
  masked->mask_id = tokenizer_special_ids(masked->tokenizer).mask;
  if (masked->mask_id < 0) masked->mask_id = tokenizer_id(masked->tokenizer, "[MASK]");
  if (masked->mask_id < 0) masked->mask_id = tokenizer_id(masked->tokenizer, "<mask>");
  if (masked->mask_id < 0 || masked->mask_id >= arch->source_vocab)
    return error_set(error, ERROR_FORMAT, "%s: the tokenizer has no token that masks words (mask_token)", model->directory);
  masked->encodings = memory_new(error, count + 1, sizeof *masked->encodings);
  return masked->encodings != NULL;
}

static void close_masked(struct masked *masked) {
  for (size_t i = 0; masked->encodings && i < masked->count; i++) encoding_free(&masked->encodings[i]);
  free(masked->encodings);
}

// *cut: how many tokens did not fit.
static bool encode(struct masked *masked, size_t index, const char *text, size_t *cut) {
  struct encoding *encoding = &masked->encodings[index];
  encoding->keep_all = true;
  if (!tokenizer_encode(masked->tokenizer, text, strlen(text), true, encoding, masked->error)) return false;
  *cut = encoding_cut(encoding, masked->limit);
  for (size_t i = 0; i < encoding->count; i++)
    if (encoding->ids[i] < 0 || encoding->ids[i] >= masked->model->arch.source_vocab)
      return error_set(masked->error, ERROR_FORMAT, "text %zu: the tokenizer gives the id %d, but the model has only %d tokens",
                       index + 1, (int)encoding->ids[i], masked->model->arch.source_vocab);
  return true;
}

// ---- filling ----

struct filling {
  struct masked masked;
  const struct qkv_fill_options *options;
  int top;
  int32_t *candidates;  // [candidate count] their ids
  struct masked_place *places;
  size_t place_count, capacity;
  struct qkv_place **results;  // [place_count]
  int32_t *found;              // [place_count, guesses] ids
  float *scores;               // the same
  size_t guesses;
};

// A mask stands for one token.
static bool read_candidates(struct filling *filling) {
  const struct qkv_strings *candidates = &filling->options->candidates;
  struct encoding encoding = {0};
  filling->candidates = memory_new(filling->masked.error, candidates->count + 1, sizeof *filling->candidates);
  bool ok = filling->candidates != NULL;
  for (size_t i = 0; ok && i < candidates->count; i++) {
    const char *text = candidates->items[i];
    ok = tokenizer_encode(filling->masked.tokenizer, text, strlen(text), false, &encoding, filling->masked.error);
    if (ok && encoding.count != 1)
      ok = error_set(filling->masked.error, ERROR_USAGE, "the candidate \"%s\" has %zu tokens; a mask stands for one", text,
                     encoding.count);
    if (ok && encoding.ids[0] == tokenizer_special_ids(filling->masked.tokenizer).unknown)
      ok = error_set(filling->masked.error, ERROR_USAGE, "the candidate \"%s\" is not in the tokenizer's vocabulary", text);
    if (ok) filling->candidates[i] = encoding.ids[0];
  }
  encoding_free(&encoding);
  return ok;
}

static bool find_masks(struct filling *filling, const struct qkv_strings *texts, struct qkv_filling *items) {
  struct masked *masked = &filling->masked;
  for (size_t i = 0; i < texts->count; i++) {
    if (!encode(masked, i, texts->items[i], &items[i].cut)) return false;
    items[i].invalid = masked->encodings[i].invalid;
    size_t before = filling->place_count;
    for (size_t row = 0; row < masked->encodings[i].count; row++) {
      if (masked->encodings[i].ids[row] != masked->mask_id) continue;
      if (!memory_grow(masked->error, &filling->places, &filling->capacity, filling->place_count + 1, sizeof *filling->places))
        return false;
      filling->places[filling->place_count++] = (struct masked_place){(uint32_t)i, (int)row};
    }
    if (filling->place_count == before)
      return error_set(masked->error, ERROR_USAGE, "text %zu has no %s, the place to fill: \"%.80s\"", i + 1,
                       tokenizer_token(masked->tokenizer, masked->mask_id), texts->items[i]);
  }
  return true;
}

static void insert(int32_t *ids, float *scores, size_t *count, size_t most, int32_t id, float score) {
  if (*count == most && !(score > scores[most - 1])) return;
  size_t at = *count < most ? (*count)++ : most - 1;
  for (; at > 0 && score > scores[at - 1]; at--) {
    ids[at] = ids[at - 1];
    scores[at] = scores[at - 1];
  }
  ids[at] = id;
  scores[at] = score;
}

static void take_words(void *user, size_t place, float *log_probs) {
  struct filling *filling = user;
  int32_t *ids = filling->found + place * filling->guesses;
  float *scores = filling->scores + place * filling->guesses;
  size_t count = 0, candidates = filling->options->candidates.count;
  // Of candidates the number is kept, of tokens the id.
  for (size_t i = 0; i < candidates; i++)
    insert(ids, scores, &count, filling->guesses, (int32_t)i, log_probs[filling->candidates[i]]);
  for (int id = 0; !candidates && id < filling->masked.model->arch.source_vocab; id++)
    insert(ids, scores, &count, filling->guesses, id, log_probs[id]);
}

static char *decode(const struct filling *filling, int32_t id) {
  struct buffer text = {0};
  struct error *error = filling->masked.error;
  bool ok = tokenizer_decode(filling->masked.tokenizer, &id, 1, false, &text, error) && buffer_check(&text, error);
  char *copy = ok ? memory_copy_text(error, buffer_string(&text)) : NULL;
  buffer_free(&text);
  return copy;
}

static bool give_place(const struct filling *filling, struct qkv_place *place, size_t number) {
  struct qkv_guess *guesses = memory_new(filling->masked.error, filling->guesses, sizeof *guesses);
  place->guesses = guesses;
  for (size_t i = 0; guesses && i < filling->guesses; i++) {
    int32_t found = filling->found[number * filling->guesses + i];
    bool candidate = filling->options->candidates.count > 0;
    guesses[i].id = candidate ? filling->candidates[found] : found;
    guesses[i].log_probability = filling->scores[number * filling->guesses + i];
    guesses[i].text =
      candidate ? memory_copy_text(filling->masked.error, filling->options->candidates.items[found]) : decode(filling, found);
    if (!guesses[i].text) return false;
    place->count = i + 1;
  }
  return guesses != NULL;
}

static bool give(const struct filling *filling, struct qkv_filling *items) {
  for (size_t p = 0; p < filling->place_count;) {
    size_t text = filling->places[p].sequence, end = p;
    while (end < filling->place_count && filling->places[end].sequence == text) end++;
    struct qkv_place *places = memory_new(filling->masked.error, end - p, sizeof *places);
    if (!places) return false;
    items[text].places = places;
    for (; p < end; p++) {
      items[text].count++;
      if (!give_place(filling, &places[items[text].count - 1], p)) return false;
    }
  }
  return true;
}

static bool fill(struct filling *filling, const struct qkv_strings *texts, struct qkv_filling *items) {
  struct masked *masked = &filling->masked;
  int vocabulary = masked->model->arch.source_vocab;
  if (filling->options->top > MOST_TOP || filling->options->top == 0)
    return error_set(masked->error, ERROR_USAGE, "top is %lld; wanted 1 to %d", (long long)filling->options->top, MOST_TOP);
  filling->guesses = filling->options->candidates.count ? filling->options->candidates.count
                     : filling->options->top > 0        ? (size_t)filling->options->top
                                                        : DEFAULT_TOP;
  if (filling->guesses > (size_t)vocabulary && !filling->options->candidates.count) filling->guesses = (size_t)vocabulary;
  if (!read_candidates(filling) || !find_masks(filling, texts, items)) return false;
  struct pass_sequence *sequences = memory_new(masked->error, texts->count + 1, sizeof *sequences);
  filling->found = memory_new(masked->error, filling->place_count * filling->guesses + 1, sizeof *filling->found);
  filling->scores = memory_new(masked->error, filling->place_count * filling->guesses + 1, sizeof *filling->scores);
  bool ok = sequences && filling->found && filling->scores;
  for (size_t i = 0; ok && i < texts->count; i++)
    sequences[i] = (struct pass_sequence){masked->encodings[i].ids, masked->encodings[i].types, (int)masked->encodings[i].count};
  ok = ok &&
       masked_words_run(masked->model, sequences, texts->count, filling->places, filling->place_count, take_words, filling,
                        masked->error) &&
       give(filling, items);
  free(sequences);
  return ok;
}

bool masked_language_fill(struct qkv_model *model, const struct qkv_strings *texts, const struct qkv_fill_options *options,
                          struct qkv_filling *items, struct error *error) {
  struct filling filling = {.options = options};
  bool ok = open_masked(&filling.masked, model, texts->count, error) && fill(&filling, texts, items);
  close_masked(&filling.masked);
  free(filling.candidates);
  free(filling.places);
  free(filling.found);
  free(filling.scores);
  return ok;
}

// ---- scoring ----

// Some texts, each as many times as it has tokens, with one of them masked each time.
struct scoring {
  struct masked masked;
  struct qkv_probability *items;  // [count]
  size_t first, end;              // texts of this round
  int32_t *ids;
  struct pass_sequence *sequences;
  struct masked_place *places;
  struct qkv_token_probability **tokens;  // [place count] where each result goes
  size_t place_count;
};

static size_t own_tokens(const struct encoding *encoding) {
  size_t count = 0;
  for (size_t i = 0; i < encoding->count; i++) count += encoding->sequences[i] >= 0;
  return count;
}

static bool start_item(struct scoring *scoring, size_t index) {
  const struct encoding *encoding = &scoring->masked.encodings[index];
  struct qkv_probability *item = &scoring->items[index];
  struct qkv_token_probability *tokens = memory_new(scoring->masked.error, own_tokens(encoding) + 1, sizeof *tokens);
  if (!tokens) return false;
  item->tokens = tokens;
  item->invalid = encoding->invalid;
  for (size_t i = 0; i < encoding->count; i++) {
    if (encoding->sequences[i] < 0) continue;
    const char *token = tokenizer_token(scoring->masked.tokenizer, encoding->ids[i]);
    tokens[item->count++] = (struct qkv_token_probability){.id = encoding->ids[i], .token = token ? token : ""};
  }
  return true;
}

static void add_masked(struct scoring *scoring, size_t index, size_t *used) {
  const struct encoding *encoding = &scoring->masked.encodings[index];
  struct qkv_token_probability *token = (struct qkv_token_probability *)scoring->items[index].tokens;
  for (size_t row = 0; row < encoding->count; row++) {
    if (encoding->sequences[row] < 0) continue;
    int32_t *ids = scoring->ids + *used;
    *used += encoding->count;
    memcpy(ids, encoding->ids, encoding->count * sizeof *ids);
    ids[row] = scoring->masked.mask_id;
    scoring->sequences[scoring->place_count] = (struct pass_sequence){ids, encoding->types, (int)encoding->count};
    scoring->places[scoring->place_count] = (struct masked_place){(uint32_t)scoring->place_count, (int)row};
    scoring->tokens[scoring->place_count++] = token++;
  }
}

static void take_score(void *user, size_t place, float *log_probs) {
  struct scoring *scoring = user;
  scoring->tokens[place]->log_probability = log_probs[scoring->tokens[place]->id];
}

static bool run_round(struct scoring *scoring) {
  size_t rows = 0, sequences = 0, used = 0;
  for (size_t i = scoring->first; i < scoring->end; i++) {
    rows += scoring->items[i].count * scoring->masked.encodings[i].count;
    sequences += scoring->items[i].count;
  }
  struct error *error = scoring->masked.error;
  scoring->ids = memory_new(error, rows + 1, sizeof *scoring->ids);
  scoring->sequences = memory_new(error, sequences + 1, sizeof *scoring->sequences);
  scoring->places = memory_new(error, sequences + 1, sizeof *scoring->places);
  scoring->tokens = memory_new(error, sequences + 1, sizeof *scoring->tokens);
  scoring->place_count = 0;
  bool ok = scoring->ids && scoring->sequences && scoring->places && scoring->tokens;
  for (size_t i = scoring->first; ok && i < scoring->end; i++) add_masked(scoring, i, &used);
  ok = ok && masked_words_run(scoring->masked.model, scoring->sequences, sequences, scoring->places, sequences, take_score,
                              scoring, error);
  free(scoring->ids);
  free(scoring->sequences);
  free(scoring->places);
  free(scoring->tokens);
  return ok;
}

static bool score(struct scoring *scoring, const struct qkv_strings *texts) {
  for (size_t i = 0; i < texts->count; i++)
    if (!encode(&scoring->masked, i, texts->items[i], &scoring->items[i].cut) || !start_item(scoring, i)) return false;
  for (; scoring->first < texts->count; scoring->first = scoring->end) {
    size_t rows = 0;
    for (scoring->end = scoring->first; scoring->end < texts->count; scoring->end++) {
      rows += scoring->items[scoring->end].count * scoring->masked.encodings[scoring->end].count;
      if (rows > TOGETHER && scoring->end > scoring->first) break;
    }
    if (!run_round(scoring)) return false;
  }
  for (size_t i = 0; i < texts->count; i++)
    for (size_t k = 0; k < scoring->items[i].count; k++) {
      struct qkv_token_probability *token = (struct qkv_token_probability *)&scoring->items[i].tokens[k];
      token->sum = scoring->items[i].log_probability += token->log_probability;
    }
  return true;
}

struct qkv_probability *masked_language_score(struct qkv_model *model, const struct qkv_strings *texts, struct error *error) {
  struct scoring scoring = {.items = memory_new(error, texts->count + 1, sizeof *scoring.items)};
  bool ok = scoring.items && open_masked(&scoring.masked, model, texts->count, error) && score(&scoring, texts);
  close_masked(&scoring.masked);
  if (ok) return scoring.items;
  for (size_t i = 0; scoring.items && i < texts->count; i++) free((struct qkv_token_probability *)scoring.items[i].tokens);
  free(scoring.items);
  return NULL;
}
