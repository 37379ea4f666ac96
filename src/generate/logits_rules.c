#include "generate/logits_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

bool logits_rules_open(struct logits_rules *rules, const struct generation_options *options, int vocabulary,
                       struct error *error) {
  *rules = (struct logits_rules){.options = options, .vocabulary = vocabulary, .repetition = options->repetition_penalty != 1};
  bool long_words = false;
  for (int i = 0, count; i < options->bad_words.count; i++) {
    id_list(&options->bad_words, i, &count);
    if (count > 1) long_words = true;
  }
  rules->history = rules->repetition || options->no_repeat_ngram_size || options->encoder_no_repeat_ngram_size || long_words;
  rules->any = rules->history || options->bad_words.count || options->min_length || options->min_new_tokens ||
               options->suppressed.count || options->begin_suppressed.count;
  if (rules->repetition) rules->seen = memory_new(error, vocabulary, sizeof *rules->seen);
  return !rules->repetition || rules->seen;
}

void logits_rules_close(struct logits_rules *rules) {
  free(rules->seen);
  free(rules->removed);
  *rules = (struct logits_rules){0};
}

static void penalise_repetition(struct logits_rules *rules, const struct rule_row *row) {
  float penalty = (float)rules->options->repetition_penalty;
  if (++rules->turn == 0) {
    memset(rules->seen, 0, rules->vocabulary * sizeof *rules->seen);
    rules->turn = 1;
  }
  for (int i = 0; i < row->length; i++) {
    int32_t id = row->target[i];
    if (rules->seen[id] == rules->turn) continue;
    rules->seen[id] = rules->turn;
    row->logits[id] = row->logits[id] < 0 ? row->logits[id] * penalty : row->logits[id] / penalty;
  }
}

static bool ban(struct logits_rules *rules, const struct rule_row *row, int32_t id, struct error *error) {
  if (row->logits[id] == LOGIT_NEVER) return true;
  if (!memory_grow(error, &rules->removed, &rules->removed_capacity, rules->removed_count + 1, sizeof *rules->removed))
    return false;
  rules->removed[rules->removed_count++] = row->logits[id];
  row->logits[id] = LOGIT_NEVER;
  return true;
}

// Bans what followed the last n - 1 ids of the target wherever they stand in `text`.
static bool ban_ngrams(struct logits_rules *rules, const struct rule_row *row, const int32_t *text, int count, int n,
                       struct error *error) {
  if (n > row->length + 1) return true;
  const int32_t *last = row->target + row->length - (n - 1);
  for (int i = 0; i + n <= count; i++) {
    if (memcmp(text + i, last, (n - 1) * sizeof *last) != 0 || text[i + n - 1] >= rules->vocabulary) continue;
    if (!ban(rules, row, text[i + n - 1], error)) return false;
  }
  return true;
}

static bool is_end(const struct generation_options *options, int32_t id) {
  for (int i = 0; i < options->eos_count; i++)
    if (options->eos_ids[i] == id) return true;
  return false;
}

static bool ban_words(struct logits_rules *rules, const struct rule_row *row, struct error *error) {
  for (int i = 0; i < rules->options->bad_words.count; i++) {
    int count;
    const int32_t *word = id_list(&rules->options->bad_words, i, &count);
    if (count == 1 && is_end(rules->options, word[0])) continue;  // a text has to end some time
    int before = count - 1;
    if (before > row->length) continue;
    if (before && memcmp(row->target + row->length - before, word, before * sizeof *word) != 0) continue;
    if (!ban(rules, row, word[before], error)) return false;
  }
  return true;
}

static bool ban_all(struct logits_rules *rules, const struct rule_row *row, const struct id_lists *lists, struct error *error) {
  bool fine = true;
  for (int i = 0; fine && i < id_lists_total(lists); i++) fine = ban(rules, row, lists->ids[i], error);
  return fine;
}

bool logits_rules_apply(struct logits_rules *rules, const struct rule_row *row, struct error *error) {
  const struct generation_options *options = rules->options;
  if (rules->repetition) penalise_repetition(rules, row);
  bool fine = true;
  if (options->no_repeat_ngram_size)
    fine = ban_ngrams(rules, row, row->target, row->length, options->no_repeat_ngram_size, error);
  if (fine && options->encoder_no_repeat_ngram_size)
    fine = ban_ngrams(rules, row, row->source, row->source_count, options->encoder_no_repeat_ngram_size, error);
  fine = fine && ban_words(rules, row, error);
  for (int i = 0; fine && row->length < row->min_length && i < options->eos_count; i++)
    fine = ban(rules, row, options->eos_ids[i], error);
  fine = fine && ban_all(rules, row, &options->suppressed, error);
  return fine && (!row->first || ban_all(rules, row, &options->begin_suppressed, error));
}
