#include "text/learn_unigram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/utf8.h"

// Models on the way have an unknown piece 0, of no bytes. It stands for characters that were left out.
enum {
  PIECE_CHARACTERS = 16,
  PIECE_BYTES = 4 * PIECE_CHARACTERS,
  MAX_SEEDS = 1000000,
  MAX_SUFFIXES = 8000000,
  ROUNDS = 2,  // of expectation maximisation before each pruning
  CHUNKS = 8,  // of words; their sums are added in order
};

static const double LEAST_EXPECTED = 0.5;  // pieces that are expected more rarely are dropped
static const double KEPT_BY_PRUNING = 0.75;

// Pieces to begin with --------------------------------------------------------------------------------------------------

struct seed {
  const char *text;
  uint32_t size;
  bool character;
  double count, score;
};

struct seeds {
  struct seed *items;
  size_t count, capacity;
};

// The part of a word that begins at one of its characters, with at most PIECE_CHARACTERS characters.
struct suffix {
  const char *text;
  uint32_t size;
  uint64_t count;
};

static int compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  if (order) return order;
  return a_size < b_size ? -1 : a_size > b_size;
}

static int by_bytes(const void *a, const void *b) {
  const struct suffix *x = a, *y = b;
  return compare_bytes(x->text, x->size, y->text, y->size);
}

static int by_score(const void *a, const void *b) {
  const struct seed *x = a, *y = b;
  if (x->score != y->score) return x->score > y->score ? -1 : 1;
  return compare_bytes(x->text, x->size, y->text, y->size);
}

static bool add_seed(struct seeds *seeds, struct seed seed, struct error *error) {
  if (!memory_grow(error, &seeds->items, &seeds->capacity, seeds->count + 1, sizeof *seeds->items)) return false;
  seeds->items[seeds->count++] = seed;
  return true;
}

// The least count of words from which there are no more than MAX_SUFFIXES suffixes; rarer words give no pieces.
static uint64_t least_count(const struct unigram_learning *learning) {
  for (uint64_t least = 1;; least += 1 + least / 8) {
    size_t suffixes = 0;
    for (size_t i = 0; i < learning->word_count; i++)
      if (learning->words[i].count >= least) suffixes += utf8_length(learning->words[i].text, learning->words[i].size);
    if (suffixes <= MAX_SUFFIXES) return least;
  }
}

static size_t prefix_size(const char *text, size_t size, int characters) {
  size_t at = 0;
  for (uint32_t ignored; characters > 0 && at < size; characters--)
    at += (size_t)utf8_decode(text + at, text + size, &ignored, NULL);
  return at;
}

static struct suffix *make_suffixes(const struct unigram_learning *learning, size_t *count, struct error *error) {
  uint64_t least = least_count(learning);
  struct suffix *suffixes = NULL;
  size_t capacity = 0;
  for (size_t i = 0; i < learning->word_count; i++) {
    const struct word_view *word = &learning->words[i];
    for (size_t at = 0; word->count >= least && at < word->size; at += prefix_size(word->text + at, word->size - at, 1)) {
      if (!memory_grow(error, &suffixes, &capacity, *count + 1, sizeof *suffixes)) {
        free(suffixes);
        return NULL;
      }
      size_t size = prefix_size(word->text + at, word->size - at, PIECE_CHARACTERS);
      suffixes[(*count)++] = (struct suffix){word->text + at, (uint32_t)size, word->count};
    }
  }
  if (*count) qsort(suffixes, *count, sizeof *suffixes, by_bytes);
  return suffixes ? suffixes : memory_new(error, 1, sizeof *suffixes);
}

// Bytes of whole characters that both begin with.
static uint32_t common_size(const struct suffix *a, const struct suffix *b) {
  const struct suffix *longer = a->size > b->size ? a : b;
  uint32_t least = a->size < b->size ? a->size : b->size, size = 0;
  while (size < least && a->text[size] == b->text[size]) size++;
  while (size > 0 && size < longer->size && (longer->text[size] & 0xC0) == 0x80) size--;
  return size;
}

static bool offer_seed(struct seeds *seeds, const struct unigram_learning *learning, struct suffix prefix, struct error *error) {
  size_t length = utf8_length(prefix.text, prefix.size);
  if (length < 2 || prefix.count < learning->min_frequency || memchr(prefix.text, 0, prefix.size)) return true;
  return add_seed(
      seeds, (struct seed){prefix.text, prefix.size, false, (double)prefix.count, (double)prefix.count * (double)length}, error);
}

// Among sorted suffixes, what neighbours have in common is every prefix that is followed by different things. open holds those
// that the current suffix begins with, the longest last.
static bool find_repeated(struct seeds *seeds, const struct unigram_learning *learning, const struct suffix *suffixes,
                          size_t count, struct error *error) {
  struct suffix open[PIECE_BYTES + 2] = {{.text = ""}};
  int depth = 0;
  for (size_t i = 0; i <= count; i++) {
    uint32_t common = i > 0 && i < count ? common_size(&suffixes[i - 1], &suffixes[i]) : 0;
    while (open[depth].size > common) {
      struct suffix closed = open[depth--];
      if (!offer_seed(seeds, learning, closed, error)) return false;
      if (open[depth].size < common) open[++depth] = (struct suffix){closed.text, common, closed.count};
      else open[depth].count += closed.count;
    }
    if (i == count) break;
    if (open[depth].size < suffixes[i].size) open[++depth] = (struct suffix){suffixes[i].text, suffixes[i].size, 0};
    open[depth].count += suffixes[i].count;
  }
  return true;
}

static bool count_characters(struct seeds *seeds, const struct unigram_learning *learning, struct error *error) {
  uint32_t *index = memory_new(error, 0x110000, sizeof *index);  // code point -> index in seeds + 1
  bool ok = index != NULL;
  for (size_t i = 0; ok && i < learning->word_count; i++) {
    const struct word_view *word = &learning->words[i];
    for (size_t at = 0, length; ok && at < word->size; at += length) {
      uint32_t c;
      length = (size_t)utf8_decode(word->text + at, word->text + word->size, &c, NULL);
      if (c == 0) continue;  // cannot be written to tokenizer.json
      if (!index[c]) {
        ok = add_seed(seeds, (struct seed){word->text + at, (uint32_t)length, true, 0, 0}, error);
        index[c] = (uint32_t)seeds->count;
      }
      if (ok) seeds->items[index[c] - 1].score = seeds->items[index[c] - 1].count += (double)word->count;
    }
  }
  free(index);
  return ok;
}

// Models on the way -----------------------------------------------------------------------------------------------------

// A model of the pieces in the list, whose scores are logarithms of probabilities.
static bool build(struct unigram *model, const struct seeds *pieces, struct error *error) {
  *model = (struct unigram){.unknown = 0};
  bool ok = unigram_add(model, "", 0, 0, "learnt vocabulary", error);
  for (size_t i = 0; ok && i < pieces->count; i++)
    ok = unigram_add(model, pieces->items[i].text, pieces->items[i].size, pieces->items[i].score, "learnt vocabulary", error);
  if (ok && unigram_prepare(model, error)) return true;
  unigram_free(model);
  return false;
}

static bool choose_seeds(struct seeds *seeds, const struct unigram_learning *learning, size_t room, size_t *alphabet_cut,
                         struct error *error) {
  size_t suffix_count = 0;
  if (!count_characters(seeds, learning, error)) return false;
  if (seeds->count) qsort(seeds->items, seeds->count, sizeof *seeds->items, by_score);
  if (seeds->count > room) {
    *alphabet_cut = seeds->count - room;
    seeds->count = room;
  }
  size_t characters = seeds->count;
  struct suffix *suffixes = make_suffixes(learning, &suffix_count, error);
  bool ok = suffixes && find_repeated(seeds, learning, suffixes, suffix_count, error);
  free(suffixes);
  if (!ok) return false;
  if (seeds->count > characters) qsort(seeds->items + characters, seeds->count - characters, sizeof *seeds->items, by_score);
  if (seeds->count > MAX_SEEDS) seeds->count = characters > MAX_SEEDS ? characters : MAX_SEEDS;
  double sum = 0;
  for (size_t i = 0; i < seeds->count; i++) sum += seeds->items[i].score;
  for (size_t i = 0; i < seeds->count; i++) seeds->items[i].score = log(seeds->items[i].score) - log(sum);
  return true;
}

// Expectation -----------------------------------------------------------------------------------------------------------

struct edge {
  uint32_t start, end;
  int32_t id;
  double score;
};

struct chunk {
  double *sums;  // by piece
  double *forward, *backward;
  size_t forward_capacity, backward_capacity;
  struct edge *edges;
  size_t edge_count, edge_capacity;
  struct unigram_scratch scratch;
  struct token_list tokens;
  struct error error;
};

struct pass {
  const struct unigram_learning *learning;
  const struct unigram *model;
  struct chunk chunks[CHUNKS];
};

static double log_add(double a, double b) {
  double high = a > b ? a : b, low = a > b ? b : a;
  return low == -INFINITY ? high : high + log1p(exp(low - high));
}

static bool add_edge(struct chunk *chunk, struct edge edge) {
  if (chunk->edge_count == chunk->edge_capacity &&
      !memory_grow(&chunk->error, &chunk->edges, &chunk->edge_capacity, chunk->edge_count + 1, sizeof *chunk->edges))
    return false;
  chunk->edges[chunk->edge_count++] = edge;
  return true;
}

// All pieces of the word, in the order of where they begin.
static bool find_edges(struct chunk *chunk, const struct unigram *model, const struct word_view *word) {
  chunk->edge_count = 0;
  for (size_t start = 0, length; start < word->size; start += length) {
    uint32_t node = 0;
    bool covered = false;
    length = prefix_size(word->text + start, word->size - start, 1);
    for (size_t i = start; i < word->size && (node = trie_child(&model->trie, node, word->text[i])); i++) {
      int32_t id = model->trie.ids[node];
      if (id < 0) continue;
      covered |= i + 1 == start + length;
      if (!add_edge(chunk, (struct edge){(uint32_t)start, (uint32_t)i + 1, id, model->scores[id]})) return false;
    }
    struct edge unknown = {(uint32_t)start, (uint32_t)(start + length), model->unknown, model->unknown_score};
    if (!covered && !add_edge(chunk, unknown)) return false;
  }
  return true;
}

// Adds how often each piece is expected in the word: the forward-backward algorithm over all ways to cut it.
static bool expect_word(struct chunk *chunk, const struct unigram *model, const struct word_view *word) {
  if (!find_edges(chunk, model, word) ||
      !memory_grow(&chunk->error, &chunk->forward, &chunk->forward_capacity, word->size + 1, sizeof *chunk->forward) ||
      !memory_grow(&chunk->error, &chunk->backward, &chunk->backward_capacity, word->size + 1, sizeof *chunk->backward))
    return false;
  for (size_t i = 0; i <= word->size; i++) chunk->forward[i] = chunk->backward[i] = -INFINITY;
  chunk->forward[0] = chunk->backward[word->size] = 0;
  for (size_t i = 0; i < chunk->edge_count; i++) {
    const struct edge *edge = &chunk->edges[i];
    chunk->forward[edge->end] = log_add(chunk->forward[edge->end], chunk->forward[edge->start] + edge->score);
  }
  for (size_t i = chunk->edge_count; i-- > 0;) {
    const struct edge *edge = &chunk->edges[i];
    chunk->backward[edge->start] = log_add(chunk->backward[edge->start], chunk->backward[edge->end] + edge->score);
  }
  double all = chunk->forward[word->size];
  for (size_t i = 0; i < chunk->edge_count; i++) {
    const struct edge *edge = &chunk->edges[i];
    chunk->sums[edge->id] +=
        (double)word->count * exp(chunk->forward[edge->start] + edge->score + chunk->backward[edge->end] - all);
  }
  return true;
}

static void expect_chunk(void *data, size_t index, int worker) {
  struct pass *pass = data;
  const struct unigram_learning *learning = pass->learning;
  size_t first = learning->word_count * index / CHUNKS, last = learning->word_count * (index + 1) / CHUNKS;
  for (size_t i = first; i < last; i++)
    if (learning->words[i].size && !expect_word(&pass->chunks[index], pass->model, &learning->words[i])) return;
}

// How often each piece is in the best cuts.
static void cut_chunk(void *data, size_t index, int worker) {
  struct pass *pass = data;
  const struct unigram_learning *learning = pass->learning;
  struct chunk *chunk = &pass->chunks[index];
  size_t first = learning->word_count * index / CHUNKS, last = learning->word_count * (index + 1) / CHUNKS;
  for (size_t i = first; i < last; i++) {
    const struct word_view *word = &learning->words[i];
    chunk->tokens.count = 0;
    if (!unigram_encode(pass->model, word->text, word->size, &chunk->scratch, &chunk->tokens, &chunk->error)) return;
    for (size_t k = 0; k < chunk->tokens.count; k++) chunk->sums[chunk->tokens.items[k].id] += (double)word->count;
  }
}

// One pass over all words; the sums by piece, to be freed by the caller.
static double *run_pass(const struct unigram_learning *learning, const struct unigram *model, parallel_task *task,
                        struct error *error) {
  struct pass *pass = memory_new(error, 1, sizeof *pass);
  if (!pass) return NULL;
  pass->learning = learning;
  pass->model = model;
  size_t pieces = model->vocabulary.size;
  double *sums = NULL;
  bool ok = true;
  for (int c = 0; ok && c < CHUNKS; c++) ok = (pass->chunks[c].sums = memory_new(error, pieces, sizeof *sums)) != NULL;
  if (ok) parallel_for(CHUNKS, task, pass);
  for (int c = 0; c < CHUNKS; c++) {
    struct chunk *chunk = &pass->chunks[c];
    if (ok && chunk->error.code) ok = error_set(error, chunk->error.code, "%s", chunk->error.message);
    for (size_t i = 0; ok && c > 0 && i < pieces; i++) pass->chunks[0].sums[i] += chunk->sums[i];
    if (c == 0) sums = chunk->sums;
    else free(chunk->sums);
    free(chunk->forward);
    free(chunk->backward);
    free(chunk->edges);
    unigram_scratch_free(&chunk->scratch);
    free(chunk->tokens.items);
  }
  free(pass);
  if (ok) return sums;
  free(sums);
  return NULL;
}

// Maximisation ----------------------------------------------------------------------------------------------------------

static double digamma(double x) {
  double result = 0;
  for (; x < 7; x++) result -= 1 / x;
  x -= 0.5;
  double y = 1 / (x * x);
  return result + log(x) + y / 24 - 7 * y * y / 960 + 31 * y * y * y / 8064 - 127 * y * y * y * y / 30720;
}

// Pieces that are hardly ever expected go; single characters stay. The logarithms' expectation, not that of the probabilities
// themselves, favours frequent pieces (the variational step that SentencePiece takes).
static void maximise(struct seeds *pieces, const double *expected) {
  size_t kept = 0;
  double sum = 0;
  for (size_t i = 0; i < pieces->count; i++) {
    struct seed piece = pieces->items[i];
    piece.count = expected[i + 1];
    if (piece.count < LEAST_EXPECTED && !piece.character) continue;
    if (piece.count < LEAST_EXPECTED) piece.count = LEAST_EXPECTED;
    sum += piece.count;
    pieces->items[kept++] = piece;
  }
  pieces->count = kept;
  for (size_t i = 0; i < kept; i++) pieces->items[i].score = digamma(pieces->items[i].count) - digamma(sum);
}

static bool expect_and_maximise(const struct unigram_learning *learning, struct seeds *pieces, struct error *error) {
  struct unigram model;
  if (!build(&model, pieces, error)) return false;
  double *expected = run_pass(learning, &model, expect_chunk, error);
  if (expected) maximise(pieces, expected);
  free(expected);
  unigram_free(&model);
  return error->code == 0;
}

// Pruning ---------------------------------------------------------------------------------------------------------------

// The best cut of a piece without itself; 0 when there is none.
static size_t cut_otherwise(const struct unigram *model, const struct seed *piece, int32_t itself, int32_t ids[PIECE_BYTES],
                            double *score) {
  double best[PIECE_BYTES + 1];
  int32_t last[PIECE_BYTES + 1];
  uint32_t from[PIECE_BYTES + 1];
  for (size_t i = 0; i <= piece->size; i++) best[i] = -INFINITY;
  best[0] = 0;
  for (uint32_t start = 0; start < piece->size; start++) {
    uint32_t node = 0;
    for (uint32_t i = start; best[start] > -INFINITY && i < piece->size; i++) {
      if (!(node = trie_child(&model->trie, node, piece->text[i]))) break;
      int32_t id = model->trie.ids[node];
      if (id < 0 || id == itself || best[start] + model->scores[id] <= best[i + 1]) continue;
      best[i + 1] = best[start] + model->scores[id];
      last[i + 1] = id;
      from[i + 1] = start;
    }
  }
  *score = best[piece->size];
  size_t count = 0;
  for (uint32_t end = piece->size; *score > -INFINITY && end > 0; end = from[end]) ids[count++] = last[end];
  return count;
}

// By how much the words' log-probability falls when the piece goes and its places are cut otherwise. frequencies[0] of the
// unknown piece do not matter.
static double loss_without(const struct seed *piece, const int32_t *ids, size_t count, const double *frequencies,
                           double frequency, double sum, double words) {
  double log_sum = log(sum + frequency * (double)(count - 1)), otherwise = 0;
  for (size_t i = 0; i < count; i++) otherwise += log(frequencies[ids[i]] + frequency) - log_sum;
  return frequency / words * (log(frequency) - log(sum) - otherwise);
}

// Sorts pieces by what their going costs; what costs nothing has -INFINITY, what has to stay INFINITY. Uses the score for it.
static void weigh(struct seeds *pieces, const struct unigram *model, const double *frequencies, double words) {
  double sum = 0;
  for (size_t i = 0; i < pieces->count; i++) sum += frequencies[i + 1];
  for (size_t i = 0; i < pieces->count; i++) {
    struct seed *piece = &pieces->items[i];
    int32_t ids[PIECE_BYTES], itself = (int32_t)i + 1;
    double own = model->scores[itself], score, frequency = frequencies[itself];
    piece->count = own;  // kept here meanwhile
    piece->score = INFINITY;
    if (piece->character) continue;
    size_t count = cut_otherwise(model, piece, itself, ids, &score);
    if (frequency == 0) piece->score = -INFINITY;
    else if (count && score <= own) piece->score = loss_without(piece, ids, count, frequencies, frequency, sum, words);
  }
}

static bool prune(const struct unigram_learning *learning, struct seeds *pieces, size_t wanted, struct error *error) {
  struct unigram model;
  double words = 0;
  for (size_t i = 0; i < learning->word_count; i++) words += (double)learning->words[i].count;
  if (!build(&model, pieces, error)) return false;
  double *frequencies = run_pass(learning, &model, cut_chunk, error);
  if (frequencies) {
    size_t target = (size_t)((double)pieces->count * KEPT_BY_PRUNING);
    if (target < wanted) target = wanted;
    weigh(pieces, &model, frequencies, words);
    qsort(pieces->items, pieces->count, sizeof *pieces->items, by_score);
    while (pieces->count > 0 && !pieces->items[pieces->count - 1].character &&
           (pieces->count > target || pieces->items[pieces->count - 1].score == -INFINITY))
      pieces->count--;
    for (size_t i = 0; i < pieces->count; i++) pieces->items[i].score = pieces->items[i].count;
  }
  free(frequencies);
  unigram_free(&model);
  return error->code == 0;
}

// All together ----------------------------------------------------------------------------------------------------------

// Characters first, then the most probable pieces.
static int by_need(const void *a, const void *b) {
  const struct seed *x = a, *y = b;
  if (x->character != y->character) return x->character ? -1 : 1;
  return by_score(a, b);
}

static bool finish(struct seeds *pieces, struct unigram *model, size_t room, struct error *error) {
  if (pieces->count) qsort(pieces->items, pieces->count, sizeof *pieces->items, by_need);
  if (pieces->count > room) pieces->count = room;
  if (pieces->count) qsort(pieces->items, pieces->count, sizeof *pieces->items, by_score);
  for (size_t i = 0; i < pieces->count; i++) {
    const struct seed *piece = &pieces->items[i];
    if (vocabulary_find(&model->vocabulary, piece->text, piece->size) >= 0) continue;  // a special token looks like it
    if (!unigram_add(model, piece->text, piece->size, (double)(float)piece->score, "learnt vocabulary", error)) return false;
  }
  return true;
}

bool unigram_learn(const struct unigram_learning *learning, struct unigram *model, size_t *alphabet_cut, struct error *error) {
  struct seeds pieces = {0};
  size_t have = model->vocabulary.count, room = learning->vocab_size > have ? learning->vocab_size - have : 0;
  size_t wanted = room + room / 10;  // the last ones go by their probability
  *alphabet_cut = 0;
  bool ok = choose_seeds(&pieces, learning, room, alphabet_cut, error);
  for (size_t before = SIZE_MAX; ok && pieces.count && pieces.count < before;) {
    for (int i = 0; ok && i < ROUNDS; i++) ok = expect_and_maximise(learning, &pieces, error);
    before = pieces.count;
    if (pieces.count <= wanted) break;
    ok = ok && prune(learning, &pieces, wanted, error);
  }
  ok = ok && finish(&pieces, model, room, error);
  free(pieces.items);
  return ok;
}
