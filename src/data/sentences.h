// Documents as sentences of token ids: what BERT's pre-training reads. A file holds one sentence a line and a blank line between
// documents; or running text, which is split at the ends of sentences.
//
//   tokens    [token_count]        of all sentences, one after the other, without special tokens
//   starts    [count + 1]          a sentence's tokens are [starts[i], starts[i + 1])
//   documents [document_count + 1] a document's sentences are [documents[d], documents[d + 1])
#pragma once
#include "data/ledger.h"
#include "data/parallel_text.h"
#include "text/tokenizer.h"

struct sentences {
  int32_t *tokens;
  uint64_t *starts, *places;  // places: file and line of each sentence
  size_t *documents;
  size_t token_count, count, document_count;
  size_t token_capacity, start_capacity, place_capacity, document_capacity;
  struct ledger ledger;
};

struct sentence_options {
  const struct tokenizer *tokenizer;
  int vocabulary;             // of the model
  size_t longest;             // tokens of a sentence; the rest is cut off and counted
  bool split;                 // running text
};

// Adds the documents of a file; a document does not go on in the next file. Starts from all zero.
bool sentences_read(struct sentences *sentences, const struct line_file *file, size_t file_number,
                    const struct sentence_options *options, struct error *error);
// Moves the end of each long document, and some of the short ones, to `valid`: about `share` of the sentences.
bool sentences_hold_out(struct sentences *sentences, struct sentences *valid, double share, struct error *error);
void sentences_free(struct sentences *sentences);

// Cuts the first sentence off running text: it ends behind . ! or ? (and quotes) before a blank and what can begin another one.
// Returns its size, blanks behind it included.
size_t sentence_end(const char *text, size_t size);
