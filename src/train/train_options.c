#include "train/train_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/task.h"

enum field_kind { FIELD_TEXT, FIELD_INTEGER, FIELD_NUMBER, FIELD_FILES };

struct field {
  const char *name;     // of the option, and with _ for - of the key in training.json
  enum field_kind kind;
  size_t offset;
  double low, high;     // of numbers
  const char *words;    // of texts: what is allowed, between blanks; NULL: anything
  bool new_model;       // says what a new model is like, so it contradicts --from
};

#define FIELD(kind, field, name, ...) {name, kind, offsetof(struct qkv_train_options, field), __VA_ARGS__}
#define ANY_WORD 0, 0, NULL
#define MANY 1e15

static const struct field fields[] = {
  FIELD(FIELD_TEXT, task, "task", ANY_WORD),
  FIELD(FIELD_FILES, train, "train", ANY_WORD),
  FIELD(FIELD_FILES, valid, "valid", ANY_WORD),
  FIELD(FIELD_TEXT, from, "from", ANY_WORD),
  FIELD(FIELD_TEXT, family, "family", 0, 0, NULL, true),
  FIELD(FIELD_TEXT, size, "size", 0, 0, " blackboard tiny small base large ", true),
  FIELD(FIELD_INTEGER, layers, "layers", 1, 256, NULL, true),
  FIELD(FIELD_INTEGER, encoder_layers, "encoder-layers", 1, 256, NULL, true),
  FIELD(FIELD_INTEGER, decoder_layers, "decoder-layers", 1, 256, NULL, true),
  FIELD(FIELD_INTEGER, hidden, "hidden", 1, 65536, NULL, true),
  FIELD(FIELD_INTEGER, heads, "heads", 1, 128, NULL, true),
  FIELD(FIELD_INTEGER, ffn, "ffn", 1, 1 << 20, NULL, true),
  FIELD(FIELD_INTEGER, kv_heads, "kv-heads", 1, 128, NULL, true),
  FIELD(FIELD_TEXT, activation, "activation", 0, 0, " relu gelu gelu-tanh silu tanh ", true),
  FIELD(FIELD_TEXT, norm, "norm", 0, 0, " layer rms batch instance group none ", true),
  FIELD(FIELD_TEXT, norm_place, "norm-place", 0, 0, " post pre ", true),
  FIELD(FIELD_INTEGER, norm_groups, "norm-groups", 1, 65536, NULL, true),
  FIELD(FIELD_NUMBER, norm_epsilon, "norm-epsilon", 0, 1, NULL, true),
  FIELD(FIELD_TEXT, norm_epsilon_place, "norm-epsilon-place", 0, 0, " inside outside ", true),
  FIELD(FIELD_TEXT, positions, "positions", 0, 0, " sinusoid sinusoid-interleaved learned rotary none ", true),
  FIELD(FIELD_TEXT, attention_score, "attention-score", 0, 0, " scaled dot cosine general additive ", true),
  FIELD(FIELD_NUMBER, attention_scale, "attention-scale", 1e-6, 1e6, NULL, true),
  FIELD(FIELD_TEXT, attention_weights, "attention-weights", 0, 0, " on off ", true),
  FIELD(FIELD_INTEGER, attention_window, "attention-window", 1, 1 << 20, NULL, true),
  FIELD(FIELD_TEXT, residual, "residual", 0, 0, " on off ", true),
  FIELD(FIELD_TEXT, gated, "gated", 0, 0, " on off ", true),
  FIELD(FIELD_TEXT, bias, "bias", 0, 0, " on off ", true),
  FIELD(FIELD_TEXT, tokenizer, "tokenizer", 0, 0, NULL, true),
  FIELD(FIELD_TEXT, tokenizer_type, "tokenizer-type", 0, 0, " bpe char ", true),
  FIELD(FIELD_INTEGER, vocab_size, "vocab-size", 8, 10000000, NULL, true),
  FIELD(FIELD_INTEGER, lowercase, "lowercase", 0, 1, NULL, true),
  FIELD(FIELD_NUMBER, learning_rate, "learning-rate", 0, 100),
  FIELD(FIELD_NUMBER, min_learning_rate, "min-learning-rate", 0, 100),
  FIELD(FIELD_TEXT, schedule, "schedule", 0, 0, " inverse-sqrt linear cosine constant "),
  FIELD(FIELD_INTEGER, warmup_steps, "warmup-steps", 0, MANY),
  FIELD(FIELD_INTEGER, batch_tokens, "batch-tokens", 2, 1 << 28),
  FIELD(FIELD_INTEGER, batch_size, "batch-size", 1, 1 << 28),
  FIELD(FIELD_INTEGER, accumulate, "accumulate", 1, 1 << 20),
  FIELD(FIELD_NUMBER, dropout, "dropout", 0, 0.99),
  FIELD(FIELD_NUMBER, attention_dropout, "attention-dropout", 0, 0.99),
  FIELD(FIELD_NUMBER, activation_dropout, "activation-dropout", 0, 0.99),
  FIELD(FIELD_NUMBER, label_smoothing, "label-smoothing", 0, 0.99),
  FIELD(FIELD_NUMBER, weight_decay, "weight-decay", 0, 1),
  FIELD(FIELD_NUMBER, beta1, "beta1", 0, 0.9999999),
  FIELD(FIELD_NUMBER, beta2, "beta2", 0, 0.9999999),
  FIELD(FIELD_NUMBER, adam_epsilon, "adam-epsilon", 0, 1),
  FIELD(FIELD_NUMBER, clip_norm, "clip-norm", 0, 1e9),
  FIELD(FIELD_INTEGER, max_length, "max-length", 2, 1 << 20),
  FIELD(FIELD_TEXT, on_long, "on-long", 0, 0, " drop cut "),
  FIELD(FIELD_INTEGER, context, "context", 1, 1 << 20),
  FIELD(FIELD_TEXT, document_separator, "document-separator", ANY_WORD),
  FIELD(FIELD_TEXT, cross_documents, "cross-documents", 0, 0, " on off "),
  FIELD(FIELD_TEXT, direction, "direction", 0, 0, " left-to-right right-to-left "),
  FIELD(FIELD_INTEGER, stride, "stride", 1, 1 << 20),
  FIELD(FIELD_NUMBER, layer_decay, "layer-decay", 0.01, 1),
  FIELD(FIELD_TEXT, freeze, "freeze", ANY_WORD),
  FIELD(FIELD_TEXT, features, "features", 0, 0, " embeddings second-to-last last sum-last-4 concat-last-4 sum-all weighted "),
  FIELD(FIELD_INTEGER, lstm_layers, "lstm-layers", 0, 8),
  FIELD(FIELD_INTEGER, lstm_hidden, "lstm-hidden", 1, 32768),
  FIELD(FIELD_TEXT, pooling, "pooling", 0, 0, " first last mean "),
  FIELD(FIELD_TEXT, columns, "columns", ANY_WORD),
  FIELD(FIELD_INTEGER, no_header, "no-header", 0, 1),
  FIELD(FIELD_TEXT, input_form, "input-form", 0, 0, " plain gpt1 gpt1-similarity "),
  FIELD(FIELD_NUMBER, lm_weight, "lm-weight", 0, 1000),
  FIELD(FIELD_TEXT, next_sentence, "next-sentence", 0, 0, " random swapped none "),
  FIELD(FIELD_NUMBER, mask_rate, "mask-rate", 0, 1),
  FIELD(FIELD_TEXT, mask_split, "mask-split", ANY_WORD),
  FIELD(FIELD_INTEGER, whole_words, "whole-words", 0, 1),
  FIELD(FIELD_INTEGER, short_length, "short-length", 8, 1 << 20),
  FIELD(FIELD_INTEGER, short_epochs, "short-epochs", 0, MANY),
  FIELD(FIELD_INTEGER, split_sentences, "split-sentences", 0, 1),
  FIELD(FIELD_INTEGER, seed, "seed", 0, 9007199254740992.0),
  FIELD(FIELD_TEXT, dtype, "dtype", 0, 0, " auto f32 bf16 "),
  FIELD(FIELD_INTEGER, epochs, "epochs", 1, MANY),
  FIELD(FIELD_INTEGER, max_steps, "max-steps", 1, MANY),
  FIELD(FIELD_NUMBER, max_time, "max-time", 0, MANY),
  FIELD(FIELD_INTEGER, valid_every, "valid-every", 1, MANY),
  FIELD(FIELD_INTEGER, patience, "patience", 0, MANY),
  FIELD(FIELD_TEXT, metric, "metric", ANY_WORD),
  FIELD(FIELD_INTEGER, average, "average", 0, 1000),
  FIELD(FIELD_TEXT, average_of, "average-of", 0, 0, " best last "),
  FIELD(FIELD_INTEGER, keep_every, "keep-every", 0, MANY),
  FIELD(FIELD_INTEGER, layer_gradients, "layer-gradients", 0, 1),
  FIELD(FIELD_INTEGER, recompute, "recompute", 0, 1),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void *field_of(const struct qkv_train_options *options, const struct field *field) {
  return (char *)(uintptr_t)options + field->offset;
}

static bool undecided(const struct qkv_train_options *options, const struct field *field) {
  const void *value = field_of(options, field);
  switch (field->kind) {
    case FIELD_TEXT: return !*(const char *const *)value;
    case FIELD_INTEGER: return *(const int64_t *)value < 0;
    case FIELD_NUMBER: return *(const double *)value < 0;
    default: return ((const struct qkv_strings *)value)->count == 0;
  }
}

struct qkv_train_options train_options_default(void) {
  struct qkv_train_options options = {.resume = 0, .resume_anyway = 0, .memory = -1};
  for (int i = 0; i < FIELDS; i++) {
    if (fields[i].kind == FIELD_INTEGER) *(int64_t *)field_of(&options, &fields[i]) = -1;
    if (fields[i].kind == FIELD_NUMBER) *(double *)field_of(&options, &fields[i]) = -1;
  }
  return options;
}

static char *key_of(char out[64], const struct field *field) {
  size_t i = 0;
  for (; field->name[i] && i < 63; i++) out[i] = field->name[i] == '-' ? '_' : field->name[i];
  out[i] = 0;
  return out;
}

static const char **read_list(struct qkv_strings *list, const cJSON *item, const char *key, const char *path,
                              struct error *error) {
  int count = cJSON_GetArraySize(item);
  const char **texts = cJSON_IsArray(item) ? memory_new(error, (size_t)count + 1, sizeof *texts) : NULL;
  size_t i = 0;
  for (const cJSON *element = texts ? item->child : NULL; element && cJSON_IsString(element); element = element->next)
    texts[i++] = element->valuestring;
  if (!texts || i != (size_t)count) {
    error_set(error, ERROR_FORMAT, "%s: \"%s\" should be a list of file names", path, key);
    free(texts);
    return NULL;
  }
  *list = (struct qkv_strings){texts, i};
  return texts;
}

static bool read_field(struct qkv_train_options *options, const struct field *field, const cJSON *item,
                       struct train_option_lists *lists, struct error *error) {
  char key[64];
  void *value = field_of(options, field);
  key_of(key, field);
  bool fits = field->kind == FIELD_TEXT    ? cJSON_IsString(item)
              : field->kind == FIELD_FILES ? cJSON_IsArray(item)
                                           : cJSON_IsNumber(item);
  if (!fits)
    return error_set(error, ERROR_FORMAT, "%s: \"%s\" should be %s", options->config, key,
                     field->kind == FIELD_TEXT    ? "a text"
                     : field->kind == FIELD_FILES ? "a list of file names"
                                                  : "a number");
  if (field->kind == FIELD_FILES) {
    const char **texts = read_list(value, item, key, options->config, error);
    *(value == &options->train ? &lists->train : &lists->valid) = texts;
    return texts != NULL;
  }
  if (field->kind == FIELD_TEXT) {
    *(const char **)value = item->valuestring;
    return true;
  }
  double number = item->valuedouble;
  if (!(number >= field->low && number <= field->high) || (field->kind == FIELD_INTEGER && number != (double)(int64_t)number))
    return error_set(error, ERROR_FORMAT, "%s: \"%s\" is %g; wanted %s from %g to %g", options->config, key, number,
                     field->kind == FIELD_INTEGER ? "an integer" : "a number", field->low, field->high);
  if (field->kind == FIELD_INTEGER) *(int64_t *)value = (int64_t)number;
  else *(double *)value = number;
  return true;
}

bool train_options_read(struct qkv_train_options *options, cJSON **owner, struct train_option_lists *lists, struct error *error) {
  cJSON *document = json_read(options->config, error);
  if (!document) return false;
  *owner = document;
  for (int i = 0; i < FIELDS; i++) {
    char key[64];
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(document, key_of(key, &fields[i]));
    if (!item || cJSON_IsNull(item) || !undecided(options, &fields[i])) continue;
    // What a new model is like does not matter to a run that now starts from an old one.
    if (options->from && fields[i].new_model) continue;
    if (!read_field(options, &fields[i], item, lists, error)) return false;
  }
  return true;
}

void train_options_free_lists(struct train_option_lists *lists) {
  free(lists->train);
  free(lists->valid);
  *lists = (struct train_option_lists){0};
}

static bool check_field(const struct qkv_train_options *options, const struct field *field, struct error *error) {
  const void *value = field_of(options, field);
  if (field->kind == FIELD_TEXT && field->words) {
    const char *text = *(const char *const *)value;
    if (!strchr(text, ' ') && task_lists(field->words, text)) return true;
    return error_set(error, ERROR_USAGE, "--%s is \"%s\"; wanted one of:%s", field->name, text, field->words);
  }
  if (field->kind != FIELD_INTEGER && field->kind != FIELD_NUMBER) return true;
  double number = field->kind == FIELD_INTEGER ? (double)*(const int64_t *)value : *(const double *)value;
  if (number >= field->low && number <= field->high) return true;
  return error_set(error, ERROR_USAGE, "--%s is %g; wanted %g to %g", field->name, number, field->low, field->high);
}

static bool some_task_lists(const char *option) {
  const struct task *task;
  for (size_t i = 0; (task = task_at(i)); i++)
    if (task_lists(task->options, option)) return true;
  return false;
}

static bool check_word(const struct task *task, const char *option, const char *word, const char *words, struct error *error) {
  if (!word || (!strchr(word, ' ') && task_lists(words, word))) return true;
  return error_set(error, ERROR_USAGE, "--%s is \"%s\"; with --task %s wanted one of:%s", option, word, task->name, words);
}

// What depends on the task: its name, which options it takes, its families and metrics.
static bool check_task(const struct qkv_train_options *options, bool complete, struct error *error) {
  const struct task *task = options->task ? task_find(options->task) : NULL;
  if (!task) {
    struct buffer names = {0};
    for (size_t i = 0; (task = task_at(i)); i++) buffer_format(&names, " %s", task->name);
    if (options->task)
      error_set(error, ERROR_USAGE, "--task is \"%s\"; wanted one of:%s", options->task, buffer_string(&names));
    else if (complete)
      error_set(error, ERROR_USAGE, "--task is missing: what to train for; one of:%s", buffer_string(&names));
    buffer_free(&names);
    return error->code == ERROR_NONE;
  }
  for (int i = 0; i < FIELDS; i++)
    if (!undecided(options, &fields[i]) && some_task_lists(fields[i].name) && !task_lists(task->options, fields[i].name))
      return error_set(error, ERROR_USAGE, "--%s is not an option of --task %s", fields[i].name, task->name);
  if (options->norm && task_lists(" batch instance group ", options->norm) && !task_lists(task->families, "bert"))
    return error_set(
        error, ERROR_USAGE,
        "--norm %s looks at the tokens that follow, and --task %s trains a decoder, which must not; take layer, rms or none, "
        "or an encoder (--task mlm)",
        options->norm, task->name);
  if (complete && options->train.count == 0)
    return error_set(error, ERROR_USAGE, "--train is missing: the text to learn from, as %s", task->files);
  return check_word(task, "family", options->family, task->families, error) &&
         check_word(task, "metric", options->metric, task->metrics, error);
}

static bool check_contradictions(const struct qkv_train_options *options, bool complete, struct error *error) {
  for (int i = 0; i < FIELDS; i++)
    if (options->from && fields[i].new_model && !undecided(options, &fields[i]))
      return error_set(error, ERROR_USAGE,
                       "--from and --%s contradict each other: a fine-tuned model keeps the shape and the tokenizer of %s",
                       fields[i].name, options->from);
  if (options->tokenizer && (options->vocab_size >= 0 || options->lowercase >= 0 || options->tokenizer_type))
    return error_set(error, ERROR_USAGE, "--tokenizer and --%s contradict each other: %s has all of this decided",
                     options->vocab_size >= 0  ? "vocab-size"
                     : options->lowercase >= 0 ? "lowercase"
                                               : "tokenizer-type",
                     options->tokenizer);
  bool outside = options->norm_epsilon_place && strcmp(options->norm_epsilon_place, "outside") == 0;
  if (options->norm && strcmp(options->norm, "none") == 0 && (options->norm_epsilon >= 0 || outside))
    return error_set(error, ERROR_USAGE, "--norm none leaves nothing that --norm-epsilon%s could be of; drop one of them",
                     options->norm_epsilon >= 0 ? "" : "-place");
  if (complete && options->features && !options->from)
    return error_set(error, ERROR_USAGE, "--features are those of a trained model; say of which with --from");
  if (!options->features && (options->lstm_layers >= 0 || options->lstm_hidden >= 0))
    return error_set(error, ERROR_USAGE, "--%s is of the LSTM that reads --features, which is missing",
                     options->lstm_layers >= 0 ? "lstm-layers" : "lstm-hidden");
  if (options->min_learning_rate > 0 && options->learning_rate >= 0 && options->min_learning_rate > options->learning_rate)
    return error_set(error, ERROR_USAGE, "--min-learning-rate %g is more than --learning-rate %g", options->min_learning_rate,
                     options->learning_rate);
  if (options->average == 0 && options->average_of)
    return error_set(error, ERROR_USAGE, "--average 0 and --average-of %s contradict each other", options->average_of);
  if (options->hidden > 0 && options->heads > 0 && options->hidden % options->heads != 0)
    return error_set(error, ERROR_USAGE, "--hidden %lld cannot be split into --heads %lld; it has to be a multiple",
                     (long long)options->hidden, (long long)options->heads);
  return true;
}

bool train_options_check(const struct qkv_train_options *options, bool complete, struct error *error) {
  for (int i = 0; i < FIELDS; i++)
    if (!undecided(options, &fields[i]) && !check_field(options, &fields[i], error)) return false;
  return check_task(options, complete, error) && check_contradictions(options, complete, error);
}

// A number with all its digits: cJSON's own has 15.
static cJSON *number_json(double value) {
  struct buffer text = {0};
  json_write_number(&text, value);
  cJSON *item = text.failed ? NULL : cJSON_CreateRaw(buffer_string(&text));
  buffer_free(&text);
  return item;
}

static cJSON *field_json(const struct qkv_train_options *options, const struct field *field) {
  const void *value = field_of(options, field);
  switch (field->kind) {
    case FIELD_TEXT: return cJSON_CreateString(*(const char *const *)value);
    case FIELD_INTEGER: return number_json((double)*(const int64_t *)value);
    case FIELD_NUMBER: return number_json(*(const double *)value);
    default: {
      const struct qkv_strings *list = value;
      return cJSON_CreateStringArray(list->items, (int)list->count);
    }
  }
}

cJSON *train_options_json(const struct qkv_train_options *options, struct error *error) {
  cJSON *document = cJSON_CreateObject();
  bool ok = document != NULL;
  for (int i = 0; ok && i < FIELDS; i++) {
    if (undecided(options, &fields[i])) continue;
    char key[64];
    cJSON *item = field_json(options, &fields[i]);
    ok = item && cJSON_AddItemToObject(document, key_of(key, &fields[i]), item);
    if (!ok) cJSON_Delete(item);
  }
  if (ok) return document;
  cJSON_Delete(document);
  error_memory(error, 0);
  return NULL;
}

bool train_options_write(const struct qkv_train_options *options, const char *path, struct error *error) {
  cJSON *document = train_options_json(options, error);
  bool ok = document && json_write_file(document, path, error);
  cJSON_Delete(document);
  return ok;
}
