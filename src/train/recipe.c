#include "train/recipe.h"

#include <inttypes.h>
#include <string.h>

#include "train/task.h"

// --- The tables

// What the layouts of transformers are like; other choices give another layout, or the layout "qkv". Of a task's families the
// first one here is the default.
static const struct family_preset {
  const char *name, *norm, *norm_place, *positions, *activation, *gated, *bias;
  bool no_dropout;  // the layout has no word for it
} families[] = {
  {"marian", "layer", "post", "sinusoid", "relu", "off", "on"},
  {"pegasus", "layer", "pre", "sinusoid", "relu", "off", "on"},
  {"bert", "layer", "post", "learned", "gelu", "off", "on"},
  {"gpt2", "layer", "pre", "learned", "gelu-tanh", "off", "on"},
  {"openai-gpt", "layer", "post", "learned", "gelu-tanh", "off", "on"},
  {"llama", "rms", "pre", "rotary", "silu", "on", "off", .no_dropout = true},
};

static const struct size_preset sizes[] = {
  // families       name     hidden  ffn  heads  layers  rate  warm-up  context
  // blackboard: vectors that fit on a slide, to look at rather than to use.
  {" marian pegasus ", "blackboard", 8, 16, 2, 1, 1, 0.01, 200},
  {" marian pegasus ", "tiny", 128, 256, 4, 4, 4, 0.005, 2000},
  {" marian pegasus ", "small", 256, 1024, 4, 3, 3, 0.002, 4000},
  {" marian pegasus ", "base", 512, 2048, 8, 6, 6, 0.0007, 4000},
  {" marian pegasus ", "large", 1024, 4096, 16, 6, 6, 0.0005, 4000},
  // base: GPT-1 and the smallest GPT-2; large: the second one of GPT-2.
  {" gpt2 openai-gpt ", "blackboard", 8, 32, 2, 0, 1, 0.01, 100, 32},
  {" gpt2 openai-gpt ", "tiny", 128, 512, 4, 0, 4, 0.001, 100, 128},
  {" gpt2 openai-gpt ", "small", 384, 1536, 6, 0, 6, 0.001, 200, 256},
  {" gpt2 openai-gpt ", "base", 768, 3072, 12, 0, 12, 0.0006, 2000, 1024},
  {" gpt2 openai-gpt ", "large", 1024, 4096, 16, 0, 24, 0.0003, 2000, 1024},
  {" llama ", "blackboard", 8, 24, 2, 0, 1, 0.01, 100, 32},
  {" llama ", "tiny", 128, 352, 4, 0, 4, 0.001, 100, 128},
  {" llama ", "small", 384, 1024, 6, 0, 6, 0.001, 200, 256},
  {" llama ", "base", 768, 2048, 12, 0, 12, 0.0006, 2000, 1024},
  {" llama ", "large", 1024, 2816, 16, 0, 24, 0.0003, 2000, 1024},
  {" bert ", "blackboard", 8, 32, 2, 1, 0, 0.01, 100},
  {" bert ", "tiny", 128, 512, 2, 2, 0, 0.002, 200},
  {" bert ", "small", 256, 1024, 4, 4, 0, 0.001, 500},
  {" bert ", "base", 768, 3072, 12, 12, 0, 0.0003, 5000},
  {" bert ", "large", 1024, 4096, 16, 24, 0, 0.0001, 10000},
};

// The less text, the smaller the model and the vocabulary and the more dropout.
static const struct recipe {
  const char *task;
  uint64_t amount;  // for up to so much
  const char *size;
  int vocab_size, batch_tokens, max_steps;
  double dropout;
} recipes[] = {
  {"translation", 5000, "tiny", 2000, 2048, 4000, 0.3},
  {"translation", 15000, "tiny", 5000, 4096, 6000, 0.3},
  {"translation", 60000, "tiny", 10000, 8192, 8000, 0.3},
  {"translation", 400000, "small", 16000, 8192, 30000, 0.2},
  {"translation", 3000000, "base", 32000, 8192, 100000, 0.1},
  {"translation", UINT64_MAX, "base", 32000, 16384, 200000, 0.1},
  {"lm", 300000, "tiny", 1000, 2048, 2000, 0.2},
  {"lm", 4000000, "tiny", 4000, 4096, 4000, 0.1},
  {"lm", 40000000, "small", 10000, 8192, 20000, 0.1},
  {"lm", 400000000, "base", 32000, 16384, 60000, 0.1},
  {"lm", UINT64_MAX, "base", 50000, 32768, 200000, 0},
  {"mlm", 2000000, "tiny", 4000, 2048, 10000, 0.1},
  {"mlm", 50000000, "small", 10000, 4096, 40000, 0.1},
  {"mlm", UINT64_MAX, "base", 30000, 16384, 200000, 0.1},
  {"classify", UINT64_MAX, "tiny", 10000, 1024, 20000, 0.1},
  {"regress", UINT64_MAX, "tiny", 10000, 1024, 20000, 0.1},
  {"tag", UINT64_MAX, "tiny", 10000, 1024, 20000, 0.1},
  {"span", UINT64_MAX, "tiny", 10000, 4096, 20000, 0.1},
  {"choice", UINT64_MAX, "tiny", 10000, 2048, 20000, 0.1},
};

// The rest. NULL and -1: not an option of this task.
static const struct task_settings {
  const char *task, *unit;             // in which the amount of text is counted
  double tuning_rate;                  // a trained model is only nudged: small steps, and a short warm-up for the moments
  int tuning_warmup;                   // -1: a tenth of all updates
  const char *schedule, *metric;
  double label_smoothing, weight_decay;
  int max_length;
  const char *on_long, *cross_documents, *direction, *tokenizer_type;
  int patience, average, validations;  // of the last: about how many in all
  double least_rate;                   // where the learning rate ends, as a share of the highest
  double beta2, epsilon;
  int tuning_epochs;                   // 0: many, until the score stops rising
} settings[] = {
  {"translation", "sentence pairs", 0.0002, 200, "inverse-sqrt", "bleu", 0.1, 0, 256, "drop", NULL, NULL, NULL, 10, 5, 32, -1, -1,
   -1, 0},
  {"lm", "bytes of text", 0.0001, 100, "cosine", "loss", -1, 0.1, -1, "drop", "off", "left-to-right", "bpe", 0, 0, 10, 0.1, 0.95,
   1e-8, 0},
  {"mlm", "bytes of text", 0.0001, 100, "linear", "loss", -1, 0.01, -1, NULL, NULL, NULL, NULL, 0, 0, 20, -1, 0.999, 1e-6, 0},
  // As in section 4 of the paper on BERT: a few epochs, the rate rising for a tenth of them and then falling to 0.
#define LABELS(task, unit, rate, metric, epochs) \
  {task, unit, rate, -1, "linear", metric, -1, 0.01, -1, NULL, NULL, NULL, NULL, 0, 5, 16, -1, 0.999, 1e-6, epochs}
  LABELS("classify", "examples", 0.00005, "accuracy", 3),
  LABELS("regress", "examples", 0.00005, "pearson", 3),
  LABELS("tag", "sentences", 0.00005, "f1", 4),
  LABELS("span", "questions", 0.00005, "f1", 3),
  LABELS("choice", "questions", 0.00005, "accuracy", 3),
#undef LABELS
};

// --- Looking up

static const struct family_preset *family_for(const struct qkv_train_options *options) {
  const struct task *task = task_find(options->task);
  const struct family_preset *first = NULL;
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    const struct family_preset *family = &families[i];
    if (options->family ? strcmp(family->name, options->family) != 0 : !task_lists(task->families, family->name)) continue;
    if (!first) first = family;
    if (!options->norm_place || strcmp(family->norm_place, options->norm_place) == 0) return family;
  }
  return first;
}

const struct size_preset *size_preset_find(const char *family, const char *name) {
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (strcmp(sizes[i].name, name) == 0 && task_lists(sizes[i].families, family)) return &sizes[i];
  return NULL;
}

static const struct recipe *recipe_for(const char *task, uint64_t amount) {
  const struct recipe *recipe = recipes;
  while (strcmp(recipe->task, task) != 0 || amount > recipe->amount) recipe++;
  return recipe;
}

static const struct task_settings *settings_for(const char *task) {
  const struct task_settings *row = settings;
  while (strcmp(row->task, task) != 0) row++;
  return row;
}

// --- Deciding

enum { MANY_EXAMPLES = 50000 };  // of which two epochs, the paper's least, are enough
enum { FEATURE_EPOCHS = 10 };  // a new LSTM takes longer than a trained model to be nudged

static void decide_integer(int64_t *field, int64_t value) {
  if (*field < 0) *field = value;
}

static void decide_number(double *field, double value) {
  if (*field < 0) *field = value;
}

static void decide_text(const char **field, const char *value) {
  if (!*field) *field = value;
}

// Where the task has no such option, nothing is decided.
static void decide_if_integer(int64_t *field, int64_t value) {
  if (value >= 0) decide_integer(field, value);
}

static void decide_if_text(const char **field, const char *value) {
  if (value) decide_text(field, value);
}

static void decide_layers(struct qkv_train_options *options, const struct size_preset *size) {
  if (!size->encoder_layers || !size->decoder_layers) {
    decide_integer(&options->layers, size->encoder_layers + size->decoder_layers);
    return;
  }
  decide_integer(&options->encoder_layers, options->layers > 0 ? options->layers : size->encoder_layers);
  decide_integer(&options->decoder_layers, options->layers > 0 ? options->layers : size->decoder_layers);
}

static void decide_model(struct qkv_train_options *options, const struct size_preset *size, const struct family_preset *family,
                         const struct recipe *recipe) {
  decide_text(&options->activation, family->activation);
  decide_text(&options->norm, family->norm);
  decide_text(&options->norm_place, family->norm_place);
  decide_text(&options->norm_epsilon_place, "inside");
  decide_text(&options->attention_score, "scaled");
  decide_text(&options->attention_weights, "on");
  decide_text(&options->positions, family->positions);
  decide_text(&options->residual, "on");
  decide_text(&options->gated, family->gated);
  decide_text(&options->bias, family->bias);
  decide_integer(&options->hidden, size->hidden);
  // Language models keep the proportions of their family.
  decide_integer(&options->ffn, size->context ? options->hidden * size->ffn / size->hidden : size->ffn);
  decide_integer(&options->heads, size->heads);
  decide_integer(&options->kv_heads, options->heads);
  if (size->context) decide_integer(&options->context, size->context);
  decide_layers(options, size);
  if (options->tokenizer) return;
  decide_if_text(&options->tokenizer_type, settings_for(options->task)->tokenizer_type);
  decide_integer(&options->vocab_size, recipe->vocab_size);
  decide_integer(&options->lowercase, 0);
}

static void decide_new_model(struct qkv_train_options *options, const struct recipe *recipe, uint64_t amount,
                             struct buffer *said) {
  const char *unit = settings_for(options->task)->unit;
  const struct family_preset *family = family_for(options);
  options->family = family->name;
  bool chosen = !options->size;
  decide_text(&options->size, recipe->size);
  const struct size_preset *size = size_preset_find(family->name, options->size);
  decide_model(options, size, family, recipe);
  decide_number(&options->learning_rate, size->learning_rate);
  decide_integer(&options->warmup_steps, size->warmup_steps);
  if (chosen) buffer_format(said, "size %s, because there are %" PRIu64 " %s (--size)\n", options->size, amount, unit);
  if (family->no_dropout) decide_number(&options->dropout, 0);
  if (options->dropout < 0)
    buffer_format(said, "dropout %g, because there are %" PRIu64 " %s (--dropout)\n", recipe->dropout, amount, unit);
  decide_number(&options->dropout, recipe->dropout);
  decide_number(&options->attention_dropout, 0);
  decide_number(&options->activation_dropout, 0);
}

// A new LSTM over features that stay as they are: nothing has to be spared.
static void decide_features(struct qkv_train_options *options) {
  if (!options->features) return;
  decide_integer(&options->lstm_layers, 2);
  decide_integer(&options->lstm_hidden, 768);
  decide_number(&options->learning_rate, 0.001);
}

void recipe_decide(struct qkv_train_options *options, uint64_t amount, struct buffer *said) {
  const struct recipe *recipe = recipe_for(options->task, amount);
  const struct task_settings *row = settings_for(options->task);
  if (!options->from) decide_new_model(options, recipe, amount, said);
  decide_features(options);
  decide_number(&options->learning_rate, row->tuning_rate);
  decide_integer(&options->warmup_steps, row->tuning_warmup);
  decide_text(&options->schedule, row->schedule);
  if (row->least_rate >= 0) decide_number(&options->min_learning_rate, row->least_rate * options->learning_rate);
  if (row->beta2 >= 0) decide_number(&options->beta2, row->beta2);
  if (row->epsilon >= 0) decide_number(&options->adam_epsilon, row->epsilon);
  if (options->batch_size > 0 && options->context > 0)
    decide_integer(&options->batch_tokens, options->batch_size * options->context);
  decide_integer(&options->batch_tokens, recipe->batch_tokens);
  decide_integer(&options->accumulate, 1);
  if (row->label_smoothing >= 0) decide_number(&options->label_smoothing, row->label_smoothing);
  decide_number(&options->weight_decay, row->weight_decay);
  decide_number(&options->clip_norm, 1);
  decide_if_integer(&options->max_length, options->batch_tokens < row->max_length ? options->batch_tokens : row->max_length);
  decide_if_text(&options->on_long, row->on_long);
  decide_if_text(&options->cross_documents, row->cross_documents);
  decide_if_text(&options->direction, row->direction);
  decide_integer(&options->seed, 1);
  decide_integer(&options->patience, row->patience);
  decide_text(&options->metric, row->metric);
  decide_integer(&options->average, row->average);
  if (options->average) decide_text(&options->average_of, "best");
  decide_integer(&options->keep_every, 0);
}

static int64_t between(int64_t low, int64_t value, int64_t high) { return value < low ? low : value > high ? high : value; }

void recipe_decide_steps(struct qkv_train_options *options, uint64_t amount, int64_t updates_per_epoch, struct buffer *said) {
  const struct task_settings *row = settings_for(options->task);
  if (options->max_steps < 0 && options->epochs < 0 && row->tuning_epochs) {
    options->epochs = options->features ? FEATURE_EPOCHS : amount > MANY_EXAMPLES ? 2 : row->tuning_epochs;
    buffer_format(said, "%d epochs (--epochs, --max-steps)\n", (int)options->epochs);
  }
  if (options->max_steps < 0 && options->epochs < 0 && options->max_time < 0) {
    options->max_steps = options->from ? 20 * updates_per_epoch : recipe_for(options->task, amount)->max_steps;
    buffer_format(said, "at most %" PRId64 " updates, %.1f epochs (--max-steps, --epochs, --max-time)", options->max_steps,
                  (double)options->max_steps / (double)updates_per_epoch);
    if (options->patience > 0)
      buffer_format(said, "; fewer if %" PRId64 " validations in a row bring nothing (--patience)", options->patience);
    buffer_char(said, '\n');
  }
  int64_t end = INT64_MAX;
  if (options->epochs >= 0) end = options->epochs * updates_per_epoch;
  if (options->max_steps >= 0 && options->max_steps < end) end = options->max_steps;
  if (options->warmup_steps < 0) options->warmup_steps = end == INT64_MAX ? 100 : end / 10;
  if (options->valid_every < 0) {
    options->valid_every =
      between(50, end == INT64_MAX ? updates_per_epoch : end / settings_for(options->task)->validations, 2000);
    buffer_format(said, "validation after every %" PRId64 " updates (--valid-every)\n", options->valid_every);
  }
}
