// --task lm: from plain text to a model of the next token, or from pairs of prompt and answer to one that answers.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "data/lm_batch.h"
#include "text/learn.h"
#include "train/gpt_model.h"
#include "train/lm_show.h"
#include "train/task.h"

// What is held out for validation where no text is given for it: at the end of each file.
static const double HELD_OUT = 0.01, HELD_OUT_MOST = 0.1;  // shares
static const double HELD_OUT_BYTES = 32768, HELD_OUT_BYTES_MOST = 500000;

struct language_model {
  struct document_reader train_reader, valid_reader;
  struct token_stream train, valid;
  struct lm_samples train_samples, valid_samples;
};

static const struct score_kind perplexity = {.metric = "perplexity", .key = "perplexity", .name = "perplexity",
                                             .before = "perplexity ", .after = "", .factor = 1, .decimals = 2,
                                             .smaller_is_better = true, .headline = true};
static const struct score_kind bits_per_byte = {.metric = "bits-per-byte", .key = "bits_per_byte", .name = "bits per byte",
                                                .before = "", .after = " bits per byte", .factor = 1, .decimals = 3,
                                                .smaller_is_better = true, .headline = true};

// --- Text

static bool open_text(struct job *job) {
  struct language_model *own = job->state;
  const struct qkv_train_options *options = &job->options;
  if (!documents_open(&own->train_reader, options->train.items, options->train.count, job->error)) return false;
  job->amount = own->train_reader.bytes;
  return !job_has_valid(job) || documents_open(&own->valid_reader, options->valid.items, options->valid.count, job->error);
}

static double held_out(const struct job *job) {
  double bytes = (double)((const struct language_model *)job->state)->train_reader.bytes;
  double share = fmin(fmax(HELD_OUT, HELD_OUT_BYTES / bytes), HELD_OUT_MOST);
  return fmin(share, HELD_OUT_BYTES_MOST / bytes);
}

static struct document_options documents_of(const struct job *job, enum text_part part) {
  return (struct document_options){.separator = job->options.document_separator, .no_header = job->options.no_header > 0,
                                   .part = job_has_valid(job) ? PART_ALL : part,
                                   .held_out = job_has_valid(job) ? 0 : held_out(job)};
}

// --- Tokenizer

static bool next_text(void *data, const char **line, size_t *size, struct error *error) {
  struct document_piece piece;
  if (!documents_next(data, &piece, error)) return false;
  *line = piece.text;
  *size = piece.size;
  return true;
}

static bool learn_tokenizer(struct job *job) {
  struct language_model *own = job->state;
  bool characters = strcmp(job->options.tokenizer_type, "char") == 0;
  struct tokenizer_options wanted = tokenizer_options_gpt2();
  if (characters) {
    wanted.kind = TOKENIZER_CHAR;
    wanted.specials[wanted.special_count++] = (struct special_token){"<unk>", SPECIAL_LAST, "unk_token"};
  }
  wanted.vocab_size = (size_t)job->options.vocab_size;
  wanted.lowercase = job->options.lowercase > 0;
  wanted.model_max_length = (size_t)job->options.context;
  struct document_options documents = documents_of(job, PART_KEPT);
  documents_start(&own->train_reader, &documents, NULL);
  double start = clock_seconds();
  job->tokenizer = tokenizer_learn(&wanted, next_text, &own->train_reader, job->error);
  if (!job->tokenizer) return false;
  char took[32];
  job_say(job, "a vocabulary of %zu %s, learnt in %s", tokenizer_size(job->tokenizer),
          characters ? "characters" : "pieces of bytes", clock_text(took, clock_seconds() - start));
  return true;
}

// --- Model

static bool describe_model(struct job *job, struct arch *arch) {
  arch->eos_id = job_special_id(job, "end", tokenizer_special_ids(job->tokenizer).end, DOCUMENT_MARK);
  gpt_describe(job, arch);
  return job->error->code == ERROR_NONE;
}

static bool check_model(struct job *job) {
  const struct arch *arch = &job->model->arch;
  struct qkv_train_options *options = &job->options;
  const char *place = options->resume > 0 ? job->out : options->from;
  if (arch->family != FAMILY_DECODER || arch->head != HEAD_LANGUAGE)
    return error_set(job->error, ERROR_UNSUPPORTED,
                     "%s: it is a %s model that does not predict the next token; --task lm needs one that does", place,
                     arch->layout);
  bool limited = arch->positions != POSITIONS_NONE;
  if (options->context < 0) options->context = limited && arch->max_positions < 1024 ? arch->max_positions : 1024;
  if (limited && options->context > arch->max_positions)
    return error_set(job->error, ERROR_USAGE, "--context is %" PRId64 ", but %s has only %d positions", options->context, place,
                     arch->max_positions);
  if (options->context > options->batch_tokens)
    return error_set(job->error, ERROR_USAGE, "--context %" PRId64 " is more than --batch-tokens %" PRId64
                     ": a block would not fit into a batch", options->context, options->batch_tokens);
  if (options->stride < 0) options->stride = options->context;
  if (options->stride > options->context)
    return error_set(job->error, ERROR_USAGE, "--stride %" PRId64 " is more than --context %" PRId64 ": tokens would be left out",
                     options->stride, options->context);
  return true;
}

// --- Samples

static bool is_reversed(const struct job *job) { return strcmp(job->options.direction, "right-to-left") == 0; }

static bool read_stream(struct job *job, struct token_stream *stream, struct document_reader *reader, enum text_part part) {
  const struct arch *arch = &job->model->arch;
  const struct qkv_train_options *options = &job->options;
  struct document_options documents = documents_of(job, part);
  struct token_stream_options wanted = {.tokenizer = job->tokenizer, .vocabulary = arch->target_vocab,
                                        .begin_id = arch->bos_id >= 0 ? arch->bos_id : arch->eos_id, .end_id = arch->eos_id,
                                        .reversed = is_reversed(job),
                                        .most = (size_t)options->context, .cut_long = strcmp(options->on_long, "cut") == 0,
                                        .directory = job->parent};
  return token_stream_read(stream, reader, &documents, &wanted, job->error);
}

static bool make_samples(struct job *job) {
  struct language_model *own = job->state;
  const struct qkv_train_options *options = &job->options;
  bool cross = strcmp(options->cross_documents, "on") == 0;
  own->train_samples = (struct lm_samples){.stream = &own->train, .context = (size_t)options->context, .cross = cross,
                                           .seed = (uint64_t)options->seed};
  own->valid_samples = (struct lm_samples){.stream = &own->valid, .context = (size_t)options->context, .cross = cross};
  if (own->train.pairs)
    return lm_pairs(&own->train_samples, &job->train, job->error) && lm_pairs(&own->valid_samples, &job->valid, job->error);
  job->train = lm_blocks(&own->train_samples);
  return lm_windows(&own->valid_samples, (size_t)options->stride, &job->valid, job->error);
}

// A single token is no text.
static bool has_enough(const struct job *job, const char *name, const struct token_stream *stream) {
  uint64_t tokens = stream->count - (stream->begin_id >= 0 && !stream->pairs ? stream->document_count : 0);
  uint64_t dropped = stream->ledger.read - stream->ledger.kept;
  if (tokens >= 2) return true;
  char why[100] = "";
  if (dropped)
    snprintf(why, sizeof why, "; %" PRIu64 " documents or pairs were empty or longer than --context %" PRId64, dropped,
             job->options.context);
  return error_set(job->error, ERROR_FORMAT, "the %s text has %" PRIu64 " token%s%s%s", name, tokens, tokens == 1 ? "" : "s", why,
                   job_has_valid(job) ? "" : "; without --valid, a part of the training text is held out");
}

static bool read_samples(struct job *job) {
  struct language_model *own = job->state;
  struct document_reader *valid_reader = job_has_valid(job) ? &own->valid_reader : &own->train_reader;
  if (!read_stream(job, &own->valid, valid_reader, PART_HELD_OUT) ||
      !read_stream(job, &own->train, &own->train_reader, PART_KEPT))
    return false;
  if (!has_enough(job, "training", &own->train) || !has_enough(job, "validation", &own->valid)) return false;
  if (own->train.pairs != own->valid.pairs)
    return error_set(job->error, ERROR_FORMAT,
                     "one of training and validation text is pairs of prompt and answer, and the other is not");
  return make_samples(job);
}

static void say_stream(const struct job *job, const char *name, const struct token_stream *stream) {
  struct buffer text = {0};
  buffer_format(&text, "%s: %" PRIu64 " %s%s, %" PRIu64 " bytes%s, %" PRIu64 " tokens\n", name, stream->ledger.kept,
                stream->pairs ? "pair" : "document", stream->ledger.kept == 1 ? "" : "s", stream->bytes,
                stream->pairs ? " of answers" : "", stream->count);
  ledger_write_text(&stream->ledger, &text, stream->paths, 5);
  job_say(job, "%s", buffer_string(&text));
  buffer_free(&text);
}

static void say_text(const struct job *job) {
  const struct language_model *own = job->state;
  say_stream(job, "training text", &own->train);
  say_stream(job, "validation text", &own->valid);
  if (!job_has_valid(job))
    job_say(job, "without --valid, the last %.1f %% of each training file is held out for validation", 100 * held_out(job));
  if (!own->valid.pairs)
    job_say(job, "validation: a window of %" PRId64 " tokens that moves on by %" PRId64 " (--stride)", job->options.context,
            job->options.stride);
}

static void add_fingerprint(cJSON *identity, const char *name, const struct token_stream *stream) {
  struct text_line tokens = {(const char *)stream->tokens, (size_t)stream->count * sizeof *stream->tokens};
  struct text_line documents = {(const char *)stream->documents, stream->document_count * sizeof *stream->documents};
  job_add_fingerprint(identity, name, (size_t)stream->count, "tokens", tokens, documents);
}

static void add_identity(const struct job *job, cJSON *identity) {
  const struct language_model *own = job->state;
  add_fingerprint(identity, "training_text", &own->train);
  add_fingerprint(identity, "validation_text", &own->valid);
}

// --- Validation

static bool validate(struct job *job, struct scores *scores) {
  const struct language_model *own = job->state;
  struct loss sum;
  if (!validation_loss(&job->validation, &job->context, job->model, &sum)) return false;
  *scores = scores_of_loss(&sum, false);
  scores_add(scores, &perplexity, exp(scores->loss));
  scores_add(scores, &score_accuracy, (double)sum.correct / (sum.count ? (double)sum.count : 1));
  scores_add(scores, &bits_per_byte, sum.plain_sum / log(2) / (double)(own->valid.bytes ? own->valid.bytes : 1));
  return true;
}

// --- For people

static void show_validation(const struct job *job) {
  const struct language_model *own = job->state;
  lm_show(job, &own->valid, is_reversed(job));
}

static void show_batch(const struct job *job, const struct batch *batch, struct buffer *out) {
  buffer_format(out, "the first batch: %d tokens in %d sequences that see themselves only, %d to be learnt; nothing is padded\n",
                batch->target.rows, batch->sequences, batch->label_count);
  for (int i = 0; i < batch->sequences; i++) {
    const struct span *span = &batch->target.spans[i];
    uint64_t place = batch->lines[i];
    buffer_format(out, "document of %s:%" PRIu64 ", rows %d to %d, positions %d to %d\n", job->train.paths[place_file(place)],
                  place_line(place), span->q0, span->q0 + span->qn - 1, batch->target.positions[span->q0],
                  batch->target.positions[span->q0 + span->qn - 1]);
    job_show_tokens(job, out, "input", batch->target.ids + span->q0, span->qn);
    job_show_tokens(job, out, "learnt", batch->labels + span->q0, span->qn);
  }
}

static void say_next(const struct job *job) {
  job_say(job, "next:\n  qkv generate %s --prompt TEXT\n  qkv eval %s FILE", job->out, job->out);
}

static void close_model(struct job *job) {
  struct language_model *own = job->state;
  lm_samples_free(&own->train_samples);
  lm_samples_free(&own->valid_samples);
  token_stream_close(&own->train);
  token_stream_close(&own->valid);
  documents_close(&own->train_reader);
  documents_close(&own->valid_reader);
}

const struct task lm_task = {
  .name = "lm",
  .files = "files of text (.jsonl with \"text\", or \"prompt\" and \"answer\"; .tsv with columns of these two names)",
  .options = " tokenizer-type label-smoothing on-long no-header context document-separator cross-documents direction stride ",
  .families = " gpt2 openai-gpt llama ",
  .metrics = " loss perplexity bits-per-byte accuracy ",
  .curves = (const struct score_kind *const[]){&bits_per_byte, NULL},
  .state_size = sizeof(struct language_model),
  .open_text = open_text,
  .learn_tokenizer = learn_tokenizer,
  .describe_model = describe_model,
  .check_model = check_model,
  .read_samples = read_samples,
  .say_text = say_text,
  .add_identity = add_identity,
  .validate = validate,
  .show_validation = show_validation,
  .show_batch = show_batch,
  .say_next = say_next,
  .close = close_model,
};
