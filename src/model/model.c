// A model's weights: which there are, their shapes, names and first values. Running it is in stack.c.
#include "model/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "model/rotary_frequencies.h"
#include "tensor/profile.h"

// Weights are registered twice by the same code: once to count them, once to fill the array, so that pointers stay valid.
struct builder {
  struct model *model;
  int count;
  char prefix[48];
};

static struct weight *add(struct builder *builder, const char *name, int rows, int cols) {
  int index = builder->count++;
  if (!builder->model->weights) return NULL;
  struct weight *weight = &builder->model->weights[index];
  if (snprintf(weight->name, sizeof weight->name, "%s%s", builder->prefix, name) >= (int)sizeof weight->name) return NULL;
  weight->rows = rows;
  weight->cols = cols;
  weight->part_count = 1;
  weight->parts[0].rows = rows;
  weight->trainable = true;
  weight->rate = 1;
  weight->zero_row = weight->frozen_row = -1;
  return weight;
}

static struct weight *add_vector(struct builder *builder, const char *name, int size, enum initialisation initialisation) {
  struct weight *weight = add(builder, name, size, 1);
  if (weight) weight->initialisation = initialisation;
  return weight;
}

static void set_matrix_start(const struct builder *builder, struct weight *weight) {
  float deviation = builder->model->arch.initial_deviation;
  weight->initialisation = deviation > 0 ? INITIAL_NORMAL : INITIAL_XAVIER;
  weight->deviation = deviation;
  weight->decayed = true;
}

// A linear layer whose output is up to three parts one after the other (rows[1] and rows[2] may be 0).
static struct linear_weights add_linear(struct builder *builder, const char *name, int first, int second, int third, int inputs,
                                        bool bias) {
  char full[48];
  int rows = first + second + third;
  snprintf(full, sizeof full, "%s.weight", name);
  struct linear_weights linear = {.weight = add(builder, full, rows, inputs)};
  if (linear.weight) {
    const int parts[3] = {first, second, third};
    linear.weight->part_count = 0;
    for (int i = 0; i < 3; i++)
      if (parts[i]) linear.weight->parts[linear.weight->part_count++].rows = parts[i];
    linear.weight->product = true;
    set_matrix_start(builder, linear.weight);
  }
  if (!bias) return linear;
  snprintf(full, sizeof full, "%s.bias", name);
  linear.bias = add_vector(builder, full, rows, INITIAL_ZERO);
  if (linear.bias) {
    linear.bias->part_count = linear.weight->part_count;
    for (int i = 0; i < linear.weight->part_count; i++) linear.bias->parts[i].rows = linear.weight->parts[i].rows;
  }
  return linear;
}

static struct weight *add_followed(struct builder *builder, const char *norm, const char *name, int size,
                                   enum initialisation initialisation) {
  char full[48];
  snprintf(full, sizeof full, "%s.%s", norm, name);
  struct weight *weight = add_vector(builder, full, size, initialisation);
  if (!weight) return NULL;
  weight->trainable = false;
  weight->followed = true;
  return weight;
}

// The norm of rows that are no sequences.
static struct norm_weights add_row_norm(struct builder *builder, const char *name, int width) {
  const struct arch *arch = &builder->model->arch;
  struct norm_weights norm = {0};
  if (arch->norm == NORM_NONE) return norm;
  char full[48];
  snprintf(full, sizeof full, "%s.gain", name);
  norm.gain = add_vector(builder, full, width, INITIAL_ONE);
  snprintf(full, sizeof full, "%s.bias", name);
  if (arch->norm != NORM_RMS) norm.bias = add_vector(builder, full, width, INITIAL_ZERO);
  return norm;
}

static struct norm_weights add_norm(struct builder *builder, const char *name, int width) {
  struct norm_weights norm = add_row_norm(builder, name, width);
  if (builder->model->arch.norm != NORM_BATCH) return norm;
  norm.running.mean = add_followed(builder, name, "running_mean", width, INITIAL_ZERO);
  norm.running.variance = add_followed(builder, name, "running_var", width, INITIAL_ONE);
  norm.running.batches = add_followed(builder, name, "num_batches_tracked", 1, INITIAL_ZERO);
  return norm;
}

static float table_deviation(const struct arch *arch) {
  return arch->initial_deviation > 0 ? arch->initial_deviation : (float)(1 / sqrt(arch_embedding_width(arch)));
}

static struct weight *add_table(struct builder *builder, const char *name, int rows, int cols) {
  struct weight *weight = add(builder, name, rows, cols);
  if (!weight) return NULL;
  weight->initialisation = INITIAL_NORMAL;
  weight->deviation = table_deviation(&builder->model->arch);
  weight->decayed = true;
  return weight;
}

static struct weight *add_embedding(struct builder *builder, const char *name, int vocabulary) {
  const struct arch *arch = &builder->model->arch;
  struct weight *weight = add_table(builder, name, vocabulary, arch_embedding_width(arch));
  if (!weight) return NULL;
  weight->zero_row = arch->pad_id >= 0 && arch->pad_id < vocabulary && !arch->padding_learnt ? arch->pad_id : -1;
  return weight;
}

static struct weight *add_positions(struct builder *builder) {
  const struct arch *arch = &builder->model->arch;
  if (arch->positions == POSITIONS_NONE || arch->positions == POSITIONS_ROTARY) return NULL;
  struct weight *weight = add(builder, "positions", arch->max_positions + arch->position_offset, arch_embedding_width(arch));
  if (!weight) return NULL;
  bool learned = arch->positions == POSITIONS_LEARNED;
  weight->trainable = weight->decayed = learned;
  weight->initialisation = learned                                 ? INITIAL_NORMAL
                           : arch->positions == POSITIONS_SINUSOID ? INITIAL_SINUSOID
                                                                   : INITIAL_SINUSOID_INTERLEAVED;
  weight->deviation = table_deviation(arch);
  return weight;
}

static void scale_start(const struct builder *builder, const struct stack_arch *stack, struct weight *weight) {
  if (weight && builder->model->arch.scaled_residuals) weight->deviation = (float)(weight->deviation / sqrt(2.0 * stack->layers));
}

static struct weight *add_score(struct builder *builder, const char *name, int heads, int width) {
  enum attention_score score = builder->model->arch.attention_score;
  if (score != SCORE_GENERAL && score != SCORE_ADDITIVE) return NULL;
  struct weight *weight = add(builder, name, score == SCORE_GENERAL ? heads * width : heads, width);
  if (!weight) return NULL;
  weight->initialisation = INITIAL_NORMAL;
  weight->deviation = (float)(1 / sqrt(width));
  weight->direct = weight->decayed = true;
  return weight;
}

static void add_self(struct builder *builder, struct attention_weights *self, const struct stack_arch *stack) {
  const struct arch *arch = &builder->model->arch;
  int hidden = arch->hidden, width = arch_head_width(arch, stack), query = stack->heads * width, key = stack->kv_heads * width;
  self->norm = add_norm(builder, "self.norm", hidden);
  if (arch->attention_bare) return;
  self->query_key_value = add_linear(builder, "self.query_key_value", query, key, key, hidden, arch->attention_bias);
  self->output = add_linear(builder, "self.output", hidden, 0, 0, query, arch->attention_bias);
  self->score = add_score(builder, "self.score.weight", stack->heads, width);
}

static void add_cross(struct builder *builder, struct attention_weights *cross, const struct stack_arch *stack) {
  const struct arch *arch = &builder->model->arch;
  int hidden = arch->hidden, width = arch_head_width(arch, stack), query = stack->heads * width, key = stack->kv_heads * width;
  cross->norm = add_norm(builder, "cross.norm", hidden);
  if (arch->attention_bare) return;
  cross->query = add_linear(builder, "cross.query", query, 0, 0, hidden, arch->attention_bias);
  cross->key_value = add_linear(builder, "cross.key_value", key, key, 0, hidden, arch->attention_bias);
  cross->output = add_linear(builder, "cross.output", hidden, 0, 0, query, arch->attention_bias);
  cross->score = add_score(builder, "cross.score.weight", stack->heads, width);
}

static void add_layer(struct builder *builder, struct layer *layer, const struct stack_arch *stack, bool cross) {
  const struct arch *arch = &builder->model->arch;
  int hidden = arch->hidden;
  add_self(builder, &layer->self, stack);
  if (cross) add_cross(builder, &layer->cross, stack);
  layer->up = add_linear(builder, "feed_forward.up", stack->ffn, arch->gated ? stack->ffn : 0, 0, hidden, arch->ffn_bias);
  layer->down = add_linear(builder, "feed_forward.down", hidden, 0, 0, stack->ffn, arch->ffn_bias);
  layer->feed_forward_norm = add_norm(builder, "feed_forward.norm", hidden);
  scale_start(builder, stack, layer->self.output.weight);
  scale_start(builder, stack, layer->cross.output.weight);
  scale_start(builder, stack, layer->down.weight);
}

static void add_stack(struct builder *builder, struct stack *stack, const char *name, const struct stack_arch *shape,
                      bool cross) {
  const struct arch *arch = &builder->model->arch;
  snprintf(builder->prefix, sizeof builder->prefix, "%s.", name);
  stack->arch = shape;
  stack->positions = add_positions(builder);
  if (arch->types) stack->types = add_table(builder, "types", arch->types, arch_embedding_width(arch));
  if (arch->embedding_norm) stack->embedding_norm = add_norm(builder, "embedding_norm", arch_embedding_width(arch));
  if (arch->embedding_width)
    stack->embedding_projection = add_linear(builder, "embedding_projection", arch->hidden, 0, 0, arch->embedding_width, true);
  if (arch->relative_buckets && shape == &arch->encoder)
    stack->relative = add_table(builder, "relative", arch->relative_buckets, shape->heads);
  int each = shape->groups ? shape->layers / shape->groups : 1;
  for (int i = 0; i < shape->layers; i++) {
    snprintf(builder->prefix, sizeof builder->prefix, "%s.%d.", name, i / each);
    if (i % each) stack->layers[i] = stack->layers[i - 1];
    else add_layer(builder, &stack->layers[i], shape, cross);
  }
  snprintf(builder->prefix, sizeof builder->prefix, "%s.", name);
  if (arch->final_norm) stack->final_norm = add_norm(builder, "norm", arch->hidden);
  builder->prefix[0] = 0;
}

static void add_embeddings(struct builder *builder) {
  struct model *model = builder->model;
  const struct arch *arch = &model->arch;
  if (arch->family == FAMILY_ENCODER_DECODER && arch->shared_embeddings) {
    model->encoder.embedding = model->decoder.embedding = add_embedding(builder, "embedding", arch->target_vocab);
    return;
  }
  if (arch->family != FAMILY_DECODER) model->encoder.embedding = add_embedding(builder, "encoder.embedding", arch->source_vocab);
  if (arch->family != FAMILY_ENCODER) model->decoder.embedding = add_embedding(builder, "decoder.embedding", arch->target_vocab);
}

static void add_vocabulary(struct builder *builder, struct head_weights *head, struct weight *embedding) {
  const struct arch *arch = &builder->model->arch;
  int vocabulary = arch_head_vocabulary(arch), width = arch->head_transform ? arch_embedding_width(arch) : arch->hidden;
  if (arch->head_transform) {
    head->transform = add_linear(builder, "head.transform", width, 0, 0, arch->hidden, true);
    head->transform_norm = add_row_norm(builder, "head.transform.norm", width);
  }
  head->vocabulary.weight = arch->tied_head ? embedding : add(builder, "head.weight", vocabulary, width);
  if (head->vocabulary.weight) head->vocabulary.weight->product = true;
  if (head->vocabulary.weight && !arch->tied_head) set_matrix_start(builder, head->vocabulary.weight);
  if (!arch->head_bias) return;
  head->vocabulary.bias = add_vector(builder, "head.bias", vocabulary, INITIAL_ZERO);
  if (head->vocabulary.bias) head->vocabulary.bias->trainable = arch->head_bias_trainable;
}

// Of about the deviation that PyTorch's uniform numbers have; its biases are as small as that, ours 0.
static void add_lstm_matrix(struct builder *builder, struct weight **weight, const char *name, int hidden, int inputs) {
  *weight = add(builder, name, 4 * hidden, inputs);
  if (!*weight) return;
  (*weight)->product = (*weight)->decayed = true;
  (*weight)->initialisation = INITIAL_NORMAL;
  (*weight)->deviation = (float)sqrt(1 / (3.0 * hidden));
}

static void add_lstm(struct builder *builder) {
  static const char *const directions[] = {"forward", "backward"};
  const struct arch *arch = &builder->model->arch;
  int hidden = arch->lstm.hidden;
  for (int layer = 0; layer < arch->lstm.layers; layer++)
    for (int d = 0; d < 2; d++) {
      struct lstm_weights *weights = &builder->model->head.lstm[layer][d];
      snprintf(builder->prefix, sizeof builder->prefix, "head.lstm.%d.%s.", layer, directions[d]);
      add_lstm_matrix(builder, &weights->input, "input.weight", hidden, layer ? 2 * hidden : arch_feature_width(arch));
      add_lstm_matrix(builder, &weights->recurrent, "recurrent.weight", hidden, hidden);
      weights->input_bias = add_vector(builder, "input.bias", 4 * hidden, INITIAL_ZERO);
      weights->recurrent_bias = add_vector(builder, "recurrent.bias", 4 * hidden, INITIAL_ZERO);
    }
  builder->prefix[0] = 0;
}

static void add_features(struct builder *builder) {
  const struct arch *arch = &builder->model->arch;
  struct norm_weights *mix = &builder->model->head.mix;
  if (arch->features == FEATURES_WEIGHTED) {
    mix->bias = add_vector(builder, "head.mix.bias", arch_head_stack(arch)->layers + 1, INITIAL_ZERO);
    mix->gain = add_vector(builder, "head.mix.gain", 1, INITIAL_ONE);
  }
  add_lstm(builder);
}

static void add_head(struct builder *builder) {
  struct model *model = builder->model;
  const struct arch *arch = &model->arch;
  struct stack *below = arch->family == FAMILY_ENCODER ? &model->encoder : &model->decoder;
  add_features(builder);
  if (arch_has_vocabulary(arch)) add_vocabulary(builder, &model->head, below->embedding);
  int outputs = arch_head_outputs(arch), inputs = arch_head_inputs(arch);
  if (arch->pooler) model->head.pooler = add_linear(builder, "head.pooler", arch->hidden, 0, 0, inputs, true);
  if (arch->pooler && arch_has_texts(arch)) inputs = arch->hidden;
  if (arch->head == HEAD_REPLACED && arch->head_transform) {
    model->head.transform = add_linear(builder, "head.transform", arch->hidden, 0, 0, inputs, true);
    inputs = arch->hidden;
  }
  if (outputs) model->head.classifier = add_linear(builder, "head.classifier", outputs, 0, 0, inputs, arch->classifier_bias);
}

static void add_weights(struct builder *builder) {
  struct model *model = builder->model;
  const struct arch *arch = &model->arch;
  add_embeddings(builder);
  if (arch->family != FAMILY_DECODER) add_stack(builder, &model->encoder, "encoder", &model->arch.encoder, false);
  if (arch->family != FAMILY_ENCODER)
    add_stack(builder, &model->decoder, "decoder", &model->arch.decoder, arch->family == FAMILY_ENCODER_DECODER);
  add_head(builder);
}

static bool make_layers(struct stack *stack, const struct arch *arch, const struct stack_arch *shape, struct error *error) {
  stack->layers = memory_new(error, (size_t)shape->layers, sizeof *stack->layers);
  if (!stack->layers || arch->positions != POSITIONS_ROTARY || !shape->layers) return stack->layers != NULL;
  int width = arch_head_width(arch, shape);
  stack->rotary = memory_new(error, (size_t)width / 2, sizeof *stack->rotary);
  if (stack->rotary) stack->rotary_scale = rotary_frequencies(stack->rotary, arch, width, 0);
  return stack->rotary != NULL;
}

static void free_layers(struct stack *stack) {
  free(stack->layers);
  free(stack->rotary);
}

struct model *model_new(const struct arch *arch, struct error *error) {
  if (!arch_check(arch, error)) return NULL;
  struct model *model = memory_new(error, 1, sizeof *model);
  if (!model) return NULL;
  model->arch = *arch;
  model->decoder.causal = true;
  model->decoder.cross = arch->family == FAMILY_ENCODER_DECODER;
  model->decoder.site = 1 << 20;  // behind the encoder's: 1,024 for the embeddings and for each layer (enum site in stack.c)
  bool ok = make_layers(&model->encoder, arch, &arch->encoder, error) &&
            make_layers(&model->decoder, arch, &arch->decoder, error);
  if (ok) {
    struct builder counter = {.model = model};
    add_weights(&counter);
    model->weights = memory_new(error, (size_t)counter.count, sizeof *model->weights);
    model->weight_count = counter.count;
  }
  if (!ok || !model->weights) {
    model_free(model);
    return NULL;
  }
  struct builder builder = {.model = model};
  add_weights(&builder);
  return model;
}

void model_free(struct model *model) {
  if (!model) return;
  for (int i = 0; model->weights && i < model->weight_count; i++) weight_free(&model->weights[i]);
  free(model->weights);
  free_layers(&model->encoder);
  free_layers(&model->decoder);
  free(model);
}

struct weight *model_weight(const struct model *model, const char *name) {
  for (int i = 0; i < model->weight_count; i++)
    if (strcmp(model->weights[i].name, name) == 0) return &model->weights[i];
  return NULL;
}

bool model_initialise(struct model *model, uint64_t seed, struct error *error) {
  for (int i = 0; i < model->weight_count; i++) {
    if (!weight_own_values(&model->weights[i], error)) return false;
    weight_initialise(&model->weights[i], seed);
  }
  return true;
}

// What lies in a mapped file stays there.
static bool copy_weight(struct weight *to, const struct weight *from, struct error *error) {
  memcpy(to->parts, from->parts, sizeof to->parts);
  if (!from->values) return true;
  if (!weight_own_values(to, error)) return false;
  memcpy(to->values, from->values, weight_size(from) * sizeof *from->values);
  return true;
}

// A weight with one row a token.
static bool lengthen(struct weight *to, const struct weight *from, uint64_t seed, struct error *error) {
  float *scratch = memory_new(error, (size_t)from->cols, sizeof *scratch);
  bool ok = scratch && weight_own_values(to, error);
  if (ok) weight_initialise(to, seed);
  for (int row = 0; ok && row < from->rows; row++)
    memcpy(to->values + (size_t)row * (size_t)to->cols, weight_row(from, row, scratch), (size_t)to->cols * sizeof *to->values);
  free(scratch);
  return ok;
}

struct model *model_with_vocabulary(const struct model *model, int vocabulary, uint64_t seed, struct error *error) {
  struct arch arch = model->arch;
  *(arch.family == FAMILY_ENCODER ? &arch.source_vocab : &arch.target_vocab) = vocabulary;
  struct model *larger = model_new(&arch, error);
  bool ok = larger != NULL;
  for (int i = 0; ok && i < model->weight_count; i++) {
    const struct weight *from = &model->weights[i];
    struct weight *to = &larger->weights[i];
    ok = to->rows == from->rows ? copy_weight(to, from, error) : lengthen(to, from, seed, error);
  }
  if (ok) return larger;
  model_free(larger);
  return NULL;
}

size_t model_parameters(const struct model *model) {
  size_t count = 0;
  for (int i = 0; i < model->weight_count; i++)
    if (model->weights[i].trainable) count += weight_size(&model->weights[i]);
  return count;
}

static bool is_vector(const struct weight *weight) { return weight->rows == 1 || weight->cols == 1; }

// Tables that no checkpoint holds are made here: sinusoids, and a bias that is a buffer of zeros.
static bool fill_missing(struct weight *weight, struct error *error) {
  if (weight->values || weight->parts[0].stored || weight->trainable) return true;
  if (!weight_own_values(weight, error)) return false;
  weight_initialise(weight, 0);
  return true;
}

struct model_memory model_memory(const struct model *model, const struct kernels *kernels) {
  struct model_memory memory = {0};
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    size_t numbers = weight_size(weight) * sizeof(float);
    size_t packed = weight->product ? kernels->packed_size(weight->rows, weight->cols) * sizeof(float) : 0;
    size_t turned = weight->product ? kernels->packed_size(weight->cols, weight->rows) * sizeof(float) : 0;
    memory.values += numbers;
    memory.packed += packed + turned;
    if (weight->trainable) memory.learning += 3 * numbers;
    memory.run += (is_vector(weight) || weight->direct || !weight->parts[0].stored ? numbers : 0) + packed;
  }
  return memory;
}

bool model_prepare(struct model *model, const struct kernels *kernels, bool training, struct error *error) {
  model->kernels = kernels;
  for (int i = 0; i < model->weight_count; i++) {
    struct weight *weight = &model->weights[i];
    if (!fill_missing(weight, error)) return false;
    if (training && !weight_start_training(weight, error)) return false;
    if ((is_vector(weight) || weight->direct) && !weight_own_values(weight, error)) return false;
    if (weight->product && !weight_pack(weight, kernels, training, error)) return false;
  }
  profile_done("weights", PROFILE_LOAD);
  return true;
}

static const size_t LARGE = (size_t)1 << 18;

struct each_weight {
  struct model *model;
  void (*task)(void *data, struct weight *weight);
  void *data;
};

static void do_small(void *data, size_t index, int worker) {
  const struct each_weight *each = data;
  struct weight *weight = &each->model->weights[index];
  if (weight_size(weight) < LARGE) each->task(each->data, weight);
}

void model_each_weight(struct model *model, void (*task)(void *data, struct weight *weight), void *data) {
  for (int i = 0; i < model->weight_count; i++)
    if (weight_size(&model->weights[i]) >= LARGE) task(data, &model->weights[i]);
  parallel_for((size_t)model->weight_count, do_small, &(struct each_weight){model, task, data});
}

static void repack(void *data, struct weight *weight) {
  const struct model *model = data;
  if (weight->packed && weight->trainable && weight->values) weight_repack(weight, model->kernels);
  profile_done("optimizer", PROFILE_UPDATE);
}

void model_repack(struct model *model) { model_each_weight(model, repack, model); }
