// A Transformer: weights, and the functions that run it. A model is immutable while it runs and may be shared by threads;
// work memory, dropout and errors belong to a struct context per thread. (While it learns, gradients and batch norm's running
// statistics change.)
#pragma once
#include "model/arch.h"
#include "model/batch.h"
#include "tensor/context.h"
#include "tensor/operations.h"
#include "tensor/weight.h"

struct linear_weights {
  struct weight *weight, *bias;  // bias NULL: none
};

struct norm_weights {
  struct weight *gain, *bias;
  struct running_statistics running;  // of batch norm
};

struct attention_weights {
  struct linear_weights query_key_value;       // self-attention: parts query, key, value
  struct linear_weights query, key_value;      // cross-attention: key_value has parts key, value
  struct linear_weights output;
  struct weight *score;                        // general: [heads * width, width], additive: [heads, width]; NULL: none
  struct norm_weights norm;
};

struct layer {
  struct attention_weights self, cross;        // all NULL where there is no cross-attention, or no weights
  struct linear_weights up, down;              // gated: up has parts up, gate
  struct norm_weights feed_forward_norm;
};

struct stack {
  const struct stack_arch *arch;
  struct weight *embedding, *positions, *types;
  struct norm_weights embedding_norm, final_norm;
  struct linear_weights embedding_projection;  // weight NULL: the embeddings are as wide as the hidden states
  struct weight *relative;                     // [buckets, heads] biases by distance, or NULL
  float *rotary;                               // [head_width / 2] frequencies, or NULL
  float rotary_scale;                          // of cosines and sines
  struct layer *layers;                        // [layers]; shared ones name the same weights
  bool causal, cross;                          // cross: the layers have cross-attention
  int site;                                    // first dropout site
};

struct head_weights {
  struct norm_weights mix;                     // FEATURES_WEIGHTED: bias [layers + 1] before their softmax, gain [1]; or NULL
  struct lstm_weights lstm[LSTM_MOST_LAYERS][2];  // [arch.lstm.layers] forward, backward
  struct linear_weights transform;             // before the vocabulary, with its norm, or the classifier; weight NULL: none
  struct norm_weights transform_norm;
  struct linear_weights vocabulary;            // weight may be an embedding table; NULL: this head has no vocabulary
  struct linear_weights pooler;                // weight NULL: none
  struct linear_weights classifier;            // [arch_head_outputs, inputs or pooler]; weight NULL: none
};

struct model {
  struct arch arch;
  struct weight *weights;                      // [weight_count], each once
  int weight_count;
  struct stack encoder, decoder;
  struct head_weights head;
  const struct kernels *kernels;               // set by model_prepare
};

// Weights with shapes, without values. NULL and error set on failure.
struct model *model_new(const struct arch *arch, struct error *error);
void model_free(struct model *model);
struct weight *model_weight(const struct model *model, const char *name);  // NULL: no such weight
bool model_initialise(struct model *model, uint64_t seed, struct error *error);
size_t model_parameters(const struct model *model);
// The same model with more tokens: their rows start as model_initialise would have them, all else is copied. Of one stack.
struct model *model_with_vocabulary(const struct model *model, int vocabulary, uint64_t seed, struct error *error);

// Bytes that model_prepare makes and what was there before becomes, by the same rules.
struct model_memory {
  size_t values, packed;      // of a model that learns: masters, and copies for products in both directions
  size_t learning;            // gradients and two moments
  size_t run;                 // of a model that only runs, all in all
};
struct model_memory model_memory(const struct model *model, const struct kernels *kernels);

// Makes ready to run: vectors and packed copies; for training also masters, gradients and moments.
bool model_prepare(struct model *model, const struct kernels *kernels, bool training, struct error *error);
// Calls `task` for every weight: small ones side by side, each by one thread, large ones after each other, each by all threads.
void model_each_weight(struct model *model, void (*task)(void *data, struct weight *weight), void *data);
// After the values changed: packs again.
void model_repack(struct model *model);

// Key/value pages of every decoder layer, for generation. The same page numbers hold in every layer.
struct layer_cache {
  struct key_store self, cross;
};

// What the decoder needs to go on from a cache: where each new row's own key goes. Its spans (batch_side.spans) name pages.
struct decoder_cache {
  struct layer_cache *layers;   // [decoder layers]
  const int32_t *slots;         // [rows] page * KEY_PAGE + slot for each new row
};

// The norm of x, or its sum with dropout(f), by the weights of one place of a stack; spans are the sequences among the rows. *sum
// (may be NULL) is what was normalised.
struct tensor *model_norm(struct context *context, const struct model *model, const char *name, struct tensor **sum,
                          struct tensor *x, struct tensor *f, const struct norm_weights *weights, const struct span *spans,
                          int span_count, const struct dropout *dropout);
// A model with one stack of which nothing learns runs it as it will run later, without a tape and without dropout.
// Encoder: hidden states [source rows, hidden]. NULL when the context has failed.
struct tensor *model_encode(struct context *context, const struct model *model, const struct batch_side *source);
// The hidden states that the head reads (arch_reads_state) of a model with one stack, in rising order into states [layers + 1].
// Returns how many; 0 when the context has failed.
int model_states(struct context *context, const struct model *model, const struct batch_side *side, struct tensor *states[]);
// Decoder over whole sequences: hidden states [target rows, hidden]. encoded may be NULL (decoder-only).
struct tensor *model_decode(struct context *context, const struct model *model, const struct batch *batch,
                            struct tensor *encoded);
// Keys and values of `encoded` for every decoder layer into the cross pages: row r goes to slot slots[r].
bool model_cache_source(struct context *context, const struct model *model, struct layer_cache *layers, struct tensor *encoded,
                        const int32_t *slots);
// Decoder over new rows only; cross spans name cross pages.
struct tensor *model_decode_cached(struct context *context, const struct model *model, const struct batch_side *target,
                                   const struct span *cross, int cross_count, const struct decoder_cache *cache);

// ---- heads (head.c)

// What the head reads of the side that predicts: its last hidden states, or features of them, [rows, arch_head_inputs]. NULL when
// the context has failed.
struct tensor *model_hidden(struct context *context, const struct model *model, const struct batch *batch);
// The same for a model with features: its states put together, then the LSTM (feature_head.c).
struct tensor *model_features(struct context *context, const struct model *model, const struct batch_side *side);
// Logits over the vocabulary for hidden states (NULL rows: all of them; otherwise the given rows); with the head's transform.
struct tensor *model_logits(struct context *context, const struct model *model, struct tensor *hidden, const int32_t *rows,
                            int count);
// The texts' rows (batch_text.row), through the pooler if the model has one: [text_count, hidden]
// (without a pooler, arch_head_inputs).
struct tensor *model_pooled(struct context *context, const struct model *model, const struct batch *batch, struct tensor *hidden);

// What the model's head says, whatever it is. A part that the head lacks is NULL.
struct head_outputs {
  struct tensor *rows;    // language: [asked rows, vocabulary]; tag: [rows, labels]; replaced: [rows, 1]; span: [rows, 2]
  struct tensor *pooled;  // [texts, hidden], if batch has texts and the head reads them or the model has a pooler
  struct tensor *texts;   // classify: [texts, labels]; next sentence: [texts, 2]; choice: [texts, 1]
};
// From the hidden states of model_hidden: logits, without softmax. rows [count] are those whose vocabulary is wanted, such as the
// masked ones; NULL: all. Only batch.texts' rows are read here, no labels. False when the context has failed.
bool model_head_outputs(struct context *context, const struct model *model, const struct batch *batch, struct tensor *hidden,
                        const int32_t *rows, int count, struct head_outputs *out);

struct loss_part {
  double sum;        // of the (smoothed) loss over targets
  double plain_sum;  // of -log p(target); regression: of squared errors; span: of the mean of start's and end's
  int64_t count;     // targets
  int64_t correct;   // targets that were the most probable (span: both ends; choice: the group's best; regression: 0)
};

// The head's only part; with two (HEAD_PRETRAINING, HEAD_DOUBLE) the vocabulary's, and in `texts` the other one's.
struct loss {
  double sum, plain_sum;
  int64_t count, correct;  // as in struct loss_part
  struct loss_part texts;
};

static inline void loss_add(struct loss *to, const struct loss *more) {
  to->sum += more->sum;
  to->plain_sum += more->plain_sum;
  to->count += more->count;
  to->correct += more->correct;
  to->texts.sum += more->texts.sum;
  to->texts.plain_sum += more->texts.plain_sum;
  to->texts.count += more->texts.count;
  to->texts.correct += more->texts.correct;
}

// What the gradients of each part's sum are multiplied by: weight / targets of the whole update. `texts` is read by heads of two
// parts only, the others use `scale` whatever their part is.
struct loss_scale {
  float scale, texts;
};

// Forward, loss, and with a recording context backward: gradients of scale * sum (+ texts * texts.sum) are added to the weights'
// gradients. label_smoothing belongs to softmaxes over a vocabulary, labels or tags. *loss is added to.
// losses (may be NULL) receives -log p of each target, 0 where there is none: [rows of the predicting side], for heads of texts
// only [text_count] (choice: at the group's first text).
bool model_loss(struct context *context, const struct model *model, const struct batch *batch, float label_smoothing,
                struct loss_scale scale, struct loss *loss, float *losses);
