#include "train/gpt_model.h"

#include <string.h>

void gpt_describe(const struct job *job, struct arch *arch) {
  const struct qkv_train_options *options = &job->options;
  arch->family = FAMILY_DECODER;
  arch->target_vocab = (int)tokenizer_size(job->tokenizer);
  arch->max_positions = (int)options->context;
  arch->decoder = (struct stack_arch){
    .layers = (int)options->layers, .heads = (int)options->heads, .kv_heads = (int)options->kv_heads, .ffn = (int)options->ffn};
  arch->tied_head = strcmp(options->family, "llama") != 0;
  arch->scaled_residuals = strcmp(options->family, "gpt2") == 0;
  arch->initial_deviation = 0.02f;
  arch->bos_id = arch->eos_id;
}
