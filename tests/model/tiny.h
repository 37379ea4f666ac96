// A small random batch and arch for tests: ugly sizes on purpose.
#pragma once
#include "model/model.h"

enum { TINY_SEQUENCES = 3, TINY_MOST_ROWS = 32, TINY_VOCABULARY = 11 };

struct tiny_batch {
  struct batch batch;
  int32_t ids[2][TINY_MOST_ROWS], positions[2][TINY_MOST_ROWS], labels[TINY_MOST_ROWS];
  uint64_t row_keys[2][TINY_MOST_ROWS];
  struct span spans[2][TINY_SEQUENCES], cross[TINY_SEQUENCES];
  int32_t types[TINY_MOST_ROWS];
  struct batch_text texts[TINY_SEQUENCES];
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
  *out = (struct batch_side){.rows = row,
                             .ids = tiny->ids[side],
                             .positions = tiny->positions[side],
                             .row_keys = tiny->row_keys[side],
                             .spans = tiny->spans[side],
                             .span_count = TINY_SEQUENCES};
}

static inline void tiny_batch_fill(struct tiny_batch *tiny) {
  static const int source[TINY_SEQUENCES] = {5, 1, 3}, target[TINY_SEQUENCES] = {4, 3, 1};
  *tiny = (struct tiny_batch){0};
  tiny_side(tiny, 0, source, &tiny->batch.source);
  tiny_side(tiny, 1, target, &tiny->batch.target);
  for (int s = 0; s < TINY_SEQUENCES; s++)
    tiny->cross[s] = (struct span){.q0 = tiny->spans[1][s].q0, .qn = target[s], .k0 = tiny->spans[0][s].q0, .kn = source[s]};
  for (int row = 0; row < tiny->batch.target.rows; row++)
    tiny->labels[row] = row == 2 ? -1 : (row * 5 + 1) % (TINY_VOCABULARY - 1);
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

// An encoder (decoder: a decoder) with a head, in the manner of BERT.
static inline struct arch tiny_head_arch(enum head_kind head, bool decoder) {
  struct arch arch = tiny_arch();
  arch.family = decoder ? FAMILY_DECODER : FAMILY_ENCODER;
  *(decoder ? &arch.encoder : &arch.decoder) = (struct stack_arch){0};
  *(decoder ? &arch.source_vocab : &arch.target_vocab) = 0;
  arch.shared_embeddings = false;
  arch.decoder_start_id = -1;
  arch.positions = POSITIONS_LEARNED;
  arch.embedding_norm = true;
  arch.embedding_scale = 1;
  arch.activation = ACTIVATION_GELU;
  arch.types = 2;
  arch.head = head;
  arch.labels = head == HEAD_CLASSIFY || head == HEAD_TAG ? 3 : 0;
  arch.head_bias = arch.head_bias_trainable = arch_has_vocabulary(&arch);
  arch.head_transform = arch.head_bias || head == HEAD_REPLACED;
  arch.head_activation = arch.head_transform ? ACTIVATION_GELU : ACTIVATION_NONE;
  arch.pooling = decoder ? POOLING_LAST : POOLING_FIRST;
  arch.pooler = arch_has_texts(&arch);
  arch.pooler_activation = arch.pooler ? ACTIVATION_TANH : ACTIVATION_NONE;
  arch.classifier_bias = arch_head_outputs(&arch) > 0;
  return arch;
}

// What such a model learns from: some rows have no label, a group has two texts and another one.
static inline void tiny_head_batch(struct tiny_batch *tiny, const struct arch *arch) {
  tiny_batch_fill(tiny);
  struct batch *batch = &tiny->batch;
  struct batch_side *side = arch->family == FAMILY_DECODER ? &batch->target : &batch->source;
  *(arch->family == FAMILY_DECODER ? &batch->source : &batch->target) = (struct batch_side){0};
  side->types = tiny->types;
  batch->cross_count = batch->label_count = 0;
  for (int row = 0; row < side->rows; row++) {
    tiny->types[row] = row * 3 % 5 % 2;
    tiny->labels[row] = row % 4 == 2 ? -1 :
        (row * 5 + 1) % (arch->labels ? arch->labels : arch->head == HEAD_REPLACED ? 2 : TINY_VOCABULARY - 1);
    batch->label_count += tiny->labels[row] >= 0;
  }
  bool choices = arch_has_choices(arch);
  for (int i = 0; i < TINY_SEQUENCES; i++) {
    const struct span *span = &side->spans[i];
    tiny->texts[i] = (struct batch_text){.first = span->q0, .count = span->qn,
                                         .row = arch->pooling == POOLING_LAST ? span->q0 + span->qn - 1 : span->q0,
                                         .second = arch->both_orders ? span->q0 + span->qn / 2 : 0,
                                         .group = i / 2, .label = choices ? i != 0 : i == 1 ? -1 : i % 2,
                                         .start = i == 1 ? -1 : span->qn / 2, .end = span->qn - 1, .value = (float)i - 0.7f};
  }
  batch->texts = tiny->texts;
  batch->text_count = TINY_SEQUENCES;
  batch->text_label_count = arch->head == HEAD_CLASSIFY && arch->labels == 1 ? 3 : 2;
}
