// Fine-tuning on labelled examples (Devlin et al., 2019, section 4; decoders: Radford et al., 2018, section 3): --task classify,
// regress, tag, span, choice. They differ in the shape of their examples, the model's head, and the scores; everything else is
// the same.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "hf/layout.h"
#include "hf/sentence_modules.h"
#include "model/knob_names.h"
#include "train/bert_model.h"
#include "train/gpt_model.h"
#include "train/input_form.h"
#include "train/prediction.h"
#include "train/tuning.h"

enum { SPAN_LENGTH = 384, HELD_OUT_LEAST = 10000 };

struct labelled {
  struct examples train_examples, valid_examples;
  struct features train, valid;
  enum pooling pooling;  // where options.pooling says it
};

static enum head_kind head_of(const struct job *job) {
  const char *name = job->task->name;
  return strcmp(name, "tag") == 0      ? HEAD_TAG
         : strcmp(name, "span") == 0   ? HEAD_SPAN
         : strcmp(name, "choice") == 0 ? HEAD_CHOICE
                                       : HEAD_CLASSIFY;
}

static bool is_regression(const struct job *job) { return strcmp(job->task->name, "regress") == 0; }

static enum example_shape shape_of(const struct job *job) {
  switch (head_of(job)) {
    case HEAD_TAG: return EXAMPLE_WORDS;
    case HEAD_SPAN: return EXAMPLE_QUESTION;
    case HEAD_CHOICE: return EXAMPLE_CHOICE;
    default: return EXAMPLE_TEXT;
  }
}

static bool has_label_names(const struct job *job) {
  return head_of(job) == HEAD_TAG || (head_of(job) == HEAD_CLASSIFY && !is_regression(job));
}

// --- Text

static bool read_files(struct job *job, struct examples *examples, const struct qkv_strings *files) {
  const struct qkv_train_options *options = &job->options;
  struct example_options wanted = {
    .shape = shape_of(job), .columns = options->columns, .no_header = options->no_header > 0, .labelled = true, .placed = true};
  for (size_t i = 0; i < files->count; i++)
    if (!examples_read(examples, files->items[i], &wanted, job->error)) return false;
  return examples->count > 0 || error_set(job->error, ERROR_FORMAT, "%s: there is no example in it", files->items[0]);
}

static bool find_labels(struct job *job) {
  struct labelled *own = job->state;
  struct label_names names = {0};
  if (!has_label_names(job)) return true;
  bool ok = label_names_collect(&names, &own->train_examples, job->error);
  if (ok && names.count < 2)
    ok = error_set(job->error, ERROR_FORMAT, "%s: every example has the label \"%s\"; there is nothing to tell apart",
                   own->train_examples.paths[0], names.names[0]);
  ok = ok && labels_copy(&job->labels, &(struct labels){names.names, names.count}, job->error);
  label_names_free(&names);
  return ok;
}

// Where no tag begins an entity (parts of speech), there is no F1 of entities to be best by.
static void find_metric(struct job *job) {
  if (job->options.metric || head_of(job) != HEAD_TAG) return;
  for (int i = 0; i < job->labels.count; i++)
    if (strncmp(job->labels.names[i], "B-", 2) == 0 || strncmp(job->labels.names[i], "I-", 2) == 0) return;
  job->options.metric = "accuracy";
  job_say(job, "no tag begins with B- or I-, so the accuracy of the words' tags says which model is best (--metric)");
}

// 5e-5 for the width of BERT base (Devlin et al., 2019, section 4.1). The narrower the model, the larger the steps, up to the
// largest that was of use to small ones (Turc et al., 2019, "Well-read students learn better", appendix).
static void find_rate(struct job *job) {
  struct qkv_train_options *options = &job->options;
  struct arch arch;
  struct error ignored = {0};
  if (!options->from || options->features || options->learning_rate >= 0 || options->resume > 0) return;
  if (!checkpoint_arch(options->from, &arch, &ignored)) return;
  options->learning_rate = fmin(3e-4, 5e-5 * 768 / arch.hidden);
}

static bool open_text(struct job *job) {
  struct labelled *own = job->state;
  const struct qkv_train_options *options = &job->options;
  if (!read_files(job, &own->train_examples, &options->train)) return false;
  if (job_has_valid(job)) {
    if (!read_files(job, &own->valid_examples, &options->valid)) return false;
  } else {
    double share = own->train_examples.count < HELD_OUT_LEAST ? 0.1 : 0.01;
    if (!examples_hold_out(&own->train_examples, &own->valid_examples, share, job->error)) return false;
    if (!own->valid_examples.count || !own->train_examples.count)
      return error_set(job->error, ERROR_FORMAT, "%s: %zu examples are too few to hold some out for validation; give --valid",
                       options->train.items[0], own->train_examples.count + own->valid_examples.count);
  }
  job->amount = own->train_examples.count;
  if (!find_labels(job)) return false;
  find_metric(job);
  find_rate(job);
  return true;
}

// --- Model

static bool learn_tokenizer(struct job *job) {
  return error_set(
    job->error, ERROR_USAGE,
    "--task %s starts from a model (--from), or with --tokenizer from random weights; train one first with --task mlm",
    job->task->name);
}

// The name of what a head can do of modules.json's ways, beside the first row, which it does anyway; NULL: nothing.
static const char *pooling_of_modules(const struct sentence_modules *modules) {
  if (modules->pooling == TEXT_LAST) return knob_find_name(pooling_names, POOLING_LAST);
  return modules->pooling == TEXT_MEAN ? knob_find_name(pooling_names, POOLING_MEAN) : NULL;
}

// A model of sentence vectors put what it knows of a text where its modules.json says: fine-tuning starts from there. Modules
// that no head can follow are no reason not to fine-tune; a file that cannot be read may hide what was meant.
static bool find_pooling(struct job *job) {
  struct qkv_train_options *options = &job->options;
  struct sentence_modules modules;
  struct error unread = {0};
  bool for_texts = head_of(job) == HEAD_CLASSIFY || head_of(job) == HEAD_CHOICE;
  if (!for_texts || options->pooling || !options->from || options->resume > 0) return true;
  if (!sentence_modules_read(&modules, options->from, &unread) && unread.code != ERROR_UNSUPPORTED)
    return error_set(job->error, unread.code, "%s (--pooling first, last or mean does without the file)", unread.message);
  options->pooling = pooling_of_modules(&modules);
  if (options->pooling)
    job_say(job,
            "pooling %s, as modules.json of %s says (--pooling first: the one row that the heads of transformers look at)",
            options->pooling, options->from);
  else if (modules.found && modules.pooling != TEXT_FIRST)
    job_say(job, "pooling first, since no head can do what modules.json of %s says (--pooling chooses another one)",
            options->from);
  return true;
}

// Stays NULL where neither the user nor the model says it.
static bool choose_pooling(struct job *job, enum family family, struct head_choice *choice) {
  struct labelled *own = job->state;
  if (!find_pooling(job)) return false;
  if (!job->options.pooling) return true;
  own->pooling = (enum pooling)knob_find_value(pooling_names, job->options.pooling);
  choice->pooling = &own->pooling;
  if (own->pooling == POOLING_FIRST && family == FAMILY_DECODER)
    return error_set(
        job->error, ERROR_USAGE,
        "--pooling first: a decoder's first token sees nothing of the text, so it cannot stand for it; wanted last or mean");
  return true;
}

static struct head_choice plain_choice(const struct job *job, uint64_t seed) {
  int labels = has_label_names(job) ? job->labels.count : is_regression(job) ? 1 : 0;
  return (struct head_choice){.head = head_of(job), .labels = labels, .seed = seed};
}

// The names were checked when the options were read.
static bool choose_features(struct job *job, enum family family, struct head_choice *choice) {
  struct qkv_train_options *options = &job->options;
  if (!options->features) return true;
  if (choice->head == HEAD_CHOICE && family == FAMILY_DECODER)
    return error_set(
        job->error, ERROR_USAGE,
        "--features: a decoder chooses by its double heads, whose tokens it has to learn, so it cannot stay as it is; "
        "choices can be told from the features of an encoder, such as bert");
  if (input_form_is_on(job))
    return error_set(job->error, ERROR_USAGE,
                     "--features are of a model that stays as it is, which cannot learn the tokens of --input-form %s; "
                     "take --input-form plain",
                     options->input_form);
  choice->through = true;
  choice->features = (enum feature_kind)knob_find_value(feature_names, options->features);
  // What stays as it is learns no new tokens and no language.
  if (!options->input_form && task_lists(job->task->options, "input-form")) options->input_form = "plain";
  choice->lstm = (struct lstm_arch){.layers = (int)options->lstm_layers,
                                    .hidden = options->lstm_layers ? (int)options->lstm_hidden : 0};
  return true;
}

static bool choose_head(struct job *job, struct head_choice *choice) {
  struct arch arch;
  struct error unread = {0};
  *choice = plain_choice(job, choice->seed);
  // What is wrong with the model is said where it is opened.
  if (!checkpoint_arch(job->options.resume > 0 ? job->out : job->options.from, &arch, &unread)) return true;
  return choose_pooling(job, arch.family, choice) && choose_features(job, arch.family, choice) &&
         input_form_choose(job, &arch, true, choice);
}

// A new decoder's texts are as long as those that it can read.
static bool describe_decoder(struct job *job, struct arch *arch) {
  struct qkv_train_options *options = &job->options;
  if (options->max_length > options->context) options->context = options->max_length;
  arch->eos_id = tokenizer_special_ids(job->tokenizer).end;
  gpt_describe(job, arch);
  options->context = -1;
  snprintf(arch->layout, sizeof arch->layout, "%s", options->family);
  return true;
}

static bool describe_model(struct job *job, struct arch *arch) {
  struct head_choice choice = plain_choice(job, 0);
  bool encoder = strcmp(job->options.family, "bert") == 0;
  arch->family = encoder ? FAMILY_ENCODER : FAMILY_DECODER;
  if (!input_form_choose(job, arch, false, &choice)) return false;
  if (!(encoder ? bert_describe(job, arch) : describe_decoder(job, arch))) return false;
  if (!heads_choose(arch, choice.head, choice.labels, job->error)) return false;
  if (!choose_pooling(job, arch->family, &choice)) return false;
  if (choice.pooling) heads_pool(arch, *choice.pooling);
  arch->language_too = choice.language_too;
  arch->both_orders = choice.both_orders;
  return true;
}

// A model that already tells the same labels apart keeps their numbers.
static bool take_label_order(struct job *job) {
  const struct labels *old = &job->checkpoint.labels;
  if (!old->count || old->count != job->labels.count) return true;
  for (int i = 0; i < old->count; i++)
    if (labels_find(&job->labels, old->names[i]) < 0) return true;
  labels_free(&job->labels);
  return labels_copy(&job->labels, old, job->error);
}

// GPT-1's dropout before its new classifier (their section 4.1), where neither the user nor the model says one.
static void drop_out_before_head(struct job *job) {
  const struct qkv_train_options *options = &job->options;
  if (input_form_is_on(job) && options->resume <= 0 && options->dropout < 0 && job->model->arch.head_dropout == 0)
    job->model->arch.head_dropout = 0.1f;
}

static bool check_model(struct job *job) {
  if (job->model->arch.family == FAMILY_ENCODER_DECODER)
    return error_set(job->error, ERROR_UNSUPPORTED,
                     "--task %s needs a model with one stack; this one has an encoder and a decoder", job->task->name);
  if (job->options.layer_decay > 0 && !job->checkpoint.model)
    return error_set(job->error, ERROR_USAGE,
                     "--layer-decay spares what a model knows; without --from there is nothing to spare");
  drop_out_before_head(job);
  // Features are what a model says that stays as it is, be they its last states without an LSTM.
  if ((job->options.features || arch_has_features(&job->model->arch)) && !job->options.freeze) job->options.freeze = "all";
  return take_label_order(job) && tuning_apply(job);
}

// --- Samples

static struct label_names names_of(const struct job *job) { return (struct label_names){job->labels.names, job->labels.count}; }

static bool make_features(struct job *job, struct features *features, const struct examples *examples, bool training) {
  const struct qkv_train_options *options = &job->options;
  struct label_names names = names_of(job);
  struct feature_options wanted = {.tokenizer = job->tokenizer,
                                   .arch = &job->model->arch,
                                   .labels = &names,
                                   .training = training,
                                   .next_tokens = input_form_is_on(job) && options->lm_weight > 0,
                                   .max_length = options->max_length > 0 ? (size_t)options->max_length : 0,
                                   .stride = options->stride > 0 ? (size_t)options->stride : 0};
  if (!wanted.max_length && head_of(job) == HEAD_SPAN) wanted.max_length = SPAN_LENGTH;
  return features_make(features, examples, &wanted, job->error);
}

static bool read_samples(struct job *job) {
  struct labelled *own = job->state;
  if (!make_features(job, &own->train, &own->train_examples, true) ||
      !make_features(job, &own->valid, &own->valid_examples, false))
    return false;
  job->train = features_samples(&own->train);
  job->valid = features_samples(&own->valid);
  return true;
}

static void say_features(const struct job *job, const char *name, const struct features *features) {
  struct buffer text = {0};
  buffer_format(&text, "%s: %" PRIu64 " examples read, %" PRIu64 " kept, %zu sequences, %zu tokens\n", name,
                features->ledger.read, features->ledger.kept, features->count, features->row_count);
  ledger_write_text(&features->ledger, &text, features->examples->paths, 5);
  job_say(job, "%s", buffer_string(&text));
  buffer_free(&text);
}

static void say_text(const struct job *job) {
  const struct labelled *own = job->state;
  char list[300];
  input_form_say(job);
  if (job->options.freeze && strcmp(job->options.freeze, "all") == 0)
    job_say(job, "all below the head stays as it is (--freeze all)");
  struct label_names names = names_of(job);
  say_features(job, "training examples", &own->train);
  say_features(job, "validation examples", &own->valid);
  if (!job_has_valid(job))
    job_say(job, "without --valid, %zu of the examples are held out for validation", own->valid_examples.count);
  if (!names.count) return;
  label_names_list(&names, list, sizeof list);
  job_say(job, "%d labels: %s", names.count, list);
}

// Fingerprints are of bytes, which gaps between members would leave to chance.
_Static_assert(sizeof(struct feature) == 8 + 3 * 4 + 9 * 4 && sizeof(struct feature_row) == 6 * 4, "no gaps");

static void add_identity(const struct job *job, cJSON *identity) {
  const struct labelled *own = job->state;
  const struct features *parts[] = {&own->train, &own->valid};
  static const char *const names[] = {"training_text", "validation_text"};
  for (int i = 0; i < 2; i++) {
    struct text_line rows = {(const char *)parts[i]->rows, parts[i]->row_count * sizeof *parts[i]->rows};
    struct text_line sequences = {(const char *)parts[i]->sequences, parts[i]->count * sizeof *parts[i]->sequences};
    job_add_fingerprint(identity, names[i], parts[i]->count, "sequences", rows, sequences);
  }
}

// --- Validation

static const struct score_kind label_loss = {.metric = "label-loss",
                                             .key = "label_loss",
                                             .name = "loss of the labels",
                                             .before = "of the labels ",
                                             .after = "",
                                             .factor = 1,
                                             .decimals = 3,
                                             .smaller_is_better = true};
static const struct score_kind language_loss = {.metric = "lm-loss", .key = "lm_loss", .name = "loss of the next tokens",
                                                .before = "of the next tokens ", .after = "", .factor = 1, .decimals = 3,
                                                .smaller_is_better = true};

// The loss that is learnt from, and its two parts.
static struct scores scores_of_two(const struct job *job, const struct loss *sum) {
  double tokens = sum->count ? sum->plain_sum / (double)sum->count : 0;
  double labels = sum->texts.count ? sum->texts.plain_sum / (double)sum->texts.count : 0;
  struct scores scores = {.loss = labels + job->training.weights[0] * tokens};
  scores_add(&scores, &score_loss, scores.loss);
  scores_add(&scores, &label_loss, labels);
  if (sum->count) scores_add(&scores, &language_loss, tokens);
  return scores;
}

static bool validate(struct job *job, struct scores *scores) {
  struct labelled *own = job->state;
  struct loss sum;
  struct predictions predictions;
  struct prediction_options options = prediction_defaults();
  struct label_names names = names_of(job);
  if (!validation_loss(&job->validation, &job->context, job->model, &sum)) return false;
  *scores = arch_has_vocabulary(&job->model->arch) ? scores_of_two(job, &sum) : scores_of_loss(&sum, false);
  for (size_t i = 0; i < own->valid_examples.count; i++)
    if (own->valid_examples.items[i].impossible) options.no_answer = 0;
  bool ok = predictions_make(&predictions, &own->valid, job->model, &options, job->error) &&
            predictions_score(&predictions, &own->valid, &names, scores, NULL, job->error);
  predictions_free(&predictions);
  return ok;
}

// --- --show-batch

static void show_target(const struct job *job, const struct batch_text *text, struct buffer *out) {
  switch (head_of(job)) {
    case HEAD_SPAN: buffer_format(out, "answer: rows %d to %d", text->start, text->end); break;
    case HEAD_CHOICE: buffer_format(out, "choice of question %d: %s", text->group, text->label == 1 ? "right" : "wrong"); break;
    case HEAD_TAG: buffer_text(out, "tags behind the words' first tokens"); break;
    default:
      if (is_regression(job))
        buffer_format(out, "value: %g", (double)text->value);
      else
        buffer_format(out, "label: %s", job->labels.names[text->label]);
  }
}

static void show_batch(const struct job *job, const struct batch *batch, struct buffer *out) {
  const struct batch_side *side = batch->target.rows ? &batch->target : &batch->source;
  buffer_format(out, "the first batch: %d sequences, %d tokens; nothing is padded; tokens are shown with their segments\n",
                batch->sequences, side->rows);
  for (int i = 0; i < batch->sequences; i++) {
    const struct batch_text *text = &batch->texts[i];
    buffer_format(out, "%s:%" PRIu64 ", rows %d to %d, ", job->train.paths[place_file(batch->lines[i])],
                  place_line(batch->lines[i]), text->first, text->first + text->count - 1);
    show_target(job, text, out);
    buffer_text(out, "\n ");
    for (int row = text->first; row < text->first + text->count; row++) {
      const char *token = tokenizer_token(job->tokenizer, side->ids[row]);
      buffer_format(out, " %s/%d", token ? token : "?", side->types ? (int)side->types[row] : 0);
      if (head_of(job) == HEAD_TAG && batch->labels[row] >= 0) buffer_format(out, "=%s", job->labels.names[batch->labels[row]]);
    }
    buffer_char(out, '\n');
  }
}

static void say_next(const struct job *job) {
  job_say(job, "next:\n  qkv predict %s FILE\n  qkv eval %s FILE", job->out, job->out);
}

static void close_labelled(struct job *job) {
  struct labelled *own = job->state;
  features_free(&own->train);
  features_free(&own->valid);
  examples_free(&own->valid_examples);
  examples_free(&own->train_examples);
}

#define TUNING " max-length layer-decay freeze features lstm-layers lstm-hidden "

#define LABELLED_TASK(variable, name_, files_, families_, options_, metrics_, curves_) \
  const struct task variable = {.name = name_,                         \
                                .files = files_,                       \
                                .options = TUNING options_,            \
                                .families = families_,                 \
                                .metrics = metrics_,                   \
                                .curves = curves_,                     \
                                .state_size = sizeof(struct labelled), \
                                .open_text = open_text,                \
                                .learn_tokenizer = learn_tokenizer,    \
                                .describe_model = describe_model,      \
                                .choose_head = choose_head,            \
                                .check_model = check_model,            \
                                .read_samples = read_samples,          \
                                .say_text = say_text,                  \
                                .add_identity = add_identity,          \
                                .validate = validate,                  \
                                .show_batch = show_batch,              \
                                .say_next = say_next,                  \
                                .close = close_labelled}

#define FORMS " input-form lm-weight "
#define FAMILIES " bert gpt2 openai-gpt llama "

LABELLED_TASK(classify_task, "classify", "tables or JSON lines with texts and labels", FAMILIES,
              FORMS " columns no-header pooling ", " accuracy f1 macro-f1 matthews loss ", curves_of_classes);
LABELLED_TASK(regress_task, "regress", "tables or JSON lines with texts and numbers", FAMILIES,
              FORMS " columns no-header pooling ", " pearson spearman loss ", curves_of_values);
LABELLED_TASK(tag_task, "tag", "files with a word and its tag a line", " bert ", "", " f1 precision recall accuracy loss ",
              curves_of_tags);
LABELLED_TASK(span_task, "span", "files in SQuAD's form, or JSON lines", " bert ", " stride ", " f1 exact loss ",
              curves_of_answers);
LABELLED_TASK(choice_task, "choice", "JSON lines with questions and choices", FAMILIES, FORMS " pooling ", " accuracy loss ",
              curves_of_classes);
