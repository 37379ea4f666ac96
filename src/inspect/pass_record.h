// What one pass over one sentence (or pair) computed: every attention weight and, if wanted, the result of every operation.
//
// Names are those of the probe in src/tensor/context.h: "encoder.3.self.attention" twice, as weights [heads, rows, columns] and
// as the mixed values [1, rows, columns]; "decoder.0.feed_forward.up"; "head" for the logits.
#pragma once
#include "model/model.h"

struct recorded {
  char name[64];
  bool weights;             // of attention: rows are queries, columns are keys
  int heads, rows, columns; // heads is 1 unless these are attention weights
  float *values;            // [heads, rows, columns]
};

struct pass_record {
  struct recorded *items;
  size_t count, capacity;
};

struct pass_sides {
  const int32_t *source, *source_types;  // what the encoder reads; types may be NULL
  const int32_t *target;                 // what the decoder reads, of a translator with the start token first
  int source_count, target_count;        // 0 where the model has no such side
};

enum pass_detail { PASS_WEIGHTS, PASS_EVERYTHING };

// The model must be prepared. Ids outside its vocabulary and more tokens than it has positions are refused. On failure the
// record is empty.
bool pass_record_run(struct pass_record *record, const struct model *model, const struct pass_sides *sides,
                     enum pass_detail detail, struct error *error);
void pass_record_free(struct pass_record *record);
// The result of an operation, NULL if the pass had no such.
const struct recorded *pass_record_find(const struct pass_record *record, const char *name);
// An attention by its kind: "encoder" and "decoder" over themselves, or "cross", of the decoder over the encoder. The first
// refuses what a model has not (layer and head -1: none in particular) and gives the stack at hand; *kind NULL becomes
// cross-attention or, without one, the only kind. The second gives the name of the operation, the third the weights that it made.
const struct stack_arch *attention_stack(const struct arch *arch, const char **kind, int64_t layer, int64_t head,
                                         struct error *error);
void attention_name(char out[64], const char *kind, int layer);
const struct recorded *pass_record_weights(const struct pass_record *record, const char *kind, int layer);
// One head of attention weights, or the mean of all heads (head < 0), as a new [rows, columns]; the caller frees it.
float *recorded_head(const struct recorded *weights, int head, struct error *error);
