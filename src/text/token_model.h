// The model section of tokenizer.json: words to ids. One file per kind of model does the work.
#pragma once
#include <cjson/cJSON.h>

#include "text/bpe.h"
#include "text/unigram.h"
#include "text/word_level.h"
#include "text/word_piece.h"

struct token_model {
  enum model_kind { MODEL_BPE, MODEL_WORD_LEVEL, MODEL_WORD_PIECE, MODEL_UNIGRAM } kind;
  union {
    struct bpe bpe;
    struct word_level word_level;
    struct word_piece word_piece;
    struct unigram unigram;
  };
};

// Working memory of one thread.
struct model_scratch {
  struct bpe_scratch bpe;
  struct unigram_scratch unigram;
};

// bytes: words come as raw bytes and are spelled in the bytes' alphabet by the model. name is the file, for messages.
bool token_model_read(struct token_model *model, const cJSON *json, bool bytes, const char *name, struct error *error);
// vocab.json and merges.txt, of a byte-level BPE as GPT-2's.
bool token_model_read_files(struct token_model *model, const char *vocabulary_path, const char *merges_path, struct error *error);
// Adds "vocab" and, for BPE, "merges" to the section.
bool token_model_write(const struct token_model *model, cJSON *json, struct error *error);
// What it gives for what it lacks; -1: nothing ever, or nothing at all.
int32_t token_model_unknown(const struct token_model *model);
const struct vocabulary *token_model_vocabulary(const struct token_model *model);
bool token_model_encode(const struct token_model *model, const char *word, size_t size, struct model_scratch *scratch,
                        struct token_list *out, struct error *error);
void model_scratch_free(struct model_scratch *scratch);
void token_model_free(struct token_model *model);
