// Learning a vocabulary from text: BPE on bytes, BPE on the characters of words, whole words, or single characters.
//
// The result depends on the text and the options alone, never on the number of threads. Memory is bounded by
// `max_words` different words, not by the size of the text: beyond it the rarest words are forgotten and counted.
#pragma once
#include <stdint.h>

#include "text/tokenizer.h"

enum tokenizer_kind {
  TOKENIZER_BPE_BYTES,  // byte-level BPE as GPT-2: no unknown token is ever needed
  TOKENIZER_BPE_END,    // BPE on words split at blanks; a word's last piece ends in "</w>"
  TOKENIZER_BPE_START,  // BPE on words split at blanks and punctuation; blanks become U+2581 (as SentencePiece writes it)
  TOKENIZER_WORD,       // the most frequent words, split at blanks
  TOKENIZER_CHAR,       // characters
  TOKENIZER_WORDPIECE,  // pieces of words as BERT's, split at blanks and punctuation; those inside a word begin with "##"
  TOKENIZER_UNIGRAM,    // a unigram model of pieces; blanks become U+2581 and begin a word
};

enum { TOKENIZER_SPECIAL_MAX = 16 };

// Where a token's id is in the vocabulary.
enum special_place { SPECIAL_FIRST, SPECIAL_LAST };

struct special_token {
  const char *text;
  enum special_place place;  // ids are given in the order of the list: from 0 on for FIRST, after the learnt tokens for LAST
  const char *role;          // "eos_token", "unk_token", "pad_token", "bos_token", ... for tokenizer_config.json; may be NULL
};

struct tokenizer_options {
  enum tokenizer_kind kind;
  size_t vocab_size;  // with special tokens
  bool lowercase;
  const char *unicode_form;  // "NFC", "NFD", "NFKC", "NFKD" or NULL
  uint64_t min_frequency;    // pairs (BPE), words or characters below it are not learnt; 0 counts as 1, BPE: as 2
  struct special_token specials[TOKENIZER_SPECIAL_MAX];
  int special_count;
  const char *prefix;  // special tokens that the post-processor puts around a text, as "<s>" and "</s>"; may be NULL
  const char *suffix;
  size_t max_words;         // 0: 8 million
  size_t model_max_length;  // 0: not written
};

// The layouts of the families that train writes.
struct tokenizer_options tokenizer_options_marian(void);   // </s> 0, <unk> 1, learnt, <pad> last; </s> is appended
struct tokenizer_options tokenizer_options_pegasus(void);  // <pad> 0, </s> 1, <unk> 2, learnt; </s> is appended
struct tokenizer_options tokenizer_options_gpt2(void);     // learnt, <|endoftext|> last; nothing is put around texts

struct tokenizer_options tokenizer_options_bert(void);  // [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4; [CLS] and [SEP] around

// Returns false at the end of the text. *line stays valid until the next call. Failure: set the error, return false.
typedef bool tokenizer_next_line(void *data, const char **line, size_t *size, struct error *error);

// Warns when the text does not allow vocab_size tokens (the result then has fewer), and when rare words were forgotten.
struct tokenizer *tokenizer_learn(const struct tokenizer_options *options, tokenizer_next_line *next, void *data,
                                  struct error *error);
