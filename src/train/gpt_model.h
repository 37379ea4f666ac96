// What a new model of one causal stack is like, for every task that makes one.
#pragma once
#include "train/task.h"

// Family, stack, vocabulary, positions; the end token is set before, -1 for none.
void gpt_describe(const struct job *job, struct arch *arch);
