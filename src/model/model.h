// A Transformer: weights, and the functions that run it. A model is immutable while it runs and may be shared by threads;
// work memory, dropout and errors belong to a struct context per thread.
#pragma once
#include "model/arch.h"
#include "model/batch.h"
#include "tensor/context.h"
#include "tensor/weight.h"

struct linear_weights {
  struct weight *weight, *bias;  // bias NULL: none
};

struct norm_weights {
  struct weight *gain, *bias;
};

struct attention_weights {
  struct linear_weights query_key_value;       // self-attention: parts query, key, value
  struct linear_weights query, key_value;      // cross-attention: key_value has parts key, value
  struct linear_weights output;
  struct norm_weights norm;
};

struct layer {
  struct attention_weights self, cross;        // cross.output.weight NULL: no cross-attention
  struct linear_weights up, down;
  struct norm_weights feed_forward_norm;
};

struct stack {
  const struct stack_arch *arch;
  struct weight *embedding, *positions;
  struct norm_weights embedding_norm, final_norm;
  struct layer *layers;
  bool causal;
  int site;                                    // first dropout site
};

struct model {
  struct arch arch;
  struct weight *weights;                      // [weight_count], each once
  int weight_count;
  struct stack encoder, decoder;
  struct linear_weights head;                  // weight may be the decoder's embedding
  const struct kernels *kernels;               // set by model_prepare
};

// Weights with shapes, without values. NULL and error set on failure.
struct model *model_new(const struct arch *arch, struct error *error);
void model_free(struct model *model);
struct weight *model_weight(const struct model *model, const char *name);  // NULL: no such weight
bool model_initialise(struct model *model, uint64_t seed, struct error *error);
size_t model_parameters(const struct model *model);

// Makes ready to run: vectors and packed copies; for training also masters, gradients and moments.
bool model_prepare(struct model *model, const struct kernels *kernels, bool training, struct error *error);
// After the values changed: packs again.
bool model_repack(struct model *model, struct error *error);

// Key/value pages of every decoder layer, for generation. The same page numbers hold in every layer.
struct layer_cache {
  struct key_store self, cross;
};

// What the decoder needs to go on from a cache: where each new row's own key goes. Its spans (batch_side.spans) name pages.
struct decoder_cache {
  struct layer_cache *layers;   // [decoder layers]
  const int32_t *slots;         // [rows] page * KEY_PAGE + slot for each new row
};

// Encoder: hidden states [source rows, hidden]. NULL when the context has failed.
struct tensor *model_encode(struct context *context, const struct model *model, const struct batch_side *source);
// Decoder over whole sequences: hidden states [target rows, hidden]. encoded may be NULL (decoder-only).
struct tensor *model_decode(struct context *context, const struct model *model, const struct batch *batch, struct tensor *encoded);
// Keys and values of `encoded` for every decoder layer into the cross pages: row r goes to slot slots[r].
bool model_cache_source(struct context *context, const struct model *model, struct layer_cache *layers, struct tensor *encoded, const int32_t *slots);
// Decoder over new rows only; cross spans name cross pages.
struct tensor *model_decode_cached(struct context *context, const struct model *model, const struct batch_side *target, const struct span *cross,
                                   int cross_count, const struct decoder_cache *cache);
// Logits [rows, target_vocab] for hidden states (NULL rows: all of them; otherwise the given rows).
struct tensor *model_logits(struct context *context, const struct model *model, struct tensor *hidden, const int32_t *rows, int count);

struct loss {
  double sum;        // of the (smoothed) loss over targets
  double plain_sum;  // of -log p(target)
  int64_t count;     // targets
  int64_t correct;   // targets that were the most probable token
};

// Forward, loss, and with a recording context backward: gradients of scale * sum are added to the weights' gradients.
// losses (may be NULL) receives -log p of each label row, [rows of the predicting side], 0 where there is no label.
bool model_loss(struct context *context, const struct model *model, const struct batch *batch, float label_smoothing, float scale,
                struct loss *loss, float *losses);
