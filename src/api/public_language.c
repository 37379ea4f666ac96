// How well a language model predicts texts: each of them token by token, or files as a whole.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/masked_language.h"
#include "api/public_context.h"
#include "api/public_model.h"
#include "api/source_pieces.h"
#include "base/memory.h"
#include "data/lm_batch.h"
#include "train/validation.h"

enum { BATCH_TOKENS = 4096, LONGEST_WINDOW = 1024, NO_WINDOW = 1 << 20 };

static const struct model *language_model(struct qkv_model *model, struct error *error) {
  const struct arch *arch = &model->checkpoint.arch;
  if (arch->family == FAMILY_DECODER && arch->head == HEAD_LANGUAGE) return public_model_ready(model, error);
  error_set(error, ERROR_UNSUPPORTED,
            "%s: it is a %s model that does not predict the next token; a text alone has no probability", model->directory,
            arch->layout);
  return NULL;
}

static int begin_id(const struct arch *arch) { return arch->bos_id >= 0 ? arch->bos_id : arch->eos_id; }

static int longest(const struct arch *arch) { return arch->positions == POSITIONS_NONE ? NO_WINDOW : arch->max_positions; }

// --- Texts, token by token

// Texts as documents of a token stream: the begin token, if there is one, and the tokens.
struct texts {
  struct token_stream stream;
  int32_t *tokens;
  struct stream_document *documents;
  size_t *invalid;          // [document_count]
  float *log_probs;         // [count] of each token
};

static void texts_free(struct texts *texts) {
  free(texts->tokens);
  free(texts->documents);
  free(texts->invalid);
  free(texts->log_probs);
}

static bool check_ids(const struct encoding *encoding, const struct arch *arch, size_t index, struct error *error) {
  for (size_t i = 0; i < encoding->count; i++)
    if (encoding->ids[i] < 0 || encoding->ids[i] >= arch->target_vocab)
      return error_set(error, ERROR_FORMAT, "text %zu: the tokenizer gives the id %d, but the model has only %d tokens",
                       index + 1, (int)encoding->ids[i], arch->target_vocab);
  return true;
}

static bool texts_read(struct texts *texts, const struct tokenizer *tokenizer, const struct arch *arch,
                       const struct qkv_strings *strings, struct error *error) {
  struct encoding encoding = {0};
  struct token_stream *stream = &texts->stream;
  size_t capacity = 0;
  int32_t begin = begin_id(arch);
  *stream = (struct token_stream){.begin_id = begin, .end_id = -1, .document_count = strings->count};
  texts->documents = memory_new(error, strings->count + 1, sizeof *texts->documents);
  texts->invalid = memory_new(error, strings->count + 1, sizeof *texts->invalid);
  bool ok = texts->documents && texts->invalid;
  for (size_t i = 0; ok && i < strings->count; i++) {
    ok = tokenizer_encode(tokenizer, strings->items[i], strlen(strings->items[i]), false, &encoding, error) &&
         check_ids(&encoding, arch, i, error) &&
         memory_grow(error, &texts->tokens, &capacity, (size_t)stream->count + encoding.count + 1, sizeof *texts->tokens);
    if (!ok) break;
    texts->documents[i] = (struct stream_document){stream->count, stream->count, i};
    texts->invalid[i] = encoding.invalid;
    if (begin >= 0) texts->tokens[stream->count++] = begin;
    memcpy(texts->tokens + stream->count, encoding.ids, encoding.count * sizeof *encoding.ids);
    stream->count += encoding.count;
  }
  encoding_free(&encoding);
  stream->tokens = texts->tokens;
  stream->documents = texts->documents;
  return ok;
}

// The texts from their ends, each behind its begin token.
static bool texts_reverse(struct texts *out, const struct texts *texts, struct error *error) {
  out->stream = texts->stream;
  out->tokens = memory_new(error, (size_t)texts->stream.count + 1, sizeof *out->tokens);
  if (!out->tokens) return false;
  for (size_t d = 0; d < texts->stream.document_count; d++) {
    uint64_t first = texts->documents[d].start, end = stream_document_end(&texts->stream, d),
             body = first + (texts->stream.begin_id >= 0);
    if (body > first) out->tokens[first] = texts->stream.begin_id;
    for (uint64_t i = body; i < end; i++) out->tokens[i] = texts->tokens[body + end - 1 - i];
  }
  out->stream.tokens = out->tokens;
  return true;
}

// Runs a batch of windows; what a row learns is the token behind it.
static bool measure_batch(struct texts *texts, struct context *context, const struct model *model, struct lm_samples *windows,
                          const struct samples *samples, struct batch_list list, float *losses) {
  struct loss loss = {0};
  const struct batch *batch = samples->fill(samples->user, 0, list.samples, list.count, context->error);
  if (!batch) return false;
  context_begin(context, false, false, 0, 0);
  if (!model_loss(context, model, batch, 0, (struct loss_scale){0}, &loss, losses)) return false;
  size_t row = 0;
  for (size_t i = 0; i < list.count; i++) {
    const struct token_run *run = &windows->runs[list.samples[i]];
    for (uint32_t k = 0; k < run->count; k++, row++)
      if (batch->labels[row] >= 0) texts->log_probs[run->start + k + 1] = -losses[row];
  }
  return true;
}

static bool texts_measure(struct texts *texts, const struct model *model, struct error *error) {
  int window = longest(&model->arch);
  struct lm_samples windows = {.stream = &texts->stream, .context = (size_t)window};
  struct validation plan = {0};
  struct context context;
  struct samples samples;
  texts->log_probs = memory_new(error, (size_t)texts->stream.count + 1, sizeof *texts->log_probs);
  bool ok = texts->log_probs && lm_windows(&windows, window > 1 ? (size_t)window / 2 : 1, &samples, error) &&
            validation_open(&plan, &samples, BATCH_TOKENS, error);
  size_t rows = BATCH_TOKENS;
  for (size_t i = 0; ok && i < windows.run_count; i++)
    if (windows.runs[i].count > rows) rows = windows.runs[i].count;
  float *losses = ok ? memory_new(error, rows, sizeof *losses) : NULL;
  bool open = losses && context_open(&context, model->kernels, WORK_MEMORY, error);
  ok = open;
  for (size_t b = 0; ok && b < plan.plan.batch_count; b++)
    ok = measure_batch(texts, &context, model, &windows, &samples, batch_plan_batch(&plan.plan, b), losses);
  if (open) context_close(&context);
  free(losses);
  validation_close(&plan);
  lm_samples_free(&windows);
  return ok;
}

// Adds each token's probability seen from the text's end.
static bool add_backward(struct texts *texts, const struct model *model, struct error *error) {
  struct texts reversed = {0};
  bool ok = texts_reverse(&reversed, texts, error) && texts_measure(&reversed, model, error);
  for (size_t d = 0; ok && d < texts->stream.document_count; d++) {
    uint64_t first = texts->documents[d].start + (texts->stream.begin_id >= 0), end = stream_document_end(&texts->stream, d);
    for (uint64_t i = first; i < end; i++) texts->log_probs[i] += reversed.log_probs[first + end - 1 - i];
  }
  free(reversed.tokens);
  free(reversed.log_probs);
  return ok;
}

static void free_items(struct qkv_probability *items, size_t count) {
  for (size_t i = 0; items && i < count; i++) free((struct qkv_token_probability *)items[i].tokens);
  free(items);
}

static struct qkv_probability *give(const struct texts *texts, const struct tokenizer *tokenizer, struct error *error) {
  size_t count = texts->stream.document_count;
  struct qkv_probability *items = memory_new(error, count + 1, sizeof *items);
  for (size_t d = 0; items && d < count; d++) {
    uint64_t first = texts->documents[d].start + (texts->stream.begin_id >= 0), end = stream_document_end(&texts->stream, d);
    struct qkv_token_probability *tokens = memory_new(error, (size_t)(end - first) + 1, sizeof *tokens);
    items[d] = (struct qkv_probability){.tokens = tokens, .count = (size_t)(end - first), .invalid = texts->invalid[d]};
    if (!tokens) {
      free_items(items, count);
      return NULL;
    }
    for (uint64_t i = first; i < end; i++) {
      const char *token = tokenizer_token(tokenizer, texts->tokens[i]);
      items[d].log_probability += texts->log_probs[i];
      tokens[i - first] = (struct qkv_token_probability){.id = texts->tokens[i], .token = token ? token : "",
                                                         .log_probability = texts->log_probs[i], .sum = items[d].log_probability};
    }
  }
  return items;
}

static struct qkv_probability *probabilities_of(struct qkv_model *model, struct qkv_model *backward,
                                                const struct qkv_strings *strings, struct error *error) {
  if (masked_language_is(model)) {
    if (!backward) return masked_language_score(model, strings, error);
    error_set(error, ERROR_USAGE,
              "%s: a model of masked words sees both directions already; --backward belongs to language models",
              model->directory);
    return NULL;
  }
  struct texts texts = {0};
  const struct model *forward = language_model(model, error),
                     *other = backward && forward ? language_model(backward, error) : NULL;
  const struct tokenizer *tokenizer = forward && (other || !backward) ? public_model_tokenizer(model, error) : NULL;
  if (!tokenizer) return NULL;
  if (other && (other->arch.target_vocab != forward->arch.target_vocab || begin_id(&other->arch) != begin_id(&forward->arch))) {
    error_set(error, ERROR_USAGE,
              "%s has %d tokens and %s has %d, or they begin texts differently; both directions need one tokenizer",
              model->directory, forward->arch.target_vocab, backward->directory, other->arch.target_vocab);
    return NULL;
  }
  struct qkv_probability *items = NULL;
  if (texts_read(&texts, tokenizer, &forward->arch, strings, error) && texts_measure(&texts, forward, error) &&
      (!other || add_backward(&texts, other, error)))
    items = give(&texts, tokenizer, error);
  texts_free(&texts);
  return items;
}

static void count_unknown(struct qkv_probability *items, size_t count, struct qkv_model *model, struct error *error) {
  const struct tokenizer *tokenizer = public_model_tokenizer(model, error);
  for (size_t i = 0; tokenizer && i < count; i++)
    for (size_t k = 0; k < items[i].count; k++)
      items[i].unknown += source_unknown(tokenizer, &model->checkpoint.arch, &items[i].tokens[k].id, 1);
}

struct qkv_probabilities *qkv_probability_of_texts(struct qkv_context *context, struct qkv_model *model,
                                                   struct qkv_model *backward, const struct qkv_strings *texts) {
  struct error *error = public_begin(context);
  struct qkv_probabilities *probabilities = memory_new(error, 1, sizeof *probabilities);
  struct qkv_probability *items = probabilities ? probabilities_of(model, backward, texts, error) : NULL;
  if (items) {
    count_unknown(items, texts->count, model, error);
    *probabilities = (struct qkv_probabilities){.items = items, .count = texts->count};
    return probabilities;
  }
  free(probabilities);
  return NULL;
}

// --- Files

struct qkv_text_evaluation_options qkv_text_evaluation_options_default(void) {
  return (struct qkv_text_evaluation_options){.context = -1, .stride = -1};
}

static bool decide_window(const struct qkv_text_evaluation_options *options, struct qkv_model *model,
                          struct qkv_text_evaluation *out, struct error *error) {
  int most = longest(&model->checkpoint.arch), limit = arch_longest_text(&model->checkpoint.arch);
  out->context = options->context >= 0 ? options->context : most < LONGEST_WINDOW ? most : LONGEST_WINDOW;
  out->stride = options->stride >= 0 ? options->stride : out->context;
  if (out->context < 1 || out->context > limit)
    return error_set(error, ERROR_USAGE, "context is %lld; %s takes 1 to %d tokens", (long long)out->context, model->directory,
                     limit);
  if (out->stride < 1 || out->stride > out->context)
    return error_set(error, ERROR_USAGE, "stride is %lld; wanted 1 to %lld, the context", (long long)out->stride,
                     (long long)out->context);
  return true;
}

static bool read_files(struct token_stream *stream, struct document_reader *reader,
                       const struct qkv_text_evaluation_options *options, const struct arch *arch,
                       const struct tokenizer *tokenizer, int64_t context, struct error *error) {
  struct document_options documents = {.separator = options->document_separator, .no_header = options->no_header};
  struct token_stream_options wanted = {.tokenizer = tokenizer,
                                        .vocabulary = arch->target_vocab,
                                        .begin_id = begin_id(arch),
                                        .end_id = arch->eos_id,
                                        .most = (size_t)context,
                                        .cut_long = true,
                                        .directory = unnamed_file_directory()};
  if (!token_stream_read(stream, reader, &documents, &wanted, error)) return false;
  if (stream->pairs && (options->stride >= 0 || options->cross_documents || options->document_separator))
    return error_set(error, ERROR_USAGE, "%s holds prompts and answers, each with a window of its own: "
                     "stride, cross-documents and document-separator are for plain text", reader->paths[0]);
  return stream->count + (arch->eos_id >= 0) >= 2 ||
         error_set(error, ERROR_FORMAT, "%s: there is nothing to predict", reader->paths[0]);
}

static bool measure_files(struct lm_samples *windows, const struct model *model, struct qkv_text_evaluation *out,
                          struct error *error) {
  const struct token_stream *stream = windows->stream;
  struct validation validation = {0};
  struct context context;
  struct samples samples;
  struct loss sum = {0};
  bool ok = stream->pairs ? lm_pairs(windows, &samples, error) : lm_windows(windows, (size_t)out->stride, &samples, error);
  ok = ok && validation_open(&validation, &samples, BATCH_TOKENS, error);
  bool open = ok && context_open(&context, model->kernels, WORK_MEMORY, error);
  ok = open && validation_loss(&validation, &context, model, &sum);
  if (open) context_close(&context);
  validation_close(&validation);
  double count = sum.count ? (double)sum.count : 1;
  out->loss = sum.plain_sum / count;
  out->perplexity = exp(out->loss);
  out->accuracy = (double)sum.correct / count;
  out->bits_per_byte = sum.plain_sum / log(2) / (double)(stream->bytes ? stream->bytes : 1);
  out->tokens = sum.count;
  out->bytes = (int64_t)stream->bytes;
  out->documents = (int64_t)stream->document_count;
  out->unknown = (int64_t)stream->ledger.entries[LEDGER_UNKNOWN].count;
  out->invalid = (int64_t)stream->ledger.invalid_bytes;
  out->cut = (int64_t)stream->ledger.entries[LEDGER_CUT].count;
  return ok;
}

bool qkv_evaluate_text(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *files,
                       const struct qkv_text_evaluation_options *options, struct qkv_text_evaluation *evaluation) {
  struct error *error = public_begin(context);
  struct qkv_text_evaluation_options chosen = options ? *options : qkv_text_evaluation_options_default();
  struct document_reader reader = {0};
  struct token_stream stream = {0};
  *evaluation = (struct qkv_text_evaluation){0};
  const struct model *ready = language_model(model, error);
  const struct tokenizer *tokenizer = ready ? public_model_tokenizer(model, error) : NULL;
  struct lm_samples windows = {.stream = &stream, .cross = chosen.cross_documents};
  bool ok = tokenizer && decide_window(&chosen, model, evaluation, error) &&
            documents_open(&reader, files->items, files->count, error) &&
            read_files(&stream, &reader, &chosen, &ready->arch, tokenizer, evaluation->context, error);
  windows.context = (size_t)evaluation->context;
  ok = ok && measure_files(&windows, ready, evaluation, error);
  lm_samples_free(&windows);
  token_stream_close(&stream);
  documents_close(&reader);
  return ok;
}
