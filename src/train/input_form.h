// What texts become for a decoder that is fine-tuned to label them: GPT-1's input forms (Radford et al., 2018, section 3.3 and
// figure 1), or what the tokenizer makes of them.
//
// With a form, the texts' tokens stand between learnt start, delimiter and extract tokens, the state of the last one is
// classified, and the language model goes on learning beside it (their equation 5). The tokens and their places are the
// tokenizer's (its tokenizer.json says them), the rest is in the model's config.json: so whoever reads the model later applies
// the same form.
#pragma once
#include "hf/checkpoint.h"
#include "train/task.h"

// Decides options.input_form and options.lm_weight, gives the tokenizer the form's tokens, and completes what head the model is
// to have. arch: the model it starts from, or a new one's family alone; old: it has a head already.
bool input_form_choose(struct job *job, const struct arch *arch, bool old, struct head_choice *choice);
// Whether there is a form, once it is chosen.
bool input_form_is_on(const struct job *job);
// Tells the user what texts become.
void input_form_say(const struct job *job);
