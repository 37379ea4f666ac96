// What a tokenizer is made of. Only tokenizer*.c and learn*.c look inside.
#pragma once
#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/token_model.h"
#include "text/normalizer.h"
#include "text/postprocessor.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/word_cache.h"

struct truncation {
  size_t max_length;  // 0: none
  enum { CUT_LONGEST_FIRST, CUT_ONLY_FIRST, CUT_ONLY_SECOND } strategy;
  bool left;
};

struct tokenizer {
  struct normalizer_list normalizer;
  struct pretokenizer_list pretokenizer;
  struct token_model model;
  struct postprocessor postprocessor;
  struct decoder_list decoder;
  struct added_tokens added;
  struct truncation truncation;
  struct special_ids special_ids;
  struct word_cache cache;
  size_t size;    // largest id + 1
  cJSON *json;    // tokenizer.json without the vocabulary and the merges, which the model has
  cJSON *config;  // tokenizer_config.json; NULL: none
};

// The tokens of one text, before special tokens are added. Offsets count bytes of the text.
struct encoded {
  int32_t id;
  uint32_t start, end;
};

struct encoded_list {
  struct encoded *items;
  size_t count, capacity;
};

struct encoding_scratch {
  struct working_text working;
  struct pattern_scratch *pattern;
  struct model_scratch model;
  struct token_list tokens;
  struct encoded_list texts[2];
  struct buffer clean[2];  // a text with its invalid bytes replaced
  uint32_t *places;        // clean byte -> given byte; while a text is being cleaned
  size_t place_capacity;
};

// Takes the JSON over, also on failure. config may be NULL.
struct tokenizer *tokenizer_from_json(cJSON *json, cJSON *config, const char *name, struct error *error);
