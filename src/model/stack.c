// Running a model: a stack of layers, each the list {self-attention, [cross-attention], feed-forward}, every one of them
// placed between norm, dropout and residual connection by the same wrapper.
//
// With the norm before (pre-norm) a sublayer computes x + f(norm x), with the norm behind (post-norm) norm(x + f x). Both
// come out of one operation that adds and normalises: a stream carries the sum that is passed on and the normalised input of
// the next sublayer; in post-norm the two are the same tensor.
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/dropout_make.h"
#include "model/model.h"
#include "model/rotary_frequencies.h"
#include "tensor/operations.h"
#include "tensor/tape.h"

struct run {
  struct context *context;
  const struct model *model;
  const struct stack *stack;
  const char *stack_name;
  const struct batch_side *side;
  struct tensor *encoded;                // cross-attention's keys come from here, or from a cache
  const struct span *cross;
  int cross_count;
  const struct decoder_cache *cache;     // NULL: whole sequences
  const float *rotary;                   // angles of the rows, or NULL
  struct tensor *relative;               // biases by distance that all layers use, or NULL
  struct tensor **states;                // those that the head reads are kept here, one after the other; NULL: none
  int state_count;
  int layer;
};

struct stream {
  struct tensor *sum;     // the residual stream
  struct tensor *input;   // what the next sublayer reads
};

// ---- names and dropout ----

static const char *name_of(const struct run *run, const char *what) {
  enum { LONGEST = 80 };
  char *name = context_node(run->context, LONGEST);
  if (!name) return "";
  if (run->layer < 0) snprintf(name, LONGEST, "%s.%s", run->stack_name, what);
  else snprintf(name, LONGEST, "%s.%d.%s", run->stack_name, run->layer, what);
  return name;
}

enum site {
  SITE_EMBEDDING,
  SITE_SELF,
  SITE_CROSS,
  SITE_ACTIVATION,
  SITE_FEED_FORWARD,
  SITE_SELF_WEIGHTS = 256,
  SITE_CROSS_WEIGHTS = 512,
  SITES = 1024
};

static struct dropout dropout_at(const struct run *run, float rate, enum site site) {
  return dropout_make(run->context, rate, (uint32_t)(run->stack->site + (run->layer + 1) * SITES + (int)site),
                      run->side->row_keys);
}

// ---- norms ----

struct tensor *model_norm(struct context *context, const struct model *model, const char *name, struct tensor **sum,
                          struct tensor *x, struct tensor *f, const struct norm_weights *weights, const struct span *spans,
                          int span_count, const struct dropout *dropout) {
  const struct arch *arch = &model->arch;
  struct norm kind = arch_norm(arch);
  if (!weights || !weights->gain || !arch_norm_spans_rows(arch))
    return op_residual_norm(context, name, sum, x, f, weights ? weights->gain : NULL, weights ? weights->bias : NULL, &kind,
                            dropout);
  struct tensor *input = f ? op_residual_norm(context, "sum", sum, x, f, NULL, NULL, &kind, dropout) : x;
  if (sum) *sum = input;
  struct column_norm norm = {.spans = spans,
                             .span_count = span_count,
                             .groups = arch->norm == NORM_GROUP ? arch->norm_groups : x->cols,
                             .running = weights->running,
                             .norm = kind};
  return op_column_norm(context, name, input, weights->gain, weights->bias, &norm);
}

static struct tensor *normalise(const struct run *run, const char *what, struct tensor **sum, struct tensor *x, struct tensor *f,
                                const struct norm_weights *norm, const struct dropout *dropout) {
  if (!x) return NULL;
  return model_norm(run->context, run->model, name_of(run, what), sum, x, f, norm, run->side->spans, run->side->span_count,
                    dropout);
}

// ---- the wrapper ----

static struct tensor *add_and_normalise(const struct run *run, const char *what, struct tensor **sum, struct tensor *x,
                                        struct tensor *f, const struct norm_weights *norm, enum site site) {
  const struct arch *arch = &run->model->arch;
  struct dropout dropout = dropout_at(run, arch->dropout, site);
  if (f && !arch->residual) {
    x = op_dropout(run->context, name_of(run, what), f, &dropout);
    f = NULL;
  }
  if (!f && (!norm || !norm->gain)) {
    *sum = x;
    return x;
  }
  return normalise(run, what, sum, x, f, norm, &dropout);
}

// The sublayer's input has been read, unless it is a state for the head or what is passed on.
static void forget_input(const struct run *run, const struct stream *before, const struct stream *now) {
  struct tensor *input = before->input;
  if (!input || input == now->sum) return;
  for (int i = 0; i < run->state_count; i++)
    if (run->states[i] == input) return;
  tensor_forget(run->context, input);
}

// Adds a sublayer's result to the stream. `own` is this sublayer's norm, `next` the norm of the sublayer that follows.
static void join(const struct run *run, const char *what, struct stream *stream, struct tensor *result,
                 const struct norm_weights *own, const struct norm_weights *next, enum site site) {
  struct stream before = *stream;
  if (run->model->arch.norm_place == NORM_PRE) {
    stream->input = add_and_normalise(run, what, &stream->sum, before.sum, result, next, site);
  } else {
    struct tensor *sum;
    stream->sum = stream->input = add_and_normalise(run, what, &sum, before.sum, result, own, site);
  }
  forget_input(run, &before, stream);
}

// ---- sublayers ----

static struct attention attention_of(const struct run *run, bool causal, enum site site) {
  const struct arch *arch = &run->model->arch;
  const struct stack_arch *stack = run->stack->arch;
  return (struct attention){.heads = stack->heads,
                            .kv_heads = stack->kv_heads,
                            .head_width = arch_head_width(arch, stack),
                            .causal = causal,
                            .window = causal ? arch->attention_window : 0,
                            .scale = arch_attention_scale(arch, stack),
                            .dropout = dropout_at(run, arch->attention_dropout, site)};
}

static struct tensor *linear(const struct run *run, const char *what, struct tensor *x, const struct linear_weights *weights) {
  return op_linear(run->context, name_of(run, what), x, weights->weight, weights->bias, ACTIVATION_NONE, &(struct dropout){0});
}

// Queries, keys or values of x: `parts` of them side by side. Without weights they are x itself.
static struct tensor *project(const struct run *run, const char *what, struct tensor *x, const struct linear_weights *weights,
                              int parts) {
  return weights->weight ? linear(run, what, x, weights) : op_copies(run->context, name_of(run, what), x, parts);
}

static struct tensor *output_of(const struct run *run, const char *what, struct tensor *mixed,
                                const struct linear_weights *weights) {
  return weights->weight ? linear(run, what, mixed, weights) : mixed;
}

// The first `heads` heads of a projection as cosine scores want them.
static struct tensor *unit(const struct run *run, const char *what, struct tensor *x, int heads) {
  if (run->model->arch.attention_score != SCORE_COSINE) return x;
  return op_unit_heads(run->context, name_of(run, what), x, heads, arch_head_width(&run->model->arch, run->stack->arch));
}

static struct tensor *attend(const struct run *run, const char *what, struct columns query, struct columns keys,
                             struct columns values, const struct key_store *store, const struct span *spans, int span_count,
                             struct tensor *bias, struct weight *score, struct attention *attention) {
  const char *name = name_of(run, what);
  bool additive = run->model->arch.attention_score == SCORE_ADDITIVE;
  if (score && !additive) {
    char *products = context_node(run->context, strlen(name) + sizeof ".general");
    if (!products) return NULL;
    sprintf(products, "%s.general", name);
    query = (struct columns){op_head_products(run->context, products, query, score), 0};
  }
  if (run->context->head_gain) attention->gain = run->context->head_gain(run->context->probe_user, name);
  return op_attention(run->context, name, query, keys, values, store, spans, span_count, bias, additive ? score : NULL,
                      attention);
}

static void store(const struct run *run, struct key_store *to, const int32_t *slots, const struct tensor *tensor, int key_column,
                  int value_column) {
  run->context->kernels->store_keys(to, slots, tensor->data + key_column, tensor->cols, tensor->data + value_column, tensor->cols,
                                    tensor->rows);
}

// What a cache would hold of keys and values, so that whole sequences give its bits. Training keeps them exact, as its gradients
// are.
static void round_as_cached(const struct run *run, const struct tensor *tensor, int from) {
  const struct kernels *kernels = run->context->kernels;
  if (!tensor || run->context->training || kernels->cache_type == TYPE_F32) return;
  kernels->round_bf16(tensor->data + from, tensor->cols, tensor->rows, tensor->cols - from);
}

static struct tensor *self_attention(const struct run *run, const struct layer *layer, struct tensor *x) {
  struct attention attention = attention_of(run, run->stack->causal, SITE_SELF_WEIGHTS);
  struct tensor *qkv = project(run, "self.query_key_value", x, &layer->self.query_key_value, 3);
  if (!qkv) return NULL;
  int key = attention.heads * attention.head_width, value = key + attention.kv_heads * attention.head_width;
  struct key_store *pages = run->cache ? &run->cache->layers[run->layer].self : NULL;
  if (run->rotary) {
    struct rotary rotary = {run->rotary, attention.heads + attention.kv_heads, attention.head_width / 2};
    qkv = op_rotary(run->context, name_of(run, "self.rotary"), qkv, &rotary);
    if (!qkv) return NULL;
  }
  qkv = unit(run, "self.unit", qkv, attention.heads + attention.kv_heads);
  if (!qkv) return NULL;
  if (pages) store(run, pages, run->cache->slots, qkv, key, value);
  else if (run->stack->causal) round_as_cached(run, qkv, key);
  struct tensor *mixed = attend(run, "self.attention", (struct columns){qkv, 0}, (struct columns){qkv, key},
                                (struct columns){qkv, value}, pages, run->side->spans, run->side->span_count, run->relative,
                                layer->self.score, &attention);
  return output_of(run, "self.output", mixed, &layer->self.output);
}

static struct tensor *cross_keys(const struct run *run, const struct layer *layer, struct tensor *encoded) {
  return unit(run, "cross.key.unit", project(run, "cross.key_value", encoded, &layer->cross.key_value, 2),
              run->stack->arch->kv_heads);
}

static struct tensor *cross_attention(const struct run *run, const struct layer *layer, struct tensor *x) {
  assert(run->encoded || run->cache);  // a NULL result is taken for "no sublayer", so a missing source would pass unseen
  struct attention attention = attention_of(run, false, SITE_CROSS_WEIGHTS);
  struct tensor *query = unit(run, "cross.query.unit", project(run, "cross.query", x, &layer->cross.query, 1), attention.heads);
  struct tensor *kv = run->cache ? NULL : cross_keys(run, layer, run->encoded);
  round_as_cached(run, kv, 0);
  const struct key_store *pages = run->cache ? &run->cache->layers[run->layer].cross : NULL;
  struct tensor *mixed = attend(run, "cross.attention", (struct columns){query, 0}, (struct columns){kv, 0},
                                (struct columns){kv, attention.kv_heads * attention.head_width}, pages, run->cross,
                                run->cross_count, NULL, layer->cross.score, &attention);
  return output_of(run, "cross.output", mixed, &layer->cross.output);
}

static struct tensor *feed_forward(const struct run *run, const struct layer *layer, struct tensor *x) {
  const struct arch *arch = &run->model->arch;
  struct dropout dropout = dropout_at(run, arch->activation_dropout, SITE_ACTIVATION);
  struct tensor *inner;
  if (arch->gated)
    inner = op_gate(run->context, name_of(run, "feed_forward.gate"), linear(run, "feed_forward.up", x, &layer->up),
                    arch->activation, &dropout);
  else
    inner = op_linear(run->context, name_of(run, "feed_forward.up"), x, layer->up.weight, layer->up.bias, arch->activation,
                      &dropout);
  struct tensor *out = linear(run, "feed_forward.down", inner, &layer->down);
  if (inner) tensor_forget(run->context, inner);
  return out;
}

// ---- layers ----

static void run_layer(struct run *run, struct stream *stream) {
  const struct stack *stack = run->stack;
  const struct layer *layer = &stack->layers[run->layer];
  bool cross = stack->cross, last = run->layer + 1 == stack->arch->layers;
  const struct norm_weights *after = last ? &stack->final_norm : &layer[1].self.norm;
  join(run, "self", stream, self_attention(run, layer, stream->input), &layer->self.norm,
       cross ? &layer->cross.norm : &layer->feed_forward_norm, SITE_SELF);
  if (cross)
    join(run, "cross", stream, cross_attention(run, layer, stream->input), &layer->cross.norm, &layer->feed_forward_norm,
         SITE_CROSS);
  join(run, "feed_forward", stream, feed_forward(run, layer, stream->input), &layer->feed_forward_norm, after, SITE_FEED_FORWARD);
}

// Rows of the position table: a batch counts positions from 0, some tables begin later.
static const int32_t *table_rows(const struct run *run) {
  int offset = run->model->arch.position_offset, rows = run->side->rows;
  if (offset == 0 || !run->stack->positions) return run->side->positions;
  int32_t *moved = context_node(run->context, (size_t)rows * sizeof *moved);
  for (int i = 0; moved && i < rows; i++) moved[i] = run->side->positions[i] + offset;
  return moved;
}

static struct tensor *widen(const struct run *run, struct tensor *x) {
  const struct linear_weights *weights = &run->stack->embedding_projection;
  return weights->weight ? linear(run, "embedding_projection", x, weights) : x;
}

static struct tensor *embed(const struct run *run) {
  const struct arch *arch = &run->model->arch;
  const struct stack *stack = run->stack;
  const struct batch_side *side = run->side;
  struct embedding_tables tables = {.table = stack->embedding, .positions = stack->positions, .types = stack->types,
                                    .scale = arch->embedding_scale, .padding = arch->padding_learnt ? -1 : arch->pad_id};
  // Dropout comes after the norm, if there is one.
  struct dropout dropout = dropout_at(run, arch->embedding_dropout, SITE_EMBEDDING), none = {0};
  const int32_t *positions = table_rows(run), *types = side->types;
  if (stack->types && !types) types = context_node(run->context, (size_t)side->rows * sizeof *types);  // zeros
  if (!context_ok(run->context)) return NULL;
  struct tensor *x = op_embedding(run->context, name_of(run, "embedding"), &tables, side->ids, positions, types, side->rows,
                                  arch_embedding_width(arch), stack->embedding_norm.gain ? &none : &dropout);
  if (!stack->embedding_norm.gain) return widen(run, x);
  x = normalise(run, "embedding_norm", NULL, x, NULL, &stack->embedding_norm, &none);
  return widen(run, op_dropout(run->context, name_of(run, "embedding_dropout"), x, &dropout));
}

// A pre-norm stack's last hidden state is after the final norm, as in transformers.
static struct tensor *hidden_of(const struct run *run, const struct stream *stream) {
  return run->layer + 1 == run->stack->arch->layers ? stream->input : stream->sum;
}

// Reports the hidden state after each layer under one name for all places of the norm: "decoder.hidden.3". Hidden 0 is the
// embeddings' output.
static void report_hidden(const struct run *run, const struct stream *stream) {
  if (!run->context->probe) return;
  char *name = context_node(run->context, 48);
  const struct tensor *hidden = hidden_of(run, stream);
  if (!name || !hidden) return;
  snprintf(name, 48, "%s.hidden.%d", run->stack_name, run->layer + 1);
  context_report(run->context, name, hidden);
}

// Without a tape nobody needs what a layer made beside its result: the two tensors of the stream move down to `mark`, and the
// next layer works in the same memory.
static void forget_layer(struct context *context, size_t mark, const struct stream *stream) {
  struct tensor *kept[] = {stream->sum, stream->input == stream->sum ? NULL : stream->input};  // in the order of their addresses
  if (!context_ok(context)) return;
  context->arena.low = mark;
  for (int i = 0; i < 2 && kept[i]; i++) {
    size_t bytes = (size_t)kept[i]->rows * (size_t)kept[i]->cols * sizeof *kept[i]->data;
    float *place = context_memory(context, bytes);
    assert(place && place <= kept[i]->data);
    if (!context->arena.measuring) memmove(place, kept[i]->data, bytes);
    kept[i]->data = place;
  }
}

// A state that the head reads: what comes from now on lies above it.
static void keep_state(struct run *run, const struct stream *stream, size_t *mark) {
  if (!run->states || !arch_reads_state(&run->model->arch, run->layer + 1)) return;
  run->states[run->state_count++] = hidden_of(run, stream);
  *mark = run->context->arena.low;
}

// ---- recomputing ----

// A layer of which the tape holds only what went in and what came out (Chen et al. 2016, "Training deep nets with sublinear
// memory cost"). In backward it runs again, on a tape of its own: the same operations on the same numbers, so the gradients have
// the same bits.
struct layer_node {
  struct node node;
  struct run run;
  struct stream in, out;
};

static void hand_over_gradient(struct tensor *to, struct tensor *from) {
  to->gradient = from->gradient;
  from->gradient = NULL;
}

static void run_again(struct context *context, struct node *base) {
  struct layer_node *node = (struct layer_node *)base;
  struct stream *out = &node->out, again = node->in;
  if (!out->sum->gradient && !out->input->gradient) return;
  context->last = NULL;
  run_layer(&node->run, &again);
  if (!context_ok(context)) return;
  hand_over_gradient(again.sum, out->sum);
  if (out->input != out->sum) hand_over_gradient(again.input, out->input);
  tape_backward(context);
}

static void run_lightly(struct run *run, struct stream *stream) {
  struct context *context = run->context;
  struct layer_node *node = tape_record(context, sizeof *node, run_again, name_of(run, "again"));
  if (!node) return;
  size_t mark = context->arena.low;
  node->run = *run;
  node->in = *stream;
  context->recording = false;
  run_layer(run, stream);
  forget_layer(context, mark, stream);
  context->recording = true;
  node->out = *stream;
}

static int length_of(const struct batch_side *side, const struct span *span) {
  int last = 0;
  for (int row = span->q0; row < span->q0 + span->qn; row++)
    if (side->positions[row] > last) last = side->positions[row];
  return last + 1;
}

// Of texts that are longer than the model's positions: ROTARY_DYNAMIC turns each by the base of its length.
static void stretch_angles(const struct run *run, float *table, int width) {
  const struct arch *arch = &run->model->arch;
  const struct batch_side *side = run->side;
  for (int i = 0; i < side->span_count && context_ok(run->context); i++) {
    const struct span *span = &side->spans[i];
    int length = length_of(side, span);
    if (length <= arch->max_positions) continue;
    float *frequencies = context_node(run->context, (size_t)width / 2 * sizeof *frequencies);
    if (!frequencies) return;
    float scale = rotary_frequencies(frequencies, arch, width, length);
    run->context->kernels->rotary_table(table + (size_t)span->q0 * (size_t)width, side->positions + span->q0, frequencies, scale,
                                        span->qn, width / 2);
  }
}

// The table of angles lies below what forget_layer gives back.
static bool make_angles(struct run *run) {
  const struct stack *stack = run->stack;
  if (!stack->rotary) return true;
  int width = arch_head_width(&run->model->arch, stack->arch);
  float *table = rotary_table(run->context, run->side->positions, stack->rotary, stack->rotary_scale, run->side->rows, width / 2);
  if (table && run->model->arch.rotary.scaling == ROTARY_DYNAMIC && !run->cache) stretch_angles(run, table, width);
  run->rotary = table;
  return context_ok(run->context);
}

// Layers above the last state that the head reads would work for nobody, unless somebody looks on.
static int layers_to_run(const struct run *run) {
  int layers = run->stack->arch->layers;
  if (!run->states || run->context->probe || run->context->probe_attention) return layers;
  while (layers > 0 && !arch_reads_state(&run->model->arch, layers)) layers--;
  return layers;
}

static struct tensor *run_layers(struct run *run) {
  if (!make_angles(run)) return NULL;
  run->layer = -1;
  if (run->stack->relative) {
    run->relative = op_relative_bias(run->context, name_of(run, "relative"), run->stack->relative,
                                     run->model->arch.relative_distance);
    if (!run->relative) return NULL;
  }
  size_t mark = run->context->arena.low;
  struct stream stream;
  stream.sum = stream.input = embed(run);
  if (!stream.sum) return NULL;
  report_hidden(run, &stream);
  keep_state(run, &stream, &mark);
  if (run->model->arch.norm_place == NORM_PRE)
    stream.input = add_and_normalise(run, "first_norm", &stream.sum, stream.sum, NULL, &run->stack->layers[0].self.norm,
                                     SITE_EMBEDDING);
  int layers = layers_to_run(run);
  for (run->layer = 0; run->layer < layers && context_ok(run->context); run->layer++) {
    if (run->context->recording && run->context->recompute) run_lightly(run, &stream);
    else run_layer(run, &stream);
    report_hidden(run, &stream);
    if (!run->context->recording) forget_layer(run->context, mark, &stream);
    keep_state(run, &stream, &mark);
  }
  return context_ok(run->context) ? stream.input : NULL;
}

// Whether anything below the head learns; of models with one stack.
static bool learns(const struct model *model) {
  for (int i = 0; i < model->weight_count; i++)
    if (model->weights[i].trainable && strncmp(model->weights[i].name, "head.", 5) != 0) return true;
  return false;
}

// Nothing goes back through a stack that is frozen, so it leaves no tape; and it runs as it will run later, without dropout.
static struct tensor *run_stack(struct run *run) {
  struct context *context = run->context;
  bool recording = context->recording, training = context->training;
  if ((recording || training) && run->model->arch.family != FAMILY_ENCODER_DECODER && !learns(run->model))
    context->recording = context->training = false;
  struct tensor *last = run_layers(run);
  context->recording = recording;
  context->training = training;
  return last;
}

// ---- public ----

struct tensor *model_encode(struct context *context, const struct model *model, const struct batch_side *source) {
  struct run run = {.context = context, .model = model, .stack = &model->encoder, .stack_name = "encoder", .side = source};
  return run_stack(&run);
}

int model_states(struct context *context, const struct model *model, const struct batch_side *side, struct tensor *states[]) {
  bool encoder = model->arch.family == FAMILY_ENCODER;
  struct run run = {.context = context, .model = model, .stack = encoder ? &model->encoder : &model->decoder,
                    .stack_name = encoder ? "encoder" : "decoder", .side = side, .states = states};
  return run_stack(&run) ? run.state_count : 0;
}

struct tensor *model_decode(struct context *context, const struct model *model, const struct batch *batch,
                            struct tensor *encoded) {
  struct run run = {.context = context,
                    .model = model,
                    .stack = &model->decoder,
                    .stack_name = "decoder",
                    .side = &batch->target,
                    .encoded = encoded,
                    .cross = batch->cross,
                    .cross_count = batch->cross_count};
  return run_stack(&run);
}

bool model_cache_source(struct context *context, const struct model *model, struct layer_cache *layers, struct tensor *encoded,
                        const int32_t *slots) {
  struct run run = {.context = context, .model = model, .stack = &model->decoder, .stack_name = "decoder"};
  int heads = model->arch.decoder.kv_heads, width = arch_head_width(&model->arch, &model->arch.decoder);
  for (run.layer = 0; run.layer < model->arch.decoder.layers; run.layer++) {
    struct tensor *kv = cross_keys(&run, &model->decoder.layers[run.layer], encoded);
    if (!kv) return false;
    store(&run, &layers[run.layer].cross, slots, kv, 0, heads * width);
  }
  return true;
}

struct tensor *model_decode_cached(struct context *context, const struct model *model, const struct batch_side *target,
                                   const struct span *cross, int cross_count, const struct decoder_cache *cache) {
  struct run run = {.context = context,
                    .model = model,
                    .stack = &model->decoder,
                    .stack_name = "decoder",
                    .side = target,
                    .cross = cross,
                    .cross_count = cross_count,
                    .cache = cache};
  return run_stack(&run);
}
