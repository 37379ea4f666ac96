// Documents as token ids, made once and kept in temporary files that are mapped, so that neither the text nor its ids need fit
// into memory.
//
//   tokens     [count] i32   of all documents, one behind the other. A document of text begins with the begin token, if there is
//                            one; its end token is not stored: it is what is learnt at the document's last token.
//   documents  [document_count] where each begins, and where its answer begins
//
// Invariant: every id is in [0, vocabulary); every document has a token.
#pragma once
#include "base/unnamed_file.h"
#include "data/documents.h"
#include "text/tokenizer.h"

struct stream_document {
  uint64_t start;   // of its first token
  uint64_t answer;  // of its answer's first token; of text: start
  uint64_t place;   // file << 48 | line
};

struct token_stream_options {
  const struct tokenizer *tokenizer;
  int vocabulary;          // of the model
  int begin_id, end_id;    // -1: there is none
  bool reversed;           // the tokens of each document stand from right to left, behind the begin token
  size_t most;             // tokens of a prompt and its answer with its end
  bool cut_long;           // longer prompts lose their beginning, instead of being dropped
  const char *directory;   // where the temporary files go
};

struct token_stream {
  const int32_t *tokens;
  const struct stream_document *documents;
  uint64_t count;
  size_t document_count;
  int begin_id, end_id;
  bool pairs;              // of prompts and answers
  uint64_t bytes;          // of the text whose tokens are learnt: documents, or answers
  struct ledger ledger;
  const char *const *paths;  // of the reader
  struct unnamed_file token_file, document_file;
};

// Reads what the reader was started for. It has to stay open as long as the stream.
bool token_stream_read(struct token_stream *stream, struct document_reader *reader, const struct document_options *documents,
                       const struct token_stream_options *options, struct error *error);
void token_stream_close(struct token_stream *stream);

static inline uint64_t stream_document_end(const struct token_stream *stream, size_t document) {
  return document + 1 < stream->document_count ? stream->documents[document + 1].start : stream->count;
}
// The document that holds token `index`.
size_t token_stream_find(const struct token_stream *stream, uint64_t index);
