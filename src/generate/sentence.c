#include "generate/sentence.h"

#include <math.h>

#include "base/memory.h"
#include "generate/logits_rules.h"

int sentence_candidates(const struct generation_options *options, int vocabulary) {
  int wanted = options->beams == 1 ? 1 : (options->eos_count > 1 ? options->eos_count + 1 : 2) * options->beams;
  return wanted < vocabulary ? wanted : vocabulary;
}

void sentence_start(struct sentence *sentence, const struct generation_request *request, const struct generation_options *options,
                    const struct arch *arch) {
  struct node *nodes = sentence->nodes;
  size_t capacity = sentence->node_capacity;
  int prefix = 1 + request->prefix_count;
  *sentence = (struct sentence){.request = request, .prefix = prefix, .length = prefix, .nodes = nodes, .node_capacity = capacity,
                                .max_length = generation_max_length(options, arch, prefix),
                                .min_length = generation_min_length(options, prefix), .beam_count = 1};
  sentence->beams[0] = (struct beam){.node = -1};
  sentence->done = sentence->length >= sentence->max_length;
}

int sentence_forced(const struct sentence *sentence, const struct generation_options *options, const int **ids) {
  if (options->forced_eos_count && sentence->length == sentence->max_length - 1) {
    *ids = options->forced_eos_ids;
    return options->forced_eos_count;
  }
  *ids = &options->forced_bos_id;
  return options->forced_bos_id >= 0 && sentence->length == 1;
}

void sentence_ids(const struct sentence *sentence, const struct generation_options *options, int beam, int32_t *ids) {
  ids[0] = options->start_id;
  for (int i = 1; i < sentence->prefix; i++) ids[i] = sentence->request->prefix[i - 1];
  int32_t node = sentence->beams[beam].node;
  for (int i = sentence->length - 1; i >= sentence->prefix; i--, node = sentence->nodes[node].parent)
    ids[i] = sentence->nodes[node].id;
}

static bool is_end(const struct generation_options *options, int32_t id) {
  for (int i = 0; i < options->eos_count; i++)
    if (options->eos_ids[i] == id) return true;
  return false;
}

static float penalised(float sum, int count, double penalty) { return sum / (float)pow(count, penalty); }

static int32_t add_node(struct sentence *sentence, int32_t id, int32_t parent, float log_prob) {
  sentence->nodes[sentence->node_count] = (struct node){id, parent, log_prob};
  return (int32_t)sentence->node_count++;
}

static void advance_greedy(struct sentence *sentence, const struct generation_options *options,
                           const struct candidates *candidates) {
  struct beam *beam = &sentence->beams[0];
  int32_t id = candidates->ids[0];
  float log_prob = candidates->log_sums ? candidates->values[0] - candidates->log_sums[0] : 0;
  beam->node = add_node(sentence, id, beam->node, log_prob);
  beam->score += log_prob;
  sentence->length++;
  bool ended = is_end(options, id);
  if (!ended && sentence->length < sentence->max_length) return;
  int count = sentence->length - sentence->prefix;
  sentence->pool[sentence->pool_count++] = (struct finished){.node = beam->node, .count = count, .score = beam->score,
                                                             .ended = ended};
  sentence->done = true;
}

struct choice {
  int beam;
  int32_t id;
  float log_prob, score;
};

// The best of all beams' candidates, best first; equal ones in the order of beams. Impossible ones are left out.
static int merge(struct choice *choices, const struct sentence *sentence, const struct candidates *candidates) {
  int next[MAX_BEAMS] = {0}, count = 0;
  float heads[MAX_BEAMS];
  const int n = candidates->per_row;
  for (int b = 0; b < sentence->beam_count; b++)
    heads[b] = sentence->beams[b].score + (candidates->values[b * n] - candidates->log_sums[b]);
  while (count < n) {
    int best = 0;
    for (int b = 1; b < sentence->beam_count; b++)
      if (heads[b] > heads[best]) best = b;
    if (!(heads[best] > LOGIT_NEVER / 2)) break;
    int at = best * n + next[best];
    choices[count++] = (struct choice){best, candidates->ids[at], candidates->values[at] - candidates->log_sums[best],
                                       heads[best]};
    next[best]++;
    heads[best] = -INFINITY;
    if (next[best] < n) heads[best] = sentence->beams[best].score + (candidates->values[at + 1] - candidates->log_sums[best]);
  }
  return count;
}

// Keeps the best `beams` finished hypotheses in order; of equal ones the earlier.
static void finish(struct sentence *sentence, int beams, struct finished finished) {
  int at = sentence->pool_count;
  while (at > 0 && finished.score > sentence->pool[at - 1].score) at--;
  if (at == beams) return;
  if (sentence->pool_count < beams) sentence->pool_count++;
  for (int i = sentence->pool_count - 1; i > at; i--) sentence->pool[i] = sentence->pool[i - 1];
  sentence->pool[at] = finished;
}

static bool can_improve(const struct sentence *sentence, const struct generation_options *options) {
  if (sentence->pool_count < options->beams) return true;
  if (options->early_stopping == EARLY_STOPPING_YES) return false;
  bool far = options->early_stopping == EARLY_STOPPING_NEVER && options->length_penalty > 0;
  int count = (far ? sentence->max_length : sentence->length) - sentence->prefix;
  return penalised(sentence->beams[0].score, count, options->length_penalty) > sentence->pool[sentence->pool_count - 1].score;
}

// When no id at all is possible, what runs counts as finished.
static void give_up(struct sentence *sentence, const struct generation_options *options) {
  int count = sentence->length - sentence->prefix;
  for (int b = 0; b < sentence->beam_count; b++)
    finish(sentence, options->beams, (struct finished){.node = sentence->beams[b].node, .count = count,
           .score = count ? penalised(sentence->beams[b].score, count, options->length_penalty) : 0});
  sentence->done = true;
}

static void advance_beams(struct sentence *sentence, const struct generation_options *options,
                          const struct candidates *candidates) {
  struct choice choices[CANDIDATES];
  struct beam beams[MAX_BEAMS];
  int count = merge(choices, sentence, candidates), beam_count = 0;
  if (count == 0) {
    give_up(sentence, options);
    return;
  }
  bool last = sentence->length + 1 >= sentence->max_length;
  sentence->length++;
  for (int i = 0; i < count; i++) {
    const struct choice *choice = &choices[i];
    bool ended = is_end(options, choice->id);
    if (ended || last ? i >= options->beams : beam_count == options->beams) continue;
    int32_t node = add_node(sentence, choice->id, sentence->beams[choice->beam].node, choice->log_prob);
    int generated = sentence->length - sentence->prefix;
    if (ended || last)
      finish(sentence, options->beams, (struct finished){.node = node, .count = generated, .ended = ended,
             .score = penalised(choice->score, generated, options->length_penalty)});
    else beams[beam_count++] = (struct beam){.node = node, .parent = choice->beam, .score = choice->score};
  }
  for (int b = 0; b < beam_count; b++) sentence->beams[b] = beams[b];
  sentence->beam_count = beam_count;
  sentence->done = beam_count == 0 || !can_improve(sentence, options);
}

bool sentence_advance(struct sentence *sentence, const struct generation_options *options, const struct candidates *candidates,
                      struct error *error) {
  if (!memory_grow(error, &sentence->nodes, &sentence->node_capacity, sentence->node_count + CANDIDATES,
                   sizeof *sentence->nodes))
    return false;
  if (options->beams > 1) advance_beams(sentence, options, candidates);
  else if (candidates->values[0] > LOGIT_NEVER / 2) advance_greedy(sentence, options, candidates);
  else give_up(sentence, options);
  return true;
}

struct generation *sentence_result(const struct sentence *sentence, const struct generation_options *options,
                                   struct error *error) {
  static const struct finished nothing = {.node = -1};
  const struct finished *found = sentence->pool_count ? sentence->pool : &nothing;
  int count = sentence->pool_count < options->nbest ? sentence->pool_count : options->nbest, tokens = 0;
  if (count == 0) count = 1;
  for (int i = 0; i < count; i++) tokens += found[i].count;
  bool scored = options->beams > 1 || options->token_scores;
  size_t heads = sizeof(struct generation) + count * sizeof(struct hypothesis);
  struct generation *generation = memory_new(error, heads + tokens * (sizeof(int32_t) + sizeof(float)), 1);
  if (!generation) return NULL;
  int32_t *ids = (int32_t *)((char *)generation + heads);
  float *log_probs = (float *)(ids + tokens);
  generation->count = count;
  for (int i = 0; i < count; i++) {
    generation->hypotheses[i] = (struct hypothesis){.ids = ids, .log_probs = scored ? log_probs : NULL, .count = found[i].count,
                                                    .score = found[i].score, .ended = found[i].ended};
    int32_t node = found[i].node;
    for (int t = found[i].count - 1; t >= 0; t--, node = sentence->nodes[node].parent) {
      ids[t] = sentence->nodes[node].id;
      log_probs[t] = sentence->nodes[node].log_prob;
    }
    ids += found[i].count;
    log_probs += found[i].count;
  }
  return generation;
}
