// Hidden states as features: put together as arch.features says, then through the layers of an LSTM, to what the head reads
// (Devlin et al. 2019, section 5.3).
#include <stdio.h>

#include "model/dropout_make.h"
#include "model/model.h"
#include "tensor/operations.h"

enum { FEATURE_SITES = 3 << 20 };  // behind the dropout sites of the stacks and of head.c

static struct tensor *combine(struct context *context, const struct model *model, struct tensor **states, int count) {
  if (model->arch.features == FEATURES_CONCAT_LAST_4) return op_concatenate(context, "head.features", states, count);
  return op_mix(context, "head.features", states, count, model->head.mix.bias, model->head.mix.gain);
}

static struct tensor *read_states(struct context *context, const struct model *model, const struct batch_side *side) {
  struct tensor **states = context_node(context, ((size_t)arch_head_stack(&model->arch)->layers + 1) * sizeof *states);
  int count = states ? model_states(context, model, side, states) : 0;
  return count ? combine(context, model, states, count) : NULL;
}

struct tensor *model_features(struct context *context, const struct model *model, const struct batch_side *side) {
  const struct arch *arch = &model->arch;
  struct tensor *x = read_states(context, model, side);
  for (int layer = 0; x && layer < arch->lstm.layers; layer++) {
    enum { LONGEST = 32 };
    char *name = context_node(context, LONGEST), *dropout_name = context_node(context, LONGEST);
    if (!name || !dropout_name) return NULL;
    snprintf(name, LONGEST, "head.lstm.%d", layer);
    snprintf(dropout_name, LONGEST, "head.lstm.%d.dropout", layer);
    struct dropout dropout = dropout_make(context, arch->head_dropout, FEATURE_SITES + (uint32_t)layer, side->row_keys);
    x = op_lstm(context, name, op_dropout(context, dropout_name, x, &dropout), model->head.lstm[layer], 2, side->spans,
                side->span_count);
  }
  return x;
}
