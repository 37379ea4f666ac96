#include "data/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/cut_encoding.h"

enum { STRIDE = 128, QUESTION = 64, NO_POSITIONS = 1 << 20 };

struct maker {
  struct features *features;
  const struct feature_options *options;
  struct encoding encoding;
  struct buffer text;     // words joined by blanks
  uint32_t *word_starts;  // [words + 1] bytes of that text
  size_t word_capacity;
  size_t limit;      // rows of a sequence
  uint32_t example;  // the present one
  bool cut, invalid;
  struct error *error;
};

// Rows of the present encoding that are kept: [from, to) of each of the two texts, and all special tokens.
struct kept {
  size_t from[2], to[2];
};

static const struct example *present(const struct maker *maker) { return &maker->features->examples->items[maker->example]; }

static const char *path_of(const struct maker *maker) {
  return maker->features->examples->paths[place_file(present(maker)->place)];
}

static unsigned long long line_of(const struct maker *maker) { return place_line(present(maker)->place); }

static bool encode(struct maker *maker, struct text_line text, const struct text_line *pair) {
  struct encoding *encoding = &maker->encoding;
  const struct tokenizer *tokenizer = maker->options->tokenizer;
  encoding->keep_all = true;
  bool ok = pair ? tokenizer_encode_pair(tokenizer, text.text ? text.text : "", text.size, pair->text, pair->size, true, encoding,
                                         maker->error)
                 : tokenizer_encode(tokenizer, text.text ? text.text : "", text.size, true, encoding, maker->error);
  if (ok && encoding->invalid) maker->invalid = true;
  return ok;
}

// Cuts what is too long at the end of the longer text.
static struct kept cut_to(struct maker *maker, size_t limit) {
  struct kept kept = {0};
  if (encoding_room(&maker->encoding, limit, kept.to)) maker->cut = true;
  return kept;
}

static bool check_id(const struct maker *maker, int32_t id) {
  const struct arch *arch = maker->options->arch;
  int vocabulary = arch->family == FAMILY_DECODER ? arch->target_vocab : arch->source_vocab;
  if (id >= 0 && id < vocabulary) return true;
  return error_set(
    maker->error, ERROR_FORMAT,
    "the tokenizer gives the id %d, but the model has only %d tokens; tokenizer.json and config.json do not belong "
    "together",
    id, vocabulary);
}

// Adds the kept rows of the present encoding to the sequence.
static bool add_rows(struct maker *maker, struct feature *feature, const struct kept *kept) {
  struct features *features = maker->features;
  const struct encoding *encoding = &maker->encoding;
  size_t first = features->row_count, seen[2] = {0, 0};
  if (!memory_grow(maker->error, &features->rows, &features->row_capacity, first + encoding->count + 1, sizeof *features->rows))
    return false;
  for (size_t i = 0; i < encoding->count; i++) {
    int side = encoding->sequences[i];
    size_t number = side >= 0 ? seen[side]++ : 0;
    if (side >= 0 && (number < kept->from[side] || number >= kept->to[side])) continue;
    if (!check_id(maker, encoding->ids[i])) return false;
    features->rows[features->row_count++] = (struct feature_row){
      encoding->ids[i], encoding->types[i], -1, -1, side == 1 ? encoding->starts[i] : 0, side == 1 ? encoding->ends[i] : 0};
  }
  // Where the tokenizer puts nothing around an empty text, the token between texts stands for it.
  const struct arch *arch = maker->options->arch;
  int32_t blank = arch->bos_id >= 0 ? arch->bos_id : arch->eos_id;
  if (features->row_count == first && blank >= 0 && check_id(maker, blank))
    features->rows[features->row_count++] = (struct feature_row){.id = blank, .label = -1, .word = -1};
  for (size_t row = first; maker->options->next_tokens && row + 1 < features->row_count; row++)
    features->rows[row].label = features->rows[row + 1].id;
  feature->count = (uint32_t)(features->row_count - feature->first);
  if (feature->count > features->longest) features->longest = feature->count;
  return features->row_count > first ||
         error_set(maker->error, ERROR_FORMAT, "%s line %llu: the text gives no token, and the tokenizer puts none around it",
                   path_of(maker), line_of(maker));
}

// Adds the kept rows of the present encoding as a sequence. NULL on failure.
static struct feature *add_sequence(struct maker *maker, const struct kept *kept) {
  struct features *features = maker->features;
  if (!memory_grow(maker->error, &features->sequences, &features->capacity, features->count + 1, sizeof *features->sequences))
    return NULL;
  struct feature *feature = &features->sequences[features->count++];
  *feature = (struct feature){.first = features->row_count, .example = maker->example, .text = packed_text()};
  return add_rows(maker, feature, kept) ? feature : NULL;
}

static bool add_sample(struct maker *maker, size_t sequences) {
  struct features *features = maker->features;
  if (!memory_grow(maker->error, &features->samples, &features->sample_capacity, features->sample_count + 1,
                   sizeof *features->samples))
    return false;
  features->samples[features->sample_count++] =
    (struct feature_sample){(uint32_t)(features->count - sequences), (uint32_t)sequences};
  return true;
}

// ---- texts and pairs ----

static bool unknown_label(const struct maker *maker, const char *label) {
  char list[300];
  label_names_list(maker->options->labels, list, sizeof list);
  return error_set(maker->error, ERROR_FORMAT,
                   "%s line %llu: the label \"%s\" does not occur in the training data, whose labels are %s", path_of(maker),
                   line_of(maker), label, list);
}

static bool read_label(const struct maker *maker, struct batch_text *text) {
  const struct example *example = present(maker);
  if (!example->label.text) return true;
  if (maker->options->arch->labels == 1) {
    char *end;
    text->value = strtof(example->label.text, &end);
    if (*example->label.text && !*end && isfinite(text->value)) return true;
    return error_set(maker->error, ERROR_FORMAT, "%s line %llu: the label \"%s\" is no number; --task regress learns numbers",
                     path_of(maker), line_of(maker), example->label.text);
  }
  text->label = label_names_find(maker->options->labels, example->label.text);
  return text->label >= 0 || unknown_label(maker, example->label.text);
}

static bool add_other_order(struct maker *maker, struct feature *feature) {
  const struct example *example = present(maker);
  feature->second = feature->count;
  if (!encode(maker, example->pair, &example->text)) return false;
  struct kept kept = cut_to(maker, maker->limit);
  return add_rows(maker, feature, &kept);
}

static bool make_text(struct maker *maker) {
  const struct example *example = present(maker);
  bool pair = example->pair.text, both = maker->options->arch->both_orders;
  if (both && !pair)
    return error_set(maker->error, ERROR_FORMAT,
                     "%s line %llu: there is one text, but the model compares two, in both orders (--input-form gpt1-similarity)",
                     path_of(maker), line_of(maker));
  if (!encode(maker, example->text, pair ? &example->pair : NULL)) return false;
  struct kept kept = cut_to(maker, maker->limit);
  struct feature *feature = add_sequence(maker, &kept);
  return feature && (!both || add_other_order(maker, feature)) && read_label(maker, &feature->text) && add_sample(maker, 1);
}

// ---- words with tags ----

static bool join_words(struct maker *maker, size_t first, size_t end) {
  const struct example *example = present(maker);
  if (!memory_grow(maker->error, &maker->word_starts, &maker->word_capacity, end - first + 1, sizeof *maker->word_starts))
    return false;
  buffer_clear(&maker->text);
  for (size_t i = first; i < end; i++) {
    if (i > first) buffer_char(&maker->text, ' ');
    maker->word_starts[i - first] = (uint32_t)maker->text.size;
    buffer_append(&maker->text, example->parts[i].text, example->parts[i].size);
  }
  maker->word_starts[end - first] = UINT32_MAX;
  return buffer_check(&maker->text, maker->error);
}

// Gives the first piece of each word its number and tag. `words` of them begin with number `first`.
static bool mark_words(struct maker *maker, struct feature *feature, const struct kept *kept, size_t first, size_t words) {
  const struct example *example = present(maker);
  const struct encoding *encoding = &maker->encoding;
  struct feature_row *row = maker->features->rows + feature->first;
  size_t word = 0, seen = 0;
  int64_t last = -1;
  for (size_t i = 0; i < encoding->count; i++) {
    if (encoding->sequences[i] == 0) {
      if (seen++ >= kept->to[0]) continue;
      while (word + 1 < words && encoding->ends[i] > maker->word_starts[word + 1]) word++;
      if ((int64_t)word > last) {
        row->word = (int32_t)(first + word);
        last = (int64_t)word;
        if (example->tags) {
          row->label = label_names_find(maker->options->labels, example->tags[row->word].text);
          if (row->label < 0) return unknown_label(maker, example->tags[row->word].text);
        }
      }
    }
    row++;
  }
  return true;
}

// Words [first, end): in one sequence if they fit, else each half by itself.
static bool make_words(struct maker *maker, size_t first, size_t end) {
  if (!join_words(maker, first, end)) return false;
  if (!encode(maker, (struct text_line){buffer_string(&maker->text), maker->text.size}, NULL)) return false;
  if (maker->encoding.count > maker->limit && end - first > 1) {
    size_t middle = first + (end - first) / 2;
    maker->cut = true;
    return make_words(maker, first, middle) && make_words(maker, middle, end);
  }
  struct kept kept = cut_to(maker, maker->limit);
  struct feature *feature = add_sequence(maker, &kept);
  return feature && mark_words(maker, feature, &kept, first, end - first) && add_sample(maker, 1);
}

// ---- a question and its context ----

// Points at the rows of the first answer if this window holds it, else at row 0.
static void mark_answer(const struct maker *maker, struct feature *feature) {
  const struct example *example = present(maker);
  if (!example->label.text) return;
  feature->text.start = feature->text.end = 0;
  if (!example->part_count) return;
  size_t from = example->starts[0], to = from + example->parts[0].size;
  const struct feature_row *rows = maker->features->rows + feature->first;
  int32_t start = -1, end = -1;
  for (uint32_t i = 0; i < feature->count; i++) {
    if (rows[i].end == 0) continue;
    if (rows[i].start <= from && from < rows[i].end) start = (int32_t)i;
    if (rows[i].start < to && to <= rows[i].end) end = (int32_t)i;
  }
  if (start < 0 || end < start) return;
  feature->text.start = start;
  feature->text.end = end;
}

static bool make_question(struct maker *maker) {
  const struct example *example = present(maker);
  if (!encode(maker, example->text, &example->pair)) return false;
  size_t counts[2];
  encoding_room(&maker->encoding, SIZE_MAX, counts);
  size_t special = maker->encoding.count - counts[0] - counts[1];
  size_t question = maker->options->max_question ? maker->options->max_question : QUESTION;
  if (question > maker->limit / 2) question = maker->limit / 2;
  if (counts[0] > question) maker->cut = true;
  if (counts[0] < question) question = counts[0];
  if (maker->limit < special + question + 1)
    return error_set(maker->error, ERROR_USAGE,
                     "%s line %llu: the question with its special tokens fills all %zu rows; a larger --max-length leaves some "
                     "to the context",
                     path_of(maker), line_of(maker), maker->limit);
  size_t room = maker->limit - special - question, stride = maker->options->stride ? maker->options->stride : STRIDE;
  if (stride > room) stride = room;
  for (size_t from = 0;; from += stride) {
    size_t to = from + room < counts[1] ? from + room : counts[1];
    struct kept kept = {{0, from}, {question, to}};
    struct feature *feature = add_sequence(maker, &kept);
    if (!feature) return false;
    mark_answer(maker, feature);
    if (!add_sample(maker, 1)) return false;
    if (to == counts[1]) return true;
  }
}

// ---- choices ----

static bool make_choices(struct maker *maker) {
  const struct example *example = present(maker);
  long right = example->label.text ? strtol(example->label.text, NULL, 10) : -1;
  for (size_t i = 0; i < example->part_count; i++) {
    if (!encode(maker, example->text, &example->parts[i])) return false;
    struct kept kept = cut_to(maker, maker->limit);
    struct feature *feature = add_sequence(maker, &kept);
    if (!feature) return false;
    feature->text.group = (int)maker->example;
    if (right >= 0) feature->text.label = right == (long)i;
  }
  return add_sample(maker, example->part_count);
}

// ---- all of them ----

static bool blank(struct text_line text) {
  for (size_t i = 0; i < text.size; i++)
    if (!strchr(" \t\r\v\f\n", text.text[i])) return false;
  return true;
}

// Why nothing can be learnt from an example, or LEDGER_REASONS.
static enum ledger_reason useless(const struct examples *examples, const struct example *example) {
  bool one = blank(example->text), other = blank(example->pair), pair = example->pair.text;
  if (examples->shape == EXAMPLE_WORDS) return LEDGER_REASONS;
  if (one && (!pair || other)) return LEDGER_EMPTY_BOTH;
  if (pair && one) return LEDGER_EMPTY_SOURCE;
  if (pair && other) return LEDGER_EMPTY_TARGET;
  return LEDGER_REASONS;
}

static bool make_example(struct maker *maker) {
  switch (maker->features->examples->shape) {
    case EXAMPLE_WORDS: return make_words(maker, 0, present(maker)->part_count);
    case EXAMPLE_QUESTION: return make_question(maker);
    case EXAMPLE_CHOICE: return make_choices(maker);
    default: return make_text(maker);
  }
}

static bool has_zero(struct text_line text) { return text.size && memchr(text.text, 0, text.size); }

static bool holds_zero(const struct example *example) {
  bool found = has_zero(example->text) || has_zero(example->pair);
  for (size_t i = 0; !found && i < example->part_count; i++) found = has_zero(example->parts[i]);
  return found;
}

static bool make_and_note(struct maker *maker) {
  struct ledger *ledger = &maker->features->ledger;
  uint64_t place = present(maker)->place;
  enum ledger_reason reason = useless(maker->features->examples, present(maker));
  ledger->read++;
  if (reason != LEDGER_REASONS && maker->options->training) return ledger_add(ledger, reason, place, maker->error);
  maker->cut = maker->invalid = false;
  ledger->kept++;
  return make_example(maker) && (!maker->cut || ledger_add(ledger, LEDGER_CUT, place, maker->error)) &&
         (!maker->invalid || ledger_add(ledger, LEDGER_INVALID_TEXT, place, maker->error)) &&
         (!holds_zero(present(maker)) || ledger_add(ledger, LEDGER_ZERO_BYTE, place, maker->error));
}

// What happened to the examples while they were read stands in this ledger, too.
static bool take_ledger(struct ledger *to, const struct ledger *from, struct error *error) {
  to->read = from->read;
  for (int reason = 0; reason < LEDGER_REASONS; reason++)
    for (size_t i = 0; i < from->entries[reason].place_count; i++)
      if (!ledger_add(to, (enum ledger_reason)reason, from->entries[reason].places[i], error)) return false;
  return true;
}

bool features_make(struct features *features, const struct examples *examples, const struct feature_options *options,
                   struct error *error) {
  *features = (struct features){.examples = examples, .arch = options->arch};
  const struct arch *arch = options->arch;
  size_t positions = arch->positions == POSITIONS_NONE ? NO_POSITIONS : (size_t)arch->max_positions;
  struct maker maker = {.features = features,
                        .options = options,
                        .error = error,
                        .limit = options->max_length && options->max_length < positions ? options->max_length : positions};
  bool ok = take_ledger(&features->ledger, &examples->ledger, error);
  for (; ok && maker.example < examples->count; maker.example++) ok = make_and_note(&maker);
  encoding_free(&maker.encoding);
  buffer_free(&maker.text);
  free(maker.word_starts);
  return ok;
}

void features_free(struct features *features) {
  free(features->rows);
  free(features->sequences);
  free(features->samples);
  free(features->scratch);
  ledger_free(&features->ledger);
  packed_free(&features->packed);
  *features = (struct features){0};
}

// ---- batches ----

static bool add_feature(struct features *features, const struct feature *feature, struct error *error) {
  size_t count = feature->count;
  if (!memory_grow(error, &features->scratch, &features->scratch_capacity, 3 * count, sizeof *features->scratch)) return false;
  int32_t *ids = features->scratch, *types = ids + count, *labels = types + count;
  for (size_t i = 0; i < count; i++) {
    const struct feature_row *row = &features->rows[feature->first + i];
    ids[i] = row->id;
    types[i] = row->type;
    labels[i] = row->label;
  }
  struct packed_sequence sequence = {.ids = ids,
                                     .types = types,
                                     .labels = labels,
                                     .count = count,
                                     .second = feature->second,
                                     .text = feature->text,
                                     .number = (uint64_t)(feature - features->sequences),
                                     .line = features->examples->items[feature->example].place};
  return packed_add(&features->packed, features->arch, &sequence, error);
}

const struct batch *features_batch(struct features *features, const uint32_t *list, size_t count, struct error *error) {
  packed_begin(&features->packed);
  for (size_t i = 0; i < count; i++) {
    const struct feature_sample *sample = &features->samples[list[i]];
    for (uint32_t k = 0; k < sample->count; k++)
      if (!add_feature(features, &features->sequences[sample->first + k], error)) return NULL;
  }
  return packed_end(&features->packed, features->arch);
}

static struct sample_rows rows_of(const void *user, uint64_t epoch, size_t number) {
  const struct features *features = user;
  const struct feature_sample *sample = &features->samples[number];
  uint32_t rows = 0;
  (void)epoch;
  for (uint32_t k = 0; k < sample->count; k++) rows += features->sequences[sample->first + k].count;
  return features->arch->family == FAMILY_DECODER ? (struct sample_rows){0, rows} : (struct sample_rows){rows, 0};
}

static void count_targets(const void *user, uint64_t epoch, size_t number, int64_t targets[TARGET_HEADS]) {
  const struct features *features = user;
  const struct feature_sample *sample = &features->samples[number];
  bool vocabulary = arch_has_vocabulary(features->arch);
  (void)epoch;
  if (features->arch->head != HEAD_TAG) targets[vocabulary]++;
  if (features->arch->head != HEAD_TAG && !vocabulary) return;
  for (uint32_t k = 0; k < sample->count; k++) {
    const struct feature *feature = &features->sequences[sample->first + k];
    for (uint32_t i = 0; i < feature->count; i++) targets[0] += features->rows[feature->first + i].label >= 0;
  }
}

static const struct batch *fill(void *user, uint64_t epoch, const uint32_t *list, size_t count, struct error *error) {
  (void)epoch;
  return features_batch(user, list, count, error);
}

struct samples features_samples(struct features *features) {
  return (struct samples){.count = features->sample_count,
                          .user = features,
                          .rows = rows_of,
                          .count_targets = count_targets,
                          .fill = fill,
                          .paths = features->examples->paths,
                          .ledger = &features->ledger};
}
