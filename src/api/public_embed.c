// Vectors of texts, and of a word in texts: hidden states of an encoder, pooled.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "generate/sequence_pass.h"
#include "hf/sentence_modules.h"
#include "text/cut_encoding.h"

struct embedding {
  const struct qkv_embed_options *options;
  const struct model *model;
  const struct tokenizer *tokenizer;
  struct error *error;
  int pooling;
  bool normalized;
  size_t limit;                     // rows of a text
  char name[48];                    // of the wanted hidden states; "": the last ones
  struct encoding *encodings;       // [count]
  struct pass_sequence *sequences;  // [count]
  size_t *cut, *invalid;            // [count]
  size_t count;
  struct qkv_array vectors;
  // Of one word:
  const char *word;
  struct rows {
    int first, count;
  } * words;  // [count] the word's rows of each text
  // While a batch runs:
  const struct batch *batch;
  const uint32_t *numbers;
};

static struct rows all_rows(const struct embedding *embedding, size_t number) {
  return (struct rows){0, embedding->sequences[number].count};
}

// ---- pooling ----

static void pool_sum(float *out, const float *hidden, int rows, int width, float factor) {
  for (int c = 0; c < width; c++) {
    float sum = 0;
    for (int r = 0; r < rows; r++) sum += hidden[(size_t)r * (size_t)width + (size_t)c];
    out[c] = sum * factor;
  }
}

static void pool_max(float *out, const float *hidden, int rows, int width) {
  memcpy(out, hidden, (size_t)width * sizeof *out);
  for (int r = 1; r < rows; r++)
    for (int c = 0; c < width; c++)
      if (hidden[(size_t)r * (size_t)width + (size_t)c] > out[c]) out[c] = hidden[(size_t)r * (size_t)width + (size_t)c];
}

static int pool(float *out, const float *hidden, int rows, int width, int pooling) {
  float *start = out;
  for (int kind = 1; kind <= TEXT_LAST; kind <<= 1) {
    if (!(pooling & kind)) continue;
    if (kind == TEXT_FIRST) memcpy(out, hidden, (size_t)width * sizeof *out);
    if (kind == TEXT_MEAN) pool_sum(out, hidden, rows, width, 1.0f / (float)rows);
    if (kind == TEXT_MAX) pool_max(out, hidden, rows, width);
    if (kind == TEXT_MEAN_SQRT) pool_sum(out, hidden, rows, width, 1.0f / sqrtf((float)rows));
    if (kind == TEXT_LAST) memcpy(out, hidden + (size_t)(rows - 1) * (size_t)width, (size_t)width * sizeof *out);
    out += width;
  }
  return (int)(out - start);
}

static void normalise(float *vector, int width) {
  double sum = 0;
  for (int i = 0; i < width; i++) sum += (double)vector[i] * vector[i];
  float factor = (float)(1 / fmax(sqrt(sum), 1e-12));
  for (int i = 0; i < width; i++) vector[i] *= factor;
}

// One batch's rows of one hidden state: the vectors of its texts. `layer`, `layers`: where they go in the result.
static void take_hidden(struct embedding *embedding, const float *hidden, size_t layer, size_t layers) {
  int width = embedding->model->arch.hidden;
  size_t columns = embedding->vectors.shape[embedding->vectors.dimensions - 1];
  for (int i = 0; i < embedding->batch->text_count; i++) {
    size_t number = embedding->numbers[i];
    struct rows rows = embedding->words ? embedding->words[number] : all_rows(embedding, number);
    float *out = embedding->vectors.data + (number * layers + layer) * columns;
    int size = pool(out, hidden + (size_t)(embedding->batch->texts[i].first + rows.first) * (size_t)width, rows.count, width,
                    embedding->pooling);
    if (embedding->normalized) normalise(out, size);
  }
}

static void begin_batch(void *user, const struct batch *batch, const uint32_t *numbers) {
  struct embedding *embedding = user;
  embedding->batch = batch;
  embedding->numbers = numbers;
}

static void catch_hidden(void *user, const char *name, const struct tensor *tensor) {
  struct embedding *embedding = user;
  if (embedding->words) {
    const char *layer = strstr(name, ".hidden.");
    if (layer) take_hidden(embedding, tensor->data, (size_t)atoi(layer + strlen(".hidden.")), embedding->vectors.shape[1]);
  } else if (strcmp(name, embedding->name) == 0) {
    take_hidden(embedding, tensor->data, 0, 1);
  }
}

static bool take_last(void *user, struct context *context, const struct batch *batch, struct tensor *hidden,
                      const uint32_t *numbers) {
  struct embedding *embedding = user;
  (void)context, (void)batch, (void)numbers;
  if (!embedding->words && !embedding->name[0]) take_hidden(embedding, hidden->data, 0, 1);
  return true;
}

// ---- what the model's files and the caller say ----

static bool decide_layer(struct embedding *embedding) {
  const struct arch *arch = &embedding->model->arch;
  int layers = arch_head_stack(arch)->layers;
  if (embedding->options->layer > layers)
    return error_set(embedding->error, ERROR_USAGE,
                     "layer is %lld; the model has the layers 0 to %d, 0 being the embeddings' output",
                     (long long)embedding->options->layer, layers);
  int layer = embedding->options->layer < 0 ? layers : (int)embedding->options->layer;
  // The pass hands on the last layer, unless what comes after it are features for a head.
  if (layer < layers || arch_has_features(arch))
    snprintf(embedding->name, sizeof embedding->name, "%s.hidden.%d", arch->family == FAMILY_DECODER ? "decoder" : "encoder",
             layer);
  return true;
}

static bool decide(struct embedding *embedding, const struct qkv_model *model) {
  const struct qkv_embed_options *options = embedding->options;
  const struct arch *arch = &embedding->model->arch;
  struct sentence_modules modules = {0};
  if (arch->family == FAMILY_ENCODER_DECODER)
    return error_set(embedding->error, ERROR_UNSUPPORTED,
                     "%s: vectors of texts come from a model with one stack; this one has two", model->directory);
  if (!options->pooling && !sentence_modules_read(&modules, model->directory, embedding->error)) return false;
  if (!options->pooling && !modules.found && !embedding->word)
    return error_set(embedding->error, ERROR_USAGE,
                     "%s: there is no modules.json that says how the vector of a text is made from those of its tokens; give "
                     "--pooling mean, cls, max, mean-sqrt or last",
                     model->directory);
  embedding->pooling = modules.pooling;
  if (options->pooling && !(embedding->pooling = text_pooling_find(options->pooling)))
    return error_set(embedding->error, ERROR_USAGE, "pooling is \"%s\"; wanted mean, cls, max, mean-sqrt or last",
                     options->pooling);
  if (embedding->word) embedding->pooling = TEXT_MEAN;
  embedding->normalized = embedding->word ? false : options->normalize >= 0 ? options->normalize > 0 : modules.normalized;
  embedding->limit = arch->positions == POSITIONS_NONE ? 1 << 20 : (size_t)arch->max_positions;
  if (modules.max_length && (size_t)modules.max_length < embedding->limit) embedding->limit = (size_t)modules.max_length;
  if (options->max_length > 0 && (size_t)options->max_length < embedding->limit) embedding->limit = (size_t)options->max_length;
  return decide_layer(embedding);
}

// ---- text to ids ----

struct encoding_work {
  struct embedding *embedding;
  const struct qkv_strings *texts;
  struct error *errors;  // [workers]
};

static void encode_text(void *data, size_t index, int worker) {
  struct encoding_work *work = data;
  struct embedding *embedding = work->embedding;
  struct encoding *encoding = &embedding->encodings[index];
  const char *text = work->texts->items[index];
  encoding->keep_all = true;
  if (!tokenizer_encode(embedding->tokenizer, text, strlen(text), true, encoding, &work->errors[worker])) return;
  embedding->cut[index] = encoding_cut(encoding, embedding->limit);
  embedding->invalid[index] = encoding->invalid;
  embedding->sequences[index] = (struct pass_sequence){encoding->ids, encoding->types, (int)encoding->count};
}

static bool check_sequence(const struct embedding *embedding, size_t index) {
  const struct arch *arch = &embedding->model->arch;
  int vocabulary = arch_head_stack(arch) == &arch->decoder ? arch->target_vocab : arch->source_vocab;
  const struct pass_sequence *sequence = &embedding->sequences[index];
  if (!sequence->count)
    return error_set(embedding->error, ERROR_USAGE, "text %zu gives no token, and the tokenizer puts none around it", index + 1);
  for (int i = 0; i < sequence->count; i++)
    if (sequence->ids[i] < 0 || sequence->ids[i] >= vocabulary)
      return error_set(embedding->error, ERROR_FORMAT,
                       "the tokenizer gives the id %d, but the model has only %d tokens; tokenizer.json and config.json do not "
                       "belong together",
                       sequence->ids[i], vocabulary);
  return true;
}

static bool encode(struct embedding *embedding, const struct qkv_strings *texts) {
  struct encoding_work work = {embedding, texts, memory_new(embedding->error, (size_t)parallel_threads(), sizeof *work.errors)};
  if (!work.errors) return false;
  parallel_for(embedding->count, encode_text, &work);
  for (int i = 0; i < parallel_threads(); i++)
    if (work.errors[i].code != ERROR_NONE) error_set(embedding->error, work.errors[i].code, "%s", work.errors[i].message);
  free(work.errors);
  for (size_t i = 0; i < embedding->count && embedding->error->code == ERROR_NONE; i++) check_sequence(embedding, i);
  return embedding->error->code == ERROR_NONE;
}

static bool in_word(char c) { return (unsigned char)c >= 0x80 || isalnum((unsigned char)c); }

// The pieces of the word's first occurrence in a text, which no letter or digit may touch.
static bool find_word(struct embedding *embedding, const char *text, size_t index) {
  const struct encoding *encoding = &embedding->encodings[index];
  size_t size = strlen(embedding->word);
  struct rows *rows = &embedding->words[index];
  for (const char *at = text; size && (at = strstr(at, embedding->word)); at++) {
    size_t start = (size_t)(at - text), end = start + size;
    if ((start && in_word(text[start - 1]) && in_word(text[start])) || (in_word(text[end]) && in_word(text[end - 1]))) continue;
    for (size_t i = 0; i < encoding->count; i++)
      if (encoding->sequences[i] >= 0 && encoding->ends[i] > start && encoding->starts[i] < end && !rows->count++)
        rows->first = (int)i;
    if (rows->count) return true;
  }
  return error_set(embedding->error, ERROR_USAGE, "text %zu does not hold the word \"%s\": \"%.80s\"", index + 1, embedding->word,
                   text);
}

// ---- the public functions ----

static int pool_count(int pooling) {
  int count = 0;
  for (; pooling; pooling &= pooling - 1) count++;
  return count;
}

static bool make_room(struct embedding *embedding) {
  size_t count = embedding->count, width = (size_t)embedding->model->arch.hidden * (size_t)pool_count(embedding->pooling);
  size_t layers = (size_t)arch_head_stack(&embedding->model->arch)->layers + 1;
  struct qkv_array *vectors = &embedding->vectors;
  *vectors = (struct qkv_array){.shape = {count, width}, .dimensions = 2};
  if (embedding->word) *vectors = (struct qkv_array){.shape = {count, layers, width}, .dimensions = 3};
  vectors->data = memory_new(embedding->error, count * width * (embedding->word ? layers : 1) + 1, sizeof *vectors->data);
  embedding->encodings = memory_new(embedding->error, count + 1, sizeof *embedding->encodings);
  embedding->sequences = memory_new(embedding->error, count + 1, sizeof *embedding->sequences);
  embedding->cut = memory_new(embedding->error, count + 1, sizeof *embedding->cut);
  embedding->invalid = memory_new(embedding->error, count + 1, sizeof *embedding->invalid);
  if (embedding->word) embedding->words = memory_new(embedding->error, count + 1, sizeof *embedding->words);
  return embedding->error->code == ERROR_NONE;
}

static bool embed(struct embedding *embedding, struct qkv_model *model, const struct qkv_strings *texts) {
  embedding->count = texts->count;
  embedding->model = public_model_ready(model, embedding->error);
  embedding->tokenizer = embedding->model ? public_model_tokenizer(model, embedding->error) : NULL;
  if (!embedding->tokenizer || !decide(embedding, model) || !make_room(embedding) || !encode(embedding, texts)) return false;
  for (size_t i = 0; embedding->word && i < embedding->count; i++)
    if (!find_word(embedding, texts->items[i], i)) return false;
  bool probing = embedding->word || embedding->name[0];
  struct sequence_pass pass = {.model = embedding->model,
                               .sequences = embedding->sequences,
                               .count = embedding->count,
                               .take = take_last,
                               .begin = begin_batch,
                               .probe = probing ? catch_hidden : NULL,
                               .user = embedding};
  return sequence_pass_run(&pass, embedding->error);
}

struct qkv_embed_options qkv_embed_options_default(void) {
  return (struct qkv_embed_options){.layer = -1, .normalize = -1, .max_length = -1};
}

static struct qkv_embeddings *run(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                  const char *word, const struct qkv_embed_options *options) {
  struct qkv_embed_options defaults = qkv_embed_options_default();
  struct error *error = public_begin(context);
  struct embedding embedding = {.options = options ? options : &defaults, .error = error, .word = word};
  struct qkv_embeddings *result = memory_new(error, 1, sizeof *result);
  bool ok = result && embed(&embedding, model, texts);
  for (size_t i = 0; embedding.encodings && i < embedding.count; i++) encoding_free(&embedding.encodings[i]);
  free(embedding.encodings);
  free(embedding.sequences);
  free(embedding.words);
  if (ok) {
    *result = (struct qkv_embeddings){embedding.vectors, embedding.cut, embedding.invalid};
    return result;
  }
  free(embedding.vectors.data);
  free(embedding.cut);
  free(embedding.invalid);
  free(result);
  return NULL;
}

struct qkv_embeddings *qkv_embed(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                 const struct qkv_embed_options *options) {
  return run(context, model, texts, NULL, options);
}

struct qkv_embeddings *qkv_embed_word(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                      const char *word) {
  return run(context, model, texts, word, NULL);
}

void qkv_embeddings_free(struct qkv_embeddings *embeddings) {
  if (!embeddings) return;
  free(embeddings->vectors.data);
  free((size_t *)embeddings->cut);
  free((size_t *)embeddings->invalid);
  free(embeddings);
}
