// Every attention weight of one pass over one sentence (or pair): the probe of src/tensor kept as matrices.
#pragma once
#include "model/model.h"

struct attention_matrix {
  char name[64];            // as the probe says it: "decoder.3.cross.attention"
  int heads, rows, columns;
  float *values;            // [heads, rows, columns]; rows are queries, columns are keys
};

struct attention_record {
  struct attention_matrix *matrices;
  size_t count, capacity;
};

struct attention_sides {
  const int32_t *source, *target;  // target: the decoder's inputs, start token first; NULL where the model has no such side
  int source_count, target_count;
};

// The model must be prepared. Ids outside its vocabulary and more tokens than it has positions are refused. On failure the
// record is empty.
bool attention_record_run(struct attention_record *record, const struct model *model, const struct attention_sides *sides, struct error *error);
void attention_record_free(struct attention_record *record);
// NULL: the pass had no such attention.
const struct attention_matrix *attention_record_find(const struct attention_record *record, const char *stack, int layer, bool cross);
// One head, or the mean of all heads (head < 0), as a new [rows, columns]; the caller frees it.
float *attention_matrix_head(const struct attention_matrix *matrix, int head, struct error *error);
