// What a model is, as a list of facts: from its arch, its files, and the sizes that the kernels would give its weights.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/file.h"
#include "base/memory.h"
#include "cpu/cpu.h"
#include "cpu/machine.h"
#include "generate/page_cache.h"
#include "data/ledger.h"
#include "hf/layout.h"
#include "model/knob_names.h"

enum { MOST_FACTS = 128, LABELS_SHOWN = 12 };

struct info {
  struct qkv_info public;  // first, so that a pointer to it is a pointer to this
  struct qkv_fact facts[MOST_FACTS];
  struct qkv_tensor_fact *tensors;
  struct error *error;
};

// --- adding facts

static void add(struct info *info, const char *name, double number, const char *text) {
  if (info->error->code || info->public.fact_count == MOST_FACTS) return;
  char *own_name = memory_copy_text(info->error, name), *own_text = memory_copy_text(info->error, text);
  info->facts[info->public.fact_count++] = (struct qkv_fact){own_name, own_text, number};
}

static void add_text(struct info *info, const char *name, const char *text) { add(info, name, NAN, text); }

// With a comma between groups of three digits.
static void add_count(struct info *info, const char *name, double number) {
  char digits[32], text[48];
  int length = snprintf(digits, sizeof digits, "%.0f", number), used = 0;
  for (int i = 0; i < length; i++) {
    text[used++] = digits[i];
    if ((length - i - 1) % 3 == 0 && i + 1 < length && digits[i] != '-') text[used++] = ',';
  }
  text[used] = 0;
  add(info, name, number, text);
}

static void add_size(struct info *info, const char *name, double bytes) {
  static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
  double value = bytes;
  int unit = 0;
  while (value >= 1000 && unit < 4) value /= 1000, unit++;
  struct buffer text = {0};
  buffer_decimal(&text, value, unit && value < 100 ? 1 : 0);
  buffer_format(&text, " %s", units[unit]);
  add(info, name, bytes, buffer_string(&text));
  buffer_free(&text);
}

static void add_number(struct info *info, const char *name, double number) {
  struct buffer text = {0};
  json_write_number(&text, number);
  add(info, name, number, buffer_string(&text));
  buffer_free(&text);
}

// With one digit behind the point and a unit.
static void add_rounded(struct info *info, const char *name, double number, const char *unit) {
  struct buffer text = {0};
  buffer_decimal(&text, number, 1);
  buffer_format(&text, " %s", unit);
  add(info, name, number, buffer_string(&text));
  buffer_free(&text);
}

// A float as its shortest decimal number.
static void add_float(struct info *info, const char *name, float number) {
  char digits[32];
  for (int precision = 1; precision <= 9; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, (double)number);
    if (strtof(digits, NULL) == number) break;
  }
  add_number(info, name, strtod(digits, NULL));
}

static void add_id(struct info *info, const char *name, int id) {
  if (id >= 0) add_number(info, name, id);
}

static void add_switch(struct info *info, const char *name, bool value) { add(info, name, value, value ? "yes" : "no"); }

// --- what it is

static void describe_kind(struct info *info, const struct qkv_model *model) {
  const struct arch *arch = &model->checkpoint.arch;
  add_text(info, "directory", model->directory);
  add_text(info, "layout", arch->layout);
  add_text(info, "architecture", heads_architecture(model->checkpoint.layout, arch));
  add_text(info, "family", knob_find_name(family_names, arch->family));
  add_count(info, "parameters", (double)model_parameters(model->checkpoint.model));
}

static void describe_stack(struct info *info, const struct arch *arch, const struct stack_arch *stack,
                           const char *const names[5]) {
  if (!stack->layers) return;
  add_number(info, names[0], stack->layers);
  add_number(info, names[1], stack->heads);
  if (stack->kv_heads != stack->heads) add_number(info, names[2], stack->kv_heads);
  add_number(info, names[3], arch_head_width(arch, stack));
  add_count(info, names[4], stack->ffn);
}

static void describe_shape(struct info *info, const struct arch *arch) {
  static const char *const encoder[] = {"encoder.layers", "encoder.heads", "encoder.kv_heads", "encoder.head_width",
                                        "encoder.ffn"};
  static const char *const decoder[] = {"decoder.layers", "decoder.heads", "decoder.kv_heads", "decoder.head_width",
                                        "decoder.ffn"};
  add_count(info, "hidden", arch->hidden);
  if (arch->embedding_width) add_count(info, "embedding.width", arch->embedding_width);
  if (arch->types) add_number(info, "segments", arch->types);
  describe_stack(info, arch, &arch->encoder, encoder);
  describe_stack(info, arch, &arch->decoder, decoder);
  if (arch->family != FAMILY_DECODER) add_count(info, "vocabulary.source", arch->source_vocab);
  if (arch->family != FAMILY_ENCODER) add_count(info, "vocabulary.target", arch->target_vocab);
  if (arch->family == FAMILY_ENCODER_DECODER) add_switch(info, "embeddings.shared", arch->shared_embeddings);
  if (arch->family != FAMILY_ENCODER) add_switch(info, "head.tied", arch->tied_head);
}

static void describe_features(struct info *info, const struct arch *arch) {
  if (!arch_has_features(arch)) return;
  add_text(info, "head.features", knob_find_name(feature_names, arch->features));
  if (arch->lstm.layers) add_number(info, "head.lstm.layers", arch->lstm.layers);
  if (arch->lstm.layers) add_count(info, "head.lstm.hidden", arch->lstm.hidden);
}

static void describe_head(struct info *info, const struct checkpoint *checkpoint) {
  static const char *const names[] = {"language", "none", "pre-training", "next sentence", "sequence classification",
                                      "token classification", "question answering", "multiple choice", "double (language and choice)",
                                      "replaced words"};
  const struct arch *arch = &checkpoint->arch;
  if (arch->family == FAMILY_ENCODER_DECODER) return;
  bool regression = arch->head == HEAD_CLASSIFY && arch->labels == 1;
  add_text(info, "head", regression ? "regression" : names[arch->head]);
  if (arch->language_too) add_switch(info, "head.language_too", true);
  if (arch->both_orders) add_switch(info, "head.both_orders", true);
  describe_features(info, arch);
  if (arch_has_texts(arch)) add_text(info, "head.pooling", knob_find_name(pooling_names, arch->pooling));
  if (arch->head == HEAD_NONE && arch->family == FAMILY_ENCODER) add_switch(info, "pooler", arch->pooler);
  struct buffer labels = {0};
  for (int i = 0; !regression && i < checkpoint->labels.count && i < LABELS_SHOWN; i++)
    buffer_format(&labels, "%s%s", i ? ", " : "", checkpoint->labels.names[i]);
  if (checkpoint->labels.count > LABELS_SHOWN) buffer_format(&labels, " and %d more", checkpoint->labels.count - LABELS_SHOWN);
  if (labels.size) add(info, "labels", arch->labels, buffer_string(&labels));
  buffer_free(&labels);
}

static void describe_rotary(struct info *info, const struct rotary_arch *rotary) {
  add_float(info, "rotary.base", rotary->base);
  if (rotary->scaling == ROTARY_PLAIN) return;
  add_text(info, "rotary.scaling", knob_find_name(rotary_scaling_names, rotary->scaling));
  add_float(info, "rotary.factor", rotary->factor);
  if (rotary->original_positions) add_count(info, "rotary.original_positions", rotary->original_positions);
}

static void describe_knobs(struct info *info, const struct arch *arch) {
  static const char *const places[] = {"after each sublayer (post)", "before each sublayer (pre)"};
  static const char *const positions[] = {"none", "sinusoid", "sinusoid, interleaved", "learned", "rotary"};
  static const char *const activations[] = {"none", "relu", "gelu", "gelu (tanh form)", "silu", "tanh"};
  add_text(info, "norm", knob_find_name(norm_names, arch->norm));
  if (arch->norm != NORM_NONE) add_text(info, "norm.place", places[arch->norm_place]);
  if (arch->norm != NORM_NONE) add_float(info, "norm.epsilon", arch->norm_epsilon);
  if (arch->norm_groups) add_number(info, "norm.groups", arch->norm_groups);
  if (arch->norm_epsilon_outside) add_text(info, "norm.epsilon.place", "outside the root");
  if (arch->attention_bare) add_switch(info, "attention.weights", false);
  if (arch->attention_score != SCORE_PRODUCT)
    add_text(info, "attention.score", knob_find_name(score_names, arch->attention_score));
  if (arch->attention_scale != 0) add_float(info, "attention.scale", arch->attention_scale);
  if (arch->attention_window) add_number(info, "attention.window", arch->attention_window);
  if (!arch->residual) add_switch(info, "residual", false);
  add_text(info, "positions", positions[arch->positions]);
  if (arch->positions != POSITIONS_NONE) add_count(info, "positions.longest", arch->max_positions);
  if (arch->positions == POSITIONS_ROTARY) describe_rotary(info, &arch->rotary);
  add_text(info, "activation", activations[arch->activation]);
  if (arch->gated) add_switch(info, "activation.gated", true);
  add_float(info, "embedding.scale", arch->embedding_scale);
  add_float(info, "dropout", arch->dropout);
  if (arch->attention_dropout > 0) add_float(info, "dropout.attention", arch->attention_dropout);
  if (arch->activation_dropout > 0) add_float(info, "dropout.activation", arch->activation_dropout);
}

static void describe_ids(struct info *info, const struct checkpoint *checkpoint) {
  const struct arch *arch = &checkpoint->arch;
  const struct generation_defaults *generation = &checkpoint->generation;
  add_id(info, "id.begin", arch->bos_id);
  add_id(info, "id.end", arch->eos_id);
  add_id(info, "id.padding", arch->pad_id);
  add_id(info, "id.decoder_start", arch->decoder_start_id);
  if (generation->num_beams > 0) add_number(info, "search.beam", generation->num_beams);
  if (generation->max_length >= 0) add_count(info, "search.max_length", generation->max_length);
  if (!isnan(generation->length_penalty)) add_float(info, "search.length_penalty", generation->length_penalty);
}

static void describe_tokenizer(struct info *info, struct qkv_model *model) {
  static const char *const files[] = {"tokenizer.json", "vocab.json"};
  char path[4096];
  bool there = false;
  for (size_t i = 0; i < 2; i++) there |= file_exists(file_join(path, model->directory, files[i]));
  if (!there) {
    add_text(info, "tokenizer", "none in the directory");
    return;
  }
  // A tokenizer that can't be read says why, and the rest is told all the same.
  struct error refusal = {0};
  const struct tokenizer *tokenizer = public_model_tokenizer(model, &refusal);
  if (tokenizer) add_count(info, "tokenizer", (double)tokenizer_size(tokenizer));
  else add_text(info, "tokenizer", refusal.message);
}

// --- what it costs

static void describe_files(struct info *info, const struct checkpoint *checkpoint) {
  static const char *const types[] = {"f32", "f16", "bf16"};
  double bytes = 0;
  for (size_t i = 0; i < checkpoint->tensors.file_count; i++) bytes += (double)checkpoint->tensors.files[i].map.size;
  add_text(info, "file.dtype", types[checkpoint->type]);
  add_size(info, "file.size", bytes);
  if (checkpoint->tensors.file_count > 1) add_number(info, "file.shards", (double)checkpoint->tensors.file_count);
}

static void describe_memory(struct info *info, const struct model *model, const struct kernels *kernels) {
  struct model_memory memory = model_memory(model, kernels);
  add_size(info, "memory.run", (double)memory.run);
  add_size(info, "memory.train", (double)(memory.values + memory.packed + memory.learning));
  add_text(info, "processor", cpu_name());
  add_text(info, "processor.path", kernels->name);
  add_text(info, "processor.dtype", kernels->dtype);
}

// --- what it was trained on

// "3: dropped: longer than the limit of tokens (train.en:66, train.en:70, ...)"
static void add_reason(struct info *info, const char *text, enum ledger_reason reason, const cJSON *entry) {
  enum { SHOWN = 5 };
  char name[64];
  int shown = 0;
  const cJSON *count = cJSON_GetObjectItemCaseSensitive(entry, "count"),
              *lines = cJSON_GetObjectItemCaseSensitive(entry, "lines");
  if (!cJSON_IsNumber(count)) return;
  struct buffer value = {0};
  buffer_format(&value, "%.0f %s", count->valuedouble, ledger_meaning(reason));
  for (const cJSON *line = lines ? lines->child : NULL; line && shown <= SHOWN; line = line->next, shown++)
    if (cJSON_IsString(line)) buffer_format(&value, "%s%s", shown ? ", " : " (", shown < SHOWN ? line->valuestring : "...");
  if (shown) buffer_char(&value, ')');
  snprintf(name, sizeof name, "%s.%s", text, ledger_name(reason));
  add(info, name, count->valuedouble, buffer_string(&value));
  buffer_free(&value);
}

static void add_ledger(struct info *info, const char *text, const cJSON *ledger) {
  static const char *const counts[] = {"read", "kept", "held_out"};
  char name[64];
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(ledger, counts[i]);
    snprintf(name, sizeof name, "%s.%s", text, counts[i]);
    if (cJSON_IsNumber(count)) add_count(info, name, count->valuedouble);
  }
  for (int reason = 0; reason < LEDGER_REASONS; reason++) {
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(ledger, ledger_name((enum ledger_reason)reason));
    if (entry) add_reason(info, text, (enum ledger_reason)reason, entry);
  }
}

// A training's directory has the ledger of its text near the beginning of log.jsonl. A log that is none is passed over.
static void describe_training(struct info *info, const char *directory) {
  enum { FIRST_LINES = 20 };
  char path[4096];
  FILE *file = fopen(file_join(path, directory, "log.jsonl"), "re");
  char *line = NULL;
  size_t capacity = 0;
  ssize_t size;
  bool found = false;
  for (int i = 0; file && !found && i < FIRST_LINES && (size = getline(&line, &capacity, file)) > 0; i++) {
    cJSON *object = cJSON_ParseWithLength(line, (size_t)size);
    const cJSON *event = cJSON_GetObjectItemCaseSensitive(object, "event");
    found = cJSON_IsString(event) && strcmp(event->valuestring, "ledger") == 0;
    if (found) add_ledger(info, "train", cJSON_GetObjectItemCaseSensitive(object, "train"));
    if (found) add_ledger(info, "valid", cJSON_GetObjectItemCaseSensitive(object, "valid"));
    cJSON_Delete(object);
  }
  free(line);
  if (file) fclose(file);
}

// Bytes of weights that every generated token reads: those of all products, the head among them.
static double bytes_per_token(const struct model *model, const struct kernels *kernels) {
  double numbers = 0;
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    if (weight->product) numbers += (double)kernels->packed_size(weight->rows, weight->cols);
  }
  return numbers * sizeof(float);
}

// What a text of a length takes to generate token by token: attention's cells, the cache, and, for a model that does not fit the
// processor's caches, the speed at its end and the time of all of it, if nothing but reading memory took time.
static void describe_contexts(struct info *info, const struct model *model, const struct kernels *kernels) {
  static const int lengths[] = {512, 1024, 2048, 32768};
  const double cached = 32 << 20;
  if (model->arch.family != FAMILY_DECODER) return;
  double weights = bytes_per_token(model, kernels), token = (double)page_cache_page_size(&model, 1, kernels) / KEY_PAGE;
  double rate = weights > cached ? machine_read() : 0;
  if (rate > 0) add_size(info, "generate.read", weights);
  if (rate > 0) add_size(info, "generate.bandwidth", floor(rate));
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    double length = lengths[i];
    char name[64];
    snprintf(name, sizeof name, "context.%d.cells", lengths[i]);
    add_count(info, name, length * length);
    snprintf(name, sizeof name, "context.%d.cache", lengths[i]);
    add_size(info, name, length * token);
    if (rate <= 0) continue;
    snprintf(name, sizeof name, "context.%d.rate", lengths[i]);
    add_rounded(info, name, rate / (weights + length * token), "tokens/s");
    snprintf(name, sizeof name, "context.%d.time", lengths[i]);
    add_rounded(info, name, (length * weights + length * length / 2 * token) / rate, "s");
  }
}

static void list_tensors(struct info *info, const struct safetensors *tensors) {
  info->tensors = memory_new(info->error, tensors->count, sizeof *info->tensors);
  for (size_t i = 0; info->tensors && i < tensors->count; i++) {
    const struct stored_tensor *tensor = &tensors->tensors[i];
    info->tensors[i] = (struct qkv_tensor_fact){tensor->name, tensor_type_name(tensor->type), tensor->shape, tensor->dimensions};
  }
  info->public.tensors = info->tensors;
  info->public.tensor_count = info->tensors ? tensors->count : 0;
}

struct qkv_info *qkv_model_info(struct qkv_context *context, struct qkv_model *model) {
  struct error *error = public_begin(context);
  struct info *info = memory_new(error, 1, sizeof *info);
  if (!info) return NULL;
  info->error = error;
  info->public.facts = info->facts;
  describe_kind(info, model);
  describe_shape(info, &model->checkpoint.arch);
  describe_head(info, &model->checkpoint);
  describe_knobs(info, &model->checkpoint.arch);
  describe_ids(info, &model->checkpoint);
  describe_tokenizer(info, model);
  describe_files(info, &model->checkpoint);
  describe_memory(info, model->checkpoint.model, model->kernels);
  describe_contexts(info, model->checkpoint.model, model->kernels);
  describe_training(info, model->directory);
  list_tensors(info, &model->checkpoint.tensors);
  if (!error->code) return &info->public;
  qkv_info_free(&info->public);
  return NULL;
}

double qkv_info_number(const struct qkv_info *info, const char *name) {
  for (size_t i = 0; i < info->fact_count; i++)
    if (strcmp(info->facts[i].name, name) == 0) return info->facts[i].number;
  return NAN;
}

const char *qkv_info_text(const struct qkv_info *info, const char *name) {
  for (size_t i = 0; i < info->fact_count; i++)
    if (strcmp(info->facts[i].name, name) == 0) return info->facts[i].text;
  return NULL;
}

void qkv_info_free(struct qkv_info *public) {
  if (!public) return;
  struct info *info = (struct info *)public;
  for (size_t i = 0; i < public->fact_count; i++) {
    free((char *)info->facts[i].name);
    free((char *)info->facts[i].text);
  }
  free(info->tensors);
  free(info);
}
