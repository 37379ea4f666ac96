// WordPiece as BERT uses it (Wu et al. 2016, section 4.1; Devlin et al. 2018): from its start on, a word is cut into the longest
// pieces that the vocabulary has, those inside a word being written with a prefix, "##". A word that cannot be cut so, or that
// is too long, is unknown as a whole.
#pragma once
#include "text/token_list.h"
#include "text/trie.h"

struct word_piece {
  struct vocabulary vocabulary;
  struct trie trie;
  uint32_t inner;         // the trie's node at which pieces inside a word begin
  bool has_inner;         // false: no token has the prefix
  char *unknown;          // the unknown token's text; it need not be in the vocabulary as long as it is not needed
  size_t max_characters;  // max_input_chars_per_word
};

// After the vocabulary is in place.
bool word_piece_prepare(struct word_piece *model, const char *prefix, struct error *error);
// Appends the word's tokens.
bool word_piece_encode(const struct word_piece *model, const char *word, size_t size, struct token_list *out,
                       struct error *error);
void word_piece_free(struct word_piece *model);
