#include "train/recipe.h"

#include <inttypes.h>
#include <string.h>

static const struct size_preset sizes[] = {
  // name     hidden  ffn  heads  layers  rate  warm-up
  {"tiny", 128, 256, 4, 4, 4, 0.005, 2000},
  {"small", 256, 1024, 4, 3, 3, 0.002, 4000},
  {"base", 512, 2048, 8, 6, 6, 0.0007, 4000},
  {"large", 1024, 4096, 16, 6, 6, 0.0005, 4000},
};

// The less text, the smaller the model and the vocabulary and the more dropout.
static const struct recipe {
  uint64_t pairs;  // for up to so many
  const char *size;
  int vocab_size, batch_tokens, max_steps;
  double dropout;
} recipes[] = {
  {5000, "tiny", 2000, 2048, 4000, 0.3},
  {15000, "tiny", 5000, 4096, 6000, 0.3},
  {60000, "tiny", 10000, 8192, 8000, 0.3},
  {400000, "small", 16000, 8192, 30000, 0.2},
  {3000000, "base", 32000, 8192, 100000, 0.1},
  {UINT64_MAX, "base", 32000, 16384, 200000, 0.1},
};

const struct size_preset *size_preset_find(const char *name) {
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (strcmp(sizes[i].name, name) == 0) return &sizes[i];
  return NULL;
}

static const struct recipe *recipe_for(uint64_t pairs) {
  const struct recipe *recipe = recipes;
  while (pairs > recipe->pairs) recipe++;
  return recipe;
}

static void decide_integer(int64_t *field, int64_t value) {
  if (*field < 0) *field = value;
}

static void decide_number(double *field, double value) {
  if (*field < 0) *field = value;
}

static void decide_text(const char **field, const char *value) {
  if (!*field) *field = value;
}

static void decide_model(struct qkv_train_options *options, const struct size_preset *size, const struct recipe *recipe) {
  decide_text(&options->family, options->norm_place && strcmp(options->norm_place, "pre") == 0 ? "pegasus" : "marian");
  decide_text(&options->activation, "relu");
  decide_text(&options->norm, "layer");
  decide_text(&options->norm_place, strcmp(options->family, "pegasus") == 0 ? "pre" : "post");
  decide_text(&options->positions, "sinusoid");
  decide_text(&options->residual, "on");
  decide_integer(&options->hidden, size->hidden);
  decide_integer(&options->ffn, size->ffn);
  decide_integer(&options->heads, size->heads);
  decide_integer(&options->kv_heads, options->heads);
  decide_integer(&options->encoder_layers, size->encoder_layers);
  decide_integer(&options->decoder_layers, size->decoder_layers);
  if (options->tokenizer) return;
  decide_integer(&options->vocab_size, recipe->vocab_size);
  decide_integer(&options->lowercase, 0);
}

void recipe_decide(struct qkv_train_options *options, uint64_t pairs, struct buffer *said) {
  const struct recipe *recipe = recipe_for(pairs);
  bool new_model = !options->from;
  if (new_model) {
    bool chosen = !options->size;
    decide_text(&options->size, recipe->size);
    const struct size_preset *size = size_preset_find(options->size);
    decide_model(options, size, recipe);
    decide_number(&options->learning_rate, size->learning_rate);
    decide_integer(&options->warmup_steps, size->warmup_steps);
    if (chosen) buffer_format(said, "size %s, because there are %" PRIu64 " sentence pairs (--size)\n", options->size, pairs);
  }
  // A trained model is only nudged: small steps, and a short warm-up for the moments.
  decide_number(&options->learning_rate, 0.0002);
  decide_integer(&options->warmup_steps, 200);
  if (options->dropout < 0 && new_model)
    buffer_format(said, "dropout %g, because there are %" PRIu64 " sentence pairs (--dropout)\n", recipe->dropout, pairs);
  if (new_model) {
    decide_number(&options->dropout, recipe->dropout);
    decide_number(&options->attention_dropout, 0);
    decide_number(&options->activation_dropout, 0);
  }
  decide_text(&options->schedule, "inverse-sqrt");
  decide_integer(&options->batch_tokens, recipe->batch_tokens);
  decide_integer(&options->accumulate, 1);
  decide_number(&options->label_smoothing, 0.1);
  decide_number(&options->weight_decay, 0);
  decide_number(&options->clip_norm, 1);
  decide_integer(&options->max_length, options->batch_tokens < 256 ? options->batch_tokens : 256);
  decide_text(&options->on_long, "drop");
  decide_integer(&options->seed, 1);
  decide_integer(&options->patience, 10);
  decide_text(&options->metric, "bleu");
  decide_integer(&options->average, 5);
  if (options->average) decide_text(&options->average_of, "best");
  decide_integer(&options->keep_every, 0);
}

static int64_t between(int64_t low, int64_t value, int64_t high) { return value < low ? low : value > high ? high : value; }

void recipe_decide_steps(struct qkv_train_options *options, uint64_t pairs, int64_t updates_per_epoch, struct buffer *said) {
  if (options->max_steps < 0 && options->epochs < 0 && options->max_time < 0) {
    options->max_steps = options->from ? 20 * updates_per_epoch : recipe_for(pairs)->max_steps;
    buffer_format(said, "at most %" PRId64 " updates, %.1f epochs (--max-steps, --epochs, --max-time); fewer if %" PRId64
                  " validations in a row bring nothing (--patience)\n",
                  options->max_steps, (double)options->max_steps / (double)updates_per_epoch, options->patience);
  }
  int64_t end = INT64_MAX;
  if (options->epochs >= 0) end = options->epochs * updates_per_epoch;
  if (options->max_steps >= 0 && options->max_steps < end) end = options->max_steps;
  if (options->valid_every < 0) {
    options->valid_every = between(50, end == INT64_MAX ? updates_per_epoch : end / 32, 2000);
    buffer_format(said, "validation after every %" PRId64 " updates (--valid-every)\n", options->valid_every);
  }
}
