#include "train/bert_model.h"

bool bert_describe(struct job *job, struct arch *arch) {
  const struct qkv_train_options *options = &job->options;
  struct special_ids ids = tokenizer_special_ids(job->tokenizer);
  arch->family = FAMILY_ENCODER;
  arch->source_vocab = (int)tokenizer_size(job->tokenizer);
  arch->encoder = (struct stack_arch){.layers = (int)options->layers, .heads = (int)options->heads,
                                      .kv_heads = (int)options->kv_heads, .ffn = (int)options->ffn};
  arch->types = 2;
  arch->max_positions = options->max_length > 512 ? (int)options->max_length : 512;
  arch->norm_epsilon = 1e-12f;
  arch->embedding_norm = true;
  arch->initial_deviation = 0.02f;
  arch->unk_id = ids.unknown;
  arch->pad_id = job_special_id(job, "padding", ids.padding, "[PAD]");
  job_special_id(job, "beginning", ids.classification, "[CLS]");
  job_special_id(job, "separating", ids.separator, "[SEP]");
  snprintf(arch->layout, sizeof arch->layout, "bert");
  return job->error->code == ERROR_NONE;
}
