// What a language model in training writes behind beginnings that the validation text gives, for people.
#pragma once
#include "data/token_stream.h"
#include "train/task.h"

// reversed: the stream's documents stand from right to left. What goes wrong here is said, and does not end the training.
void lm_show(const struct job *job, const struct token_stream *stream, bool reversed);
