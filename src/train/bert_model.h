// A new BERT: what the layout "bert" of transformers is like, for every task that can start from nothing.
#pragma once
#include "text/learn.h"
#include "train/task.h"

// Sets everything but the head of a model that reads job->tokenizer's ids.
bool bert_describe(struct job *job, struct arch *arch);
// Sets job->tokenizer: WordPiece learnt from lines of text, with BERT's special tokens.
bool bert_learn_tokenizer(struct job *job, tokenizer_next_line *next, void *data);
