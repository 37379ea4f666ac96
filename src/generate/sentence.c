#include "generate/sentence.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "generate/logits_rules.h"

// Candidates of all beams together that are looked at.
static int most_choices(const struct generation_options *options) {
  return options->beams == 1 ? 1 : (options->eos_count > 1 ? options->eos_count + 1 : 2) * options->beams;
}

int sentence_candidates(const struct generation_options *options, int vocabulary) {
  int wanted = most_choices(options);
  if (wanted < options->alternatives) wanted = options->alternatives;
  return wanted < vocabulary ? wanted : vocabulary;
}

static bool starts_itself(const struct generation_options *options) { return options->start_id >= 0; }

void sentence_start(struct sentence *sentence, const struct generation_request *request, const struct generation_options *options,
                    const struct arch *arch) {
  struct sentence kept = *sentence;
  int prefix = starts_itself(options) + request->prefix_count;
  *sentence = (struct sentence){.request = request, .prefix = prefix, .length = prefix, .nodes = kept.nodes,
                                .node_capacity = kept.node_capacity, .alternatives = kept.alternatives,
                                .alternative_capacity = kept.alternative_capacity,
                                .max_length = generation_max_length(options, arch, prefix),
                                .min_length = generation_min_length(options, prefix), .beam_count = 1};
  sentence->full = options->slide ? 0 : generation_most_length(arch);
  sentence->beams[0] = (struct beam){.node = -1};
  sentence->done = sentence->length >= sentence->max_length;
}

void sentence_free(struct sentence *sentence) {
  free(sentence->nodes);
  free(sentence->alternatives);
}

// In the first step all samples go on from the one beam, which is the prefix.
static bool samples_begin(const struct sentence *sentence) { return sentence->length == sentence->prefix; }

int sentence_draws(const struct sentence *sentence) {
  if (!samples_begin(sentence)) return sentence->beam_count;
  return sentence->request->samples ? sentence->request->samples : 1;
}

void sentence_draw(const struct sentence *sentence, int i, int *beam, int *sample) {
  bool begin = samples_begin(sentence);
  *beam = begin ? 0 : i;
  *sample = begin ? i : sentence->beams[i].sample;
}

int sentence_forced(const struct sentence *sentence, const struct generation_options *options, const int **ids) {
  if (options->forced_eos_count && sentence->length == sentence->max_length - 1) {
    *ids = options->forced_eos_ids;
    return options->forced_eos_count;
  }
  *ids = &options->forced_bos_id;
  return options->forced_bos_id >= 0 && sentence->length == 1;
}

static int32_t prefix_id(const struct sentence *sentence, const struct generation_options *options, int i) {
  if (!starts_itself(options)) return sentence->request->prefix[i];
  return i ? sentence->request->prefix[i - 1] : options->start_id;
}

void sentence_ids(const struct sentence *sentence, const struct generation_options *options, int beam, int32_t *ids) {
  for (int i = 0; i < sentence->prefix; i++) ids[i] = prefix_id(sentence, options, i);
  int32_t node = sentence->beams[beam].node;
  for (int i = sentence->length - 1; i >= sentence->prefix; i--, node = sentence->nodes[node].parent)
    ids[i] = sentence->nodes[node].id;
}

int32_t sentence_last_id(const struct sentence *sentence, const struct generation_options *options, int beam) {
  int32_t last = sentence->beams[beam].node;
  return last < 0 ? prefix_id(sentence, options, sentence->prefix - 1) : sentence->nodes[last].id;
}

static bool is_end(const struct generation_options *options, int32_t id) {
  for (int i = 0; i < options->eos_count; i++)
    if (options->eos_ids[i] == id) return true;
  return false;
}

// Whether the path that ends in `node` ends here.
static bool stops(const struct sentence *sentence, const struct generation_options *options, int32_t node) {
  int32_t ids[STOP_WINDOW];
  int at = STOP_WINDOW;
  if (!options->stops) return false;
  for (; node >= 0 && at > STOP_WINDOW - options->stop_window; node = sentence->nodes[node].parent)
    ids[--at] = sentence->nodes[node].id;
  return options->stops(options->stop_user, ids + at, STOP_WINDOW - at);
}

// Why the path that ends in `node` ends at the present length; ENDING_NONE: it doesn't.
static enum ending ending_at(const struct sentence *sentence, const struct generation_options *options, int32_t node) {
  if (is_end(options, sentence->nodes[node].id)) return ENDING_TOKEN;
  if (stops(sentence, options, node)) return ENDING_STOP;
  if (sentence->length < sentence->max_length) return ENDING_NONE;
  return sentence->length == sentence->full ? ENDING_FULL : ENDING_LENGTH;
}

static float penalised(float sum, int count, double penalty) { return sum / (float)pow(count, penalty); }

// A node whose id follows row `row` of the candidates.
static int32_t add_node(struct sentence *sentence, const struct generation_options *options, const struct candidates *candidates,
                        int row, struct node node) {
  const int n = options->alternatives, per_row = candidates->per_row;
  for (int i = 0; i < n; i++) {
    struct alternative *alternative = &sentence->alternatives[sentence->node_count * n + i];
    *alternative = (struct alternative){.log_prob = LOGIT_NEVER};
    if (i >= per_row || !(candidates->values[row * per_row + i] > LOGIT_NEVER / 2)) continue;
    *alternative = (struct alternative){candidates->ids[row * per_row + i],
                                        candidates->values[row * per_row + i] - candidates->log_sums[row]};
  }
  sentence->nodes[sentence->node_count] = node;
  return (int32_t)sentence->node_count++;
}

static struct drawn chosen(const struct candidates *candidates, int i) {
  if (candidates->drawn) return candidates->drawn[i];
  if (!(candidates->values[0] > LOGIT_NEVER / 2)) return (struct drawn){.id = -1};
  return (struct drawn){candidates->ids[0], candidates->log_sums ? candidates->values[0] - candidates->log_sums[0] : 0};
}

static bool watched(const struct sentence *sentence, const struct generation_options *options, int sample, int32_t id) {
  return !options->watch || options->watch(options->watch_user, sentence->request, sample, id);
}

// Each sample goes on with what was drawn for it; greedy search is one sample and the best candidate.
static void advance_samples(struct sentence *sentence, const struct generation_options *options,
                            const struct candidates *candidates) {
  struct beam beams[MAX_BEAMS];
  int count = 0, draws = sentence_draws(sentence), parents[MAX_BEAMS], samples[MAX_BEAMS];
  for (int i = 0; i < draws; i++) sentence_draw(sentence, i, &parents[i], &samples[i]);
  sentence->length++;
  for (int i = 0; i < draws; i++) {
    int from = parents[i], sample = samples[i];
    struct drawn drawn = chosen(candidates, i);
    const struct beam *parent = &sentence->beams[from];
    struct beam beam = {.node = parent->node, .parent = from, .sample = sample, .score = parent->score};
    enum ending ending = ENDING_NONE;
    if (drawn.id >= 0) {
      beam.node = add_node(sentence, options, candidates, from, (struct node){drawn.id, parent->node, drawn.log_prob});
      beam.score += drawn.log_prob;
      ending = ending_at(sentence, options, beam.node);
      if (!watched(sentence, options, sample, drawn.id) && ending == ENDING_NONE) ending = ENDING_WATCHER;
    }
    if (options->record && drawn.id >= 0) {
      const struct search_choice taken = {beam.node, parent->node, drawn.id, drawn.log_prob, beam.score, beam.score, ending};
      options->record(options->record_user, sentence->request, sentence->length - sentence->prefix, &taken, 1);
    }
    if (drawn.id >= 0 && ending == ENDING_NONE) {
      beams[count++] = beam;
      continue;
    }
    sentence->pool[sentence->pool_count++] =
      (struct finished){.node = beam.node, .count = sentence->length - sentence->prefix - (drawn.id < 0), .sample = sample,
                        .lost = sentence->first, .score = beam.score, .ending = ending};
    watched(sentence, options, sample, -1);
  }
  for (int i = 0; i < count; i++) sentence->beams[i] = beams[i];
  sentence->beam_count = count;
  sentence->done = count == 0;
}

struct choice {
  int beam;
  int32_t id;
  float log_prob, score;
  int32_t node;         // -1: it is dropped
  enum ending ending;
};

// The best of all beams' candidates, best first; equal ones in the order of beams. Impossible ones are left out.
static int merge(struct choice *choices, const struct sentence *sentence, const struct generation_options *options,
                 const struct candidates *candidates) {
  int next[MAX_BEAMS] = {0}, count = 0, most = most_choices(options);
  float heads[MAX_BEAMS];
  const int n = candidates->per_row;
  for (int b = 0; b < sentence->beam_count; b++)
    heads[b] = sentence->beams[b].score + (candidates->values[b * n] - candidates->log_sums[b]);
  while (count < n && count < most) {
    int best = 0;
    for (int b = 1; b < sentence->beam_count; b++)
      if (heads[b] > heads[best]) best = b;
    if (!(heads[best] > LOGIT_NEVER / 2)) break;
    int at = best * n + next[best];
    choices[count++] = (struct choice){best, candidates->ids[at], candidates->values[at] - candidates->log_sums[best],
                                       heads[best], -1, ENDING_NONE};
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
  sentence->pool[at].lost = sentence->first;
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
    finish(sentence, options->beams, (struct finished){.node = sentence->beams[b].node, .count = count, .ending = ENDING_NONE,
           .score = count ? penalised(sentence->beams[b].score, count, options->length_penalty) : 0});
  sentence->done = true;
}

// Tells whoever records what has become of the choices, before the beams go on.
static void report(const struct sentence *sentence, const struct generation_options *options, const struct choice *choices,
                   int count) {
  struct search_choice seen[CANDIDATES];
  int generated = sentence->length - sentence->prefix;
  for (int i = 0; i < count; i++) {
    const struct choice *choice = &choices[i];
    seen[i] = (struct search_choice){.node = choice->node,
                                     .parent = sentence->beams[choice->beam].node,
                                     .id = choice->id,
                                     .log_prob = choice->log_prob,
                                     .sum = choice->score,
                                     .score = penalised(choice->score, generated, options->length_penalty),
                                     .ending = choice->ending};
  }
  options->record(options->record_user, sentence->request, generated, seen, count);
}

static void advance_beams(struct sentence *sentence, const struct generation_options *options,
                          const struct candidates *candidates) {
  struct choice choices[CANDIDATES];
  struct beam beams[MAX_BEAMS];
  int count = merge(choices, sentence, options, candidates), beam_count = 0;
  if (count == 0) {
    give_up(sentence, options);
    return;
  }
  sentence->length++;
  for (int i = 0; i < count; i++) {
    struct choice *choice = &choices[i];
    if (i >= options->beams && beam_count == options->beams) break;
    size_t nodes = sentence->node_count;
    int32_t node = add_node(sentence, options, candidates, choice->beam,
                            (struct node){choice->id, sentence->beams[choice->beam].node, choice->log_prob});
    int generated = sentence->length - sentence->prefix;
    choice->ending = ending_at(sentence, options, node);
    choice->node = node;
    if (choice->ending != ENDING_NONE && i < options->beams) {
      finish(sentence, options->beams, (struct finished){.node = node, .count = generated, .ending = choice->ending,
             .score = penalised(choice->score, generated, options->length_penalty)});
    } else if (choice->ending == ENDING_NONE && beam_count < options->beams) {
      beams[beam_count++] = (struct beam){.node = node, .parent = choice->beam, .score = choice->score};
    } else {
      sentence->node_count = nodes;  // it neither ends among the best nor goes on
      choice->node = -1;
    }
  }
  if (options->record) report(sentence, options, choices, count);
  for (int b = 0; b < beam_count; b++) sentence->beams[b] = beams[b];
  sentence->beam_count = beam_count;
  sentence->done = beam_count == 0 || !can_improve(sentence, options);
}

bool sentence_advance(struct sentence *sentence, const struct generation_options *options, const struct candidates *candidates,
                      struct error *error) {
  if (!memory_grow(error, &sentence->nodes, &sentence->node_capacity, sentence->node_count + CANDIDATES,
                   sizeof *sentence->nodes) ||
      !memory_grow(error, &sentence->alternatives, &sentence->alternative_capacity,
                   (sentence->node_count + CANDIDATES) * options->alternatives, sizeof *sentence->alternatives))
    return false;
  if (options->beams > 1) advance_beams(sentence, options, candidates);
  else advance_samples(sentence, options, candidates);
  return true;
}

static void copy_path(const struct sentence *sentence, const struct generation_options *options, const struct finished *found,
                      struct hypothesis *to) {
  int32_t node = found->node;
  int n = options->alternatives;
  for (int t = found->count - 1; t >= 0; t--, node = sentence->nodes[node].parent) {
    to->ids[t] = sentence->nodes[node].id;
    if (to->log_probs) to->log_probs[t] = sentence->nodes[node].log_prob;
    for (int i = 0; i < n; i++) to->alternatives[t * n + i] = sentence->alternatives[(size_t)node * n + i];
  }
}

static int by_sample(const void *a, const void *b) {
  const struct finished *x = a, *y = b;
  return (x->sample > y->sample) - (x->sample < y->sample);
}

// A prefix that leaves no room: every sample ends before it begins.
static void conclude_nothing(struct sentence *sentence, const struct generation_options *options) {
  int count = options->beams > 1 ? 1 : sentence_draws(sentence);
  bool full = sentence->full && sentence->length >= sentence->full;
  for (int i = 0; i < count; i++) {
    sentence->pool[sentence->pool_count++] =
      (struct finished){.node = -1, .sample = i, .lost = sentence->first, .ending = full ? ENDING_FULL : ENDING_LENGTH};
    if (options->beams == 1) watched(sentence, options, i, -1);
  }
}

struct generation *sentence_result(struct sentence *sentence, const struct generation_options *options, struct error *error) {
  if (sentence->pool_count == 0) conclude_nothing(sentence, options);
  if (options->beams == 1) qsort(sentence->pool, sentence->pool_count, sizeof *sentence->pool, by_sample);
  const struct finished *found = sentence->pool;
  int tokens = 0, count = options->beams > 1 && sentence->pool_count > options->nbest ? options->nbest : sentence->pool_count;
  for (int i = 0; i < count; i++) tokens += found[i].count;
  bool scored = options->beams > 1 || options->sampling || options->token_scores;
  size_t heads = sizeof(struct generation) + count * sizeof(struct hypothesis);
  size_t each = sizeof(int32_t) + sizeof(float) + options->alternatives * sizeof(struct alternative);
  struct generation *generation = memory_new(error, heads + tokens * each, 1);
  if (!generation) return NULL;
  struct alternative *alternatives = (struct alternative *)((char *)generation + heads);
  int32_t *ids = (int32_t *)(alternatives + (size_t)tokens * options->alternatives);
  float *log_probs = (float *)(ids + tokens);
  generation->count = count;
  for (int i = 0; i < count; i++) {
    const struct finished *one = &found[i];
    struct hypothesis *to = &generation->hypotheses[i];
    *to = (struct hypothesis){.ids = ids, .log_probs = scored ? log_probs : NULL, .count = one->count, .score = one->score,
                              .alternatives = options->alternatives ? alternatives : NULL, .lost = one->lost,
                              .ending = one->ending};
    copy_path(sentence, options, one, to);
    ids += one->count;
    log_probs += one->count;
    alternatives += (size_t)one->count * options->alternatives;
  }
  return generation;
}
