// --task mlm: pre-training of an encoder on masked words, and on whether one text follows another (Devlin et al., 2019).
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/masked_batch.h"
#include "train/bert_model.h"
#include "train/tuning.h"

static const double HELD_OUT = 0.01, HELD_OUT_OF_LITTLE = 0.1;
static const size_t LITTLE = 20000;  // sentences

struct masked {
  struct line_file *train_files, *valid_files;
  size_t train_file_count, valid_file_count;
  const char **train_paths, **valid_paths;
  struct sentences train, valid;
  bool *continues;  // [vocabulary]
  struct masked_samples train_samples, valid_samples;
};

static const struct score_kind perplexity = {.metric = "perplexity",
                                             .key = "perplexity",
                                             .name = "perplexity",
                                             .before = "perplexity ",
                                             .after = " of masked words",
                                             .factor = 1,
                                             .decimals = 2,
                                             .smaller_is_better = true,
                                             .headline = true};
static const struct score_kind masked_accuracy = {.metric = "masked-accuracy",
                                                  .key = "masked_accuracy",
                                                  .name = "masked words right, %",
                                                  .before = "",
                                                  .after = " % of them right",
                                                  .factor = 100,
                                                  .decimals = 2,
                                                  .headline = true};
static const struct score_kind next_accuracy = {.metric = "next-accuracy",
                                                .key = "next_accuracy",
                                                .name = "next sentences right, %",
                                                .before = "",
                                                .after = " % of next sentences right",
                                                .factor = 100,
                                                .decimals = 2,
                                                .headline = true};

static enum next_sentence next_of(const struct job *job) {
  const char *next = job->options.next_sentence;
  return strcmp(next, "none") == 0 ? NEXT_NONE : strcmp(next, "swapped") == 0 ? NEXT_SWAPPED : NEXT_RANDOM;
}

// --- Text

static bool open_files(struct job *job, const struct qkv_strings *paths, struct line_file **files, const char ***names,
                       size_t *count, uint64_t *bytes) {
  *files = memory_new(job->error, paths->count + 1, sizeof **files);
  *names = memory_new(job->error, paths->count + 1, sizeof **names);
  for (size_t i = 0; *files && *names && i < paths->count; i++) {
    if (!line_file_open(&(*files)[i], paths->items[i], job->error)) return false;
    ++*count;
    (*names)[i] = (*files)[i].path;
    *bytes += (*files)[i].map.size;
  }
  return job->error->code == ERROR_NONE;
}

static bool open_text(struct job *job) {
  struct masked *own = job->state;
  uint64_t ignored = 0;
  struct qkv_train_options *options = &job->options;
  if (!options->next_sentence) options->next_sentence = "random";
  return open_files(job, &options->train, &own->train_files, &own->train_paths, &own->train_file_count, &job->amount) &&
         open_files(job, &options->valid, &own->valid_files, &own->valid_paths, &own->valid_file_count, &ignored);
}

// --- Model

static bool choose_head(struct job *job, struct head_choice *choice) {
  choice->head = next_of(job) == NEXT_NONE ? HEAD_LANGUAGE : HEAD_PRETRAINING;
  return true;
}

static bool describe_model(struct job *job, struct arch *arch) {
  struct head_choice choice = {0};
  return bert_describe(job, arch) && choose_head(job, &choice) && heads_set(arch, choice.head, 0, job->error);
}

static bool check_model(struct job *job) {
  const struct arch *arch = &job->model->arch;
  struct qkv_train_options *options = &job->options;
  if (arch->family != FAMILY_ENCODER)
    return error_set(job->error, ERROR_UNSUPPORTED, "--task mlm needs an encoder, such as BERT; this is a %s model",
                     arch->layout);
  if (options->max_length < 0)
    options->max_length = arch->positions != POSITIONS_NONE && arch->max_positions < 128 ? arch->max_positions : 128;
  if (options->max_length < 8)
    return error_set(job->error, ERROR_USAGE, "--max-length %" PRId64 " is too short for a pair of sentences",
                     options->max_length);
  if (options->mask_rate == 0 && next_of(job) == NEXT_NONE)
    return error_set(job->error, ERROR_USAGE, "--mask-rate 0 with --next-sentence none leaves nothing to learn");
  if (options->short_length >= options->max_length)
    return error_set(job->error, ERROR_USAGE, "--short-length %" PRId64 " is not shorter than --max-length %" PRId64,
                     options->short_length, options->max_length);
  if (options->short_length > 0 && options->short_epochs < 0)
    return error_set(job->error, ERROR_USAGE, "--short-length needs --short-epochs: for how many epochs sequences are short");
  return tuning_apply(job);
}

// --- Samples

static bool read_sentences(struct job *job, struct sentences *sentences, const struct line_file *files, size_t count) {
  struct sentence_options wanted = {.tokenizer = job->tokenizer,
                                    .vocabulary = job->model->arch.source_vocab,
                                    .longest = (size_t)job->options.max_length - 3,
                                    .split = job->options.split_sentences > 0};
  for (size_t i = 0; i < count; i++)
    if (!sentences_read(sentences, &files[i], i, &wanted, job->error)) return false;
  return true;
}

// "80-10-10": percent that become [MASK], any token, or stay.
static bool read_split(struct masking *masking, const char *text, struct error *error) {
  int mask, any, stay, size = 0;
  if (sscanf(text, "%d-%d-%d%n", &mask, &any, &stay, &size) == 3 && !text[size] && mask >= 0 && any >= 0 && stay >= 0 &&
      mask + any + stay == 100) {
    masking->masked = mask / 100.0;
    masking->random = any / 100.0;
    return true;
  }
  return error_set(error, ERROR_USAGE, "--mask-split is \"%s\"; wanted three percentages that add up to 100, such as 80-10-10",
                   text);
}

// Which tokens go on with a word: those with WordPiece's mark, or those without the mark of a blank.
static bool find_continuing(struct job *job) {
  struct masked *own = job->state;
  size_t count = (size_t)job->model->arch.source_vocab, marked = 0, blanks = 0;
  if (!(own->continues = memory_new(job->error, count, sizeof *own->continues))) return false;
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < count; i++) {
      const char *token = tokenizer_token(job->tokenizer, (int32_t)i);
      if (!token || tokenizer_is_special(job->tokenizer, (int32_t)i)) continue;
      bool inner = strncmp(token, "##", 2) == 0 && token[2],
           blank = strncmp(token, "\xC4\xA0", 2) == 0 || strncmp(token, "\xE2\x96\x81", 3) == 0;
      marked += pass == 0 && inner;
      blanks += pass == 0 && blank;
      if (pass == 1) own->continues[i] = marked ? inner : blanks ? !blank : false;
    }
  return true;
}

static bool make_samples(struct job *job, struct masked_samples *samples, const struct sentences *sentences, struct samples *out,
                         const char *const *paths, bool training) {
  const struct qkv_train_options *options = &job->options;
  struct special_ids ids = tokenizer_special_ids(job->tokenizer);
  struct masked *own = job->state;
  *samples = (struct masked_samples){.sentences = sentences,
                                     .arch = &job->model->arch,
                                     .next = next_of(job),
                                     .validation = !training,
                                     .seed = (uint64_t)options->seed,
                                     .max_length = (size_t)options->max_length,
                                     .cls_id = job_special_id(job, "beginning", ids.classification, "[CLS]"),
                                     .sep_id = job_special_id(job, "separating", ids.separator, "[SEP]")};
  samples->masking = (struct masking){.rate = options->mask_rate >= 0 ? options->mask_rate : 0.15,
                                      .whole_words = options->whole_words > 0,
                                      .continues = own->continues,
                                      .vocabulary = job->model->arch.source_vocab,
                                      .mask_id = job_special_id(job, "mask", ids.mask, "[MASK]")};
  if (training && options->short_length > 0) {
    samples->short_length = (size_t)options->short_length;
    samples->short_epochs = (uint64_t)options->short_epochs;
  }
  return job->error->code == ERROR_NONE &&
         read_split(&samples->masking, options->mask_split ? options->mask_split : "80-10-10", job->error) &&
         masked_samples_make(samples, out, paths, job->error);
}

static bool read_samples(struct job *job) {
  struct masked *own = job->state;
  bool separate = job_has_valid(job);
  if (!read_sentences(job, &own->train, own->train_files, own->train_file_count) ||
      !read_sentences(job, &own->valid, own->valid_files, own->valid_file_count))
    return false;
  double share = own->train.count < LITTLE ? HELD_OUT_OF_LITTLE : HELD_OUT;
  if (!separate && !sentences_hold_out(&own->train, &own->valid, share, job->error)) return false;
  if (!own->train.count || !own->valid.count)
    return error_set(job->error, ERROR_FORMAT, "%s",
                     !own->train.count ? "no sentence of the training text was kept"
                     : separate        ? "no sentence of the validation text was kept"
                                       : "the text is too short to hold some out for validation; give --valid");
  return find_continuing(job) && make_samples(job, &own->train_samples, &own->train, &job->train, own->train_paths, true) &&
         make_samples(job, &own->valid_samples, &own->valid, &job->valid, separate ? own->valid_paths : own->train_paths, false);
}

static void say_sentences(const struct job *job, const char *name, const struct sentences *sentences,
                          const struct samples *samples) {
  struct buffer text = {0};
  buffer_format(&text, "%s: %zu documents, %zu sentences, %zu tokens, %zu sequences an epoch\n", name, sentences->document_count,
                sentences->count, sentences->token_count, samples->count);
  ledger_write_text(&sentences->ledger, &text, samples->paths, 5);
  job_say(job, "%s", buffer_string(&text));
  buffer_free(&text);
}

static void say_text(const struct job *job) {
  const struct masked *own = job->state;
  say_sentences(job, "training text", &own->train, &job->train);
  say_sentences(job, "validation text", &own->valid, &job->valid);
  if (!job_has_valid(job))
    job_say(job, "without --valid, the ends of long documents and some short ones are held out for validation");
}

static void add_identity(const struct job *job, cJSON *identity) {
  const struct masked *own = job->state;
  const struct sentences *parts[] = {&own->train, &own->valid};
  static const char *const names[] = {"training_text", "validation_text"};
  for (int i = 0; i < 2; i++) {
    struct text_line tokens = {(const char *)parts[i]->tokens, parts[i]->token_count * sizeof *parts[i]->tokens};
    struct text_line starts = {(const char *)parts[i]->starts, (parts[i]->count + 1) * sizeof *parts[i]->starts};
    job_add_fingerprint(identity, names[i], parts[i]->count, "sentences", tokens, starts);
  }
}

// --- Validation

static bool validate(struct job *job, struct scores *scores) {
  struct loss sum;
  if (!validation_loss(&job->validation, &job->context, job->model, &sum)) return false;
  double count = sum.count ? (double)sum.count : 1, texts = sum.texts.count ? (double)sum.texts.count : 1;
  double words = sum.plain_sum / count, next = sum.texts.plain_sum / texts;
  *scores = (struct scores){.loss = words + next};
  scores_add(scores, &score_loss, scores->loss);
  scores_add(scores, &perplexity, exp(words));
  scores_add(scores, &masked_accuracy, (double)sum.correct / count);
  if (sum.texts.count) scores_add(scores, &next_accuracy, (double)sum.texts.correct / texts);
  return true;
}

// --- --show-batch

static const char *token_of(const struct job *job, int32_t id) {
  const char *token = tokenizer_token(job->tokenizer, id);
  return token ? token : "?";
}

static void show_batch(const struct job *job, const struct batch *batch, struct buffer *out) {
  const struct batch_side *side = &batch->source;
  buffer_format(out,
                "the first batch: %d sequences, %d tokens, %d of them to be predicted; nothing is padded\n"
                "tokens are shown with their segments; token<word is a predicted one, with the word that stood there\n",
                batch->sequences, side->rows, batch->label_count);
  for (int i = 0; i < batch->sequences; i++) {
    const struct batch_text *text = &batch->texts[i];
    buffer_format(out, "%s:%" PRIu64 ", rows %d to %d", job->train.paths[place_file(batch->lines[i])],
                  place_line(batch->lines[i]), text->first, text->first + text->count - 1);
    if (text->label >= 0) {
      bool swapped = next_of(job) == NEXT_SWAPPED;
      buffer_format(out, ", next sentence: %d (%s)", (int)text->label,
                    !text->label ? "B follows A"
                    : swapped    ? "A follows B"
                                 : "B is from elsewhere");
    }
    buffer_text(out, "\n ");
    for (int row = text->first; row < text->first + text->count; row++) {
      buffer_format(out, " %s/%d", token_of(job, side->ids[row]), side->types ? (int)side->types[row] : 0);
      if (batch->labels[row] >= 0) buffer_format(out, "<%s", token_of(job, batch->labels[row]));
    }
    buffer_char(out, '\n');
  }
}

static void say_next(const struct job *job) {
  job_say(job, "next:\n  qkv fill %s --text \"...\"\n  qkv train OUT --task classify --from %s --train FILE --valid FILE",
          job->out, job->out);
}

static void close_masked(struct job *job) {
  struct masked *own = job->state;
  masked_samples_free(&own->train_samples);
  masked_samples_free(&own->valid_samples);
  sentences_free(&own->train);
  sentences_free(&own->valid);
  for (size_t i = 0; i < own->train_file_count; i++) line_file_close(&own->train_files[i]);
  for (size_t i = 0; i < own->valid_file_count; i++) line_file_close(&own->valid_files[i]);
  free(own->train_files);
  free(own->valid_files);
  free(own->train_paths);
  free(own->valid_paths);
  free(own->continues);
}

// --- Tokenizer

struct text_lines {
  const struct line_file *files;
  size_t count, file, line;
};

static bool next_line(void *data, const char **line, size_t *size, struct error *error) {
  struct text_lines *at = data;
  (void)error;
  while (at->file < at->count && at->line >= at->files[at->file].count) {
    at->file++;
    at->line = 0;
  }
  if (at->file >= at->count) return false;
  struct text_line text = line_file_get(&at->files[at->file], at->line++);
  *line = text.text;
  *size = text.size;
  return true;
}

static bool learn_tokenizer(struct job *job) {
  const struct masked *own = job->state;
  struct text_lines lines = {.files = own->train_files, .count = own->train_file_count};
  return bert_learn_tokenizer(job, next_line, &lines);
}

const struct task mlm_task = {
  .name = "mlm",
  .files = "text with a sentence a line and a blank line between documents",
  .options =
    " max-length layer-decay freeze next-sentence mask-rate mask-split whole-words short-length short-epochs split-sentences ",
  .families = " bert ",
  .metrics = " loss perplexity masked-accuracy next-accuracy ",
  .curves = (const struct score_kind *const[]){&masked_accuracy, &next_accuracy, NULL},
  .state_size = sizeof(struct masked),
  .open_text = open_text,
  .learn_tokenizer = learn_tokenizer,
  .describe_model = describe_model,
  .choose_head = choose_head,
  .check_model = check_model,
  .read_samples = read_samples,
  .say_text = say_text,
  .add_identity = add_identity,
  .validate = validate,
  .show_batch = show_batch,
  .say_next = say_next,
  .close = close_masked,
};
