// A small random batch and arch for tests: ugly sizes on purpose.
#pragma once
#include "model/model.h"

enum { TINY_SEQUENCES = 3, TINY_MOST_ROWS = 32, TINY_VOCABULARY = 11 };

struct tiny_batch {
  struct batch batch;
  int32_t ids[2][TINY_MOST_ROWS], positions[2][TINY_MOST_ROWS], labels[TINY_MOST_ROWS];
  uint64_t row_keys[2][TINY_MOST_ROWS];
  struct span spans[2][TINY_SEQUENCES], cross[TINY_SEQUENCES];
};

static inline void tiny_side(struct tiny_batch *tiny, int side, const int *lengths, struct batch_side *out) {
  int row = 0;
  for (int s = 0; s < TINY_SEQUENCES; s++) {
    tiny->spans[side][s] = (struct span){.q0 = row, .qn = lengths[s], .k0 = row, .kn = lengths[s]};
    for (int i = 0; i < lengths[s]; i++, row++) {
      tiny->ids[side][row] = (row * 7 + side * 3 + s) % (TINY_VOCABULARY - 1);
      tiny->positions[side][row] = i;
      tiny->row_keys[side][row] = (uint64_t)(s + 5) << 24 | (uint64_t)i;
    }
  }
  *out = (struct batch_side){.rows = row, .ids = tiny->ids[side], .positions = tiny->positions[side], .row_keys = tiny->row_keys[side],
                             .spans = tiny->spans[side], .span_count = TINY_SEQUENCES};
}

static inline void tiny_batch_fill(struct tiny_batch *tiny) {
  static const int source[TINY_SEQUENCES] = {5, 1, 3}, target[TINY_SEQUENCES] = {4, 3, 1};
  *tiny = (struct tiny_batch){0};
  tiny_side(tiny, 0, source, &tiny->batch.source);
  tiny_side(tiny, 1, target, &tiny->batch.target);
  for (int s = 0; s < TINY_SEQUENCES; s++)
    tiny->cross[s] = (struct span){.q0 = tiny->spans[1][s].q0, .qn = target[s], .k0 = tiny->spans[0][s].q0, .kn = source[s]};
  for (int row = 0; row < tiny->batch.target.rows; row++) tiny->labels[row] = row == 2 ? -1 : (row * 5 + 1) % (TINY_VOCABULARY - 1);
  tiny->batch.cross = tiny->cross;
  tiny->batch.cross_count = TINY_SEQUENCES;
  tiny->batch.labels = tiny->labels;
  tiny->batch.label_count = tiny->batch.target.rows - 1;
  tiny->batch.sequences = TINY_SEQUENCES;
}

static inline struct arch tiny_arch(void) {
  return (struct arch){
    .family = FAMILY_ENCODER_DECODER, .hidden = 12, .source_vocab = TINY_VOCABULARY, .target_vocab = TINY_VOCABULARY,
    .encoder = {.layers = 2, .heads = 2, .kv_heads = 2, .ffn = 9}, .decoder = {.layers = 2, .heads = 2, .kv_heads = 2, .ffn = 9},
    .norm_epsilon = 1e-5f, .residual = true, .positions = POSITIONS_SINUSOID, .max_positions = 8, .embedding_scale = 2,
    .activation = ACTIVATION_RELU, .attention_bias = true, .ffn_bias = true, .shared_embeddings = true, .tied_head = true,
    .pad_id = TINY_VOCABULARY - 1, .eos_id = 0, .unk_id = 1, .bos_id = -1, .decoder_start_id = TINY_VOCABULARY - 1};
}
