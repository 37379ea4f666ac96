// Cutting what a tokenizer made of a text or a pair to a number of tokens: the ends of the texts go, the special tokens stay.
#pragma once
#include "text/tokenizer.h"

// How many tokens of each text stay when `limit` tokens are wanted with all special ones: a pair loses from the longer side, one
// token at a time (the "longest first" of the released code of BERT). Returns how many go.
size_t encoding_room(const struct encoding *encoding, size_t limit, size_t kept[2]);
// Cuts the encoding itself. Returns how many tokens went.
size_t encoding_cut(struct encoding *encoding, size_t limit);
