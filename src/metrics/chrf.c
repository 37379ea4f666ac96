#include "metrics/chrf.h"

#include "metrics/ngrams.h"

enum { BETA = 2 };

// One text taken apart.
struct pieces {
  struct symbols characters, words;
};

// What one call of chrf_add works with.
struct line_counter {
  struct ngram_trie word_numbers, characters, words;
  struct pieces hypothesis, reference;
  struct buffer lowercase;
};

static bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

static bool add_word(struct line_counter *counter, struct symbols *words, struct metric_text word, struct error *error) {
  uint32_t number;
  return ngram_word(&counter->word_numbers, word, &number, error) && symbols_push(words, number, error);
}

// A mark of punctuation at a word's end, or else at its start, is a word of its own. The other end stays as it is:
// "(hi)" gives "(hi" and ")".
static bool add_split_word(struct line_counter *counter, struct symbols *words, struct metric_text word, struct error *error) {
  uint32_t first;
  bool single = (size_t)metric_character(word.data, word.data + word.size, &first) == word.size;
  size_t cut = 0;
  if (!single && is_punctuation(word.data[word.size - 1]))
    cut = word.size - 1;
  else if (!single && is_punctuation(word.data[0]))
    cut = 1;
  if (cut && !add_word(counter, words, (struct metric_text){word.data, cut}, error)) return false;
  return add_word(counter, words, (struct metric_text){word.data + cut, word.size - cut}, error);
}

static bool take_apart(struct line_counter *counter, struct pieces *pieces, const struct chrf_options *options,
                       struct metric_text text, struct error *error) {
  buffer_clear(&counter->lowercase);
  if (options->lowercase) {
    metric_lowercase(&counter->lowercase, text);
    if (!buffer_check(&counter->lowercase, error)) return false;
    text = (struct metric_text){counter->lowercase.data, counter->lowercase.size};
  }
  pieces->characters.count = pieces->words.count = 0;
  struct metric_text word;
  while (metric_next_word(&text, &word)) {
    const char *end = word.data + word.size;
    for (const char *at = word.data; at < end;) {
      uint32_t character;
      at += metric_character(at, end, &character);
      if (!symbols_push(&pieces->characters, character, error)) return false;
    }
    if (options->word_order && !add_split_word(counter, &pieces->words, word, error)) return false;
  }
  return true;
}

// Shared n-grams of the hypothesis and the current reference, per order; the reference's counts are cleared on the way.
static void count_matches(struct ngram_trie *trie, uint64_t *match) {
  for (size_t i = 1; i < trie->count; i++) {
    struct ngram_node *node = &trie->nodes[i];
    match[node->order - 1] += node->hypothesis < node->reference ? node->hypothesis : node->reference;
    node->reference = 0;
  }
}

static void count_totals(struct chrf_statistics *line, int first, int orders, size_t hypothesis, size_t reference) {
  for (int n = 0; n < orders; n++) {
    line->reference[first + n] = ngram_total(reference, n + 1);
    // An order that the reference does not have does not count against the hypothesis.
    line->hypothesis[first + n] = line->reference[first + n] ? ngram_total(hypothesis, n + 1) : 0;
  }
}

static bool compare(struct line_counter *counter, struct chrf_statistics *line, const struct chrf_options *options,
                    struct metric_text reference, struct error *error) {
  if (!take_apart(counter, &counter->reference, options, reference, error)) return false;
  if (!ngram_count_reference(&counter->characters, &counter->reference.characters, CHRF_CHARACTER_ORDERS, error)) return false;
  if (!ngram_count_reference(&counter->words, &counter->reference.words, options->word_order, error)) return false;
  count_matches(&counter->characters, line->match);
  count_matches(&counter->words, line->match + CHRF_CHARACTER_ORDERS);
  count_totals(line, 0, CHRF_CHARACTER_ORDERS, counter->hypothesis.characters.count, counter->reference.characters.count);
  count_totals(line, CHRF_CHARACTER_ORDERS, options->word_order, counter->hypothesis.words.count, counter->reference.words.count);
  return true;
}

static bool count_line(struct line_counter *counter, struct chrf_statistics *best, const struct chrf_options *options,
                       struct metric_text hypothesis, const struct metric_text *references, size_t count, struct error *error) {
  if (!ngram_open(&counter->word_numbers, error) || !ngram_open(&counter->characters, error)) return false;
  if (!ngram_open(&counter->words, error)) return false;
  if (!take_apart(counter, &counter->hypothesis, options, hypothesis, error)) return false;
  if (!ngram_count_hypothesis(&counter->characters, &counter->hypothesis.characters, CHRF_CHARACTER_ORDERS, error)) return false;
  if (!ngram_count_hypothesis(&counter->words, &counter->hypothesis.words, options->word_order, error)) return false;
  double best_score = -1;
  for (size_t i = 0; i < count; i++) {
    struct chrf_statistics line = {.lines = 1, .references = (int)count};
    if (!compare(counter, &line, options, references[i], error)) return false;
    double score = chrf_score(&line, options);
    if (score > best_score) *best = line;
    if (score > best_score) best_score = score;
  }
  return true;
}

static void pieces_free(struct pieces *pieces) {
  symbols_free(&pieces->characters);
  symbols_free(&pieces->words);
}

bool chrf_add(struct chrf_statistics *statistics, const struct chrf_options *options, struct metric_text hypothesis,
              const struct metric_text *references, size_t count, struct error *error) {
  if (count == 0 || count > INT32_MAX)
    return error_set(error, ERROR_USAGE, "chrF: a line has %zu references; it wants 1 or more", count);
  if (options->word_order < 0 || options->word_order > CHRF_WORD_ORDERS)
    return error_set(error, ERROR_USAGE, "chrF: word order %d; it wants 0 to %d", options->word_order, CHRF_WORD_ORDERS);
  struct chrf_statistics line = {0};
  struct line_counter counter = {0};
  bool counted = count_line(&counter, &line, options, hypothesis, references, count, error);
  if (counted) chrf_merge(statistics, &line);
  ngram_close(&counter.word_numbers);
  ngram_close(&counter.characters);
  ngram_close(&counter.words);
  pieces_free(&counter.hypothesis);
  pieces_free(&counter.reference);
  buffer_free(&counter.lowercase);
  return counted;
}

void chrf_merge(struct chrf_statistics *into, const struct chrf_statistics *from) {
  if (!from->lines) return;
  into->references = !into->lines || into->references == from->references ? from->references : -1;
  into->lines += from->lines;
  for (int n = 0; n < CHRF_ORDERS; n++) {
    into->hypothesis[n] += from->hypothesis[n];
    into->reference[n] += from->reference[n];
    into->match[n] += from->match[n];
  }
}

// Precision and recall are averaged over the orders that both sides have; their F2 is the score.
double chrf_score(const struct chrf_statistics *statistics, const struct chrf_options *options) {
  const double factor = BETA * BETA;
  double precision = 0, recall = 0;
  int orders = 0;
  for (int n = 0; n < CHRF_CHARACTER_ORDERS + options->word_order; n++) {
    if (!statistics->hypothesis[n] || !statistics->reference[n]) continue;
    precision += (double)statistics->match[n] / (double)statistics->hypothesis[n];
    recall += (double)statistics->match[n] / (double)statistics->reference[n];
    orders++;
  }
  if (!orders || precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * ((1 + factor) * precision * recall / (factor * precision + recall));
}

const char *chrf_name(const struct chrf_options *options) {
  static const char *const names[] = {"chrF2", "chrF2+", "chrF2++"};
  return names[options->word_order];
}

void chrf_signature(struct buffer *out, const struct chrf_statistics *statistics, const struct chrf_options *options) {
  if (statistics->references < 0)
    buffer_text(out, "nrefs:var");
  else
    buffer_format(out, "nrefs:%d", statistics->references);
  buffer_format(out, "|case:%s|eff:yes|nc:%d|nw:%d|space:no|version:" SACREBLEU_VERSION, options->lowercase ? "lc" : "mixed",
                CHRF_CHARACTER_ORDERS, options->word_order);
}

void chrf_format(struct buffer *out, const struct chrf_statistics *statistics, const struct chrf_options *options) {
  buffer_format(out, "%s|", chrf_name(options));
  chrf_signature(out, statistics, options);
  buffer_text(out, " = ");
  buffer_decimal(out, chrf_score(statistics, options), 2);
}
