#include "train/input_form.h"

#include <string.h>

static const struct text_form form = {.start = "<|start|>", .delimiter = "<|delimiter|>", .extract = "<|extract|>"};
static const char plain[] = "plain", gpt1[] = "gpt1", similarity[] = "gpt1-similarity";

bool input_form_is_on(const struct job *job) { return job->options.input_form && strcmp(job->options.input_form, plain) != 0; }

static bool compares_both_orders(const struct job *job) {
  return job->options.input_form && strcmp(job->options.input_form, similarity) == 0;
}

// A model that labels texts already keeps its form.
static const char *usual_form(const struct arch *arch, bool old, enum head_kind head) {
  if (arch->family != FAMILY_DECODER) return plain;
  if (old && arch->head == head) return arch->both_orders ? similarity : arch->language_too ? gpt1 : plain;
  return gpt1;
}

static bool check(const struct job *job, const struct arch *arch, enum head_kind head) {
  const char *name = job->options.input_form;
  if (input_form_is_on(job) && arch->family != FAMILY_DECODER)
    return error_set(job->error, ERROR_USAGE,
                     "--input-form %s is for decoders, such as gpt2; this model's tokenizer says how its texts begin and end",
                     name);
  if (compares_both_orders(job) && head == HEAD_CHOICE)
    return error_set(job->error, ERROR_USAGE,
                     "--input-form %s compares pairs in both orders; a question and its choices have one (--input-form gpt1)",
                     name);
  if (!input_form_is_on(job) && head == HEAD_CHOICE && arch->family == FAMILY_DECODER)
    return error_set(job->error, ERROR_USAGE,
                     "--input-form plain: a decoder chooses by its double heads, whose question and choices a delimiter parts "
                     "(--input-form gpt1)");
  if (!input_form_is_on(job) && job->options.lm_weight >= 0)
    return error_set(job->error, ERROR_USAGE,
                     "--lm-weight is the language model's share beside the labels, which there is with --input-form gpt1 only");
  return true;
}

bool input_form_choose(struct job *job, const struct arch *arch, bool old, struct head_choice *choice) {
  struct qkv_train_options *options = &job->options;
  bool offered = task_lists(job->task->options, "input-form"), choices = choice->head == HEAD_CHOICE;
  if (!offered || arch->family == FAMILY_ENCODER_DECODER) return true;
  enum head_kind head = choices && arch->family == FAMILY_DECODER ? HEAD_DOUBLE : choice->head;
  if (!options->input_form && head == HEAD_DOUBLE) options->input_form = gpt1;
  if (!options->input_form) options->input_form = usual_form(arch, old, head);
  if (!check(job, arch, choice->head)) return false;
  if (!input_form_is_on(job)) return true;
  if (options->lm_weight < 0) options->lm_weight = 0.5;
  choice->head = head;
  choice->language_too = head == HEAD_CLASSIFY;
  choice->both_orders = compares_both_orders(job);
  if (!tokenizer_set_form(job->tokenizer, &form, job->error)) return false;
  choice->vocabulary = (int)tokenizer_size(job->tokenizer);
  job->training.weights[0] = options->lm_weight;
  return true;
}

void input_form_say(const struct job *job) {
  if (!input_form_is_on(job)) return;
  const char *s = form.start, *d = form.delimiter, *e = form.extract;
  if (compares_both_orders(job))
    job_say(job, "texts become %s TEXT %s PAIR %s and %s PAIR %s TEXT %s, whose last states are added (--input-form)", s, d, e, s,
            d, e);
  else if (job->model->arch.head == HEAD_DOUBLE)
    job_say(job, "choices become %s QUESTION %s CHOICE %s (--input-form)", s, d, e);
  else
    job_say(job, "texts become %s TEXT %s, pairs %s TEXT %s PAIR %s (--input-form)", s, e, s, d, e);
  job_say(job, "the loss is that of the labels + %g x that of the next tokens (--lm-weight)", job->options.lm_weight);
}
