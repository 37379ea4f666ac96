#include "metrics/bleu.h"

#include <math.h>
#include <string.h>

#include "metrics/ngrams.h"

// What one call of bleu_add works with.
struct line_counter {
  struct ngram_trie words, ngrams;
  struct symbols symbols;
  struct buffer lowercase, tokens;
};

// The token numbers of a text, into counter->symbols.
static bool read_tokens(struct line_counter *counter, const struct bleu_options *options, struct metric_text text,
                        struct error *error) {
  buffer_clear(&counter->lowercase);
  buffer_clear(&counter->tokens);
  if (options->lowercase) {
    metric_lowercase(&counter->lowercase, text);
    text = (struct metric_text){counter->lowercase.data, counter->lowercase.size};
  }
  bleu_tokenize(&counter->tokens, options->tokenizer, text);
  if (!buffer_check(&counter->lowercase, error) || !buffer_check(&counter->tokens, error)) return false;
  counter->symbols.count = 0;
  struct metric_text rest = {counter->tokens.data, counter->tokens.size}, word;
  while (metric_next_word(&rest, &word)) {
    uint32_t number;
    if (!ngram_word(&counter->words, word, &number, error) || !symbols_push(&counter->symbols, number, error)) return false;
  }
  return true;
}

static bool is_closer(uint64_t hypothesis, uint64_t length, uint64_t best) {
  uint64_t difference = hypothesis > length ? hypothesis - length : length - hypothesis;
  uint64_t smallest = hypothesis > best ? hypothesis - best : best - hypothesis;
  return difference < smallest || (difference == smallest && length < best);
}

static bool count_line(struct line_counter *counter, struct bleu_statistics *line, const struct bleu_options *options,
                       struct metric_text hypothesis, const struct metric_text *references, size_t count, struct error *error) {
  if (!ngram_open(&counter->words, error) || !ngram_open(&counter->ngrams, error)) return false;
  if (!read_tokens(counter, options, hypothesis, error)) return false;
  if (!ngram_count_hypothesis(&counter->ngrams, &counter->symbols, BLEU_ORDERS, error)) return false;
  line->hypothesis_length = counter->symbols.count;
  for (int n = 0; n < BLEU_ORDERS; n++) line->total[n] = ngram_total(counter->symbols.count, n + 1);
  for (size_t i = 0; i < count; i++) {
    if (!read_tokens(counter, options, references[i], error)) return false;
    if (!ngram_count_reference(&counter->ngrams, &counter->symbols, BLEU_ORDERS, error)) return false;
    ngram_next_reference(&counter->ngrams);
    uint64_t length = counter->symbols.count;
    if (i == 0 || is_closer(line->hypothesis_length, length, line->reference_length)) line->reference_length = length;
  }
  for (size_t i = 1; i < counter->ngrams.count; i++) {
    const struct ngram_node *node = &counter->ngrams.nodes[i];
    line->correct[node->order - 1] += node->hypothesis < node->most ? node->hypothesis : node->most;
  }
  return true;
}

bool bleu_add(struct bleu_statistics *statistics, const struct bleu_options *options, struct metric_text hypothesis,
              const struct metric_text *references, size_t count, struct error *error) {
  if (count == 0 || count > INT32_MAX)
    return error_set(error, ERROR_USAGE, "BLEU: a line has %zu references; it wants 1 or more", count);
  struct bleu_statistics line = {.lines = 1, .references = (int)count};
  struct line_counter counter = {0};
  bool counted = count_line(&counter, &line, options, hypothesis, references, count, error);
  if (counted) bleu_merge(statistics, &line);
  ngram_close(&counter.words);
  ngram_close(&counter.ngrams);
  symbols_free(&counter.symbols);
  buffer_free(&counter.lowercase);
  buffer_free(&counter.tokens);
  return counted;
}

void bleu_merge(struct bleu_statistics *into, const struct bleu_statistics *from) {
  if (!from->lines) return;
  into->references = !into->lines || into->references == from->references ? from->references : -1;
  into->lines += from->lines;
  into->hypothesis_length += from->hypothesis_length;
  into->reference_length += from->reference_length;
  for (int n = 0; n < BLEU_ORDERS; n++) {
    into->correct[n] += from->correct[n];
    into->total[n] += from->total[n];
  }
}

static double smoothing_value(const struct bleu_options *options) {
  if (options->smoothing_value) return options->smoothing_value;
  return options->smoothing == BLEU_SMOOTHING_FLOOR ? 0.1 : 1;
}

// Fills the precisions; returns how many orders count.
static int compute_precisions(double precisions[BLEU_ORDERS], const struct bleu_statistics *statistics,
                              const struct bleu_options *options) {
  double halving = 1;
  int orders = BLEU_ORDERS;
  for (int n = 0; n < BLEU_ORDERS; n++) {
    double correct = (double)statistics->correct[n], total = (double)statistics->total[n];
    if (options->smoothing == BLEU_SMOOTHING_ADD_K && n > 0) {
      correct += smoothing_value(options);
      total += smoothing_value(options);
    }
    if (total == 0) break;
    if (options->effective_order) orders = n + 1;
    if (correct > 0) {
      precisions[n] = 100 * correct / total;
    } else if (options->smoothing == BLEU_SMOOTHING_EXPONENTIAL) {
      halving *= 2;
      precisions[n] = 100 / (halving * total);
    } else if (options->smoothing == BLEU_SMOOTHING_FLOOR) {
      precisions[n] = 100 * smoothing_value(options) / total;
    }
  }
  return orders;
}

struct bleu_result bleu_score(const struct bleu_statistics *statistics, const struct bleu_options *options) {
  struct bleu_result result = {.brevity_penalty = 1};
  double hypothesis = (double)statistics->hypothesis_length, reference = (double)statistics->reference_length;
  if (reference > 0) result.ratio = hypothesis / reference;
  if (hypothesis < reference) result.brevity_penalty = hypothesis > 0 ? exp(1 - reference / hypothesis) : 0;
  if (!statistics->correct[0]) return result;  // no match of order 1, so none at all
  int orders = compute_precisions(result.precisions, statistics, options);
  double sum = 0;
  for (int n = 0; n < orders; n++) {
    if (result.precisions[n] == 0) return result;
    sum += log(result.precisions[n]);
  }
  result.score = result.brevity_penalty * exp(sum / orders);
  return result;
}

static void write_references(struct buffer *out, int references) {
  if (references < 0)
    buffer_text(out, "nrefs:var");
  else
    buffer_format(out, "nrefs:%d", references);
}

void bleu_signature(struct buffer *out, const struct bleu_statistics *statistics, const struct bleu_options *options) {
  static const char *const tokenizers[] = {"13a", "none", "char"};
  static const char *const smoothings[] = {"exp", "floor", "add-k", "none"};
  write_references(out, statistics->references);
  buffer_format(out, "|case:%s|eff:%s|tok:%s|smooth:%s", options->lowercase ? "lc" : "mixed",
                options->effective_order ? "yes" : "no", tokenizers[options->tokenizer], smoothings[options->smoothing]);
  if (options->smoothing == BLEU_SMOOTHING_FLOOR || options->smoothing == BLEU_SMOOTHING_ADD_K) {
    buffer_char(out, '[');
    buffer_decimal(out, smoothing_value(options), 2);
    buffer_char(out, ']');
  }
  buffer_text(out, "|version:" SACREBLEU_VERSION);
}

void bleu_format(struct buffer *out, const struct bleu_statistics *statistics, const struct bleu_options *options) {
  struct bleu_result result = bleu_score(statistics, options);
  buffer_text(out, "BLEU|");
  bleu_signature(out, statistics, options);
  buffer_text(out, " = ");
  buffer_decimal(out, result.score, 2);
  for (int n = 0; n < BLEU_ORDERS; n++) {
    buffer_char(out, n ? '/' : ' ');
    buffer_decimal(out, result.precisions[n], 1);
  }
  buffer_text(out, " (BP = ");
  buffer_decimal(out, result.brevity_penalty, 3);
  buffer_text(out, " ratio = ");
  buffer_decimal(out, result.ratio, 3);
  buffer_format(out, " hyp_len = %llu ref_len = %llu)", (unsigned long long)statistics->hypothesis_length,
                (unsigned long long)statistics->reference_length);
}
