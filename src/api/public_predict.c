// What a model's head says about texts and files of examples, and how good that is.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "train/prediction.h"

struct qkv_task_scores_owner {
  struct qkv_task_scores scores;  // first
  struct scores kept;
  struct buffer details;
};

struct predicting {
  struct qkv_model *opened;
  const struct model *model;
  struct label_names labels;  // the checkpoint's, or those of next sentences
  const struct tokenizer *tokenizer;
  struct examples examples;
  struct features features;
  struct predictions predictions;
  struct error *error;
};

static char *next_sentence_names[] = {"next", "not-next"}, *replaced_names[] = {"original", "replaced"};

struct qkv_predict_options qkv_predict_options_default(void) {
  return (struct qkv_predict_options){.max_length = -1, .stride = -1, .longest_answer = -1, .no_answer = NAN};
}

// ---- from a call to features ----

static bool get_model(struct predicting *predicting, enum example_shape *shape) {
  struct qkv_model *opened = predicting->opened;
  if (!prediction_shape(shape, &opened->checkpoint.arch, opened->directory, predicting->error)) return false;
  predicting->model = public_model_ready(opened, predicting->error);
  if (!predicting->model) return false;
  const struct arch *arch = &predicting->model->arch;
  bool named = arch->head == HEAD_CLASSIFY || arch->head == HEAD_TAG;
  predicting->labels = named ? (struct label_names){opened->checkpoint.labels.names, opened->checkpoint.labels.count}
                       : arch->head == HEAD_REPLACED
                         ? (struct label_names){replaced_names, 2}
                         : (struct label_names){next_sentence_names, arch_has_texts(arch) && !arch_has_choices(arch) ? 2 : 0};
  return true;
}

static bool add_texts(struct predicting *predicting, const struct qkv_strings *texts, const struct qkv_strings *pairs) {
  struct examples *examples = &predicting->examples;
  if (pairs && pairs->count && pairs->count != texts->count)
    return error_set(predicting->error, ERROR_USAGE, "there are %zu texts and %zu second texts; wanted as many of both",
                     texts->count, pairs->count);
  for (size_t i = 0; i < texts->count; i++) {
    struct example *example = example_add(examples, place_of(0, i + 1), predicting->error);
    if (!example) return false;
    example->text = example_text(examples, texts->items[i], strlen(texts->items[i]), predicting->error);
    if (pairs && pairs->count)
      example->pair = example_text(examples, pairs->items[i], strlen(pairs->items[i]), predicting->error);
  }
  return predicting->error->code == ERROR_NONE;
}

// Words with blanks between them, as sentences for tagging.
static bool add_sentences(struct predicting *predicting, const struct qkv_strings *texts) {
  struct examples *examples = &predicting->examples;
  for (size_t i = 0; i < texts->count; i++) {
    size_t count = 0;
    struct text_line *words = memory_new(predicting->error, strlen(texts->items[i]) / 2 + 1, sizeof *words);
    for (const char *at = texts->items[i]; words && *(at += strspn(at, " \t")); at += strcspn(at, " \t"))
      words[count++] = example_text(examples, at, strcspn(at, " \t"), predicting->error);
    bool ok = words && example_add_words(examples, place_of(0, i + 1), words, NULL, count, predicting->error);
    free(words);
    if (!ok) return false;
  }
  return predicting->error->code == ERROR_NONE;
}

static bool take_texts(struct predicting *predicting, const struct qkv_strings *texts, const struct qkv_strings *pairs) {
  enum example_shape shape;
  if (!get_model(predicting, &shape)) return false;
  predicting->examples.shape = shape;
  const char **paths = memory_new(predicting->error, 1, sizeof *paths);
  if (!paths || !(paths[0] = memory_copy_text(predicting->error, "text"))) return free(paths), false;
  predicting->examples.paths = paths;
  predicting->examples.path_count = 1;
  if (shape == EXAMPLE_WORDS) return add_sentences(predicting, texts);
  if (shape == EXAMPLE_CHOICE)
    return error_set(predicting->error, ERROR_USAGE,
                     "questions with choices come from a .jsonl file with {question, choices} a line");
  if (shape == EXAMPLE_QUESTION && (!pairs || !pairs->count))
    return error_set(predicting->error, ERROR_USAGE,
                     "a question needs a context: give it as the second text of the pair (--pair)");
  return add_texts(predicting, texts, pairs);
}

// Plain lines for tagging are sentences, not a word a line.
static bool take_file(struct predicting *predicting, const char *path, const struct qkv_predict_options *options, bool labelled) {
  enum example_shape shape;
  if (!get_model(predicting, &shape)) return false;
  struct example_options wanted = {
    .shape = shape, .format = options->input, .columns = options->columns, .no_header = options->no_header, .labelled = labelled};
  return examples_read(&predicting->examples, path, &wanted, predicting->error);
}

static bool predict(struct predicting *predicting, const struct qkv_predict_options *options) {
  predicting->tokenizer = public_model_tokenizer(predicting->opened, predicting->error);
  if (!predicting->tokenizer) return false;
  struct feature_options wanted = {.tokenizer = predicting->tokenizer,
                                   .arch = &predicting->model->arch,
                                   .labels = &predicting->labels,
                                   .max_length = options->max_length > 0 ? (size_t)options->max_length : 0,
                                   .stride = options->stride > 0 ? (size_t)options->stride : 0};
  if (!wanted.max_length && predicting->model->arch.head == HEAD_SPAN) wanted.max_length = 384;
  struct prediction_options how = prediction_defaults();
  if (options->longest_answer > 0) how.longest_answer = (int)options->longest_answer;
  if (!isnan(options->no_answer)) how.no_answer = options->no_answer;
  return features_make(&predicting->features, &predicting->examples, &wanted, predicting->error) &&
         predictions_make(&predicting->predictions, &predicting->features, predicting->model, &how, predicting->error);
}

static void finish(struct predicting *predicting) {
  predictions_free(&predicting->predictions);
  features_free(&predicting->features);
  examples_free(&predicting->examples);
}

// ---- predictions ----

// All of a result lies in one list of blocks.
struct qkv_predictions_owner {
  struct qkv_predictions predictions;  // first
  struct examples memory;
};

static const char *copy(struct qkv_predictions_owner *owner, const char *text, size_t size, struct error *error) {
  return example_text(&owner->memory, text, size, error).text;
}

// A word of the example, or a token as the vocabulary writes it.
static struct text_line word_at(const struct predicting *predicting, size_t number, size_t i) {
  if (predicting->model->arch.head != HEAD_REPLACED) return predicting->examples.items[number].parts[i];
  const struct features *features = &predicting->features;
  const struct feature_row *row = &features->rows[features->sequences[number].first + i];
  const char *token = tokenizer_token(predicting->tokenizer, row->id);
  return token ? (struct text_line){token, strlen(token)} : (struct text_line){"?", 1};
}

static bool give_words(struct qkv_predictions_owner *owner, const struct predicting *predicting, size_t number,
                       struct qkv_prediction *out) {
  const struct prediction *prediction = &predicting->predictions.items[number];
  struct qkv_predicted_word *words = example_memory(&owner->memory, (prediction->word_count + 1) * sizeof *words,
                                                    predicting->error);
  for (size_t i = 0; words && i < prediction->word_count; i++) {
    const struct predicted_word *word = &prediction->words[i];
    struct text_line text = word_at(predicting, number, i);
    words[i].word = copy(owner, text.text, text.size, predicting->error);
    words[i].tag = word->label >= 0 ? copy(owner, predicting->labels.names[word->label],
                                           strlen(predicting->labels.names[word->label]), predicting->error)
                                    : "O";
    words[i].probability = word->probability;
  }
  out->words = words;
  out->word_count = prediction->word_count;
  return words != NULL;
}

static bool give_one(struct qkv_predictions_owner *owner, const struct predicting *predicting, size_t number) {
  const struct example *example = &predicting->examples.items[number];
  const struct prediction *prediction = &predicting->predictions.items[number];
  struct qkv_prediction *out = (struct qkv_prediction *)&owner->predictions.items[number];
  enum head_kind head = predicting->model->arch.head;
  *out = (struct qkv_prediction){.label = "", .value = prediction->probability, .number = prediction->label};
  if (head == HEAD_TAG || head == HEAD_REPLACED) return give_words(owner, predicting, number, out);
  if (head == HEAD_SPAN) {
    out->label = copy(owner, example->pair.text + prediction->start, prediction->size, predicting->error);
    out->start = utf8_length(example->pair.text, prediction->start);
    out->margin = prediction->margin;
    if (!prediction->size) out->value = 0;
    if (example->id.text) out->id = copy(owner, example->id.text, example->id.size, predicting->error);
    return out->label != NULL;
  }
  if (head == HEAD_CLASSIFY && predicting->model->arch.labels == 1) {
    out->value = prediction->value;
    return true;
  }
  const char *name = arch_has_choices(&predicting->model->arch) ? example->parts[prediction->label].text
                                                                : predicting->labels.names[prediction->label];
  float *probabilities =
    example_memory(&owner->memory, ((size_t)prediction->probability_count + 1) * sizeof *probabilities, predicting->error);
  if (!probabilities || !(out->label = copy(owner, name, strlen(name), predicting->error))) return false;
  memcpy(probabilities, prediction->probabilities, (size_t)prediction->probability_count * sizeof *probabilities);
  out->probabilities = probabilities;
  out->probability_count = (size_t)prediction->probability_count;
  return true;
}

static const char *kind_of(const struct arch *arch) {
  switch (arch->head) {
    case HEAD_TAG: return "tag";
    case HEAD_REPLACED: return "replaced";
    case HEAD_SPAN: return "span";
    case HEAD_CHOICE:
    case HEAD_DOUBLE: return "choice";
    case HEAD_CLASSIFY: return arch->labels == 1 ? "regress" : "classify";
    default: return "next-sentence";
  }
}

static struct qkv_predictions *give(const struct predicting *predicting) {
  struct qkv_predictions_owner *owner = memory_new(predicting->error, 1, sizeof *owner);
  if (!owner) return NULL;
  struct qkv_predictions *out = &owner->predictions;
  size_t count = predicting->predictions.count;
  const char **labels =
    example_memory(&owner->memory, ((size_t)predicting->labels.count + 1) * sizeof *labels, predicting->error);
  out->items = example_memory(&owner->memory, (count + 1) * sizeof *out->items, predicting->error);
  bool ok = labels && out->items;
  for (int i = 0; ok && i < predicting->labels.count; i++)
    ok = (labels[i] = copy(owner, predicting->labels.names[i], strlen(predicting->labels.names[i]), predicting->error)) != NULL;
  for (size_t i = 0; ok && i < count; i++) ok = give_one(owner, predicting, i);
  out->count = count;
  out->kind = kind_of(&predicting->model->arch);
  out->labels = labels;
  out->label_count = (size_t)predicting->labels.count;
  out->cut = predicting->features.ledger.entries[LEDGER_CUT].count;
  if (out->cut) out->first_cut = place_line(predicting->features.ledger.entries[LEDGER_CUT].places[0]);
  out->invalid = predicting->features.ledger.entries[LEDGER_INVALID_TEXT].count;
  if (out->invalid) out->first_invalid = place_line(predicting->features.ledger.entries[LEDGER_INVALID_TEXT].places[0]);
  if (ok && predicting->error->code == ERROR_NONE) return out;
  qkv_predictions_free(out);
  return NULL;
}

struct qkv_predictions *qkv_predict(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                    const struct qkv_strings *pairs, const struct qkv_predict_options *options) {
  struct qkv_predict_options defaults = qkv_predict_options_default();
  struct predicting predicting = {.opened = model, .error = public_begin(context)};
  bool ok = take_texts(&predicting, texts, pairs) && predict(&predicting, options ? options : &defaults);
  struct qkv_predictions *result = ok ? give(&predicting) : NULL;
  finish(&predicting);
  return result;
}

struct qkv_predictions *qkv_predict_file(struct qkv_context *context, struct qkv_model *model, const char *path,
                                         const struct qkv_predict_options *options) {
  struct qkv_predict_options defaults = qkv_predict_options_default();
  struct predicting predicting = {.opened = model, .error = public_begin(context)};
  bool ok =
    take_file(&predicting, path, options ? options : &defaults, false) && predict(&predicting, options ? options : &defaults);
  struct qkv_predictions *result = ok ? give(&predicting) : NULL;
  finish(&predicting);
  return result;
}

void qkv_predictions_free(struct qkv_predictions *predictions) {
  struct qkv_predictions_owner *owner = (struct qkv_predictions_owner *)predictions;
  if (!owner) return;
  examples_free(&owner->memory);
  free(owner);
}

// ---- scores ----

static bool has_examples(const struct predicting *predicting) {
  return predicting->examples.count || error_set(predicting->error, ERROR_FORMAT, "%s: there is no example in it to score",
                                                 predicting->examples.paths[0]);
}

static bool score(struct predicting *predicting, struct qkv_task_scores_owner *owner) {
  struct qkv_task_scores *out = &owner->scores;
  if (!predictions_score(&predicting->predictions, &predicting->features, &predicting->labels, &owner->kept, &owner->details,
                         predicting->error))
    return false;
  out->count = (size_t)owner->kept.count;
  for (int i = 0; i < owner->kept.count; i++) {
    out->items[i].name = owner->kept.items[i].kind->key;
    out->items[i].value = owner->kept.items[i].value * owner->kept.items[i].kind->factor;
  }
  out->examples = predicting->examples.count;
  out->cut = predicting->features.ledger.entries[LEDGER_CUT].count;
  out->details = buffer_string(&owner->details);
  return buffer_check(&owner->details, predicting->error);
}

struct qkv_task_scores *qkv_score_predictions(struct qkv_context *context, struct qkv_model *model, const char *path,
                                              const struct qkv_predict_options *options) {
  struct qkv_predict_options defaults = qkv_predict_options_default();
  struct predicting predicting = {.opened = model, .error = public_begin(context)};
  struct qkv_task_scores_owner *owner = memory_new(predicting.error, 1, sizeof *owner);
  if (model->checkpoint.arch.head == HEAD_REPLACED)
    error_set(predicting.error, ERROR_UNSUPPORTED,
              "%s tells replaced tokens, which no file of examples names; qkv predict shows them", model->directory);
  bool ok = owner && predicting.error->code == ERROR_NONE && take_file(&predicting, path, options ? options : &defaults, true) &&
            has_examples(&predicting) &&
            predict(&predicting, options ? options : &defaults) && score(&predicting, owner);
  finish(&predicting);
  if (ok) return &owner->scores;
  qkv_task_scores_free(owner ? &owner->scores : NULL);
  return NULL;
}

void qkv_task_scores_free(struct qkv_task_scores *scores) {
  struct qkv_task_scores_owner *owner = (struct qkv_task_scores_owner *)scores;
  if (!owner) return;
  buffer_free(&owner->details);
  free(owner);
}

const char *qkv_model_labels_kind(const struct qkv_model *model) {
  struct error ignored = {0};
  enum example_shape shape;
  const struct arch *arch = &model->checkpoint.arch;
  if (arch->head == HEAD_PRETRAINING || !prediction_shape(&shape, arch, "", &ignored)) return NULL;
  return kind_of(arch);
}
