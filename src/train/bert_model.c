#include "train/bert_model.h"

#include "base/clock.h"

bool bert_learn_tokenizer(struct job *job, tokenizer_next_line *next, void *data) {
  struct tokenizer_options wanted = tokenizer_options_bert();
  wanted.vocab_size = (size_t)job->options.vocab_size;
  wanted.lowercase = job->options.lowercase > 0;
  double start = clock_seconds();
  if (!(job->tokenizer = tokenizer_learn(&wanted, next, data, job->error))) return false;
  char took[32];
  job_say(job, "a vocabulary of %zu word pieces, learnt in %s", tokenizer_size(job->tokenizer),
          clock_text(took, clock_seconds() - start));
  return true;
}

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
