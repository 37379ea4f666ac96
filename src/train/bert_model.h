// A new BERT: what the layout "bert" of transformers is like, for every task that can start from nothing.
#pragma once
#include "train/task.h"

// Sets everything but the head of a model that reads job->tokenizer's ids.
bool bert_describe(struct job *job, struct arch *arch);
