// The corpora of a translator's training, the ledger of their lines, and the identity of a state.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "train/translation_job.h"

static const double HELD_OUT = 0.01;
static const size_t HELD_OUT_MOST = 2000;  // lines, so that validating a large corpus stays short

static bool has_valid(const struct translation_job *job) { return job->options.valid.count > 0; }

const struct parallel_text *translation_job_valid_text(const struct translation_job *job) {
  return has_valid(job) ? &job->valid_text : &job->train_text;
}

double translation_job_held_out(const struct translation_job *job) {
  if (has_valid(job)) return 0;
  double most = (double)HELD_OUT_MOST / (double)job->train_text.lines;
  return most < HELD_OUT ? most : HELD_OUT;
}

// --- Corpora

bool translation_job_read_corpora(struct translation_job *job) {
  const struct qkv_train_options *options = &job->options;
  const struct arch *arch = &job->model->arch;
  struct corpus_options wanted = {.tokenizer = job->tokenizer, .eos_id = arch->eos_id, .source_vocab = arch->source_vocab,
                                  .target_vocab = arch->target_vocab, .max_tokens = (size_t)options->max_length,
                                  .cut_long = strcmp(options->on_long, "cut") == 0, .held_out = translation_job_held_out(job),
                                  .fingerprints = true, .directory = job->parent};
  if (options->max_length > options->batch_tokens)
    return error_set(job->error, ERROR_USAGE,
                     "--max-length %" PRId64 " is more than --batch-tokens %" PRId64
                     ": the longest pair would not fit into a batch",
                     options->max_length, options->batch_tokens);
  struct corpus_options valid = wanted;
  valid.part = has_valid(job) ? PART_ALL : PART_HELD_OUT;
  // Validation text is never dropped for its length: that would make scores incomparable.
  valid.cut_long = true;
  if (!corpus_read(&job->valid, translation_job_valid_text(job), &valid, job->error)) return false;
  if (job->valid.count == 0)
    return error_set(job->error, ERROR_FORMAT, "%s; give --valid SOURCE TARGET",
                     has_valid(job) ? "no line of the validation text was kept"
                                     : "the 1 % that is held out for validation is no line at all");
  wanted.part = has_valid(job) ? PART_ALL : PART_KEPT;
  wanted.fingerprints = false;
  wanted.compare = &job->valid;
  return corpus_read(&job->train, &job->train_text, &wanted, job->error);
}

static void say_ledger(const struct translation_job *job, const char *name, const struct corpus *corpus) {
  struct buffer text = {0};
  buffer_format(&text, "%s: %" PRIu64 " pairs read, %" PRIu64 " kept, %" PRIu64 " source and %" PRIu64 " target tokens\n", name,
                corpus->ledger.read, corpus->ledger.kept, corpus->source_tokens, corpus->target_tokens);
  ledger_write_text(&corpus->ledger, &text, corpus->paths, 5);
  training_say(&job->training, QKV_TRAIN_NOTE, "%s", buffer_string(&text));
  buffer_free(&text);
}

void translation_job_say_corpora(const struct translation_job *job) {
  say_ledger(job, "training text", &job->train);
  say_ledger(job, "validation text", &job->valid);
  if (!has_valid(job))
    training_say(&job->training, QKV_TRAIN_NOTE, "without --valid, %" PRIu64 " of the lines were held out for validation",
                 job->train.ledger.held_out);
  uint64_t same = job->train.ledger.entries[LEDGER_IN_VALID].count;
  if (same)
    error_warn(job->error,
               "%" PRIu64
               " pairs of the training text also stand in the validation text; its scores look better than "
               "they are",
               same);
}

bool translation_job_log_start(struct translation_job *job) {
  struct buffer line = {0};
  cJSON *options = train_options_json(&job->options, job->error);
  char *printed = options ? cJSON_PrintUnformatted(options) : NULL;
  buffer_format(&line,
                "{\"event\":\"start\",\"version\":\"" QKV_VERSION
                "\",\"processor_path\":\"%s\",\"threads\":%d,\"parameters\":%zu,"
                "\"options\":%s}",
                job->kernels->name, parallel_threads(), model_parameters(job->model), printed ? printed : "null");
  buffer_text(&line, "\n{\"event\":\"ledger\",\"train\":");
  ledger_write_json(&job->train.ledger, &line, job->train.paths);
  buffer_text(&line, ",\"valid\":");
  ledger_write_json(&job->valid.ledger, &line, job->valid.paths);
  buffer_char(&line, '}');
  bool ok = printed && buffer_check(&line, job->error) &&
            training_log_line(&job->training.log, buffer_string(&line), job->error);
  free(printed);
  cJSON_Delete(options);
  buffer_free(&line);
  return ok;
}

// --- Identity of a state

static void add_fingerprint(cJSON *identity, const char *name, const struct corpus *corpus) {
  struct text_line all = {(const char *)corpus->tokens,
                          (size_t)(corpus->source_tokens + corpus->target_tokens) * sizeof(int32_t)};
  struct text_line places = {(const char *)corpus->samples, corpus->count * sizeof *corpus->samples};
  char text[40];
  snprintf(text, sizeof text, "%zu pairs, %016" PRIx64, corpus->count, text_fingerprint(text_fingerprint(0, all), places));
  cJSON_AddStringToObject(identity, name, text);
}

// What may change between the runs of one training without changing the result for the updates that both do.
static const char *const changeable[] = {"train", "valid", "max_time", "patience", "keep_every", "from"};

bool translation_job_make_identity(struct translation_job *job) {
  cJSON *identity = train_options_json(&job->options, job->error);
  if (!identity) return false;
  for (size_t i = 0; i < sizeof changeable / sizeof *changeable; i++)
    cJSON_DeleteItemFromObjectCaseSensitive(identity, changeable[i]);
  if (!schedule_needs_total(job->training.schedule.kind)) {
    cJSON_DeleteItemFromObjectCaseSensitive(identity, "max_steps");
    cJSON_DeleteItemFromObjectCaseSensitive(identity, "epochs");
  }
  add_fingerprint(identity, "training_text", &job->train);
  add_fingerprint(identity, "validation_text", &job->valid);
  cJSON_AddStringToObject(identity, "processor_path", job->kernels->name);
  cJSON_AddStringToObject(identity, "products_in", job->kernels->dtype);
  cJSON_AddStringToObject(identity, "version", QKV_VERSION);
  char *printed = cJSON_PrintUnformatted(identity);
  if (printed) buffer_text(&job->identity, printed);
  else error_memory(job->error, 0);
  free(printed);
  cJSON_Delete(identity);
  return job->error->code == ERROR_NONE && buffer_check(&job->identity, job->error);
}

