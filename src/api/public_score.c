// Log-probabilities of given targets, token by token.
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "api/source_pieces.h"
#include "base/memory.h"
#include "generate/forced_decoding.h"

// One call: the ids of both sides, one piece a line at most (what is longer is cut).
struct scoring {
  const struct model *model;
  const struct tokenizer *tokenizer;
  struct error *error;
  struct source_pieces sources, targets;
  struct source_line *source_lines, *target_lines;  // [count]
  struct forced_pair *pairs;
  float *log_probs;  // of all pairs, one behind the other
  struct qkv_probability *items;
  size_t count;
};

static bool read_side(struct scoring *scoring, const struct qkv_strings *texts, struct source_pieces *pieces,
                      struct source_line **lines) {
  const struct arch *arch = &scoring->model->arch;
  int limit = arch->positions == POSITIONS_NONE ? 1 << 20 : arch->max_positions;
  *lines = memory_new(scoring->error, scoring->count + 1, sizeof **lines);
  for (size_t i = 0; *lines && i < scoring->count; i++)
    if (!source_pieces_add(pieces, &(*lines)[i], scoring->tokenizer, texts->items[i], i, limit, false, scoring->error))
      return false;
  return *lines != NULL;
}

// What stands for an empty text: the end token alone.
static const int32_t *ids_of(const struct source_pieces *pieces, const struct source_line *line, const int *end, int *count) {
  *count = line->count ? pieces->items[line->first].count : 1;
  return line->count ? pieces->items[line->first].ids : end;
}

static bool decode(struct scoring *scoring) {
  const struct arch *arch = &scoring->model->arch;
  size_t total = 0;
  scoring->pairs = memory_new(scoring->error, scoring->count + 1, sizeof *scoring->pairs);
  if (!scoring->pairs) return false;
  for (size_t i = 0; i < scoring->count; i++) {
    struct forced_pair *pair = &scoring->pairs[i];
    pair->source = ids_of(&scoring->sources, &scoring->source_lines[i], &arch->eos_id, &pair->source_count);
    pair->target = ids_of(&scoring->targets, &scoring->target_lines[i], &arch->eos_id, &pair->target_count);
    total += pair->target_count;
  }
  scoring->log_probs = memory_new(scoring->error, total + 1, sizeof *scoring->log_probs);
  if (!scoring->log_probs) return false;
  total = 0;
  for (size_t i = 0; i < scoring->count; i++) {
    scoring->pairs[i].log_probs = scoring->log_probs + total;
    total += scoring->pairs[i].target_count;
  }
  return scoring->count == 0 ||
         forced_decode(&scoring->model, 1, arch->decoder_start_id, scoring->pairs, scoring->count, scoring->error);
}

static bool give(struct scoring *scoring) {
  scoring->items = memory_new(scoring->error, scoring->count + 1, sizeof *scoring->items);
  for (size_t i = 0; scoring->items && i < scoring->count; i++) {
    const struct forced_pair *pair = &scoring->pairs[i];
    struct qkv_probability *item = &scoring->items[i];
    struct qkv_token_probability *tokens = memory_new(scoring->error, pair->target_count, sizeof *tokens);
    if (!tokens) return false;
    item->tokens = tokens;
    item->count = pair->target_count;
    item->cut = scoring->source_lines[i].cut + scoring->target_lines[i].cut;
    item->invalid = scoring->source_lines[i].invalid + scoring->target_lines[i].invalid;
    item->unknown = source_unknown(scoring->tokenizer, &scoring->model->arch, pair->source, (size_t)pair->source_count) +
                    source_unknown(scoring->tokenizer, &scoring->model->arch, pair->target, (size_t)pair->target_count);
    for (int t = 0; t < pair->target_count; t++) {
      item->log_probability += pair->log_probs[t];
      const char *token = tokenizer_token(scoring->tokenizer, pair->target[t]);
      tokens[t] = (struct qkv_token_probability){
        .id = pair->target[t], .token = token ? token : "", .log_probability = pair->log_probs[t], .sum = item->log_probability};
    }
  }
  return scoring->items != NULL;
}

static void free_items(struct qkv_probability *items, size_t count) {
  for (size_t i = 0; items && i < count; i++) free((struct qkv_token_probability *)items[i].tokens);
  free(items);
}

static bool score(struct scoring *scoring, struct qkv_model *model, const struct qkv_strings *sources,
                  const struct qkv_strings *targets) {
  if (sources->count != targets->count)
    return error_set(scoring->error, ERROR_USAGE, "there are %zu sources and %zu targets; wanted as many of both", sources->count,
                     targets->count);
  scoring->model = public_model_ready(model, scoring->error);
  if (!scoring->model) return false;
  const struct arch *arch = &scoring->model->arch;
  if (arch->family != FAMILY_ENCODER_DECODER)
    return error_set(scoring->error, ERROR_UNSUPPORTED,
                     "%s: the model is no encoder-decoder; it has no probability of a target given a source", model->directory);
  if (arch->eos_id < 0 || arch->decoder_start_id < 0)
    return error_set(scoring->error, ERROR_FORMAT, "%s/config.json: eos_token_id or decoder_start_token_id is missing",
                     model->directory);
  scoring->tokenizer = public_model_tokenizer(model, scoring->error);
  scoring->count = sources->count;
  return scoring->tokenizer && read_side(scoring, sources, &scoring->sources, &scoring->source_lines) &&
         read_side(scoring, targets, &scoring->targets, &scoring->target_lines) && decode(scoring) && give(scoring);
}

struct qkv_probabilities *qkv_probability_of(struct qkv_context *context, struct qkv_model *model,
                                             const struct qkv_strings *sources, const struct qkv_strings *targets) {
  struct error *error = public_begin(context);
  struct scoring scoring = {.error = error};
  struct qkv_probabilities *probabilities = memory_new(error, 1, sizeof *probabilities);
  bool fine = probabilities && score(&scoring, model, sources, targets);
  source_pieces_free(&scoring.sources);
  source_pieces_free(&scoring.targets);
  free(scoring.source_lines);
  free(scoring.target_lines);
  free(scoring.pairs);
  free(scoring.log_probs);
  if (fine) {
    *probabilities = (struct qkv_probabilities){.items = scoring.items, .count = scoring.count};
    return probabilities;
  }
  free_items(scoring.items, scoring.count);
  free(probabilities);
  return NULL;
}

void qkv_probabilities_free(struct qkv_probabilities *probabilities) {
  if (!probabilities) return;
  free_items((struct qkv_probability *)probabilities->items, probabilities->count);
  free(probabilities);
}
