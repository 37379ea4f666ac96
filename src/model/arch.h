// What a Transformer is, as data: every knob of the three families, orthogonal to each other. No code here asks for an
// architecture's name; a layout in src/hf fills this struct and writes it back.
#pragma once
#include <stdbool.h>

#include "base/error.h"
#include "tensor/kernels.h"

enum family { FAMILY_ENCODER_DECODER, FAMILY_ENCODER, FAMILY_DECODER };
// Layer and RMS norm look at a row, instance and group norm at a whole sequence, batch norm at the whole batch while it learns.
enum norm_kind { NORM_LAYER, NORM_RMS, NORM_NONE, NORM_BATCH, NORM_INSTANCE, NORM_GROUP };
// How well a query fits a key: by their product, by the cosine of their angle, by q^T W k (Luong et al. 2015), or by
// v^T tanh(q + k) (Bahdanau et al. 2015, whose two matrices are those that make q and k).
enum attention_score { SCORE_PRODUCT, SCORE_COSINE, SCORE_GENERAL, SCORE_ADDITIVE };
enum norm_place { NORM_POST, NORM_PRE };
enum position_kind { POSITIONS_NONE, POSITIONS_SINUSOID, POSITIONS_SINUSOID_INTERLEAVED, POSITIONS_LEARNED, POSITIONS_ROTARY };

// What stands on the last hidden states. A row is a token, a text is one sequence of the batch (or a pair of them, in one
// sequence); batch.h says how each learns. Parts with a vocabulary: see arch_has_vocabulary; parts for texts: arch_has_texts.
enum head_kind {
  HEAD_LANGUAGE,       // per row: logits over the vocabulary (causal, masked, translation)
  HEAD_NONE,           // hidden states, and the pooled row if there is a pooler
  HEAD_PRETRAINING,    // HEAD_LANGUAGE and HEAD_NEXT_SENTENCE (BERT); ALBERT's sentence order is the same head
  HEAD_NEXT_SENTENCE,  // per text: 0 "B follows A", 1 "it doesn't"
  HEAD_CLASSIFY,       // per text: logits of `labels` classes; labels 1: regression
  HEAD_TAG,            // per row: logits of `labels` classes
  HEAD_SPAN,           // per row: logits of being the answer's start and its end; softmax over a text's rows
  HEAD_CHOICE,         // per text: one score; softmax over the texts of a group
  HEAD_DOUBLE,         // HEAD_LANGUAGE and HEAD_CHOICE (GPT's double heads)
  HEAD_REPLACED,       // per row: one logit of not being the original word (ELECTRA's discriminator, Clark et al. 2020)
};
enum pooling { POOLING_FIRST, POOLING_LAST, POOLING_MEAN };  // what stands for a text: one of its rows, or the mean of all

// Which hidden states of its stack a head reads (Devlin et al. 2019, section 5.3). Embeddings are state 0, layers count from 1;
// concatenated are the last four, the lowest one first; all are those behind the layers. Weighted: a learnt mix of the embeddings
// and all layers (Peters et al. 2018, equation 1).
enum feature_kind {
  FEATURES_LAST, FEATURES_EMBEDDINGS, FEATURES_SECOND_TO_LAST, FEATURES_SUM_LAST_4, FEATURES_CONCAT_LAST_4, FEATURES_SUM_ALL,
  FEATURES_WEIGHTED
};

// LSTM layers in both directions between these states and the head.
enum { LSTM_MOST_LAYERS = 8 };
struct lstm_arch {
  int layers;  // 0: there are none
  int hidden;  // of each direction
};

// How rotary positions reach beyond the lengths that a model was first trained on; rotary_frequencies.c says what each does.
enum rotary_scaling { ROTARY_PLAIN, ROTARY_LINEAR, ROTARY_DYNAMIC, ROTARY_LLAMA3, ROTARY_YARN };

// What a kind of scaling doesn't use is 0.
struct rotary_arch {
  float base;               // of the wavelengths
  enum rotary_scaling scaling;
  float factor;             // how many times longer
  int original_positions;   // llama3, yarn: the lengths of the first training
  float low, high;          // llama3: low_freq_factor and high_freq_factor; yarn: beta_slow and beta_fast
  float attention_factor;   // yarn: cosines and sines are multiplied by it; 0: what follows from factor and the next two
  float mscale, mscale_all;
  bool truncated;           // yarn: the ramp begins and ends at whole dimensions
};

struct stack_arch {
  int layers;     // 0: this model has no such stack
  int heads, kv_heads;
  int ffn;        // width of the feed-forward network's inner layer
  int groups;     // layers that have weights of their own, each used by layers / groups layers in a row; 0: all have
};

struct arch {
  char layout[32];  // the Hugging Face model_type that it is read from and saved as: "marian", "pegasus", "qkv"
  enum family family;
  int hidden;
  int head_width;             // 0: hidden / heads
  int source_vocab, target_vocab;
  int embedding_width;        // of the embedding tables, projected to `hidden` behind their norm; 0: hidden, no projection
  int types;                  // rows of the table of segments; 0: there is none
  struct stack_arch encoder, decoder;

  enum norm_kind norm;
  enum norm_place norm_place;
  int norm_groups;            // of NORM_GROUP: into how many the columns are parted, otherwise 0
  float norm_epsilon;
  bool norm_epsilon_outside;  // added to the root of the variance, not under it
  bool embedding_norm;        // a norm right after the embeddings
  bool final_norm;            // a norm after the last layer (pre-norm models)
  bool residual;
  enum position_kind positions;
  int max_positions;          // rows of the position table; the longest sequence
  int position_offset;        // added to a position before it is looked up
  struct rotary_arch rotary;  // of POSITIONS_ROTARY, in self-attention
  float embedding_scale;      // 1, or sqrt(hidden)
  enum activation activation;
  bool gated;                 // the inner layer is multiplied by the activation of another one beside it
  bool attention_bias, ffn_bias;
  bool head_bias;             // a bias added to the logits
  bool head_bias_trainable;   // Marian's final_logits_bias is a buffer, not a parameter
  bool shared_embeddings;     // encoder and decoder use one table
  bool tied_head;             // the output head is the embedding table of the stack below it
  enum attention_score attention_score;
  float attention_scale;      // of the scores; 0: 1 / sqrt(head_width) for products, 1 for the others
  int attention_window;       // a token of a causal stack sees so many, itself and those before it; 0: all
  bool attention_bare;        // no weights: queries, keys and values are the input itself, and what attention gives is its output
  int relative_buckets;       // biases by distance, learnt, in the encoder's self-attention (T5's, all layers share them); 0: none
  int relative_distance;      // from this distance on all are one bucket

  enum head_kind head;
  enum feature_kind features;  // what it reads, and through what
  struct lstm_arch lstm;
  int labels;                 // of HEAD_CLASSIFY and HEAD_TAG, otherwise 0
  bool language_too;          // HEAD_CLASSIFY of a decoder: rows have logits over the vocabulary, too (Radford et al. 2018, 3.2)
  bool both_orders;           // HEAD_CLASSIFY: a text is a pair in both orders, whose two rows are added (their 3.3, similarity)
  bool head_transform;        // before the vocabulary: dense, head_activation, norm; HEAD_REPLACED: no norm
  enum activation head_activation;
  enum pooling pooling;
  bool pooler;                // a text's row goes through dense and pooler_activation before it is classified
  enum activation pooler_activation;
  bool classifier_bias;       // of the layer that gives the labels' logits
  float head_dropout;         // before that layer
  bool pooler_dropout;        // head_dropout before the pooler, too
  float initial_deviation;    // of normal initialisation; 0: Xavier uniform
  bool scaled_residuals;      // what ends a residual branch starts smaller: by 1 / sqrt(2 layers) (Radford et al. 2019, 2.3)
  bool padding_learnt;        // with a padding id: its embedding learns like any other; else it gets no gradient from the input

  float dropout, attention_dropout, activation_dropout;
  float embedding_dropout;    // behind the embeddings, where `dropout` stands behind each sublayer

  int bos_id, eos_id, pad_id, unk_id, decoder_start_id;  // -1: there is none
  int forced_eos_id;
};

float arch_attention_scale(const struct arch *arch, const struct stack_arch *stack);
bool arch_norm_spans_rows(const struct arch *arch);  // batch, instance, group
struct norm arch_norm(const struct arch *arch);      // for the operations
int arch_embedding_width(const struct arch *arch);  // the tables' columns
// The stack whose hidden states the head reads, and its vocabulary.
const struct stack_arch *arch_head_stack(const struct arch *arch);
int arch_head_vocabulary(const struct arch *arch);
bool arch_has_vocabulary(const struct arch *arch);  // rows have logits over the vocabulary
bool arch_has_row_labels(const struct arch *arch);  // rows learn labels that are no tokens (tag, replaced)
bool arch_has_texts(const struct arch *arch);       // texts have logits (next sentence, classify, choice, double)
bool head_has_texts(enum head_kind head);           // the same of a head
bool arch_has_choices(const struct arch *arch);     // texts have one score each, compared within their group (choice, double)
int arch_head_outputs(const struct arch *arch);     // logits of the layer that is not the vocabulary's; 0: there is none
bool arch_has_features(const struct arch *arch);    // the head reads anything else than the last hidden states
bool arch_reads_state(const struct arch *arch, int state);
int arch_feature_width(const struct arch *arch);    // columns of what the first LSTM layer, or the head, reads
int arch_head_inputs(const struct arch *arch);      // columns of what the head reads
int arch_head_width(const struct arch *arch, const struct stack_arch *stack);
// How many tokens a text may have that is computed whole; a cache takes max_positions.
int arch_longest_text(const struct arch *arch);
// False with a message that names the knob, its value and the remedy when no such model can exist.
bool arch_check(const struct arch *arch, struct error *error);
