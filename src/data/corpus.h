// Parallel text as token ids, made once and kept in a temporary file that is mapped, so that neither the text nor its
// ids need fit into memory.
//
//   tokens    [token_count]  i32: source of sample 0, target of sample 0, source of sample 1, ...
//   samples   [count]        where each one's tokens are, and the line it came from
//
// Both sides end with the end-of-sequence token. Invariant: every id is in [0, vocabulary of its side).
#pragma once
#include "base/unnamed_file.h"
#include "data/ledger.h"
#include "data/parallel_text.h"
#include "text/tokenizer.h"

struct sample {
  uint64_t offset;                      // of the source's first token; the target follows the source
  uint64_t place;                       // file << 48 | 1-based line
  uint32_t source_count, target_count;
};

struct corpus {
  const int32_t *tokens;
  const struct sample *samples;
  size_t count;
  uint64_t source_tokens, target_tokens;
  uint32_t longest_source, longest_target;
  struct ledger ledger;
  const char **paths;                   // of the source files, by number; they belong to the parallel text
  uint64_t *fingerprints;               // sorted, of each kept pair's text; NULL unless asked for
  size_t fingerprint_count;
  struct unnamed_file token_file, sample_file;
};

struct corpus_options {
  const struct tokenizer *tokenizer;
  int eos_id;
  int source_vocab, target_vocab;       // of the model
  size_t max_tokens;                    // of a side, with its end token
  bool cut_long;                        // cut what is longer instead of dropping it
  enum text_part part;
  double held_out;                      // the fraction that belongs to PART_HELD_OUT
  bool fingerprints;
  const struct corpus *compare;         // pairs whose fingerprints are in it are counted (LEDGER_IN_VALID); may be NULL
  const char *directory;                // where the temporary file goes; it has no name, so nothing can be left behind
};

// The parallel text has to stay open as long as the corpus.
bool corpus_read(struct corpus *corpus, const struct parallel_text *text, const struct corpus_options *options,
                 struct error *error);
void corpus_close(struct corpus *corpus);

static inline const int32_t *corpus_source(const struct corpus *corpus, size_t sample) {
  return corpus->tokens + corpus->samples[sample].offset;
}
static inline const int32_t *corpus_target(const struct corpus *corpus, size_t sample) {
  return corpus->tokens + corpus->samples[sample].offset + corpus->samples[sample].source_count;
}
