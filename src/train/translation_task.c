// --task translation: from pairs of files to a translator.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "data/translation_batch.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "text/learn.h"
#include "train/task.h"
#include "train/valid_translator.h"

enum {
  BEAMS = 5,  // with which translations are measured and a new model is to be searched unless somebody says otherwise
  SHOWN = 3,  // translations shown at a validation
};
static const double HELD_OUT = 0.01;
static const size_t HELD_OUT_MOST = 2000;  // lines, so that validating a large corpus stays short

struct translation {
  struct parallel_text train_text, valid_text;
  struct corpus train, valid;
  struct translation_samples train_samples, valid_samples;
  struct valid_translator translator;
  struct buffer translations;  // of the last validation, a line for each sample
};

static const struct score_kind bleu = {
  .metric = "bleu", .key = "bleu", .name = "BLEU", .before = "BLEU ", .after = "", .factor = 1, .decimals = 2, .headline = true};
static const struct score_kind chrf = {
  .metric = "chrf", .key = "chrf", .name = "chrF", .before = "chrF ", .after = "", .factor = 1, .decimals = 2, .headline = true};

// --- Text

static bool open_text(struct job *job) {
  struct translation *own = job->state;
  const struct qkv_train_options *options = &job->options;
  if (!parallel_text_open(&own->train_text, options->train.items, options->train.count, job->error)) return false;
  job->amount = own->train_text.lines;
  return !job_has_valid(job) || parallel_text_open(&own->valid_text, options->valid.items, options->valid.count, job->error);
}

// Whose lines validation takes, and which share of them where it is a part of the training text.
static const struct parallel_text *valid_text(const struct job *job) {
  const struct translation *own = job->state;
  return job_has_valid(job) ? &own->valid_text : &own->train_text;
}

static double held_out(const struct job *job) {
  const struct translation *own = job->state;
  if (job_has_valid(job)) return 0;
  double most = (double)HELD_OUT_MOST / (double)own->train_text.lines;
  return most < HELD_OUT ? most : HELD_OUT;
}

// --- Tokenizer

struct line_source {
  const struct parallel_text *text;
  double held_out;
  size_t file, line;
  bool target;
};

// Source and target alternate, so that the vocabulary learns from both sides alike.
static bool next_line(void *data, const char **line, size_t *size, struct error *error) {
  struct line_source *at = data;
  while (at->file < at->text->count) {
    const struct line_file *source = &at->text->sources[at->file], *target = &at->text->targets[at->file];
    if (at->line >= source->count) {
      at->file++;
      at->line = 0;
      continue;
    }
    struct text_line text = line_file_get(source, at->line);
    bool wanted = at->held_out <= 0 || !parallel_text_held_out(text, at->held_out);
    if (at->target) text = line_file_get(target, at->line);
    at->line += at->target;
    at->target = !at->target;
    if (!wanted) continue;
    *line = text.text;
    *size = text.size;
    return true;
  }
  return false;
}

static bool learn_tokenizer(struct job *job) {
  const struct translation *own = job->state;
  const struct qkv_train_options *options = &job->options;
  bool pegasus = strcmp(options->family, "pegasus") == 0;
  struct tokenizer_options wanted = pegasus ? tokenizer_options_pegasus() : tokenizer_options_marian();
  wanted.vocab_size = (size_t)options->vocab_size;
  wanted.lowercase = options->lowercase > 0;
  wanted.model_max_length = (size_t)options->max_length;
  struct line_source source = {.text = &own->train_text, .held_out = held_out(job)};
  double start = clock_seconds();
  job->tokenizer = tokenizer_learn(&wanted, next_line, &source, job->error);
  if (!job->tokenizer) return false;
  char took[32];
  job_say(job, "a vocabulary of %zu pieces, shared by both languages, learnt in %s", tokenizer_size(job->tokenizer),
          clock_text(took, clock_seconds() - start));
  return true;
}

// --- Model

static void set_ids(const struct job *job, struct arch *arch) {
  struct special_ids ids = tokenizer_special_ids(job->tokenizer);
  arch->bos_id = ids.begin;
  arch->eos_id = job_special_id(job, "end", ids.end, "</s>");
  arch->unk_id = ids.unknown;
  arch->pad_id = job_special_id(job, "padding", ids.padding, "<pad>");
  arch->decoder_start_id = arch->pad_id;
  arch->forced_eos_id = arch->eos_id;
}

static bool describe_model(struct job *job, struct arch *arch) {
  const struct qkv_train_options *options = &job->options;
  bool pre = arch->norm_place == NORM_PRE;
  if (pre != (strcmp(options->family, "pegasus") == 0))
    return error_set(job->error, ERROR_USAGE,
                     "--family %s has the norm %s each sublayer, which --norm-place %s contradicts; give one of the two",
                     options->family, pre ? "behind" : "before", options->norm_place);
  arch->family = FAMILY_ENCODER_DECODER;
  arch->source_vocab = arch->target_vocab = (int)tokenizer_size(job->tokenizer);
  arch->max_positions = options->max_length > 512 ? (int)options->max_length : 512;
  arch->embedding_scale = (float)sqrt((double)options->hidden);
  arch->head_bias = true;
  arch->shared_embeddings = true;
  arch->encoder = (struct stack_arch){.layers = (int)options->encoder_layers, .heads = (int)options->heads,
                                      .kv_heads = (int)options->kv_heads, .ffn = (int)options->ffn};
  arch->decoder = arch->encoder;
  arch->decoder.layers = (int)options->decoder_layers;
  set_ids(job, arch);
  return job->error->code == ERROR_NONE;
}

static bool check_model(struct job *job) {
  const struct arch *arch = &job->model->arch;
  if (arch->family != FAMILY_ENCODER_DECODER)
    return error_set(job->error, ERROR_UNSUPPORTED, "%s: it is a %s model; --task translation needs an encoder and a decoder",
                     job->options.resume > 0 ? job->out : job->options.from, arch->layout);
  job->generation.num_beams = BEAMS;
  return true;
}

// --- Corpora

static bool read_samples(struct job *job) {
  struct translation *own = job->state;
  const struct qkv_train_options *options = &job->options;
  const struct arch *arch = &job->model->arch;
  struct corpus_options wanted = {.tokenizer = job->tokenizer, .eos_id = arch->eos_id, .source_vocab = arch->source_vocab,
                                  .target_vocab = arch->target_vocab, .max_tokens = (size_t)options->max_length,
                                  .cut_long = strcmp(options->on_long, "cut") == 0, .held_out = held_out(job),
                                  .fingerprints = true, .directory = job->parent};
  if (options->max_length > options->batch_tokens)
    return error_set(job->error, ERROR_USAGE,
                     "--max-length %" PRId64 " is more than --batch-tokens %" PRId64
                     ": the longest pair would not fit into a batch",
                     options->max_length, options->batch_tokens);
  struct corpus_options valid = wanted;
  valid.part = job_has_valid(job) ? PART_ALL : PART_HELD_OUT;
  // Validation text is never dropped for its length: that would make scores incomparable.
  valid.cut_long = true;
  if (!corpus_read(&own->valid, valid_text(job), &valid, job->error)) return false;
  if (own->valid.count == 0)
    return error_set(job->error, ERROR_FORMAT, "%s; give --valid SOURCE TARGET",
                     job_has_valid(job) ? "no line of the validation text was kept"
                                        : "the 1 % that is held out for validation is no line at all");
  wanted.part = job_has_valid(job) ? PART_ALL : PART_KEPT;
  wanted.fingerprints = false;
  wanted.compare = &own->valid;
  if (!corpus_read(&own->train, &own->train_text, &wanted, job->error)) return false;
  own->train_samples = (struct translation_samples){.corpus = &own->train, .decoder_start_id = arch->decoder_start_id};
  own->valid_samples = (struct translation_samples){.corpus = &own->valid, .decoder_start_id = arch->decoder_start_id};
  job->train = translation_samples(&own->train_samples);
  job->valid = translation_samples(&own->valid_samples);
  return valid_translator_open(&own->translator, &own->valid, job->tokenizer, arch, job->error);
}

static void say_ledger(const struct job *job, const char *name, const struct corpus *corpus) {
  struct buffer text = {0};
  buffer_format(&text, "%s: %" PRIu64 " pairs read, %" PRIu64 " kept, %" PRIu64 " source and %" PRIu64 " target tokens\n", name,
                corpus->ledger.read, corpus->ledger.kept, corpus->source_tokens, corpus->target_tokens);
  ledger_write_text(&corpus->ledger, &text, corpus->paths, 5);
  job_say(job, "%s", buffer_string(&text));
  buffer_free(&text);
}

static void say_text(const struct job *job) {
  const struct translation *own = job->state;
  say_ledger(job, "training text", &own->train);
  say_ledger(job, "validation text", &own->valid);
  if (!job_has_valid(job))
    job_say(job, "without --valid, %" PRIu64 " of the lines were held out for validation", own->train.ledger.held_out);
  uint64_t same = own->train.ledger.entries[LEDGER_IN_VALID].count;
  if (same)
    error_warn(job->error,
               "%" PRIu64
               " pairs of the training text also stand in the validation text; its scores look better than "
               "they are",
               same);
}

static void add_fingerprint(cJSON *identity, const char *name, const struct corpus *corpus) {
  struct text_line tokens = {(const char *)corpus->tokens,
                             (size_t)(corpus->source_tokens + corpus->target_tokens) * sizeof(int32_t)};
  struct text_line places = {(const char *)corpus->samples, corpus->count * sizeof *corpus->samples};
  job_add_fingerprint(identity, name, corpus->count, "pairs", tokens, places);
}

static void add_identity(const struct job *job, cJSON *identity) {
  const struct translation *own = job->state;
  add_fingerprint(identity, "training_text", &own->train);
  add_fingerprint(identity, "validation_text", &own->valid);
}

// --- Validation

// The raw text of a validation sample.
static struct text_line source_line(const struct job *job, size_t sample) {
  uint64_t place = ((const struct translation *)job->state)->valid.samples[sample].place;
  return line_file_get(&valid_text(job)->sources[place_file(place)], place_line(place) - 1);
}

static struct text_line target_line(const struct job *job, size_t sample) {
  uint64_t place = ((const struct translation *)job->state)->valid.samples[sample].place;
  return line_file_get(&valid_text(job)->targets[place_file(place)], place_line(place) - 1);
}

static struct text_line cut_line(const char **at, const char *end) {
  const char *start = *at, *stop = memchr(start, '\n', (size_t)(end - start));
  if (!stop) stop = end;
  *at = stop < end ? stop + 1 : end;
  return (struct text_line){start, (size_t)(stop - start)};
}

static bool score_translations(struct job *job, struct scores *scores) {
  struct translation *own = job->state;
  struct bleu_options bleu_options = {0};
  struct chrf_options chrf_options = {0};
  struct bleu_statistics bleu_statistics = {0};
  struct chrf_statistics chrf_statistics = {0};
  const char *at = buffer_string(&own->translations), *end = at + own->translations.size;
  for (size_t i = 0; i < own->valid.count; i++) {
    struct text_line line = cut_line(&at, end), wanted = target_line(job, i);
    struct metric_text hypothesis = {line.text, line.size}, reference = {wanted.text, wanted.size};
    if (!bleu_add(&bleu_statistics, &bleu_options, hypothesis, &reference, 1, job->error)) return false;
    if (!chrf_add(&chrf_statistics, &chrf_options, hypothesis, &reference, 1, job->error)) return false;
  }
  scores_add(scores, &bleu, bleu_score(&bleu_statistics, &bleu_options).score);
  scores_add(scores, &chrf, chrf_score(&chrf_statistics, &chrf_options));
  return true;
}

static bool is_translated(const struct job *job) { return strcmp(job->options.metric, "loss") != 0; }

static bool validate(struct job *job, struct scores *scores) {
  struct translation *own = job->state;
  struct loss sum;
  if (!validation_loss(&job->validation, &job->context, job->model, &sum)) return false;
  *scores = scores_of_loss(&sum, true);
  if (!is_translated(job)) return true;
  buffer_clear(&own->translations);
  return valid_translator_run(&own->translator, job->model, &own->translations, job->error) &&
         buffer_check(&own->translations, job->error) && score_translations(job, scores);
}

static size_t validation_memory(const struct job *job) {
  const struct translation *own = job->state;
  if (!is_translated(job)) return 0;
  return session_memory(job->model, job->kernels, &own->translator.options, own->valid.count, (int)own->valid.longest_source);
}

static void say_line(const struct job *job, const char *name, struct text_line line) {
  job_say(job, "  %-7s %.*s", name, (int)(line.size < 300 ? line.size : 300), line.text);
}

// Three sentences of the validation text, the same ones every time.
static void show_validation(const struct job *job) {
  const struct translation *own = job->state;
  if (!is_translated(job)) return;
  size_t count = own->valid.count, shown = count < SHOWN ? count : SHOWN, next = 0;
  const char *at = buffer_string(&own->translations), *end = at + own->translations.size;
  for (size_t i = 0; i < shown; i++) {
    size_t sample = (2 * i + 1) * count / (2 * shown);
    struct text_line translation = {0};
    for (; next <= sample; next++) translation = cut_line(&at, end);
    say_line(job, "source", source_line(job, sample));
    say_line(job, "wanted", target_line(job, sample));
    say_line(job, "got", translation);
  }
}

// --- --show-batch

static void show_batch(const struct job *job, const struct batch *batch, struct buffer *out) {
  buffer_format(out, "the first batch: %d pairs, %d source and %d target tokens, %d to be learnt; nothing is padded\n",
                batch->sequences, batch->source.rows, batch->target.rows, batch->label_count);
  for (int i = 0; i < batch->sequences; i++) {
    const struct span *source = &batch->source.spans[i], *target = &batch->target.spans[i];
    uint64_t place = batch->lines[i];
    buffer_format(out, "%s:%" PRIu64 ", rows %d to %d of the encoder, %d to %d of the decoder\n",
                  job->train.paths[place_file(place)], place_line(place), source->q0, source->q0 + source->qn - 1, target->q0,
                  target->q0 + target->qn - 1);
    job_show_tokens(job, out, "source", batch->source.ids + source->q0, source->qn);
    job_show_tokens(job, out, "input", batch->target.ids + target->q0, target->qn);
    job_show_tokens(job, out, "learnt", batch->labels + target->q0, target->qn);
  }
}

static void say_next(const struct job *job) {
  job_say(job, "next:\n  qkv translate %s FILE\n  qkv eval %s SOURCE TARGET", job->out, job->out);
}

static void close_translation(struct job *job) {
  struct translation *own = job->state;
  translation_batch_free(&own->train_samples.batch);
  translation_batch_free(&own->valid_samples.batch);
  valid_translator_close(&own->translator);
  corpus_close(&own->train);
  corpus_close(&own->valid);
  parallel_text_close(&own->train_text);
  parallel_text_close(&own->valid_text);
  buffer_free(&own->translations);
}

const struct task translation_task = {
  .name = "translation",
  .files = "pairs of files SOURCE TARGET",
  .options = " encoder-layers decoder-layers label-smoothing max-length on-long ",
  .families = " marian pegasus ",
  .metrics = " bleu chrf loss ",
  .curves = (const struct score_kind *const[]){&bleu, NULL},
  .state_size = sizeof(struct translation),
  .open_text = open_text,
  .learn_tokenizer = learn_tokenizer,
  .describe_model = describe_model,
  .check_model = check_model,
  .read_samples = read_samples,
  .say_text = say_text,
  .add_identity = add_identity,
  .validate = validate,
  .validation_memory = validation_memory,
  .show_validation = show_validation,
  .show_batch = show_batch,
  .say_next = say_next,
  .scored = "greedy",
  .close = close_translation,
};
