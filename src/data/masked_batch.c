#include "data/masked_batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PURPOSE_PAIR = 0x9A1, PURPOSE_MASK = 0x3A5, SPECIALS = 3 };
// What is drawn about a sample as a whole.
enum { DRAW_SPLIT, DRAW_NEXT, DRAW_PART, DRAW_OTHER };
enum { OTHER_DRAWS = 8 };

// A run of tokens.
struct range {
  uint64_t first, end;
};

// A sample before masking. b is empty where there is no second text.
struct pair {
  struct range a, b;
  int label;
};

static struct random_key sample_key(const struct masked_samples *samples, uint64_t purpose, uint64_t epoch, size_t sample) {
  return random_key(random_bits(random_key(samples->seed, purpose), epoch), sample);
}

// ---- pairs ----

static bool is_short(const struct masked_samples *samples, uint64_t epoch) {
  return samples->short_length && epoch < samples->short_epochs;
}

// Where sentences from `first` on end that fill the room behind `before` tokens: the last of them may no longer fit.
static size_t filling_end(const struct masked_samples *samples, size_t first, size_t limit, uint64_t before, size_t room) {
  const uint64_t *starts = samples->sentences->starts;
  size_t end = first + 1;
  while (end < limit && before + starts[end] - starts[first] < room) end++;
  return end;
}

static size_t fitting_end(const struct masked_samples *samples, size_t first, size_t limit, size_t room) {
  const uint64_t *starts = samples->sentences->starts;
  size_t end = first + 1;
  while (end < limit && starts[end + 1] - starts[first] <= room) end++;
  return end;
}

// Where a segment ends that begins with sentence `first`. For random neighbours it fills the room, and has two sentences where
// there are two, so that true and random seconds are cut alike.
static size_t segment_end(const struct masked_samples *samples, size_t first, size_t limit, size_t room) {
  if (samples->next != NEXT_RANDOM) return fitting_end(samples, first, limit, room);
  size_t end = filling_end(samples, first, limit, 0, room);
  return end == first + 1 && end < limit ? end + 1 : end;
}

// The sentences of the sample in this epoch: all of its segment, or a part that fits into the short length.
static struct masked_segment part_of(const struct masked_samples *samples, struct random_key key, uint64_t epoch, size_t sample,
                                     size_t room) {
  struct masked_segment part = samples->segments[sample];
  if (!is_short(samples, epoch)) return part;
  size_t count = part.end - part.first, last = samples->next == NEXT_RANDOM && count > 1;  // the last has none behind it
  part.first += random_below(key, DRAW_PART, count - last);
  part.end = segment_end(samples, part.first, part.end, room);
  return part;
}

static uint64_t least(uint64_t x, uint64_t y) { return x < y ? x : y; }

// Sentences of another document, from a random one on. Nothing but the words may tell them from the true ones: they fill the room
// behind `before` tokens where those do, and are `most`, as many, where those do not; some draws are made for such ones.
static struct range other_sentences(const struct masked_samples *samples, struct random_key key, size_t document, bool full,
                                    size_t most, uint64_t before, size_t room) {
  const struct sentences *sentences = samples->sentences;
  struct range range = {0};
  bool alike = false;
  for (uint64_t draw = DRAW_OTHER; draw < DRAW_OTHER + 2 * OTHER_DRAWS && !alike; draw += 2) {
    size_t other = random_below(key, draw, sentences->document_count - 1);
    if (other >= document) other++;
    size_t begin = sentences->documents[other], limit = sentences->documents[other + 1];
    size_t first = begin + random_below(key, draw + 1, limit - begin);
    if (!full) limit = least(limit, first + most);
    size_t end = filling_end(samples, first, limit, before, room);
    range = (struct range){sentences->starts[first], sentences->starts[end]};
    alike = before + (range.end - range.first) >= room ? full : !full && end - first == most;
  }
  return range;
}

// A text of a single sentence is split in its middle, where nothing else can follow.
static struct pair halves(struct range all) {
  uint64_t middle = all.first + (all.end - all.first) / 2;
  return (struct pair){.a = {all.first, middle}, .b = {middle, all.end}, .label = 0};
}

// Cuts what does not fit: the first text at its front, so that it still ends where the second may begin, down to half of the room.
static struct pair fitted(struct range a, struct range b, int label, size_t room) {
  uint64_t half = room / 2, first = least(a.end - a.first, room - least(b.end - b.first, half));
  uint64_t second = least(b.end - b.first, room - first);
  return (struct pair){.a = {a.end - first, a.end}, .b = {b.first, b.first + second}, .label = label};
}

static struct pair neighbours(const struct masked_samples *samples, struct random_key key, const struct masked_segment *part,
                              bool other, size_t room) {
  const uint64_t *starts = samples->sentences->starts;
  size_t second = part->first + 1 + random_below(key, DRAW_SPLIT, part->end - part->first - 1);
  struct range a = {starts[part->first], starts[second]}, b = {starts[second], starts[part->end]};
  bool full = b.end - a.first >= room;
  if (other) b = other_sentences(samples, key, part->document, full, part->end - second, a.end - a.first, room);
  return fitted(a, b, other, room);
}

// A single sentence stays whole, and what follows is from elsewhere (released code of BERT).
static struct pair alone(const struct masked_samples *samples, struct random_key key, size_t document, struct range all,
                         size_t room) {
  return fitted(all, other_sentences(samples, key, document, false, 1, all.end - all.first, room), 1, room);
}

// ALBERT's: the two parts of a segment, in their order or not.
static struct pair swapped(const struct masked_samples *samples, struct random_key key, const struct masked_segment *part,
                           struct range all, bool other) {
  size_t count = part->end - part->first;
  struct pair pair = halves(all);
  if (count > 1)
    pair.a.end = pair.b.first = samples->sentences->starts[part->first + 1 + random_below(key, DRAW_SPLIT, count - 1)];
  return other ? (struct pair){.a = pair.b, .b = pair.a, .label = 1} : pair;
}

static struct pair draw_pair(const struct masked_samples *samples, uint64_t epoch, size_t sample) {
  struct random_key key = sample_key(samples, PURPOSE_PAIR, epoch, sample);
  size_t room = (is_short(samples, epoch) ? samples->short_length : samples->max_length) - SPECIALS;
  struct masked_segment part = part_of(samples, key, epoch, sample, room);
  const uint64_t *starts = samples->sentences->starts;
  struct range all = {starts[part.first], least(starts[part.end], starts[part.first] + room)};
  bool other = random_uniform(key, DRAW_NEXT) < 0.5, several = samples->sentences->document_count > 1;
  if (samples->next == NEXT_NONE || all.end - all.first < 2)
    return (struct pair){.a = all, .b = {all.end, all.end}, .label = -1};
  if (samples->next == NEXT_SWAPPED) return swapped(samples, key, &part, all, other);
  if (part.end - part.first > 1) return neighbours(samples, key, &part, other && several, room);
  return several ? alone(samples, key, part.document, all, room) : halves(all);
}

static size_t pair_rows(const struct pair *pair) {
  size_t a = (size_t)(pair->a.end - pair->a.first), b = (size_t)(pair->b.end - pair->b.first);
  return a + b + (b ? SPECIALS : SPECIALS - 1);
}

// ---- masking ----

static int compare_groups(const void *x, const void *y) {
  const struct masked_group *a = x, *b = y;
  if (a->random != b->random) return a->random < b->random ? -1 : 1;
  return (a->first > b->first) - (a->first < b->first);
}

static size_t make_groups(const struct masking *masking, struct random_key key, const int32_t *ids, const bool *special,
                          size_t count, struct masked_group *groups, size_t *maskable) {
  size_t made = 0;
  *maskable = 0;
  for (size_t i = 0; i < count; i++) {
    if (special[i]) continue;
    ++*maskable;
    bool goes_on = masking->whole_words && masking->continues && masking->continues[ids[i]];
    if (goes_on && made && groups[made - 1].first + groups[made - 1].count == (int)i)
      groups[made - 1].count++;
    else
      groups[made++] = (struct masked_group){random_bits(key, i), (int)i, 1};
  }
  return made;
}

static int32_t replacement(const struct masking *masking, struct random_key key, size_t position, int32_t id) {
  double draw = random_uniform(key, ((uint64_t)1 << 32) + position);
  if (draw < masking->masked) return masking->mask_id;
  if (draw < masking->masked + masking->random)
    return (int32_t)random_below(key, ((uint64_t)2 << 32) + position, (uint64_t)masking->vocabulary);
  return id;
}

size_t mask_tokens(const struct masking *masking, struct random_key key, int32_t *ids, const bool *special, int32_t *labels,
                   size_t count, struct masked_group *groups) {
  size_t maskable, made = make_groups(masking, key, ids, special, count, groups, &maskable), done = 0;
  size_t wanted = (size_t)lrint((double)maskable * masking->rate);
  if (!wanted && maskable && masking->rate > 0) wanted = 1;
  qsort(groups, made, sizeof *groups, compare_groups);
  for (size_t i = 0; i < count; i++) labels[i] = -1;
  for (size_t i = 0; i < made && done < wanted; i++) {
    // A word that is longer than what is left is passed over, unless nothing else was found.
    if (done + (size_t)groups[i].count > wanted && done) continue;
    for (int k = 0; k < groups[i].count; k++) {
      size_t position = (size_t)(groups[i].first + k);
      labels[position] = ids[position];
      ids[position] = replacement(masking, key, position, ids[position]);
    }
    done += (size_t)groups[i].count;
  }
  return done;
}

// ---- samples ----

struct made {
  int32_t *ids, *types, *labels;
  size_t count, targets;
};

static void add_range(const struct masked_samples *samples, struct made *made, bool *special, struct range range, int type) {
  for (uint64_t i = range.first; i < range.end; i++) {
    made->ids[made->count] = samples->sentences->tokens[i];
    made->types[made->count] = type;
    special[made->count++] = false;
  }
  made->ids[made->count] = samples->sep_id;
  made->types[made->count] = type;
  special[made->count++] = true;
}

static struct made make_sample(const struct masked_samples *samples, uint64_t epoch, size_t sample, const struct pair *pair) {
  struct made made = {samples->rows, samples->rows + samples->max_length, samples->rows + 2 * samples->max_length, 1, 0};
  bool *special = (bool *)(samples->rows + 3 * samples->max_length);
  made.ids[0] = samples->cls_id;
  made.types[0] = 0;
  special[0] = true;
  add_range(samples, &made, special, pair->a, 0);
  if (pair->b.end > pair->b.first) add_range(samples, &made, special, pair->b, 1);
  made.targets = mask_tokens(&samples->masking, sample_key(samples, PURPOSE_MASK, epoch, sample), made.ids, special, made.labels,
                             made.count, samples->groups);
  return made;
}

static struct sample_rows rows_of(const void *user, uint64_t epoch, size_t sample) {
  struct pair pair = draw_pair(user, epoch, sample);
  return (struct sample_rows){(uint32_t)pair_rows(&pair), 0};
}

static void count_targets(const void *user, uint64_t epoch, size_t sample, int64_t targets[TARGET_HEADS]) {
  const struct masked_samples *samples = user;
  struct pair pair = draw_pair(samples, epoch, sample);
  targets[0] += (int64_t)make_sample(samples, epoch, sample, &pair).targets;
  targets[1] += pair.label >= 0;
}

static const struct batch *fill(void *user, uint64_t epoch, const uint32_t *list, size_t count, struct error *error) {
  struct masked_samples *samples = user;
  packed_begin(&samples->packed);
  for (size_t i = 0; i < count; i++) {
    struct pair pair = draw_pair(samples, epoch, list[i]);
    struct made made = make_sample(samples, epoch, list[i], &pair);
    struct packed_sequence sequence = {.ids = made.ids,
                                       .types = made.types,
                                       .labels = made.labels,
                                       .count = made.count,
                                       .number = list[i],
                                       .text = packed_text(),
                                       .line = samples->sentences->places[samples->segments[list[i]].first]};
    sequence.text.label = pair.label;
    if (!packed_add(&samples->packed, samples->arch, &sequence, error)) return NULL;
  }
  return packed_end(&samples->packed, samples->arch);
}

static bool cut_segments(struct masked_samples *samples, struct error *error) {
  const struct sentences *sentences = samples->sentences;
  size_t room = samples->max_length - SPECIALS;
  for (size_t d = 0; d < sentences->document_count; d++) {
    size_t first = sentences->documents[d], limit = sentences->documents[d + 1];
    while (first < limit) {
      struct masked_segment segment = {first, segment_end(samples, first, limit, room), d};
      if (!memory_grow(error, &samples->segments, &samples->capacity, samples->count + 1, sizeof *samples->segments))
        return false;
      samples->segments[samples->count++] = segment;
      // A last sentence takes the one before it along: it has no neighbour otherwise.
      first = segment.end - (samples->next == NEXT_RANDOM && segment.end + 1 == limit);
    }
  }
  return true;
}

bool masked_samples_make(struct masked_samples *samples, struct samples *out, const char *const *paths, struct error *error) {
  if (samples->next == NEXT_RANDOM && !samples->validation && samples->sentences->document_count < 2)
    return error_set(
      error, ERROR_FORMAT,
      "%s: the text is one document, so no sentence of another one can be drawn; put blank lines between documents, or take "
      "--next-sentence swapped or none",
      paths[0]);
  samples->rows = memory_new(error, 4 * samples->max_length, sizeof *samples->rows);
  samples->groups = memory_new(error, samples->max_length, sizeof *samples->groups);
  if (!samples->rows || !samples->groups || !cut_segments(samples, error)) return false;
  *out = (struct samples){.count = samples->count,
                          .user = samples,
                          .rows = rows_of,
                          .count_targets = count_targets,
                          .fill = fill,
                          .paths = paths,
                          .ledger = &samples->sentences->ledger};
  return true;
}

void masked_samples_free(struct masked_samples *samples) {
  free(samples->segments);
  free(samples->rows);
  free(samples->groups);
  packed_free(&samples->packed);
  *samples = (struct masked_samples){0};
}
