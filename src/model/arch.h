// What a Transformer is, as data: every knob of the three families, orthogonal to each other. No code here asks for an
// architecture's name; a layout in src/hf fills this struct and writes it back.
#pragma once
#include <stdbool.h>

#include "base/error.h"
#include "tensor/kernels.h"

enum family { FAMILY_ENCODER_DECODER, FAMILY_ENCODER, FAMILY_DECODER };
enum norm_kind { NORM_LAYER, NORM_RMS, NORM_NONE };
enum norm_place { NORM_POST, NORM_PRE };
enum position_kind { POSITIONS_NONE, POSITIONS_SINUSOID, POSITIONS_SINUSOID_INTERLEAVED, POSITIONS_LEARNED };

struct stack_arch {
  int layers;     // 0: this model has no such stack
  int heads, kv_heads;
  int ffn;        // width of the feed-forward network's inner layer
};

struct arch {
  char layout[32];  // the Hugging Face model_type that it is read from and saved as: "marian", "pegasus", "qkv"
  enum family family;
  int hidden;
  int head_width;             // 0: hidden / heads
  int source_vocab, target_vocab;
  struct stack_arch encoder, decoder;

  enum norm_kind norm;
  enum norm_place norm_place;
  float norm_epsilon;
  bool embedding_norm;        // a norm right after the embeddings
  bool final_norm;            // a norm after the last layer (pre-norm models)
  bool residual;
  enum position_kind positions;
  int max_positions;          // rows of the position table
  int position_offset;        // added to a position before it is looked up
  float embedding_scale;      // 1, or sqrt(hidden)
  enum activation activation;
  bool gated;
  bool attention_bias, ffn_bias;
  bool head_bias;             // a bias added to the logits
  bool head_bias_trainable;   // Marian's final_logits_bias is a buffer, not a parameter
  bool shared_embeddings;     // encoder and decoder use one table
  bool tied_head;             // the output head is the decoder's embedding table
  float attention_scale;      // 0: 1 / sqrt(head_width)
  float initial_deviation;    // of normal initialisation; 0: Xavier uniform

  float dropout, attention_dropout, activation_dropout;

  int bos_id, eos_id, pad_id, unk_id, decoder_start_id;  // -1: there is none
  int forced_eos_id;
};

int arch_head_width(const struct arch *arch, const struct stack_arch *stack);
// False with a message that names the knob, its value and the remedy when no such model can exist.
bool arch_check(const struct arch *arch, struct error *error);
