// Text files as documents, in order, in pieces of some 64 KB: plain text, JSONL objects with a "text", or pairs of a prompt and
// its answer (JSONL objects with "prompt" and "answer", or TSV with columns of these names).
//
// In plain text a file is one document, unless a separator says otherwise: blank lines, or lines that are a given text. The mark
// <|endoftext|> always ends a document. Line ends next to a separator belong to it; everything else stays as it is.
//
// A long document is cut into pieces where no tokenizer of words joins across: behind the line end between two visible ASCII
// characters, or before a blank between two ASCII letters. (A tokenizer that puts a blank before every text puts one before every
// such piece.)
#pragma once
#include "base/json.h"
#include "data/ledger.h"
#include "data/parallel_text.h"

enum { DOCUMENT_PIECE = 1 << 16 };
#define DOCUMENT_MARK "<|endoftext|>"

struct document_options {
  const char *separator;   // NULL, "blank", or the text of a line
  bool no_header;          // of TSV: the first column is the prompt, the second the answer
  enum text_part part;
  double held_out;         // the share at the end of each file that is PART_HELD_OUT, from a line start on
};

struct document_piece {
  const char *text;        // valid until the next call
  size_t size;
  uint64_t place;          // file and line in which the piece begins
  bool first;              // of its document
  bool answer;             // what follows the prompt; the piece before is the prompt
};

struct document_reader {
  const char **paths;      // [count]
  struct file_map *maps;   // [count]
  size_t count;
  uint64_t bytes;          // of all files
  struct document_options options;
  struct ledger *ledger;   // receives lines without text; may be NULL
  // Where it stands
  size_t file, at, end;    // of the part of the file that is read
  size_t stop, after;      // the open document's end, and where the next one may begin
  uint64_t line;           // of `at`, from 1
  bool open, begun, separated;  // a file; a document whose end is known; a separator stood before it
  int prompt_column, answer_column;  // of TSV
  cJSON *object;           // of the JSONL line that the pieces lie in
  struct document_piece waiting;  // an answer, given out after its prompt
  bool is_waiting;
  enum { DOCUMENTS_UNKNOWN, DOCUMENTS_TEXT, DOCUMENTS_PAIRS } kind;  // of what was read so far: never both
};

// Maps the files; a missing or empty one is an error.
bool documents_open(struct document_reader *reader, const char *const *paths, size_t count, struct error *error);
void documents_close(struct document_reader *reader);
// Back to the beginning, with other options.
void documents_start(struct document_reader *reader, const struct document_options *options, struct ledger *ledger);
// The next piece; false at the end, and with error set after a failure. Pieces may be empty only as parts of a pair.
bool documents_next(struct document_reader *reader, struct document_piece *piece, struct error *error);

uint64_t count_line_ends(const char *text, size_t size);
