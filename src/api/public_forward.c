// One pass of a model over ids, and the numbers of one place in it: logits, hidden states or attention weights.
//
// The wanted tensor is caught by its name as the pass makes it. With `cached` the decoder takes one token after the other over
// stored keys; each step's row is then caught at its place.
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/memory.h"
#include "cpu/cpu.h"
#include "generate/page_cache.h"
#include "hf/heads.h"

struct forward {
  const struct qkv_forward_options *options;
  const char *directory;
  const struct model *model;
  struct error *error;
  struct context context;
  struct page_cache cache;
  int source_count, target_count;  // tokens of the two sides; 0 where the model has no such stack
  int first_key, key_count;        // of the source, by the attention mask
  int32_t *positions;              // 0, 1, 2, ... for the longer side; from 0 in each text
  struct span *spans;              // [text_count] of the texts
  struct batch_text *texts;
  int text_count;
  bool by_head;                    // the wanted numbers come from model_head_outputs
  char name[64];                   // of the wanted tensor
  int row;                         // where the next rows of the result go
  struct qkv_array array;
};

// ---- checking the call ----

static bool is(const char *text, const char *word) { return text && strcmp(text, word) == 0; }

static bool check_length(const struct forward *forward, const char *name, size_t count) {
  const struct arch *arch = &forward->model->arch;
  if (count == 0) return error_set(forward->error, ERROR_USAGE, "%s are missing", name);
  bool limited = arch->positions != POSITIONS_NONE, cached = forward->options->cached;
  if (limited && cached && count > (size_t)arch->max_positions && count <= (size_t)arch_longest_text(arch))
    return error_set(forward->error, ERROR_UNSUPPORTED,
                     "%s: %zu tokens; beyond %d the model's \"dynamic\" rotary positions turn all of a text anew with each token, so cached "
                     "keys would be wrong; compute it whole, without a cache", name, count, arch->max_positions);
  if (limited && count > (size_t)arch_longest_text(arch))
    return error_set(forward->error, ERROR_USAGE, "%s: %zu tokens; the model has %d positions", name, count, arch->max_positions);
  return true;
}

static bool check_ids(const struct forward *forward, const char *name, const int32_t *ids, size_t count, int vocabulary) {
  if (!forward->options->text_ends && !check_length(forward, name, count)) return false;
  for (size_t i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= vocabulary)
      return error_set(forward->error, ERROR_USAGE, "%s: %d at place %zu; the vocabulary has the ids 0 to %d", name, ids[i], i,
                       vocabulary - 1);
  return true;
}

static bool check_types(const struct forward *forward) {
  const struct arch *arch = &forward->model->arch;
  const int32_t *types = forward->options->type_ids;
  if (!types) return true;
  if (!arch->types)
    return error_set(forward->error, ERROR_USAGE,
                     "type_ids: a %s model of this config.json tells no segments apart; leave them out", arch->layout);
  for (size_t i = 0; i < forward->options->id_count; i++)
    if (types[i] < 0 || types[i] >= arch->types)
      return error_set(forward->error, ERROR_USAGE, "type_ids: %d at place %zu; the model has the segments 0 to %d", types[i], i,
                       arch->types - 1);
  return true;
}

// One text, or the choices of a question.
static bool lay_out_texts(struct forward *forward) {
  const struct qkv_forward_options *options = forward->options;
  const struct arch *arch = &forward->model->arch;
  size_t whole = options->id_count, count = options->text_ends ? options->text_count : 1;
  const size_t *ends = options->text_ends ? options->text_ends : &whole;
  if (count != 1 && arch->head != HEAD_CHOICE)
    return error_set(forward->error, ERROR_USAGE, "%zu texts; only a model for multiple choice takes several at once", count);
  if (count == 0 || ends[count - 1] != whole)
    return error_set(forward->error, ERROR_USAGE, "text_ends have to end with id_count, %zu", whole);
  forward->spans = memory_new(forward->error, count, sizeof *forward->spans);
  forward->texts = memory_new(forward->error, count, sizeof *forward->texts);
  forward->positions = memory_new(forward->error, whole > options->decoder_id_count ? whole : options->decoder_id_count,
                                  sizeof *forward->positions);
  if (!forward->spans || !forward->texts || !forward->positions) return false;
  forward->text_count = (int)count;
  size_t first = 0;
  for (size_t i = 0; i < count; first = ends[i++]) {
    if (ends[i] < first) return error_set(forward->error, ERROR_USAGE, "text_ends have to rise");
    if (!check_length(forward, "ids", ends[i] - first)) return false;
    int n = (int)(ends[i] - first), row = (int)first;
    forward->spans[i] = (struct span){.q0 = row, .qn = n, .k0 = row, .kn = n};
    forward->texts[i] = (struct batch_text){.first = row, .count = n, .row = arch->pooling == POOLING_LAST ? row + n - 1 : row};
    for (int p = 0; p < n; p++) forward->positions[row + p] = p;
  }
  for (size_t p = 0; p < options->decoder_id_count; p++) forward->positions[p] = (int32_t)p;
  return true;
}

// A mask may leave out tokens at both ends; what lies between must be seen.
static bool read_mask(struct forward *forward) {
  const int32_t *mask = forward->options->attention_mask;
  int n = forward->source_count ? forward->source_count : forward->target_count;
  int first = 0, end = n;
  if (mask) {
    while (first < n && mask[first] == 0) first++;
    while (end > first && mask[end - 1] == 0) end--;
    if (first == end) return error_set(forward->error, ERROR_USAGE, "the attention mask hides every token");
    for (int i = 0; i < n; i++)
      if (mask[i] != (i >= first && i < end))
        return error_set(forward->error, ERROR_UNSUPPORTED,
                         "the attention mask is %d at place %d; it may hold only ones, with zeros before and after", mask[i], i);
  }
  if (!forward->source_count && (first || end < n))
    return error_set(forward->error, ERROR_UNSUPPORTED,
                     "a decoder-only model takes no attention mask; leave out the hidden tokens");
  if (mask && forward->text_count > 1)
    return error_set(forward->error, ERROR_UNSUPPORTED,
                     "an attention mask belongs to one text; leave out the hidden tokens of choices");
  forward->first_key = first;
  forward->key_count = end - first;
  if (mask) forward->spans[0].k0 = first, forward->spans[0].kn = end - first;
  return true;
}

static bool check(struct forward *forward) {
  const struct qkv_forward_options *options = forward->options;
  const struct arch *arch = &forward->model->arch;
  bool both = arch->encoder.layers && arch->decoder.layers;
  if (arch->encoder.layers) {
    if (!check_ids(forward, "ids", options->ids, options->id_count, arch->source_vocab)) return false;
    forward->source_count = (int)options->id_count;
  }
  const int32_t *target = both ? options->decoder_ids : options->ids;
  size_t target_count = both ? options->decoder_id_count : options->id_count;
  if (!both && options->decoder_id_count)
    return error_set(forward->error, ERROR_USAGE, "decoder_ids belong to models with an encoder and a decoder");
  if (arch->decoder.layers && (target_count || !both)) {
    if (!check_ids(forward, both ? "decoder_ids" : "ids", target, target_count, arch->target_vocab)) return false;
    forward->target_count = (int)target_count;
  }
  if (options->cached && !forward->target_count)
    return error_set(forward->error, ERROR_USAGE, "without decoder_ids there is nothing to cache");
  return check_types(forward) && lay_out_texts(forward) && read_mask(forward);
}

// ---- what is wanted: its name and shape ----

static bool new_array(struct forward *forward, size_t a, size_t b, size_t c) {
  struct qkv_array *array = &forward->array;
  array->dimensions = c ? 3 : 2;
  array->shape[0] = a;
  array->shape[1] = b;
  array->shape[2] = c;
  array->data = memory_new(forward->error, a * b * (c ? c : 1), sizeof *array->data);
  return array->data != NULL;
}

// What only heads give. Language models' logits don't need to come this way where a decoder makes them.
static bool choose_head(struct forward *forward, const char *want) {
  const struct arch *arch = &forward->model->arch;
  int rows = forward->source_count ? forward->source_count : forward->target_count, texts = forward->text_count;
  forward->by_head = true;
  if (forward->options->cached)
    return error_set(forward->error, ERROR_USAGE,
                     "cached steps give logits over the vocabulary, hidden states and attention only");
  if (is(want, "pooled")) {
    if (!arch->pooler && !arch_has_texts(arch))
      return error_set(forward->error, ERROR_USAGE,
                       "%s: this %s model has %s and no pooler, so there is no pooled row; the hidden states "
                       "are there with \"hidden\"",
                       forward->directory, arch->layout, heads_name(arch->head));
    return new_array(forward, texts, arch->pooler ? arch->hidden : arch_head_inputs(arch), 0);
  }
  if (is(want, "nsp")) {
    if (arch->head != HEAD_NEXT_SENTENCE && arch->head != HEAD_PRETRAINING)
      return heads_refuse(arch, forward->directory, HEAD_PRETRAINING, forward->error);
    return new_array(forward, texts, 2, 0);
  }
  if (arch->head == HEAD_NONE) return heads_refuse(arch, forward->directory, HEAD_LANGUAGE, forward->error);
  if (arch_has_vocabulary(arch)) return new_array(forward, rows, arch_head_vocabulary(arch), 0);
  if (arch_has_row_labels(arch) || arch->head == HEAD_SPAN) return new_array(forward, rows, arch_head_outputs(arch), 0);
  return new_array(forward, 1, arch->head == HEAD_CHOICE ? texts : arch_head_outputs(arch), 0);
}

static bool choose(struct forward *forward) {
  const struct qkv_forward_options *options = forward->options;
  const struct arch *arch = &forward->model->arch;
  const char *want = options->want ? options->want : "logits";
  if (is(want, "pooled") || is(want, "nsp") ||
      (is(want, "logits") && (arch->family == FAMILY_ENCODER || arch->head != HEAD_LANGUAGE)))
    return choose_head(forward, want);
  if (is(want, "logits")) {
    if (!forward->target_count)
      return error_set(forward->error, ERROR_USAGE, "logits need decoder_ids; without them only the encoder runs");
    return new_array(forward, forward->target_count, arch->target_vocab, 0);
  }
  bool decoder = options->stack ? is(options->stack, "decoder") : forward->target_count > 0;
  if (options->stack && !decoder && !is(options->stack, "encoder"))
    return error_set(forward->error, ERROR_USAGE, "stack is \"%s\"; wanted encoder or decoder", options->stack);
  const struct stack_arch *stack = decoder ? &arch->decoder : &arch->encoder;
  int rows = decoder ? forward->target_count : forward->source_count;
  if (!rows) return error_set(forward->error, ERROR_USAGE, "the %s does not run in this call", decoder ? "decoder" : "encoder");
  bool hidden = is(want, "hidden"), cross = is(want, "cross-attention");
  if (!hidden && !cross && !is(want, "attention"))
    return error_set(forward->error, ERROR_USAGE,
                     "want is \"%s\"; wanted logits, hidden, attention, cross-attention, pooled or nsp", want);
  if (cross && (!decoder || !forward->source_count))
    return error_set(forward->error, ERROR_USAGE, "only a decoder beside an encoder has cross-attention");

  int last = hidden ? stack->layers : stack->layers - 1;
  int64_t layer = options->layer < 0 ? last : options->layer;
  if (layer > last)
    return error_set(forward->error, ERROR_USAGE, "layer is %lld; the %s has the layers 0 to %d%s", (long long)layer,
                     decoder ? "decoder" : "encoder", last, hidden ? ", 0 being the embeddings' output" : "");
  const char *side = decoder ? "decoder" : "encoder";
  if (hidden) snprintf(forward->name, sizeof forward->name, "%s.hidden.%d", side, (int)layer);
  else snprintf(forward->name, sizeof forward->name, "%s.%d.%s.attention", side, (int)layer, cross ? "cross" : "self");
  if (hidden) return new_array(forward, rows, arch->hidden, 0);
  return new_array(forward, stack->heads, rows, cross ? forward->source_count : rows);
}

// ---- catching it ----

static void catch_rows(struct forward *forward, const struct tensor *tensor) {
  size_t columns = forward->array.shape[1];
  memcpy(forward->array.data + forward->row * columns, tensor->data, (size_t)tensor->rows * columns * sizeof(float));
  forward->row += tensor->rows;
}

static void catch_tensor(void *user, const char *name, const struct tensor *tensor) {
  struct forward *forward = user;
  if (strcmp(name, forward->name) == 0) catch_rows(forward, tensor);
}

// probabilities: [heads, qn, kn] of the one span; keys that the mask hides have no column and stay 0.
static void catch_attention(void *user, const char *name, const struct span *spans, int span_count, int heads,
                            const float *probabilities) {
  struct forward *forward = user;
  (void)span_count;
  size_t rows = forward->array.shape[1], columns = forward->array.shape[2];
  bool of_source = columns == (size_t)forward->source_count && (strncmp(name, "encoder", 7) == 0 || strstr(name, ".cross."));
  int first = of_source ? forward->first_key : 0;
  for (int head = 0; head < heads; head++)
    for (int q = 0; q < spans->qn; q++, probabilities += spans->kn)
      memcpy(forward->array.data + (head * rows + forward->row + q) * columns + first, probabilities, spans->kn * sizeof(float));
  forward->row += spans->qn;
}

// ---- the pass ----

static struct batch_side one_stack(const struct forward *forward, int rows) {
  return (struct batch_side){.rows = rows,
                             .ids = forward->options->ids,
                             .positions = forward->positions,
                             .types = forward->options->type_ids,
                             .spans = forward->spans,
                             .span_count = forward->text_count};
}

static struct tensor *encode(struct forward *forward) {
  struct batch_side side = one_stack(forward, forward->source_count);
  return model_encode(&forward->context, forward->model, &side);
}

// What the call wants of the head. The vocabulary is left out (but for one row) where only the texts are wanted.
static const struct tensor *head_numbers(struct forward *forward, const struct batch *batch, struct tensor *hidden) {
  const struct arch *arch = &forward->model->arch;
  struct context *context = &forward->context;
  bool of_rows = arch_has_vocabulary(arch) || arch_has_row_labels(arch) || arch->head == HEAD_SPAN;
  bool texts = is(forward->options->want, "nsp") || !of_rows;
  struct head_outputs outputs;
  if (is(forward->options->want, "pooled")) return model_pooled(context, forward->model, batch, hidden);
  if (!model_head_outputs(context, forward->model, batch, hidden, texts ? &(int32_t){0} : NULL, texts, &outputs)) return NULL;
  return texts ? outputs.texts : outputs.rows;
}

static bool run_head(struct forward *forward) {
  const struct arch *arch = &forward->model->arch;
  struct batch batch = {.texts = forward->texts, .text_count = forward->text_count, .sequences = forward->text_count};
  if (arch->family == FAMILY_ENCODER) batch.source = one_stack(forward, forward->source_count);
  else batch.target = one_stack(forward, forward->target_count);
  const struct tensor *wanted = head_numbers(forward, &batch, model_hidden(&forward->context, forward->model, &batch));
  if (wanted) memcpy(forward->array.data, wanted->data, (size_t)wanted->rows * (size_t)wanted->cols * sizeof(float));
  return wanted != NULL;
}

static bool finish(struct forward *forward, struct tensor *hidden) {
  if (!hidden || forward->name[0]) return hidden != NULL;
  struct tensor *logits = model_logits(&forward->context, forward->model, hidden, NULL, 0);
  if (logits) catch_rows(forward, logits);
  return logits != NULL;
}

static bool decode_whole(struct forward *forward, struct tensor *encoded) {
  int n = forward->target_count;
  struct span self = {.qn = n, .kn = n}, cross = {.qn = n, .k0 = forward->first_key, .kn = forward->key_count};
  const int32_t *ids = forward->source_count ? forward->options->decoder_ids : forward->options->ids;
  struct batch batch = {.target = {.rows = n, .ids = ids, .positions = forward->positions, .spans = &self, .span_count = 1},
                        .cross = encoded ? &cross : NULL, .cross_count = encoded != NULL, .sequences = 1};
  return finish(forward, model_decode(&forward->context, forward->model, &batch, encoded));
}

// Writes the source's keys into pages of their own; tokens that the mask hides go to a page that nobody reads.
static bool cache_source(struct forward *forward, struct tensor *encoded, int pages) {
  int32_t *slots = context_memory(&forward->context, forward->source_count * sizeof *slots);
  if (!slots) return false;
  for (int i = 0; i < forward->source_count; i++) {
    bool seen = i >= forward->first_key && i < forward->first_key + forward->key_count;
    slots[i] = seen ? i - forward->first_key : pages * KEY_PAGE;
  }
  return model_cache_source(&forward->context, forward->model, forward->cache.layers[0], encoded, slots);
}

static bool decode_steps(struct forward *forward, struct tensor *encoded) {
  int source_pages = pages_for(forward->key_count), target_pages = pages_for(forward->target_count);
  int most = source_pages > target_pages ? source_pages : target_pages;
  if (!page_cache_open(&forward->cache, &forward->model, 1, target_pages, source_pages + 1, forward->error)) return false;
  int32_t *pages = memory_new(forward->error, most, sizeof *pages);
  for (int i = 0; pages && i < most; i++) pages[i] = i;  // nobody else takes pages from this cache
  bool fine = pages && (!encoded || cache_source(forward, encoded, source_pages));
  const int32_t *ids = forward->source_count ? forward->options->decoder_ids : forward->options->ids;
  for (int32_t i = 0; fine && i < forward->target_count; i++) {
    context_begin(&forward->context, false, false, 0, 0);
    struct span self = {.qn = 1, .kn = i + 1, .pos = i, .pages = pages},
                cross = {.qn = 1, .kn = forward->key_count, .pages = pages};
    struct batch_side side = {.rows = 1, .ids = &ids[i], .positions = &i, .spans = &self, .span_count = 1};
    struct decoder_cache cache = {.layers = forward->cache.layers[0], .slots = &i};
    fine = finish(forward, model_decode_cached(&forward->context, forward->model, &side, &cross, encoded != NULL, &cache));
  }
  free(pages);
  page_cache_close(&forward->cache);
  return fine;
}

static bool run(struct forward *forward) {
  struct context *context = &forward->context;
  if (!context_open(context, forward->model->kernels, WORK_MEMORY_OF_ONE_TEXT, forward->error)) return false;
  context->probe_user = forward;
  if (strstr(forward->name, ".hidden.")) {
    context->probe = catch_tensor;
  } else if (forward->name[0]) {
    context->probe_attention = catch_attention;
    context->attention_name = forward->name;
  }
  context_begin(context, false, false, 0, 0);
  struct tensor *encoded = forward->source_count && !forward->by_head ? encode(forward) : NULL;
  bool fine = context_ok(context) && (!forward->by_head || run_head(forward));
  if (fine && forward->target_count && !forward->by_head)
    fine = forward->options->cached ? decode_steps(forward, encoded) : decode_whole(forward, encoded);
  context_close(context);
  return fine;
}

struct qkv_array *qkv_forward(struct qkv_context *context, struct qkv_model *model, const struct qkv_forward_options *options) {
  struct error *error = public_begin(context);
  struct forward forward = {
    .options = options, .directory = model->directory, .model = public_model_ready(model, error), .error = error};
  struct qkv_array *array = NULL;
  if (forward.model && check(&forward) && choose(&forward) && run(&forward)) array = memory_new(error, 1, sizeof *array);
  free(forward.positions);
  free(forward.spans);
  free(forward.texts);
  if (array) *array = forward.array;
  else free(forward.array.data);
  return array;
}

void qkv_array_free(struct qkv_array *array) {
  if (!array) return;
  free(array->data);
  free(array);
}
